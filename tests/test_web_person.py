"""Who is whom on the page: what `…_for` functions judge, and what they write down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import refusal, register, row, rows, start, value
from .alerts import fire, make_rule
from .changes import latest

if TYPE_CHECKING:
    from .conftest import Connect, Connection

# Subjects, and the roles that they are mapped to.
PEOPLE = {"ann": "operator_o", "rev": "reviewer_r", "agent": "agent_a"}


def let_in(db: Connection, connect: Connect) -> Connection:
    """Map the people, and return a session of agentdb serve."""
    for subject, role in PEOPLE.items():
        db.execute("select agentdb.map_person(%s, %s)", [subject, role])
    return connect(db.info.dbname, "web_w")


@pytest.fixture
def web(db: Connection, connect: Connect) -> Connection:
    return let_in(db, connect)


@pytest.fixture
def served(guarded: Connection, connect: Connect) -> Connection:
    """The same before the database with guarded tables."""
    return let_in(guarded, connect)


def change(guarded: Connection, connect: Connect) -> int:
    """Have agent a propose a change, and return its number."""
    agent = connect(guarded.info.dbname, "agent_a")
    agent.execute("set search_path = agentdb_stage, public")
    start(agent)
    agent.execute("update agentdb_stage.invoice set note = 'x' where id = 1")
    return int(latest(guarded)["change_id"])


APPROVE = (
    "select state from agentdb.approve_change_for(%s, %s, (select digest"
    " from agentdb.show_change(%s)))"
)


def test_what_is_done_names_the_person(
    db: Connection, web: Connection, connect: Connect
) -> None:
    register(db)
    run = start(connect(db.info.dbname, "agent_a"))
    make_rule(db)
    (alert,) = fire(db, "x")
    web.execute(
        "select * from agentdb.acknowledge_alert_for('ann', %s, 'mine')", [alert]
    )
    by = "operator_o by way of agentdb serve"
    assert value(db, "select acknowledged_by from agentdb.alert") == by
    log = "select recorded_by from agentdb.alert_log where to_state = 'acknowledged'"
    assert value(db, log) == by
    web.execute("select agentdb.resolve_alert_for('ann', %s, 'done')", [alert])
    assert (
        value(db, "select end_reason from agentdb.alert") == f"resolved by {by}: done"
    )
    web.execute(
        "select agentdb.silence_alerts_for('ann', 'agent=a', '1 hour', 'known')"
    )
    web.execute("select agentdb.end_silence_for('ann', 1)")
    found = row(db, "select created_by, ended_by from agentdb.silence")
    assert found == {"created_by": by, "ended_by": by}
    web.execute("select agentdb.pause_agent_for('ann', 'a', 'wait')")
    assert value(db, "select stopped_by from agentdb.agent_stop") == by
    web.execute("select agentdb.resume_agent_for('ann', 'a', 'go on')")
    web.execute("select agentdb.kill_run_for('ann', %s, 'it loops')", [run])
    assert value(db, "select stopped_by from agentdb.run_stop") == by
    assert by in value(db, "select end_reason from agentdb.run")
    drained = "select drained from agentdb.drain_run_for('ann', %s)"
    assert value(web, drained, run) is True
    assert rows(db, "select distinct stopped_by from agentdb.stop_log") == [
        {"stopped_by": by}
    ]
    did = rows(
        db, "select subject, role_name, action, sqlstate from agentdb.web_action"
    )
    assert [each["action"] for each in did] == [
        "acknowledge_alert", "resolve_alert", "silence_alerts", "end_silence",
        "pause_agent", "resume_agent", "kill_run", "drain_run",
    ]  # fmt: skip
    assert {(e["subject"], e["role_name"], e["sqlstate"]) for e in did} == {
        ("ann", "operator_o", None)
    }


def test_the_rights_are_those_of_the_role(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    number = change(guarded, connect)
    kill = "select agentdb.kill_run_for(%s, 1, 'x')"
    # A reviewer kills nothing, an operator approves nothing, a stranger does nothing.
    said = refusal(served, kill, "rev")
    assert said.sqlstate == "42501" and "grant agentdb_operator to reviewer_r" in (
        said.message_hint or ""
    )
    assert refusal(served, APPROVE, "ann", number, number).sqlstate == "ZA055"
    for person in ("nobody", "", None, "operator_o", "role operator_o"):
        assert refusal(served, kill, person).sqlstate == "42501"
        assert refusal(served, APPROVE, person, number, number).sqlstate == "42501"
    assert value(guarded, "select count(*) from agentdb.run_stop") == 0
    assert latest(guarded)["state"] == "pending"
    # What is refused leaves no trace of its own, and is told afterwards.
    assert value(guarded, "select count(*) from agentdb.web_action") == 0
    served.execute(
        "select agentdb.note_refusal('nobody', 'kill_run', '{\"run\": 1}', '42501')"
    )
    found = row(guarded, "select subject, role_name, sqlstate from agentdb.web_action")
    assert found == {"subject": "nobody", "role_name": None, "sqlstate": "42501"}


def test_a_right_that_is_taken_away_ends_at_once(
    db: Connection, web: Connection, connect: Connect
) -> None:
    register(db)
    pause = "select agentdb.pause_agent_for('ann', 'a', 'x')"
    web.execute(pause)
    assert value(
        connect(db.info.dbname, "operator_o"), "select agentdb.unmap_person('ann')"
    ) == ("operator_o")
    assert refusal(web, pause.encode().decode()).sqlstate == "42501"


def test_a_proposers_own_change_is_not_its_own_to_approve(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    """The agent's own role is a reviewer's: by way of the page it is one person."""
    number = change(guarded, connect)
    guarded.execute("grant agentdb_reviewer to agent_a")
    try:
        assert refusal(served, APPROVE, "agent", number, number).sqlstate == "ZA055"
        reject = "select agentdb.reject_change_for('agent', %s, 'no')"
        assert refusal(served, reject, number).sqlstate == "ZA055"
    finally:
        guarded.execute("revoke agentdb_reviewer from agent_a")
    assert latest(guarded)["state"] == "pending"


def test_a_proposer_without_an_agent_approves_nothing_of_its_own(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    person = connect(guarded.info.dbname, "reviewer_r")
    guarded.execute("grant select, insert, update on invoice to reviewer_r")
    person.execute("select agentdb.open_change('by hand')")
    person.execute("update agentdb_stage.invoice set note = 'r' where id = 1")
    person.execute("select agentdb.submit_change()")
    number = int(latest(guarded)["change_id"])
    assert latest(guarded)["proposed_by"] == "reviewer_r"
    assert refusal(served, APPROVE, "rev", number, number).sqlstate == "ZA055"


def test_a_change_is_approved_and_the_second_is_told_by_whom(
    guarded: Connection, served: Connection, connect: Connect, reviewer: Connection
) -> None:
    number = change(guarded, connect)
    assert value(served, APPROVE, "rev", number, number) == "applied"
    assert latest(guarded)["decisions"] == "reviewer_r by way of agentdb serve: approve"
    assert value(guarded, "select note from invoice where id = 1") == "x"
    decided = row(guarded, "select reviewer, by_way_of from agentdb.change_decision")
    assert decided == {"reviewer": "reviewer_r", "by_way_of": "agentdb serve"}
    by = value(
        guarded, "select approved_by from agentdb.audit where change_id is not null"
    )
    assert by == "reviewer_r by way of agentdb serve"
    second = refusal(reviewer, "select agentdb.reject_change(%s, 'too late')", number)
    assert second.sqlstate == "ZA053"
    assert second.message_detail == "reviewer_r by way of agentdb serve: approve"


def test_a_digest_that_was_not_shown_is_refused(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    number = change(guarded, connect)
    other = "select agentdb.approve_change_for('rev', %s, 'another')"
    assert refusal(served, other, number).sqlstate == "ZA054"


def test_an_undo_is_made_for_a_person_and_approved_by_another(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    number = change(guarded, connect)
    served.execute(APPROVE.encode(), ["rev", number, number])
    undone = row(
        served,
        "select change_id, state, conflicts from agentdb.undo_run_for('rev', 1, 'wrong')",
    )
    assert undone["state"] == "pending" and undone["conflicts"] is None
    assert latest(guarded)["proposed_by"] == "reviewer_r"
    mine = undone["change_id"]
    assert refusal(served, APPROVE, "rev", mine, mine).sqlstate == "ZA055"
    guarded.execute("create role second_r login in role agentdb_reviewer")
    try:
        guarded.execute("select agentdb.map_person('two', 'second_r')")
        assert value(served, APPROVE, "two", mine, mine) in ("approved", "applied")
        if latest(guarded)["state"] == "approved":
            served.execute("select agentdb.apply_change_for('two', %s)", [mine])
        assert value(guarded, "select note from invoice where id = 1") is None
    finally:
        guarded.execute("drop owned by second_r")
        guarded.execute("drop role second_r")


def test_an_undo_of_what_is_not_guarded_needs_the_person_itself(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    guarded.execute("create table public.plain (id int primary key, note text)")
    guarded.execute("grant select, insert on public.plain to agent_a")
    guarded.execute("select agentdb.audit_table('public.plain')")
    agent = connect(guarded.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("insert into public.plain values (1, 'x')")
    said = refusal(served, "select agentdb.undo_run_for('rev', %s, 'wrong')", run)
    assert said.sqlstate == "ZA055"
    assert said.message_hint == f"agentdb undo {run} --apply"
    assert value(guarded, "select count(*) from public.plain") == 1


def test_nobody_gives_away_what_is_not_its_own(
    db: Connection, connect: Connect
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    give = "select agentdb.map_person('me', %s)"
    assert refusal(operator, give, "reviewer_r").sqlstate == "42501"
    # Membership is not identity: that would make one's own change another's.
    db.execute("grant reviewer_r to operator_o")
    try:
        assert refusal(operator, give, "reviewer_r").sqlstate == "42501"
    finally:
        db.execute("revoke reviewer_r from operator_o")
    for group in ("agentdb_operator", "agentdb_reviewer"):
        assert refusal(operator, give, group).sqlstate == "ZA004"
    assert refusal(operator, give, "nobody_n").sqlstate == "ZA006"
    operator.execute("select agentdb.map_person('me', 'operator_o')")
    # And what is somebody's does not become another's by its own wish.
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert refusal(reviewer, give, "reviewer_r").sqlstate == "42501"
    assert refusal(reviewer, "select agentdb.unmap_person('me')").sqlstate == "ZA006"
    # A link's name belongs to that role.
    stolen = "select agentdb.map_person('role reviewer_r', 'operator_o')"
    assert refusal(operator, stolen).sqlstate == "ZA004"


def test_a_setting_by_hand_gives_nothing(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    number = change(guarded, connect)
    approve = "select agentdb.approve_change(%s, (select digest from agentdb.show_change(%s)))"
    for login in ("agent_a", "operator_o"):
        session = connect(guarded.info.dbname, login)
        session.execute("set agentdb.person = 'rev'")
        assert refusal(session, approve, number, number).sqlstate == "ZA055"
    served.execute("set agentdb.person = 'rev'")
    assert refusal(served, approve, number, number).sqlstate == "42501"
    # A superuser is a member of all roles, and acts for nobody.
    guarded.execute("set agentdb.person = 'rev'")
    assert value(guarded, "select agentdb._person()") == guarded.info.user
    assert (
        refusal(guarded, "select agentdb.kill_run_for('ann', 1, 'x')").sqlstate
        == "42501"
    )


def test_one_act_does_not_colour_the_next(
    db: Connection, web: Connection, connect: Connect
) -> None:
    register(db)
    with web.transaction():
        web.execute("select agentdb.pause_agent_for('ann', 'a', 'x')")
        assert value(web, "select current_setting('agentdb.person', true)") == ""
        assert (
            refusal_in(web, "select agentdb.pause_agent_for('rev', 'a', 'x')")
            == "42501"
        )


def refusal_in(session: Connection, query: str) -> str | None:
    """Return the SQLSTATE of a refusal within a transaction, which goes on."""
    with session.transaction(force_rollback=True):
        found = refusal(session, query).sqlstate
    return found


def test_a_link_lets_in_who_made_it_once(db: Connection, connect: Connect) -> None:
    web = connect(db.info.dbname, "web_w")
    reviewer = connect(db.info.dbname, "reviewer_r")
    token = value(reviewer, "select agentdb.make_web_link()")
    assert (
        refusal(reviewer, "select agentdb.redeem_web_link(%s)", token).sqlstate
        == "42501"
    )
    assert value(web, "select agentdb.redeem_web_link('adbw_other')") is None
    assert value(web, "select agentdb.redeem_web_link(%s)", token) == "role reviewer_r"
    assert value(web, "select agentdb.redeem_web_link(%s)", token) is None
    rights = row(web, "select * from agentdb.rights_of_person('role reviewer_r')")
    assert rights == {
        "role_name": "reviewer_r", "look": True, "respond": False, "approve": True,
    }  # fmt: skip
    # It ends with the session of the page.
    db.execute("update agentdb.web_person set expires_at = now()")
    assert row(web, "select * from agentdb.rights_of_person('role reviewer_r')") == {
        "role_name": None, "look": False, "respond": False, "approve": False,
    }  # fmt: skip
    # What the role has said for good stays so.
    reviewer.execute("select agentdb.map_person('role reviewer_r', 'reviewer_r')")
    again = value(reviewer, "select agentdb.make_web_link()")
    web.execute("select agentdb.redeem_web_link(%s)", [again])
    assert value(db, "select expires_at from agentdb.web_person") is None
    old = value(reviewer, "select agentdb.make_web_link('1 second')")
    db.execute("update agentdb.web_link set expires_at = now() where used_at is null")
    assert value(web, "select agentdb.redeem_web_link(%s)", old) is None
    for lasts in ("0", "2 hours", "-1 second"):
        made = refusal(reviewer, "select agentdb.make_web_link(%s)", lasts)
        assert made.sqlstate == "ZA004"
    for login in ("auditor_u", "operator_o", "web_w"):
        read = refusal(connect(db.info.dbname, login), "select * from agentdb.web_link")
        assert read.sqlstate == "42501"


def test_links_are_bounded(db: Connection, connect: Connect) -> None:
    reviewer = connect(db.info.dbname, "reviewer_r")
    for _ in range(20):
        reviewer.execute("select agentdb.make_web_link()")
    assert refusal(reviewer, "select agentdb.make_web_link()").sqlstate == "ZA005"
    connect(db.info.dbname, "operator_o").execute("select agentdb.make_web_link()")


def test_what_was_done_is_not_rewritten(db: Connection, web: Connection) -> None:
    register(db)
    web.execute("select agentdb.pause_agent_for('ann', 'a', 'x')")
    for statement in (
        "update agentdb.web_action set subject = 'y'",
        "delete from agentdb.web_action",
        "truncate agentdb.web_action",
    ):
        assert refusal(db, statement).sqlstate == "ZA008"


def test_what_is_refused_again_and_again_fills_nothing(
    db: Connection, web: Connection
) -> None:
    web.execute(
        "select agentdb.note_refusal('eve', 'kill_run', '{}', '42501')"
        " from generate_series(1, 1100)"
    )
    assert value(db, "select count(*) from agentdb.web_action") == 1000


def test_sessions_are_ended_as_far_as_the_page_may(
    db: Connection, web: Connection, connect: Connect
) -> None:
    register(db)
    run = start(connect(db.info.dbname, "agent_a"))
    end = "select ended, problem from agentdb.end_sessions_for('ann', %s)"
    assert refusal(web, end, run).sqlstate == "ZA006"
    web.execute("select agentdb.kill_run_for('ann', %s, 'x')", [run])
    found = row(web, end, run)
    assert found["ended"] is False and "pg_signal_backend" in found["problem"]
    db.execute("grant pg_signal_backend to web_w")
    try:
        assert row(connect(db.info.dbname, "web_w"), end, run)["ended"] is True
    finally:
        db.execute("revoke pg_signal_backend from web_w")


def test_who_is_locked_out_of_the_database_acts_no_more(
    db: Connection, connect: Connect
) -> None:
    """NOLOGIN is how somebody's rights end; and a name may be somebody else's next."""
    register(db)
    pause = "select agentdb.pause_agent_for('eve', 'a', 'x')"
    web = connect(db.info.dbname, "web_w")
    db.execute("create role eve_o login in role agentdb_operator")
    try:
        db.execute("select agentdb.map_person('eve', 'eve_o')")
        web.execute(pause)
        db.execute("alter role eve_o nologin")
        assert refusal(web, pause).sqlstate == "42501"
        db.execute("alter role eve_o login")
        web.execute(pause)
        db.execute("alter role eve_o rename to eve_former")
        assert refusal(web, pause).sqlstate == "42501"
        db.execute("create role eve_o login in role agentdb_operator")
        assert refusal(web, pause).sqlstate == "42501"
        # The other one is let in as itself, and may have the subject.
        link = value(connect(db.info.dbname, "eve_o"), "select agentdb.make_web_link()")
        assert value(web, "select agentdb.redeem_web_link(%s)", link) == "role eve_o"
        web.execute("select agentdb.pause_agent_for('role eve_o', 'a', 'x')")
        connect(db.info.dbname, "eve_o").execute(
            "select agentdb.map_person('eve', 'eve_o')"
        )
        web.execute(pause)
    finally:
        for role in ("eve_o", "eve_former"):
            db.execute(f"drop owned by {role}".encode())
            db.execute(f"drop role {role}".encode())


def test_a_link_of_a_role_that_is_another_now(db: Connection, connect: Connect) -> None:
    web = connect(db.info.dbname, "web_w")
    kill = "select agentdb.kill_agent_for('role eve_o', 'a', 'x')"
    register(db)
    make = "select agentdb.make_web_link()"
    db.execute("create role eve_o login in role agentdb_operator")
    try:
        link = value(connect(db.info.dbname, "eve_o"), make)
        web.execute("select agentdb.redeem_web_link(%s)", [link])
        db.execute("drop owned by eve_o")
        db.execute("drop role eve_o")
        db.execute("create role eve_o login in role agentdb_operator")
        assert refusal(web, kill).sqlstate == "42501"
        link = value(connect(db.info.dbname, "eve_o"), make)
        web.execute("select agentdb.redeem_web_link(%s)", [link])
        web.execute(kill)
    finally:
        db.execute("drop owned by eve_o")
        db.execute("drop role eve_o")


def test_who_the_server_logs_in_as_acts_by_way_of_it_too(
    guarded: Connection, connect: Connect
) -> None:
    """One role for both, as on a laptop: nothing is written with the pack's rights."""
    guarded.execute("""
        create table public.plain (id int primary key, note text);
        grant select, insert, delete on public.plain to public;
        create function public.tell () returns trigger language plpgsql as $$
        begin
          if current_user not in ('agent_a', 'web_w') then
            raise exception 'run as %', current_user;
          end if;
          return old;
        end $$;
        create trigger tell before delete on public.plain
          for each row execute function public.tell();
        select agentdb.audit_table('public.plain')""")
    agent = connect(guarded.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("insert into public.plain values (1, 'x')")
    web = connect(guarded.info.dbname, "web_w")
    guarded.execute("grant agentdb_operator to web_w")
    try:
        web.execute("select agentdb.map_person('me', 'web_w')")
        said = refusal(web, "select agentdb.undo_run_for('me', %s, 'x')", run)
        assert said.sqlstate == "ZA055" and "does it" in (said.message_primary or "")
        web.execute("select agentdb.pause_agent_for('me', 'a', 'x')")
        by = "web_w by way of agentdb serve"
        assert value(guarded, "select stopped_by from agentdb.agent_stop") == by
        # By itself it is itself.
        web.execute("select agentdb.resume_agent('a', 'x')")
        last = "select stopped_by from agentdb.stop_log order by stop_log_id desc"
        assert value(guarded, f"{last} limit 1") == "web_w"
        done = row(web, "select * from agentdb.undo_run(%s, 'x')", run)
        assert done["state"] == "approved"
        apply = "select agentdb.apply_change_for('me', %s)"
        assert refusal(web, apply, done["change_id"]).sqlstate == "ZA055"
        assert value(guarded, "select count(*) from public.plain") == 1
    finally:
        guarded.execute("revoke agentdb_operator from web_w")


def test_who_makes_a_link_and_waits_keeps_nobody_out(
    db: Connection, connect: Connect
) -> None:
    link = value(
        connect(db.info.dbname, "operator_o"), "select agentdb.make_web_link()"
    )
    web = connect(db.info.dbname, "web_w")
    waiting = connect(db.info.dbname, "auditor_u")
    with waiting.transaction():
        waiting.execute("select agentdb.make_web_link()")
        redeem = "select agentdb.redeem_web_link(%s)"
        assert value(web, redeem, link) == "role operator_o"
        connect(db.info.dbname, "reviewer_r").execute("select agentdb.make_web_link()")


def test_a_trigger_does_not_say_who_applied(
    guarded: Connection, served: Connection, connect: Connect
) -> None:
    guarded.execute("""
        create function public.lie () returns trigger language plpgsql as $$
        begin
          perform set_config('agentdb.person', 'ann', true);
          return new;
        end $$;
        create trigger lie before update on public.invoice
          for each row execute function public.lie()""")
    number = change(guarded, connect)
    assert value(served, APPROVE, "rev", number, number) == "applied"
    applied = value(
        guarded, "select applied_by from agentdb.change where change_id = %s", number
    )
    assert applied == "reviewer_r by way of agentdb serve"
