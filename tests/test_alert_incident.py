"""Incidents: what belongs together is told together, its cause first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .agents import evaluate, rows, value
from .alerts import deliver, fire, flush, ingest, kinds, later, make_rule, receiver
from .conftest import Connect, Connection
from .scene import until

EXPLAIN = "select agentdb.set_inhibition(%s, 'rule=cause', 'rule=late', %s::text[])"


@pytest.fixture
def db(db: Connection) -> Connection:
    """A database with a rule, its cause, and one receiver that waits for causes."""
    make_rule(db)
    make_rule(db, "cause")
    make_rule(db, "worse", "critical")
    db.execute("update agentdb.receiver set enabled = false")
    receiver(db, "phone", group_wait="45 seconds")
    db.execute(EXPLAIN, ["c", "{agent}"])
    return db


def wait(db: Connection) -> None:
    """Let what has fired wait as long as the receiver waits for its cause."""
    flush(db)
    later(db, "45 seconds")


def payloads(db: Connection) -> list[dict[str, Any]]:
    return [each["payload"] for each in deliver(db)]


@pytest.mark.parametrize("first", ["cause", "late"])
def test_whichever_fires_first_one_message_leads_with_the_cause(
    db: Connection, first: str
) -> None:
    for rule in (first, "late" if first == "cause" else "cause"):
        fire(db, "a", rule=rule, agent="x")
        assert kinds(db) == []
    wait(db)
    (told,) = payloads(db)
    assert told["rule"] == "cause"
    assert [each["rule"] for each in told["also"]] == ["late"]
    fire(db, rule="cause")
    fire(db)
    wait(db)
    (end,) = payloads(db)
    assert (end["kind"], end["rule"]) == ("resolved", "cause")


def test_cause_that_comes_too_late_is_news_of_the_same_incident(db: Connection) -> None:
    (effect,) = fire(db, "a", agent="x")
    wait(db)
    (first,) = deliver(db)
    assert first["payload"]["alert"] == effect and "news" not in first["payload"]
    (cause,) = fire(db, "a", rule="cause", agent="x")
    wait(db)
    (second,) = deliver(db)
    assert second["dedup_key"] == first["dedup_key"]
    assert second["payload"]["alert"] == cause
    assert second["payload"]["news"] == [f"A-{cause} cause: a!"]
    assert [each["alert"] for each in second["payload"]["also"]] == [effect]


def test_what_is_critical_waits_for_nothing(db: Connection) -> None:
    fire(db, "a", agent="x", run="5")
    assert kinds(db) == []
    fire(db, "b", rule="worse", agent="x", run="5")
    (told,) = payloads(db)
    assert (told["rule"], told["severity"]) == ("worse", "critical")
    assert [each["rule"] for each in told["also"]] == ["late"]


def grade(severity: str, **labels: str) -> dict[str, Any]:
    return {
        "labels": {"who": "a", **labels},
        "value": 1,
        "annotations": {"summary": "a!", "severity": severity},
    }


@pytest.mark.parametrize("acknowledged", [False, True])
def test_rise_in_severity_reaches_those_who_knew_the_lower_one(
    db: Connection, acknowledged: bool
) -> None:
    ingest(db, [grade("warning")])
    wait(db)
    assert kinds(db) == ["firing"]
    number = value(db, "select alert_id from agentdb.alert")
    if acknowledged:
        db.execute("select agentdb.acknowledge_alert(%s, 'at it')", [number])
        assert kinds(db) == ["acknowledged"]
    ingest(db, [grade("critical")])
    (told,) = payloads(db)
    assert told["news"] == [f"A-{number} late is critical now, it was warning"]
    # The same again is no news, and less is none.
    for severity in ("critical", "warning", "critical"):
        ingest(db, [grade(severity)])
        wait(db)
        assert kinds(db) == []
    if acknowledged:
        db.execute("select agentdb.acknowledge_alert(%s, 'still at it')", [number])
        wait(db)
        assert kinds(db) == ["acknowledged"]


def test_critical_alert_joins_an_incident_that_was_told_of_and_waits_for_nothing(
    db: Connection,
) -> None:
    mild = grade("warning", run="5")
    ingest(db, [mild])
    wait(db)
    assert kinds(db) == ["firing"]
    # Of the same rule and incident, another alert: no repetition of a milder one.
    worse = grade("critical", run="5", who="b")
    ingest(db, [mild, worse])
    (told,) = payloads(db)
    assert told["severity"] == "critical"
    # As severe as what was told is told by and by.
    ingest(db, [mild, worse, grade("critical", run="5", who="c")])
    assert kinds(db) == []


def test_signs_of_one_run_are_one_incident(db: Connection) -> None:
    for place, rule in enumerate(("late", "cause")):
        fire(db, f"w{place}", rule=rule, run="5")
    fire(db, "other", rule="worse", run="6")
    assert [each["labels"]["run"] for each in payloads(db)] == ["6"]
    wait(db)
    (told,) = payloads(db)
    assert len(told["also"]) == 1 and told["group"].startswith("G-")
    assert told["next"][-1] == f"agentdb ack {told['group']} -m …"


def test_part_of_an_incident_that_ends_is_no_message(db: Connection) -> None:
    for rule in ("late", "cause"):
        fire(db, "a", rule=rule, run="5")
    wait(db)
    assert kinds(db) == ["firing"]
    fire(db, rule="cause")
    wait(db)
    assert kinds(db) == []
    fire(db)
    wait(db)
    (end,) = payloads(db)
    assert end["kind"] == "resolved" and len(end["also"]) == 1


def test_what_is_over_before_it_is_told_is_not_told(db: Connection) -> None:
    fire(db, "a")
    flush(db)
    fire(db)
    wait(db)
    assert kinds(db) == []
    assert rows(db, "select * from agentdb.group_alert") == []
    fire(db, "b")
    wait(db)
    assert kinds(db) == ["firing"]


def test_alert_joins_the_cause_that_it_turns_out_to_have(db: Connection) -> None:
    fire(db, "root", rule="cause", agent="x")
    labels = {"who": "a"}
    ingest(db, [{"labels": labels, "annotations": {"agent": "y"}}])
    flush(db)
    ingest(db, [{"labels": labels, "annotations": {"agent": "x"}}])
    wait(db)
    assert [each["rule"] for each in payloads(db)] == ["cause"]


def test_explanation_that_is_new_counts_for_what_fires_already(db: Connection) -> None:
    db.execute("select agentdb.unset_inhibition('c')")
    fire(db, "root", rule="cause", lock="l")
    fire(db, "a", lock="l")
    db.execute(EXPLAIN, ["d", "{lock}"])
    wait(db)
    assert [each["rule"] for each in payloads(db)] == ["cause"]


def test_chain_of_causes_is_one_incident(db: Connection) -> None:
    make_rule(db, "root")
    db.execute(
        "select agentdb.set_inhibition('r', 'rule=root', 'rule=cause', '{lock}')"
    )
    fire(db, "a", agent="x")
    fire(db, "b", rule="cause", agent="x", lock="l")
    fire(db, "c", rule="root", lock="l")
    wait(db)
    (told,) = payloads(db)
    assert told["rule"] == "root"
    assert {each["rule"] for each in told["also"]} == {"cause", "late"}


def test_two_consequences_without_their_cause_are_two_incidents(db: Connection) -> None:
    fire(db, "a", "b", agent="x")
    wait(db)
    assert kinds(db) == ["firing", "firing"]


def test_two_flushes_at_once_open_one_incident(
    db: Connection, connect: Connect
) -> None:
    fire(db, "root", rule="cause", agent="x")
    fire(db, "a", agent="x")
    db.execute("begin")
    db.execute("select agentdb.flush(1)")
    other = connect(db.info.dbname)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(other.execute, "select agentdb.flush()")
        until(lambda: waits_for_a_lock(db, other.info.backend_pid))
        db.execute("commit")
        second.result()
    found = "select count(distinct incident_id) from agentdb.alert"
    assert value(db, found) == 1


def waits_for_a_lock(db: Connection, pid: int) -> bool:
    found = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
    return bool(value(db, found, pid))


def test_third_of_a_kind_is_told_by_and_by(db: Connection) -> None:
    db.execute("update agentdb.alert_rule set group_by = '{agent}'")
    db.execute("update agentdb.alert_rule set severity = 'critical'")
    fire(db, "a", agent="x")
    assert kinds(db) == ["firing"]
    for names in ("ab", "abc"):
        fire(db, *names, agent="x")
        wait(db)
        assert kinds(db) == []
    later(db, "10 minutes")
    (told,) = payloads(db)
    assert told["firing"] == 3 and len(told["news"]) == 2


def test_further_stage_is_news_and_a_former_one_is_not(db: Connection) -> None:
    def told(stage: object) -> list[str]:
        given = grade("warning")
        given["annotations"]["stage"] = stage
        ingest(db, [given])
        wait(db)
        return kinds(db)

    assert [told(stage) for stage in (1, 1, 2, 1, 2, "x", None, 10**12, 3)] == [
        ["firing"], [], ["firing"], [], [], [], [], [], ["firing"],
    ]  # fmt: skip


def test_cause_that_was_silenced_from_the_beginning_explains_nothing(
    db: Connection,
) -> None:
    mute = "select agentdb.silence_alerts('rule=cause', '7 days', 'noise')"
    db.execute(mute)
    fire(db, "a", rule="cause", agent="x")
    fire(db, "b", agent="x")
    wait(db)
    assert [each["rule"] for each in payloads(db)] == ["late"]


def test_cause_that_was_told_before_it_was_silenced_explains(db: Connection) -> None:
    fire(db, "a", rule="cause", agent="x")
    wait(db)
    assert kinds(db) == ["firing"]
    db.execute("select agentdb.silence_alerts('rule=cause', '7 days', 'seen to')")
    fire(db, "b", agent="x")
    wait(db)
    assert "late" not in [each["rule"] for each in payloads(db)]


def test_cause_explains_to_those_who_were_told_of_it(db: Connection) -> None:
    db.execute(
        "select agentdb.set_inhibition('c', 'rule=cause', 'rule=late', '{agent}', '1 hour')"
    )
    receiver(db, "fast")
    receiver(db, "off", enabled=False)
    fire(db, "a", rule="cause", agent="x")
    assert [each["receiver_name"] for each in deliver(db)] == ["fast"]
    fire(db, rule="cause")
    wait(db)
    # Over before the phone was told, which forgets it.
    assert [each["receiver_name"] for each in deliver(db)] == ["fast"]
    db.execute("update agentdb.receiver set enabled = true where receiver_name = 'off'")
    fire(db, "b", agent="x")
    wait(db)
    assert {each["receiver_name"] for each in deliver(db)} == {"phone", "off"}


def test_rule_that_is_switched_off_explains_nothing_any_more(db: Connection) -> None:
    db.execute(
        "select agentdb.set_inhibition('c', 'rule=cause', 'rule=late', '{agent}', '1 hour')"
    )
    fire(db, "a", rule="cause", agent="x")
    fire(db, "b", agent="x")
    wait(db)
    assert [each["rule"] for each in payloads(db)] == ["cause"]
    db.execute(
        "update agentdb.alert_rule set enabled = false where rule_name = 'cause'"
    )
    wait(db)
    (told,) = payloads(db)
    assert (told["kind"], told["rule"]) == ("firing", "late")


DENIED = "permission denied for table payroll"
LOG = "select agentdb.log_tool_call(%s, to_jsonb(i), ok => false, error => %s) from generate_series(1, 10) as i"


@pytest.mark.parametrize("tool", ["sql", "mail"])
def test_missing_right_explains_the_errors_of_its_own_tool_alone(
    db: Connection, agent: Connection, tool: str
) -> None:
    db.execute(
        "update agentdb.alert_rule set enabled = rule_name in ('access_denied', 'tool_errors'), fire_after = '0'"
    )
    agent.execute(LOG, ["sql", DENIED])
    if tool == "mail":
        agent.execute(LOG, ["mail", "SMTP 550"])
    evaluate(db)
    wait(db)
    told = payloads(db)
    leading = {each["rule"] for each in told}
    assert leading == (
        {"access_denied", "tool_errors"} if tool == "mail" else {"access_denied"}
    )
    (denied,) = (each for each in told if each["rule"] == "access_denied")
    assert [each["labels"]["tool"] for each in denied["also"]] == ["sql"]
