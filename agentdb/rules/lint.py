"""Looks at a rule's view before it is enabled: does it work, in time, in shape?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from .. import guest

Connection: TypeAlias = psycopg.Connection[dict[str, Any]]

RULES = """
select r.rule_name as name, r.view_name, r.evidence_query,
  (extract(epoch from r.timeout) * 1000)::integer as timeout_ms, r.max_alerts
from agentdb.alert_rule as r
where %(name)s::text is null or r.rule_name = %(name)s::text
order by r.rule_name
"""
VIEW = """
select %s::text as name, %s::text as view_name, null::text as evidence_query,
  2000 as timeout_ms, 1000 as max_alerts
"""
LIMITS = """
select set_config('statement_timeout', %s::text, true),
  set_config('transaction_read_only', 'on', true)
"""
RIGHT = "select has_table_privilege('agentdb_operator', %s::text, 'select') as granted"
COLUMNS = {"labels": "jsonb", "value": "double precision", "annotations": "jsonb"}
NAMES = {3802: "jsonb", 701: "double precision"}
PLACEHOLDERS = {":labels": "'{}'::jsonb", ":at": "now()", ":calls": "'{}'::bigint[]"}
# A poll that takes a quarter of its time-out today is over it on a bad day.
SLOW = 0.25


@dataclass(frozen=True)
class Finding:
    """What is wrong with a rule, and what to do about it."""

    rule: str
    problem: str
    hint: str


def lint(connection: Connection, name: str | None = None) -> list[Finding]:
    """Return what is wrong with a rule, a view (schema.view), or all rules."""
    if name is not None and "." in name:
        found = connection.execute(VIEW, [name, name]).fetchall()
    else:
        found = connection.execute(RULES, {"name": name}).fetchall()
    if not found:
        hint = "give a rule's name, or schema.view before there is a rule"
        return [Finding(str(name), "there is no such rule", hint)]
    return [finding for row in found for finding in _look(connection, row)]


def _look(connection: Connection, row: dict[str, Any]) -> list[Finding]:
    try:
        with connection.transaction(force_rollback=True):
            guest.invite(connection)
            parts = _parts(connection, row["view_name"])
            connection.execute(LIMITS, [str(row["timeout_ms"])])
            findings = _shape(connection, row, parts)
            if not findings:
                findings = _rows(connection, row, parts) + _evidence(connection, row)
    except psycopg.errors.QueryCanceled:
        return [_slow(row, f"has no answer in {row['timeout_ms']} ms")]
    except guest.Unsafe as error:
        return [Finding(row["name"], str(error), "agentdb rules lint as an operator")]
    except psycopg.Error as error:
        problem = f"{error.sqlstate}: {str(error).splitlines()[0]}"
        return [
            Finding(row["name"], problem, "fix the view; psql shows where it fails")
        ]
    return findings


def _parts(connection: Connection, view: str) -> list[str]:
    row = connection.execute("select parse_ident(%s::text) as parts", [view]).fetchone()
    assert row is not None
    return list(row["parts"])


def _shape(
    connection: Connection, row: dict[str, Any], parts: list[str]
) -> list[Finding]:
    """Check columns, types and the runner's right to read."""
    # Parsed only: to plan it would be to run what of it is immutable.
    whole = sql.SQL("select * from {}").format(sql.Identifier(*parts))
    names, kinds, _ = guest.parse(connection, whole.as_string(connection))
    types = {name: NAMES.get(kind, "") for name, kind in zip(names, kinds, strict=True)}
    findings = [
        Finding(
            row["name"],
            f"column {name} is missing or no {kind}",
            f"select …::{kind} as {name}",
        )
        for name, kind in COLUMNS.items()
        if types.get(name) != kind
    ]
    known = sql.Identifier(*parts).as_string(connection)
    granted = connection.execute(RIGHT, [known]).fetchone()
    if granted is None or not granted["granted"]:
        hint = f"grant select on {known} to agentdb_operator"
        findings.append(Finding(row["name"], "the runner may not read it", hint))
    return findings


def _rows(
    connection: Connection, row: dict[str, Any], parts: list[str]
) -> list[Finding]:
    """Evaluate the view, and check what it says now."""
    view = sql.Identifier(*parts)
    explain = sql.SQL("explain (analyze, format json) select * from {}").format(view)
    (plan,) = guest.ask(connection, explain.as_string(connection))
    (told,) = plan["QUERY PLAN"]
    took = told["Planning Time"] + told["Execution Time"]
    findings = []
    if took > SLOW * row["timeout_ms"]:
        findings.append(_slow(row, f"took {took:.0f} of {row['timeout_ms']} ms"))
    content = sql.SQL("select labels, annotations from {} limit {}").format(
        view, row["max_alerts"] + 1
    )
    answer = guest.ask(connection, content.as_string(connection))
    return findings + [
        Finding(row["name"], problem, hint) for problem, hint in _content(row, answer)
    ]


def _content(
    row: dict[str, Any], answer: list[dict[str, Any]]
) -> list[tuple[str, str]]:
    found = []
    labels = [each["labels"] for each in answer]
    annotations = [each["annotations"] for each in answer]
    if len(answer) > row["max_alerts"]:
        found.append(
            (f"has more than {row['max_alerts']} rows", "alert on fewer things")
        )
    if not all(isinstance(each, dict) and each for each in labels):
        found.append(
            ("labels are no object, or empty", "jsonb_build_object('agent', …)")
        )
    if len({str(each) for each in labels}) < len(labels):
        found.append(
            ("two rows have the same labels", "one row an alert: group by them")
        )
    if not all(isinstance(each, dict) and each.get("summary") for each in annotations):
        found.append(("a row has no summary", 'annotations: {"summary": "a sentence"}'))
    return found


def _evidence(connection: Connection, row: dict[str, Any]) -> list[Finding]:
    """Check that the evidence query can be planned."""
    text = row["evidence_query"]
    if text is None:
        return []
    for name, value in PLACEHOLDERS.items():
        text = text.replace(name, value)
    try:
        with connection.transaction(force_rollback=True):
            # By itself it is one statement; after a word it could be several.
            guest.parse(connection, text)
            guest.ask(connection, f"explain {text}")
    except psycopg.Error as error:
        problem = f"evidence_query: {str(error).splitlines()[0]}"
        return [Finding(row["name"], problem, "agentdb why could not show its rows")]
    return []


def _slow(row: dict[str, Any], problem: str) -> Finding:
    hint = "read a window or a roll-up, not the history; or raise alert_rule.timeout"
    return Finding(row["name"], problem, hint)
