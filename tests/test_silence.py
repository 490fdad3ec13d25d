"""A silence says what, why, by whom and until when; afterwards all is told again."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .agents import refusal, row, rows, value
from .alerts import claimed, deliver, fire, flush, kinds, later, make_rule
from .conftest import Connect, Connection

ALERT = {"rule": "silent_loop", "agent": "billing", "severity": "warning", "x": "a,b"}


@pytest.fixture
def rule(db: Connection) -> None:
    make_rule(db)


def silence(db: Connection, matchers: str, lasts: str = "2 hours") -> int:
    query = "select silence_id from agentdb.silence_alerts(%s, %s::interval, 'known')"
    return int(value(db, query, matchers, lasts))


def matches(db: Connection, matchers: str) -> bool:
    query = (
        "select agentdb._matches(agentdb._parse_matchers(%s), jsonb_build_object("
        "'rule', 'silent_loop', 'agent', 'billing', 'severity', 'warning', 'x', 'a,b'))"
    )
    return bool(value(db, query, matchers))


def test_matchers_name_alerts_by_their_labels(db: Connection) -> None:
    for matchers, expected in {
        "agent=billing": True,
        " agent = billing , rule~loop ": True,
        "agent=billing,rule~^loop": False,
        "agent!=billing": False,
        "agent!=other": True,
        "rule!~token": True,
        "rule!~loop": False,
        'x="a,b"': True,
        "missing=": True,
        "missing!=": False,
        "missing~.": False,
        "severity~warning|critical": True,
        "": True,
    }.items():
        assert matches(db, matchers) is expected, matchers


@pytest.mark.parametrize(
    "matchers",
    [
        None,
        "agent",
        "agent=x,",
        ",agent=x",
        "agent=x rule=y,",
        "=x",
        "a b=c",
        "agent==x,",
        'agent="x',
        "rule~(",
        "rule~(a)\\1",
        "rule~" + "a" * 201,
        "agent=\u202ex",
        "agent=\nx",
        ",".join(["a=b"] * 21),
        "x" * 1001,
        "'; drop table agentdb.alert; --",
    ],
)
def test_matchers_that_cannot_be_read_are_refused(
    db: Connection, matchers: str | None
) -> None:
    refused = refusal(
        db, "select agentdb.silence_alerts(%s, '1 hour', 'known')", matchers
    )
    assert refused.sqlstate == "ZA004"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("agent=~locky", "agent~locky"),
        ("agent =~ locky", "agent~locky"),
        ("agent!=~lock.*", "agent!~lock.*"),
        ("rule=x,agent==locky", "agent=locky"),
        ("agent~=locky", "agent~locky"),
    ],
)
def test_operators_of_other_programs_are_refused_with_ours(
    db: Connection, given: str, meant: str
) -> None:
    for call in (
        "select agentdb.silence_alerts(%s, '1 hour', 'known')",
        "select agentdb.set_route('r', 'stdout', %s)",
        "select agentdb.set_inhibition('i', %s, 'rule=silent_loop', '{agent}')",
        "select agentdb.set_inhibition('i', 'rule=silent_loop', %s, '{agent}')",
    ):
        refused = refusal(db, call, given)
        assert refused.sqlstate == "ZA004"
        assert (refused.message_hint or "").startswith(f"Write {meant};")


@pytest.mark.parametrize(
    ("call", "state", "said", "hint"),
    [
        ("set_route('r', 'nosuch')", "ZA006", "no receiver nosuch", "are: stdout"),
        ("set_route('r', null)", "ZA006", "no receiver NULL", "are: stdout"),
        ("set_digest('nosuch', '8:00')", "ZA006", "no receiver nosuch", "are: stdout"),
        ("test_receiver('nosuch')", "ZA006", "no receiver nosuch", "are: stdout"),
        (
            "set_inhibition('I!', 'rule=x', 'rule=y', '{}')",
            "ZA004",
            "'I!' is no name for an inhibition",
            "Use 1 to 63",
        ),
        (
            "set_inhibition('i', 'rule=x', 'rule=y', '{}', '-1 h')",
            "ZA004",
            "linger is out of its range: -01:00:00",
            "between 0 and 1 day",
        ),
    ],
)
def test_what_does_not_exist_is_refused_with_what_there_is(
    db: Connection, call: str, state: str, said: str, hint: str
) -> None:
    refused = refusal(db, f"select agentdb.{call}")
    assert refused.sqlstate == state
    assert said in (refused.message_primary or "")
    assert hint in (refused.message_hint or "")


def test_value_that_looks_like_an_operator_is_quoted(db: Connection) -> None:
    number = silence(db, 'agent="~x"')
    shown = "select matchers from agentdb.active_silence where silence_id = %s"
    assert value(db, shown, number) == 'agent="~x"'


def test_labels_of_all_rules_of_the_pack_are_known(db: Connection) -> None:
    known = set(value(db, "select agentdb._known_labels()"))
    first = re.compile(
        r"select\s+(?:jsonb_strip_nulls\()?jsonb_build_object\(((?:[^()]|\(.*?\))*)\)"
    )
    labels = {
        label
        for file in Path(__file__).parent.parent.glob("sql/rule/*.sql")
        for built in first.findall(file.read_text())
        for label in re.findall(r"'([a-z_]+)',", built)
    }
    assert {"agent", "measure", "object", "slot"} <= labels <= known


def test_what_no_rule_and_no_alert_has_is_warned_of(db: Connection, rule: None) -> None:
    warnings: list[str] = []
    db.add_notice_handler(lambda said: warnings.append(said.message_primary or ""))
    for call in (
        "silence_alerts('agnt=x', '1 h', 'known')",
        "set_route('r', 'stdout', 'rule~loop', '{rule,agnt}')",
        "set_inhibition('s', 'rule=token_rat', 'rule=budget_low', '{aget}')",
    ):
        db.execute(f"select from agentdb.{call}".encode())
    label = "no alert and no rule is known to have a label"
    assert warnings == [
        f"{label} agnt",
        f"{label} agnt",
        f"{label} aget",
        "there is no rule token_rat",
    ]
    warnings.clear()
    # Labels of the pack's rules that never fired, and of a rule of one's own that did.
    fire(db, "x", month="May")
    silence(db, "month=May,lock=x")
    route = "select agentdb.set_route('r', 'stdout', 'question~.', '{receiver,month}')"
    db.execute(route.encode())
    assert warnings == []


@pytest.mark.parametrize(
    ("lasts", "comment"),
    [
        (None, "x"),
        ("0", "x"),
        ("-1 hour", "x"),
        ("31 days", "x"),
        ("1 hour", None),
        ("1 hour", " "),
        ("1 hour", "a\nb"),
    ],
)
def test_silence_needs_an_end_and_a_comment(
    db: Connection, lasts: str | None, comment: str | None
) -> None:
    call = "select agentdb.silence_alerts('agent=x', %s::interval, %s)"
    assert refusal(db, call, lasts, comment).sqlstate == "ZA004"
    everything = "select agentdb.silence_alerts('', '1 hour', 'x')"
    assert refusal(db, everything).sqlstate == "ZA004"


def test_silenced_alert_is_not_told_until_the_silence_ends(
    db: Connection, connect: Connect, rule: None
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    number = silence(operator, "rule=late,who=a")
    (alert, _) = fire(db, "a", "b")
    (message,) = deliver(db)
    assert message["payload"]["labels"] == {"who": "b"}
    found = row(
        db,
        "select matchers, created_by::text as who, comment, alerts"
        " from agentdb.active_silence",
    )
    assert found == {
        "matchers": "rule=late,who=a",
        "who": "operator_o",
        "comment": "known",
        "alerts": 1,
    }
    active = "select silence_id from agentdb.active_alert where alert_id = %s"
    assert value(db, active, alert) == number
    later(db, "2 hours")
    (message,) = deliver(db)
    assert message["payload"]["labels"] == {"who": "a"}
    assert message["payload"]["reason"] == (
        f"over: silence S-{number} by operator_o: known"
    )


def test_silenced_and_resolved_is_never_told(db: Connection, rule: None) -> None:
    silence(db, "rule=late")
    fire(db, "a")
    assert kinds(db) == []
    fire(db)
    assert kinds(db) == []
    fire(db, "a")
    fire(db)
    assert kinds(db) == []
    later(db, "2 hours")
    assert kinds(db) == []


def test_who_was_told_hears_of_the_silence_and_of_the_end(
    db: Connection, rule: None
) -> None:
    fire(db, "a")
    assert kinds(db) == ["firing"]
    silence(db, "who=a")
    (message,) = deliver(db)
    assert message["kind"] == "silenced"
    assert message["payload"]["next"][-1] == "agentdb silences"
    fire(db)
    assert kinds(db) == ["resolved"]


def test_silence_takes_back_what_is_not_sent(db: Connection, rule: None) -> None:
    fire(db, "a", "b")
    flush(db)
    silence(db, "who=a")
    (message,) = claimed(db)
    assert message["payload"]["labels"] == {"who": "b"}
    states = rows(db, "select state from agentdb.notification order by 1")
    assert [each["state"] for each in states] == ["cancelled", "queued"]


def test_silence_ends_early_by_hand(db: Connection, rule: None) -> None:
    number = silence(db, "who=a")
    fire(db, "a")
    assert kinds(db) == []
    assert value(db, "select alerts from agentdb.end_silence(%s)", number) == 1
    assert kinds(db) == ["firing"]
    assert refusal(db, "select agentdb.end_silence(%s)", number).sqlstate == "ZA006"
    assert value(db, "select ended_by is not null from agentdb.silence")


def test_end_of_a_silence_is_announced_and_told(db: Connection, rule: None) -> None:
    number = silence(db, "rule~.", "10 hours")
    assert rows(db, "select * from agentdb.silence_ending") == []
    fire(db, "a")
    flush(db)
    later(db, "9 hours 46 minutes")
    (found,) = rows(db, "select labels, annotations from agentdb.silence_ending")
    assert found["labels"] == {"silence": f"S-{number}"}
    assert "1 alerts fire under it" in found["annotations"]["summary"]
    # No silence silences the notice of its own end.
    db.execute(
        "select agentdb.ingest(rule_name, evaluation, (select jsonb_agg(to_jsonb(v))"
        " from agentdb.silence_ending as v)) from agentdb.alert_rule"
        " where rule_name = 'silence_ending'"
    )
    (message,) = deliver(db)
    assert message["payload"]["rule"] == "silence_ending"
    later(db, "15 minutes")
    db.execute(
        "select agentdb.ingest(rule_name, evaluation, '[]') from agentdb.alert_rule"
        " where rule_name = 'silence_ending'"
    )
    assert sorted(kinds(db)) == ["firing", "resolved"]


@pytest.mark.parametrize("user", ["agent_a", "auditor_u", "reviewer_r", "app_user"])
def test_only_people_on_call_silence_and_acknowledge(
    db: Connection, connect: Connect, user: str
) -> None:
    session = connect(db.info.dbname, user)
    for call in (
        "silence_alerts('agent=x', '1 hour', 'x')",
        "end_silence(1)",
        "acknowledge_alert(1, 'x')",
        "acknowledge_group(1, 'x')",
        "unacknowledge_alert(1)",
        "unacknowledge_group(1)",
        "set_route('x', 'stdout')",
        "unset_route('x')",
        "set_inhibition('x', 'a=b', 'c=d', '{}')",
        "unset_inhibition('x')",
        "retry_notification(1)",
        "drop_notification(1)",
        "test_receiver('stdout')",
    ):
        refused = refusal(session, f"select agentdb.{call}")
        assert refused.sqlstate == "42501", call


def test_silence_races_with_flushes_and_none_slips_through(
    db: Connection, connect: Connect, rule: None
) -> None:
    stop = threading.Event()

    def run() -> None:
        session = connect(db.info.dbname, "operator_o")
        while not stop.is_set():
            session.execute("select agentdb.flush(5)")

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        person = connect(db.info.dbname, "operator_o")
        for lap in range(15):
            fire(db, *(f"w{lap}_{i}" for i in range(30)))
            silence(person, f"who~^w{lap}_")
            slipped = (
                "select count(*) from agentdb.notification where state = 'queued'"
                " and kind = 'firing' and payload #>> '{labels,who}' like %s"
            )
            assert value(db, slipped, f"w{lap}\\_%") == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=st.lists(
        st.text(
            st.characters(categories=["L", "N", "P", "Zs"], exclude_characters='"'),
            min_size=1,
            max_size=20,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_matchers_read_back_as_they_were_written(
    db: Connection, values: list[str]
) -> None:
    given_text = ",".join(f'l{i}="{v}"' for i, v in enumerate(values))
    found = row(
        db,
        "select p, agentdb._parse_matchers(agentdb._matchers_text(p)) as again"
        " from agentdb._parse_matchers(%s) as p",
        given_text,
    )
    assert found["p"] == found["again"]
    assert [each["value"] for each in found["p"]] == values
