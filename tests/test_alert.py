"""An alert lives: pending, firing, resolved; every change is logged once."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from .agents import age, refusal, register, row, rows, start, value
from .conftest import Connect, Connection

Instance = dict[str, Any]


@pytest.fixture
def rule(db: Connection) -> str:
    """The name of a rule of a DBA's own, the only one that is enabled."""
    db.execute("update agentdb.alert_rule set enabled = false")
    db.execute(
        "create view public.late as select null::jsonb as labels, "
        "1::float as value, null::jsonb as annotations where false"
    )
    db.execute(
        "insert into agentdb.alert_rule (rule_name, description, view_name) "
        "values ('late', 'something is late', 'public.late')"
    )
    return "late"


def claim(db: Connection) -> int:
    """Make the rule due, claim it and return the evaluation."""
    db.execute(
        "update agentdb.alert_rule set next_evaluation_at = now() - interval '1 s'"
    )
    return int(value(db, "select evaluation from agentdb.claim_rule()"))


def ingest(db: Connection, *instances: Instance, truncated: bool = False) -> Any:
    """Evaluate the rule to these instances; return what changed."""
    found = rows(
        db,
        "select * from agentdb.ingest('late', %s::bigint, %s::jsonb, %s::boolean)",
        claim(db),
        json.dumps(instances),
        truncated,
    )
    return tuple(found[0].values()) if found else None


def late(who: str, value: float = 1, **annotations: str) -> Instance:
    return {"labels": {"who": who}, "value": value, "annotations": annotations}


def states(db: Connection) -> dict[str, str]:
    found = rows(db, "select labels ->> 'who' as who, state from agentdb.alert")
    return {each["who"]: each["state"] for each in found}


def log(db: Connection) -> list[tuple[str | None, str, int]]:
    query = "select from_state, to_state, episode from agentdb.alert_log order by 1, alert_log_id"
    return [
        tuple(each.values())
        for each in rows(db, query.replace("order by 1,", "order by"))
    ]


def test_row_fires_and_resolves_when_it_is_gone(db: Connection, rule: str) -> None:
    assert ingest(db, late("x")) == (0, 1, 0)
    assert states(db) == {"x": "firing"}
    assert ingest(db, late("x", 7)) == (0, 0, 0)
    assert value(db, "select value from agentdb.alert") == 7
    assert ingest(db) == (0, 0, 1)
    assert states(db) == {"x": "resolved"}
    assert log(db) == [("pending", "firing", 1), ("firing", "resolved", 1)]


def test_alert_that_returns_keeps_its_number(db: Connection, rule: str) -> None:
    ingest(db, late("x"))
    first = value(db, "select alert_id from agentdb.alert")
    ingest(db)
    ingest(db, late("x"))
    assert row(db, "select alert_id, state, episode from agentdb.alert") == {
        "alert_id": first,
        "state": "firing",
        "episode": 2,
    }


def test_pending_waits_for_fire_after(db: Connection, rule: str) -> None:
    db.execute("update agentdb.alert_rule set fire_after = '5 minutes'")
    assert ingest(db, late("x")) == (1, 0, 0)
    assert ingest(db, late("x")) == (0, 0, 0)
    assert states(db) == {"x": "pending"}
    age(db, "alert", "active_at", "5 minutes")
    assert ingest(db, late("x")) == (0, 1, 0)


def test_pending_that_goes_away_is_never_told(db: Connection, rule: str) -> None:
    db.execute("update agentdb.alert_rule set fire_after = '5 minutes'")
    ingest(db, late("x"))
    ingest(db)
    db.execute("select agentdb.flush()")
    assert states(db) == {"x": "resolved"}
    assert rows(db, "select * from agentdb.notification") == []


def test_keep_firing_bridges_a_gap(db: Connection, rule: str) -> None:
    db.execute("update agentdb.alert_rule set keep_firing = '5 minutes'")
    ingest(db, late("x"))
    assert ingest(db) == (0, 0, 0)
    assert states(db) == {"x": "firing"}
    age(db, "alert", "seen_at", "5 minutes")
    assert ingest(db) == (0, 0, 1)


def test_truncated_answer_resolves_nothing(db: Connection, rule: str) -> None:
    ingest(db, late("x"), late("y"))
    assert ingest(db, late("y"), truncated=True) == (0, 0, 0)
    assert states(db) == {"x": "firing", "y": "firing"}


def test_older_evaluation_changes_nothing(db: Connection, rule: str) -> None:
    old = claim(db)
    ingest(db, late("x"))
    found = rows(db, "select * from agentdb.ingest('late', %s::bigint, '[]')", old)
    assert found == []
    assert states(db) == {"x": "firing"}


def test_rule_is_due_for_one_runner_only(
    db: Connection, connect: Connect, rule: str
) -> None:
    claimed: list[int] = []
    sessions = [connect(db.info.dbname, "operator_o") for _ in range(6)]
    threads = [
        threading.Thread(
            target=lambda s: claimed.append(
                len(rows(s, "select * from agentdb.claim_rule()"))
            ),
            args=[session],
        )
        for session in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [0, 0, 0, 0, 0, 1]


def test_failure_keeps_alerts_and_backs_off(db: Connection, rule: str) -> None:
    ingest(db, late("x"))
    for _ in range(3):
        assert value(
            db,
            "select agentdb.fail_rule('late', %s::bigint, 'view is gone')",
            claim(db),
        )
    assert states(db) == {"x": "firing"}
    found = row(
        db,
        "select failures, error, next_evaluation_at > now() + interval '50 s' "
        "as later from agentdb.alert_rule where enabled",
    )
    assert found == {"failures": 3, "error": "view is gone", "later": True}
    broken = rows(db, "select labels from agentdb.broken_rule")
    assert broken == [{"labels": {"rule": "late"}}]
    ingest(db, late("x"))
    assert rows(db, "select labels from agentdb.broken_rule") == []


@pytest.mark.parametrize(
    "instances",
    [
        None,
        "{}",
        '[{"value": 1}]',
        '[{"labels": [], "value": 1}]',
        '[{"labels": {}, "annotations": "x"}]',
        '[{"labels": {}, "value": {}}]',
        '[{"labels": {}, "value": "abc"}]',
        "[null]",
    ],
)
def test_garbage_is_the_rules_failure(
    db: Connection, rule: str, instances: str | None
) -> None:
    refused = refusal(
        db, "select agentdb.ingest('late', %s::bigint, %s::jsonb)", claim(db), instances
    )
    assert refused.sqlstate in ("ZA004", "22P02", "22023", "22004")
    assert states(db) == {}


def test_row_may_raise_its_own_severity(db: Connection, rule: str) -> None:
    ingest(db, late("x", severity="critical"), late("y", severity="nonsense"))
    query = "select severity from agentdb.alert order by labels"
    assert [each["severity"] for each in rows(db, query)] == ["critical", "warning"]


def test_claimed_query_reads_the_view_with_odd_names(db: Connection, rule: str) -> None:
    db.execute('create schema "Odd; --"')
    db.execute(
        'create view "Odd; --"."a.b" as select \'{"who": "q"}\'::jsonb as labels, '
        "'NaN'::float as value, null::jsonb as annotations"
    )
    db.execute(
        'update agentdb.alert_rule set view_name = \'"Odd; --"."a.b"\', '
        "max_alerts = 1, next_evaluation_at = now() where enabled"
    )
    claimed = row(db, "select * from agentdb.claim_rule()")
    (answer,) = db.execute(claimed["query"]).fetchone() or ()
    assert answer[0]["labels"] == {"who": "q"}
    db.execute(
        "select agentdb.ingest('late', %s::bigint, %s::jsonb)",
        [claimed["evaluation"], json.dumps(answer)],
    )
    assert states(db) == {"q": "firing"}


@pytest.mark.parametrize("name", ["", "late", "a.b.c", "a..b", 'a."b', "a.b; --", None])
def test_view_of_a_rule_is_named_with_its_schema(
    db: Connection, rule: str, name: str | None
) -> None:
    refused = refusal(db, "update agentdb.alert_rule set view_name = %s", name)
    assert refused.sqlstate in ("23514", "23502", "22023")


def test_missing_view_is_named_by_the_query(db: Connection, rule: str) -> None:
    db.execute("drop view public.late")
    db.execute("update agentdb.alert_rule set next_evaluation_at = now() where enabled")
    query = value(db, "select query from agentdb.claim_rule()")
    refused = refusal(db, query)
    assert (refused.sqlstate, refused.message_primary) == (
        "42P01",
        'relation "public.late" does not exist',
    )


def test_evidence_shows_the_rows_behind_an_alert(
    db: Connection, connect: Connect
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    hostile = "it's :at and :labels %s {}"
    agent.execute(
        "select agentdb.log_tool_call(%s::text, ok => false, error => 'E') "
        "from generate_series(1, 6)",
        [hostile],
    )
    for name in ("silent_loop", "tool_errors"):
        db.execute("update agentdb.alert_rule set next_evaluation_at = 'infinity'")
        db.execute(
            "update agentdb.alert_rule set next_evaluation_at = now() "
            "where rule_name = %s",
            [name],
        )
        claimed = row(db, "select * from agentdb.claim_rule()")
        (answer,) = db.execute(claimed["query"]).fetchone() or ()
        db.execute(
            "select agentdb.ingest(%s::text, %s::bigint, %s::jsonb)",
            [name, claimed["evaluation"], json.dumps(answer)],
        )
    auditor = connect(db.info.dbname, "auditor_u")
    for alert in rows(db, "select alert_id from agentdb.alert"):
        query = value(auditor, "select agentdb.evidence_query(%s)", alert["alert_id"])
        assert len(auditor.execute(query.encode()).fetchall()) == 6


def test_every_rule_of_the_pack_has_evidence_that_runs(
    db: Connection, connect: Connect
) -> None:
    db.execute(
        "insert into agentdb.alert (rule_name, fingerprint, labels, annotations, severity,"
        " state, active_at, seen_at) select rule_name, 'f', "
        '\'{"agent": "a", "run": "1", "tool": "t", "call": "c", '
        '"conversation": "c", "rule": "x"}\', \'{}\', \'info\', \'firing\', now(), now() '
        "from agentdb.alert_rule"
    )
    operator = connect(db.info.dbname, "operator_o")
    queries = rows(
        operator, "select agentdb.evidence_query(alert_id) as q from agentdb.alert"
    )
    assert len(queries) >= 22
    for each in queries:
        assert operator.execute(each["q"].encode()).fetchall() == []


def test_who_trips_a_rule_a_thousand_times_does_not_hide_the_others(
    db: Connection,
) -> None:
    db.execute(
        "create view public.flood as select jsonb_build_object("
        "'agent', case when i < 1000 then 'noisy' else 'agent ' || i end, 'i', i)"
        " as labels, 1::float as value, '{}'::jsonb as annotations"
        " from generate_series(1, 1002) as i"
    )
    query = value(db, "select agentdb._rule_query('public.flood', 9)")
    found = value(db, query)
    assert len(found) == 10
    agents = {each["labels"]["agent"] for each in found}
    assert agents == {"noisy", "agent 1000", "agent 1001", "agent 1002"}
