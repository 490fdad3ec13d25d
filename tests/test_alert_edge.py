"""What few alerts do, and one would be paged for, or never told of, all the same."""

from __future__ import annotations

from dataclasses import replace

import aiosmtplib
import pytest

from agentdb.channels.alertmanager import alerts
from agentdb.channels.email import _failed

from .agents import refusal, rows, value
from .alerts import deliver, fire, flush, ingest, later, make_rule, receiver, told
from .conftest import Connection
from .delivery import NOTIFICATION

PAGER = {"min_severity": "critical"}


@pytest.fixture(autouse=True)
def rule(db: Connection) -> None:
    make_rule(db)


def seen(severity: str, **labels: object) -> dict[str, object]:
    labels = {"who": "a", **labels}
    return {"labels": labels, "annotations": {"severity": severity}}


def test_alert_that_gets_worse_is_told_to_who_hears_of_the_worst(
    db: Connection,
) -> None:
    receiver(db, "pager", **PAGER)
    ingest(db, [seen("warning")])
    assert told(db) == [("stdout", "firing")]
    ingest(db, [seen("critical")])
    assert sorted(told(db)) == [("pager", "firing"), ("stdout", "firing")]
    ingest(db, [])
    assert sorted(told(db)) == [("pager", "resolved"), ("stdout", "resolved")]


@pytest.mark.parametrize("order", [("info", "critical"), ("critical", "info")])
def test_of_rows_with_the_same_labels_the_worst_counts(
    db: Connection, order: tuple[str, str]
) -> None:
    ingest(db, [seen(severity) for severity in order])
    assert value(db, "select severity from agentdb.alert") == "critical"


def test_answer_of_a_rule_that_is_no_list_is_refused_in_words(db: Connection) -> None:
    refused = refusal(db, "select agentdb.ingest('late', 0, '{}')")
    assert refused.sqlstate == "ZA004"


def test_inhibition_is_by_labels_that_are_numbers_too(db: Connection) -> None:
    make_rule(db, "cause")
    db.execute("select agentdb.set_inhibition('c', 'rule=cause', 'rule=late', '{run}')")
    ingest(db, [seen("warning", run=7)], "cause")
    ingest(db, [seen("warning", run=7), seen("warning", run=8)])
    found = [each["payload"]["labels"]["run"] for each in deliver(db)]
    assert sorted(found) == [7, 8]


def test_storm_of_causes_and_consequences_is_seen_through_at_once(
    db: Connection,
) -> None:
    make_rule(db, "cause")
    db.execute("select agentdb.set_inhibition('c', 'rule=cause', 'rule=late', '{who}')")
    db.execute("select agentdb.set_route('all', 'stdout', '', '{}')")
    many = [{"labels": {"who": str(number)}} for number in range(12000)]
    ingest(db, many, "cause")
    ingest(db, many)
    # Seconds; comparing each with each would take minutes.
    db.execute("set statement_timeout = '1 min'")
    flush(db)
    query = "select state, count(*) from agentdb.group_alert group by 1 order by 1"
    states = [tuple(each.values()) for each in rows(db, query)]
    assert states == [("firing", 12000), ("inhibited", 12000)]


def test_group_that_is_not_open_is_not_looked_at_over_and_over(db: Connection) -> None:
    db.execute(
        "select agentdb.set_route('slow', 'stdout', group_interval => '1 hour',"
        " repeat_interval => '1 minute')"
    )
    fire(db, "a")
    assert told(db) == [("stdout", "firing")]
    later(db, "2 minutes")
    assert value(db, "select agentdb.flush()") == 1
    assert value(db, "select agentdb.flush()") == 0
    later(db, "1 hour")
    assert told(db) == [("stdout", "firing")]


def test_alert_that_comes_back_is_not_escalated_at_once(db: Connection) -> None:
    receiver(db, "second", min_severity="critical")
    db.execute(
        "update agentdb.receiver set escalate_to = 'second',"
        " escalate_after = '10 minutes' where receiver_name = 'stdout'"
    )
    db.execute("select agentdb.set_route('r', 'stdout', group_interval => '1 hour')")
    fire(db, "a")
    assert told(db) == [("stdout", "firing")]
    later(db, "10 minutes")
    assert told(db) == [("second", "firing")]
    fire(db)
    assert told(db) == [("second", "resolved")]
    fire(db, "a")
    assert told(db) == []
    later(db, "1 hour")
    assert told(db) == [("stdout", "firing")]
    later(db, "10 minutes")
    assert told(db) == [("second", "firing")]


def test_receiver_that_is_switched_off_hears_of_no_acknowledgement(
    db: Connection,
) -> None:
    (number,) = fire(db, "a")
    assert told(db) == [("stdout", "firing")]
    db.execute("update agentdb.receiver set enabled = false")
    db.execute("select agentdb.acknowledge_alert(%s, 'on it')", [number])
    assert told(db) == []
    db.execute("update agentdb.receiver set enabled = true")
    assert told(db) == [("stdout", "acknowledged")]


@pytest.mark.parametrize("matchers", ["x=", "rule~.*", "agent!=nobody"])
def test_silence_of_everything_in_other_words_is_refused(
    db: Connection, matchers: str
) -> None:
    call = "select agentdb.silence_alerts(%s, '1 hour', 'x')"
    assert refusal(db, call, matchers).sqlstate == "ZA004"


def test_command_for_a_silence_is_quoted_for_a_shell(db: Connection) -> None:
    db.execute(
        "select agentdb.silence_alerts(%s, '1 day', 'x')", [r"who~it's\.me,rule=late"]
    )
    fire(db, "it's.me")
    flush(db)
    later(db, "23 hours 50 minutes")
    found = value(db, "select annotations #>> '{next,0}' from agentdb.silence_ending")
    assert found == r"agentdb silence 'who~it'\''s\.me,rule=late' --for 2h -m …"


def test_rules_go_on_when_the_clock_of_the_server_went_back(db: Connection) -> None:
    db.execute("update agentdb.alert_rule set next_evaluation_at = now() + '1 day'")
    assert value(db, "select rule_name from agentdb.claim_rule()") == "late"
    assert rows(db, "select * from agentdb.claim_rule()") == []


def test_alertmanager_hears_the_end_of_every_severity() -> None:
    payload = {
        "rule": "budget",
        "severity": "critical",
        "since": "2999-01-01T00:00:00Z",
        "labels": {"agent": "a"},
    }
    ends = alerts(replace(NOTIFICATION, kind="resolved", payload=payload))
    severities = {each["labels"].pop("severity") for each in ends}
    assert severities == {"critical", "warning", "info"}
    assert all(each["labels"] == ends[0]["labels"] for each in ends)
    # The clock here is behind the database's: an end before its beginning is refused.
    assert ends[0]["endsAt"] >= ends[0]["startsAt"].rstrip("Z")
    (firing,) = alerts(replace(NOTIFICATION, kind="firing", payload=payload))
    assert firing["labels"]["severity"] == "critical"


def test_mail_that_one_of_two_may_take_later_is_tried_again() -> None:
    refused = [
        aiosmtplib.SMTPRecipientRefused(code, "no", "a@b") for code in (550, 451)
    ]
    assert not _failed(aiosmtplib.SMTPRecipientsRefused(refused)).permanent
    assert _failed(aiosmtplib.SMTPRecipientsRefused(refused[:1])).permanent
