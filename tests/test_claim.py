"""What an agent claims is looked up from outside, and a run that lies never succeeds."""

from __future__ import annotations

import json
import random

import pytest

from .agents import age, labels, refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection


@pytest.fixture
def audited(db: Connection) -> Connection:
    """A database with an audited table that the agent may write."""
    db.execute("create table public.orders (id int primary key, state text)")
    db.execute("insert into public.orders select i, 'new' from generate_series(1, 9) i")
    db.execute("grant select, insert, update, delete on public.orders to agent_a")
    db.execute("select agentdb.audit_table('public.orders'::regclass)")
    register(db)
    return db


@pytest.fixture
def agent(audited: Connection, connect: Connect) -> Connection:
    """An agent's session with an open run."""
    session = connect(audited.info.dbname, "agent_a")
    start(session)
    return session


def claim(agent: Connection, call: str) -> int:
    """Make a claim and return its number."""
    return int(value(agent, f"select claim_id from agentdb.{call}"))


def complete(agent: Connection) -> dict[str, object]:
    return row(agent, "select * from agentdb.complete_run('all done')")


def evidence(db: Connection, number: int) -> object:
    return value(
        db, "select evidence from agentdb.claim_status where claim_id = %s", number
    )


def test_rows_that_were_written_are_verified(
    agent: Connection, audited: Connection
) -> None:
    agent.execute("update public.orders set state = 'paid' where id in (1, 2)")
    agent.execute("insert into public.orders values (10, 'new')")
    agent.execute("update public.orders set state = 'paid' where id = 10")
    agent.execute("delete from public.orders where id = 9")
    claim(agent, "claim_rows('orders', 'update', keys => '[1, {\"id\": 2}]')")
    claim(agent, "claim_rows('public.orders', 'insert', keys => '10', count => 1)")
    claim(agent, "claim_rows('orders', 'update', keys => '10')")
    claim(agent, "claim_rows('orders', 'delete', count => 1)")
    done = complete(agent)
    assert (done["state"], done["claims"], done["verified"]) == ("succeeded", 4, 4)
    assert rows(audited, "select * from agentdb.row_diff(%s)", done["run_id"]) == []


def test_run_with_a_lie_is_unverified_everywhere(
    agent: Connection, audited: Connection
) -> None:
    agent.execute("update public.orders set state = 'paid' where id = 1")
    number = claim(agent, "claim_rows('orders', 'update', keys => '[1, 2]')")
    done = complete(agent)
    assert (done["state"], done["refuted"], done["pending"]) == ("unverified", 1, 0)
    run = done["run_id"]
    state = "select state from agentdb.run_summary where run_id = %s"
    assert value(audited, state, run) == "unverified"
    told = rows(audited, "select kind, what, ok from agentdb.timeline(%s)", run)
    assert [tuple(each.values()) for each in told][-2:] == [
        ("claim", "rows public.orders: refuted", False),
        ("end", "unverified: all done", False),
    ]
    health = "select why from agentdb.agent_health where agent_name = 'a'"
    assert "succeeded" not in value(audited, health)
    assert evidence(audited, number) == {"rows": 1, "not_done": [{"id": 2}]}
    assert labels(audited, "refuted_claim") == [
        {"agent": "a", "run": str(run), "claim": str(number)}
    ]


def test_another_verb_than_claimed_is_refuted(
    agent: Connection, audited: Connection
) -> None:
    agent.execute("update public.orders set state = 'paid' where id = 3")
    number = claim(agent, "claim_rows('orders', 'insert', keys => '[3]')")
    assert complete(agent)["refuted"] == 1
    assert evidence(audited, number) == {
        "rows": 0,
        "done_otherwise": [{"key": {"id": 3}, "done": "update"}],
    }


def test_row_made_and_deleted_again_was_not_made(agent: Connection) -> None:
    agent.execute("insert into public.orders values (11, 'new')")
    agent.execute("delete from public.orders where id = 11")
    claim(agent, "claim_rows('orders', 'insert', keys => '[11]')")
    assert complete(agent)["refuted"] == 1


@pytest.mark.parametrize("seed", range(12))
def test_claims_are_about_the_end_as_a_select_has_it(
    agent: Connection, audited: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    look = "select id, state from public.orders where id < 20"
    before: dict[int, str] = dict(audited.execute(look).fetchall())
    states = [*before.values(), "paid", "sent"]
    for _ in range(40):
        key, state = chance.randrange(1, 15), chance.choice(states)
        statement = chance.choice(
            [
                "update public.orders set state = %(state)s where id = %(key)s",
                "update public.orders set state = %(former)s where id = %(key)s",
                "delete from public.orders where id = %(key)s",
                "insert into public.orders values (%(key)s, %(former)s)"
                " on conflict (id) do update set state = %(state)s",
            ]
        )
        former = before.get(key, "new")
        agent.execute(
            statement.encode(), {"key": key, "state": state, "former": former}
        )
    after: dict[int, str] = dict(audited.execute(look).fetchall())
    done = {
        "insert": after.keys() - before.keys(),
        "update": {k for k in after.keys() & before.keys() if after[k] != before[k]},
        "delete": before.keys() - after.keys(),
    }
    expected, claims = {}, {}
    for operation, keys in done.items():
        for key in range(1, 15):
            # What was made in the run and changed there may be called either.
            if operation == "update" and key in done["insert"]:
                continue
            call = f"claim_rows('orders', '{operation}', keys => '[{key}]')"
            claims[operation, key] = claim(agent, call)
            expected[operation, key] = "verified" if key in keys else "refuted"
    complete(agent)
    state = "select state from agentdb.claim_status where claim_id = %s"
    assert {key: value(audited, state, n) for key, n in claims.items()} == expected


def test_update_that_is_taken_back_is_not_done(
    agent: Connection, audited: Connection
) -> None:
    former = value(audited, "select state from public.orders where id = 1")
    agent.execute("update public.orders set state = 'paid' where id = 1")
    agent.execute("update public.orders set state = %s where id = 1", [former])
    number = claim(agent, "claim_rows('orders', 'update', keys => '[1]')")
    counted = claim(agent, "claim_rows('orders', 'update', count => 1)")
    done = complete(agent)
    assert done["refuted"] == 2
    assert evidence(audited, number) == {"rows": 0, "not_done": [{"id": 1}]}
    assert evidence(audited, counted) == {"rows": 0, "claimed": 1}
    assert rows(audited, "select * from agentdb.row_diff(%s)", done["run_id"]) == [
        {
            "table_name": "public.orders",
            "operation": "update",
            "row_key": {"id": 1},
            "finding": "not done",
        }
    ]


@pytest.mark.parametrize("hidden", ["redact", "exclude"])
def test_what_the_record_does_not_show_is_not_called_taken_back(
    audited: Connection, connect: Connect, hidden: str
) -> None:
    audited.execute("alter table public.orders add secret text default 'x'")
    audited.execute("select agentdb.unaudit_table('public.orders')")
    audit = f"select agentdb.audit_table('public.orders', {hidden} => '{{secret}}')"
    audited.execute(audit.encode())
    agent = connect(audited.info.dbname, "agent_a")
    start(agent)
    former = value(audited, "select state from public.orders where id = 1")
    for state, secret in (("paid", "y"), (former, "z")):
        agent.execute(
            "update public.orders set state = %s, secret = %s where id = 1",
            [state, secret],
        )
    claim(agent, "claim_rows('orders', 'update', keys => '[1]')")
    assert complete(agent)["verified"] == 1


def test_claims_of_many_rows_are_decided_by_one_look_at_the_run(
    agent: Connection, audited: Connection
) -> None:
    agent.execute(
        "insert into public.orders select i, 'new' from generate_series(1001, 21000) i"
    )
    for first in range(1001, 21001, 1000):
        keys = json.dumps(list(range(first, first + 1000)))
        claim(agent, f"claim_rows('orders', 'insert', keys => '{keys}')")
    # Key by key it would take more than that.
    for session in (agent, audited):
        session.execute("set statement_timeout = '1 min'")
    done = complete(agent)
    assert (done["state"], done["verified"]) == ("succeeded", 20)
    assert rows(audited, "select * from agentdb.row_diff(%s)", done["run_id"]) == []


@pytest.mark.parametrize(("count", "state"), [(0, "refuted"), (2, "verified")])
def test_rows_are_counted(agent: Connection, count: int, state: str) -> None:
    agent.execute("update public.orders set state = 'x' where id in (1, 2)")
    claim(agent, f"claim_rows('orders', 'update', count => {count})")
    assert complete(agent)[state] == 1


def test_rows_of_another_run_prove_nothing(agent: Connection) -> None:
    agent.execute("update public.orders set state = 'paid' where id = 1")
    complete(agent)
    start(agent)
    claim(agent, "claim_rows('orders', 'update', keys => '[1]')")
    assert complete(agent)["refuted"] == 1


def test_difference_is_told_both_ways(agent: Connection, audited: Connection) -> None:
    agent.execute("update public.orders set state = 'x' where id in (1, 2)")
    agent.execute("delete from public.orders where id = 3")
    claim(agent, "claim_rows('orders', 'update', keys => '[1, 3, 4]')")
    run = complete(agent)["run_id"]
    found = rows(
        audited,
        "select operation, row_key ->> 'id' as id, finding from agentdb.row_diff(%s) "
        "order by id",
        run,
    )
    assert [tuple(r.values()) for r in found] == [
        ("update", "2", "not claimed"),
        ("delete", "3", "not claimed"),
        ("update", "3", "done otherwise: delete"),
        ("update", "4", "not done"),
    ]


@pytest.mark.parametrize(
    ("call", "state", "says"),
    [
        ("claim_rows('nothing', 'update', count => 1)", "ZA006", "no audited table"),
        ("claim_rows(null, 'update', count => 1)", "ZA006", "NULL"),
        ("claim_rows('orders', 'upsert', count => 1)", "ZA004", "no operation"),
        ("claim_rows('orders', 'update')", "ZA004", "neither keys nor count"),
        ("claim_rows('orders', 'update', '[]')", "ZA004", "neither keys nor count"),
        ("claim_rows('orders', 'update', count => -1)", "ZA004", "negative"),
        ("claim_rows('orders', 'update', keys => '[{\"a\": 1}]')", "ZA004", "key of"),
        ("claim_file('etc/passwd')", "ZA004", "absolute"),
        ("claim_file('/x', min_size => -1)", "ZA004", "negative"),
        ("claim_file('/x', sha256 => 'abc')", "ZA004", "sha256"),
        ("claim_file(null)", "ZA004", "target"),
        ("claim_file(U&'/srv/a\\200Bb')", "ZA004", "hidden"),
        ("claim_http('ftp://x')", "ZA004", "http"),
        ("claim_http('http://x', 99)", "ZA004", "status"),
        ("claim_http('http://x', method => 'DELETE')", "ZA004", "method"),
        ("claim_http('http://x', method => null)", "ZA004", "method"),
        (
            "claim_http('http://x', has_text => 'y', method => 'HEAD')",
            "ZA004",
            "no text",
        ),
        ("claim_message('pigeon', 'x')", "ZA006", "channel"),
        ("claim_command('x', '[]')", "ZA004", "object"),
        ("claim_command('x', null)", "ZA004", "object"),
        ("claim_custom('file', 'x')", "ZA004", "kind"),
        ("claim_custom('Ünï', 'x')", "ZA004", "kind"),
        ("claim_custom('k', 'x', '3')", "ZA004", "object"),
        ("claim_custom('k', repeat('x', 5000))", "ZA004", "too large"),
        ("claim_file('/x', within_time => '2 days')", "ZA004", "within_time"),
    ],
)
def test_claim_that_cannot_be_looked_up_is_refused(
    agent: Connection, call: str, state: str, says: str
) -> None:
    error = refusal(agent, f"select * from agentdb.{call}")
    assert error.sqlstate == state
    assert says in str(error.message_primary)
    assert error.message_hint
    assert value(agent, "select claims from agentdb.complete_run()") == 0


def test_claims_are_capped(agent: Connection, audited: Connection) -> None:
    audited.execute("update agentdb.policy set max_claims = 2")
    claim(agent, "claim_file('/a')")
    claim(agent, "claim_file('/b')")
    assert refusal(agent, "select agentdb.claim_file('/c')").sqlstate == "ZA005"


def test_claim_is_taken_once_and_a_late_verdict_is_ignored(
    agent: Connection, audited: Connection
) -> None:
    number = claim(agent, "claim_file('/srv/report.csv')")
    take = "select claim_id, attempt from agentdb.take_claim('{file}')"
    give = "select agentdb.give_verdict(%s, %s, %s, '{\"size\": 7}')"
    assert row(audited, take) == {"claim_id": number, "attempt": 1}
    assert rows(audited, take) == []
    age(audited, "claim", "leased_until", "1 hour")
    assert row(audited, take) == {"claim_id": number, "attempt": 2}
    assert value(audited, give, number, 1, "refuted") == "late"
    assert value(audited, give, number, 2, "verified") == "verified"
    assert value(audited, give, number, 2, "refuted") == "late"
    assert evidence(audited, number) == {"size": 7}
    assert complete(agent)["state"] == "succeeded"


def test_unreachable_is_tried_again_and_never_refuted(
    agent: Connection, audited: Connection
) -> None:
    number = claim(agent, "claim_file('/srv/report.csv')")
    take = "select attempt from agentdb.take_claim('{file}')"
    give = "select agentdb.give_verdict(%s, %s, 'unreachable')"
    assert value(audited, give, number, value(audited, take)) == "pending"
    assert rows(audited, take) == []
    assert labels(audited, "unverified_claim") == []
    for column in ("claimed_at", "next_check_at", "due_at"):
        age(audited, "claim", column, "11 minutes")
    assert labels(audited, "unverified_claim") == [{"agent": "a", "kind": "file"}]
    assert value(audited, give, number, value(audited, take)) == "unreachable"
    assert labels(audited, "refuted_claim") == []
    assert complete(agent)["state"] == "unverified"


def test_far_day_hides_no_claim(agent: Connection, audited: Connection) -> None:
    number = claim(agent, "claim_file('/x', within_time => '1 day')")
    give = "select agentdb.give_verdict(%s, %s, 'unreachable')"
    for column in ("claimed_at", "next_check_at", "due_at"):
        age(audited, "claim", column, "12 hours")
    take = "select attempt from agentdb.take_claim('{file}')"
    assert value(audited, give, number, value(audited, take)) == "pending"
    assert labels(audited, "unverified_claim") == []
    for column in ("claimed_at", "next_check_at", "due_at"):
        age(audited, "claim", column, "12 hours 11 minutes")
    assert labels(audited, "unverified_claim") == [{"agent": "a", "kind": "file"}]
    assert value(audited, give, number, value(audited, take)) == "unreachable"


def test_what_may_still_come_about_is_not_refuted_yet(
    agent: Connection, audited: Connection
) -> None:
    number = claim(agent, "claim_file('/x', within_time => '1 min')")
    take = "select attempt from agentdb.take_claim('{file}')"
    give = "select agentdb.give_verdict(%s, %s, 'refuted')"
    assert value(audited, give, number, value(audited, take)) == "pending"
    age(audited, "claim", "due_at", "2 minutes")
    age(audited, "claim", "next_check_at", "2 minutes")
    assert value(audited, give, number, value(audited, take)) == "refuted"


@pytest.mark.parametrize(("attempt", "wait"), [(1, "2 s"), (5, "32 s"), (9, "1 min")])
def test_what_may_still_come_about_is_looked_at_ever_less_often(
    agent: Connection, audited: Connection, attempt: int, wait: str
) -> None:
    number = claim(agent, "claim_file('/x', within_time => '1 min')")
    audited.execute("update agentdb.claim set attempt = %s", [attempt - 1])
    audited.execute("select agentdb.take_claim('{file}')")
    audited.execute("select agentdb.give_verdict(%s, %s, 'refuted')", [number, attempt])
    found = row(
        audited,
        "select next_check_at = least(checked_at + %s::interval, due_at) as seldom, "
        "next_check_at = due_at as at_the_end from agentdb.claim",
        wait,
    )
    assert found == {"seldom": True, "at_the_end": attempt == 9}


def test_rows_of_a_run_that_never_completes_are_verified_all_the_same(
    agent: Connection, audited: Connection
) -> None:
    claim(agent, "claim_rows('orders', 'update', keys => '[1]')")
    assert value(audited, "select agentdb.verify_rows()") == 0
    age(audited, "claim", "claimed_at", "2 minutes")
    assert value(audited, "select agentdb.verify_rows()") == 1
    assert value(audited, "select state from agentdb.claim") == "refuted"


def test_messages_are_read_from_the_transports_record(
    agent: Connection, audited: Connection
) -> None:
    audited.execute(
        'create table public."Mail" (recipient text, sent_at timestamptz, body text)'
    )
    audited.execute(
        "insert into public.\"Mail\" values ('x@y', now() - interval '1 day', 'old')"
    )
    audited.execute(
        "select agentdb.register_message_channel('mail', 'public.\"Mail\"', "
        "'recipient', 'sent_at', 'body')"
    )
    number = claim(agent, "claim_message('mail', 'x@y', has_text => 'invoice 7')")
    look = "select verdict from agentdb.look_for_message(%s)"
    assert value(audited, look, number) == "refuted"
    audited.execute("insert into public.\"Mail\" values ('x@y', now(), 'hello')")
    assert value(audited, look, number) == "refuted"
    audited.execute("insert into public.\"Mail\" values ('x@y', now(), 'invoice 7')")
    assert value(audited, look, number) == "verified"
    audited.execute('drop table public."Mail"')
    assert value(audited, look, number) == "unreachable"


def test_text_that_is_not_kept_is_never_missed(
    agent: Connection, audited: Connection
) -> None:
    audited.execute(
        "create table public.mail (recipient text, sent_at timestamptz, body text)"
    )
    audited.execute(
        "select agentdb.register_message_channel('mail', 'public.mail', "
        "'recipient', 'sent_at', 'body')"
    )
    audited.execute("insert into public.mail values ('x@y', clock_timestamp(), 'z')")
    call = "claim_message('mail', 'x@y', has_text => 'hello')"
    number = claim(agent, call)
    audited.execute("update agentdb.message_channel set text_column = null")
    error = refusal(agent, f"select agentdb.{call}")
    assert (error.sqlstate, error.message_hint) == ("ZA004", "Leave out has_text.")
    look = "select verdict from agentdb.look_for_message(%s)"
    assert value(audited, look, number) == "unreachable"
    plain = claim(agent, "claim_message('mail', 'x@y')")
    assert value(audited, look, plain) == "verified"


def test_table_that_somebody_has_locked_keeps_nobody_waiting(
    agent: Connection, audited: Connection, connect: Connect
) -> None:
    audited.execute("create table public.mail (recipient text, sent_at timestamptz)")
    audited.execute(
        "select agentdb.register_message_channel('mail', 'public.mail', "
        "'recipient', 'sent_at')"
    )
    number = claim(agent, "claim_message('mail', 'x@y')")
    holder = connect(audited.info.dbname)
    with holder.transaction():
        holder.execute("lock table public.mail")
        found = row(audited, "select * from agentdb.look_for_message(%s)", number)
    assert found["verdict"] == "unreachable"
    assert "lock timeout" in found["evidence"]["problem"]


def test_agent_can_neither_judge_nor_read_claims(agent: Connection) -> None:
    number = claim(agent, "claim_file('/x')")
    for query in (
        "select * from agentdb.take_claim('{file}')",
        f"select agentdb.give_verdict({number}, 1, 'verified')",
        "select * from agentdb.claim_status",
        f"update agentdb.claim set state = 'verified' where claim_id = {number}",
        f"insert into agentdb.verdict (claim_id, verdict) values ({number}, 'verified')",
        f"select * from agentdb.look_for_message({number})",
    ):
        assert refusal(agent, query).sqlstate == "42501"


@pytest.fixture
def staging(audited: Connection, connect: Connect) -> Connection:
    """The session of an agent whose writes somebody else approves."""
    audited.execute("select agentdb.guard_table('public.orders')")
    session = connect(audited.info.dbname, "agent_a")
    start(session, purpose="pay")
    return session


STAGE = "update agentdb_stage.orders set state = 'paid' where id = 1"
CLAIM = "claim_rows('orders', 'update', keys => '[1]')"
STATE = "select state from agentdb.claim_status where claim_id = %s"
RUN = "select state from agentdb.run_summary where run_id = %s"


def judged(audited: Connection, number: int) -> object:
    """Let the runner decide, and say what became of a claim."""
    audited.execute("select agentdb.verify_rows()")
    return value(audited, STATE, number)


def test_claim_about_a_staged_change_is_judged_by_what_was_applied(
    audited: Connection, staging: Connection, connect: Connect
) -> None:
    reviewer = connect(audited.info.dbname, "reviewer_r")
    staging.execute(STAGE)
    number = claim(staging, CLAIM)
    done = complete(staging)
    assert (done["state"], done["refuted"], done["pending"]) == ("unverified", 0, 1)
    assert judged(audited, number) == "pending"
    age(audited, "claim", "claimed_at", "1 hour")
    age(audited, "claim", "due_at", "1 hour")
    for rule in ("refuted_claim", "unverified_claim"):
        assert labels(audited, rule) == []
    approve(reviewer, latest(audited)["change_id"])
    assert judged(audited, number) == "verified"
    assert value(audited, RUN, done["run_id"]) == "succeeded"
    assert rows(audited, "select * from agentdb.row_diff(%s)", done["run_id"]) == []


def test_claim_is_made_in_the_transaction_that_stages(
    audited: Connection, staging: Connection, connect: Connect
) -> None:
    with staging.transaction():
        staging.execute(STAGE)
        number = claim(staging, CLAIM)
        done = complete(staging)
        assert done["refuted"] == 0
    approve(connect(audited.info.dbname, "reviewer_r"), latest(audited)["change_id"])
    assert judged(audited, number) == "verified"


@pytest.mark.parametrize("end", ["rejected", "expired", "withdrawn", "conflict"])
def test_claim_about_a_change_that_came_to_nothing_is_refuted_and_says_why(
    audited: Connection, staging: Connection, connect: Connect, end: str
) -> None:
    reviewer = connect(audited.info.dbname, "reviewer_r")
    staging.execute(STAGE)
    number = claim(staging, CLAIM)
    run = complete(staging)["run_id"]
    change = latest(audited)["change_id"]
    if end == "rejected":
        reviewer.execute("select agentdb.reject_change(%s, 'not now')", [change])
    elif end == "expired":
        age(audited, "change", "expires_at", "2 days")
        audited.execute("select * from agentdb.advance_changes()")
    elif end == "withdrawn":
        audited.execute("select agentdb.withdraw_change(%s)", [change])
    else:
        audited.execute("update orders set state = 'void' where id = 1")
        approve(reviewer, change)
    assert judged(audited, number) == "refuted"
    found = evidence(audited, number)
    assert isinstance(found, dict)
    assert found["not_applied"][str(change)].startswith(end)
    assert value(audited, RUN, run) == "unverified"


@pytest.mark.parametrize("verdict", ["pending", "rejected", "conflict"])
def test_run_whose_change_was_not_applied_has_not_succeeded(
    audited: Connection, staging: Connection, connect: Connect, verdict: str
) -> None:
    """Also where it claims nothing; a later change that was applied makes it good."""
    reviewer = connect(audited.info.dbname, "reviewer_r")
    staging.execute(STAGE)
    change = latest(audited)["change_id"]
    if verdict == "rejected":
        reviewer.execute("select agentdb.reject_change(%s, 'not now')", [change])
    elif verdict == "conflict":
        audited.execute("update orders set state = 'void' where id = 1")
        approve(reviewer, change)
    staging.execute(STAGE.replace("= 1", "= 2"))
    second = latest(audited)["change_id"]
    run = complete(staging)["run_id"]
    assert value(audited, RUN, run) == "unverified"
    approve(reviewer, second)
    state = "unverified" if verdict == "pending" else "succeeded"
    assert value(audited, RUN, run) == state


def test_change_of_another_table_makes_no_refused_one_good(
    audited: Connection, staging: Connection, connect: Connect
) -> None:
    reviewer = connect(audited.info.dbname, "reviewer_r")
    audited.execute(
        "create table small (id int primary key, v int); insert into small values (1, 1);"
        "grant select, update on small to agent_a;"
        "select agentdb.guard_table('small', auto_approve => '{\"rows\": 1}')"
    )
    staging.execute(STAGE)
    first = latest(audited)["change_id"]
    reviewer.execute("select agentdb.reject_change(%s, 'not now')", [first])
    staging.execute("update agentdb_stage.small set v = 2 where id = 1")
    assert latest(audited)["state"] == "applied"
    assert value(audited, RUN, complete(staging)["run_id"]) == "unverified"


def test_claim_about_what_a_change_cascades_to_waits_for_it_too(
    audited: Connection, staging: Connection, connect: Connect
) -> None:
    audited.execute(
        "create table part (id int primary key, o int references orders on delete cascade);"
        "insert into part select i, 1 from generate_series(1, 3) as i;"
        "grant select, delete on part to agentdb_applier;"
        "select agentdb.audit_table('part')"
    )
    staging.execute("delete from agentdb_stage.orders where id = 1")
    number = claim(staging, "claim_rows('public.part', 'delete', count => 3)")
    done = complete(staging)
    assert (done["refuted"], done["pending"]) == (0, 1)
    assert judged(audited, number) == "pending"
    approve(connect(audited.info.dbname, "reviewer_r"), latest(audited)["change_id"])
    assert judged(audited, number) == "verified"


def test_who_stages_again_and_again_does_not_put_off_what_it_claimed(
    audited: Connection, staging: Connection
) -> None:
    number = claim(staging, CLAIM)
    staging.execute(STAGE)
    for moved in ("1 hour", "1 day"):
        assert judged(audited, number) == "pending"
        age(audited, "claim", "claimed_at", moved)
        age(audited, "claim", "due_at", moved)
        staging.execute(
            "select * from agentdb.withdraw_change(%s)", [latest(audited)["change_id"]]
        )
        staging.execute(STAGE)
    assert judged(audited, number) == "refuted"


LIES = "select finding from agentdb.tool_diff(1)"


def test_calls_that_are_logged_before_the_change_is_submitted_are_no_lies(
    audited: Connection, staging: Connection
) -> None:
    """Within the transaction that stages, and in a change that is still open."""
    audited.execute(
        "select agentdb.register_tool('pay', '{}', writes => '[{\"table\": \"orders\"}]')"
    )
    call = "select agentdb.log_tool_call('pay', '{}')"
    with staging.transaction():
        staging.execute(STAGE)
        staging.execute(call)
    assert rows(audited, LIES) == []
    staging.execute("select agentdb.open_change(reason => 'several')")
    for key in (2, 3, 3):
        # The same row twice is one row of the change, and two calls that did it.
        staging.execute(
            f"update agentdb_stage.orders set state = state || '!' where id = {key}"
        )
        staging.execute(call)
    assert rows(audited, LIES) == []
    staging.execute("select agentdb.submit_change()")
    assert rows(audited, LIES) == []
    staging.execute(call)
    assert rows(audited, LIES) == [{"finding": "nothing written"}]


def test_call_that_staged_what_its_tool_writes_is_no_empty_call(
    audited: Connection, staging: Connection
) -> None:
    audited.execute(
        "select agentdb.register_tool('pay', '{}', writes => '[{\"table\": \"orders\"}]')"
    )
    staging.execute(STAGE)
    staging.execute("select agentdb.log_tool_call('pay', '{}')")
    assert rows(audited, "select finding from agentdb.tool_diff(1)") == []
    staging.execute("select agentdb.log_tool_call('pay', '{}')")
    assert rows(audited, "select finding from agentdb.tool_diff(1)") == [
        {"finding": "nothing written"}
    ]
