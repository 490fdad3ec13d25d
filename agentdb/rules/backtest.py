"""Asks a rule about the past: when it would have paged, and with other thresholds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from .. import guest

Connection: TypeAlias = psycopg.Connection[dict[str, Any]]

RULE = """
select r.rule_name, parse_ident(r.view_name) as view, r.fire_after, r.keep_firing,
  clock_timestamp() as now, (select count(*) from agentdb.agent) as agents,
  (
    select s.setting from agentdb.rule_setting as s
    where s.rule_name = r.rule_name and s.value is not null
    limit 1
  ) as setting
from agentdb.alert_rule as r
where r.rule_name = %s::text
"""
FUNCTION = """
select to_regprocedure(format('%%I.%%I(timestamp with time zone)', %s::text, %s::text))
  is not null as found
"""
# Thresholds are what can be multiplied.
COLUMNS = """
select c.attname::text as name
from pg_attribute as c
join pg_type as t on t.oid = c.atttypid
where c.attrelid = 'agentdb.policy'::regclass and c.attnum > 0 and not c.attisdropped
  and t.typcategory in ('N', 'T')
"""
# How much of the true threshold each alternative is.
FACTORS = (0.5, 1.0, 2.0)
GRID = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)


class Unanswerable(Exception):
    """A rule that cannot be asked about the past, and why."""


@dataclass(frozen=True)
class Rule:
    """What a backtest has to know of a rule."""

    name: str
    function: sql.Composable
    fire_after: timedelta
    keep_firing: timedelta
    setting: str | None
    now: datetime
    agents: int


@dataclass
class Episode:
    """One page: from when an alert would have fired to when it would have ended."""

    labels: str
    began_at: datetime
    seen_at: datetime
    summary: str
    fired_at: datetime | None = None
    peak: float = 0.0


@dataclass
class Result:
    """What a threshold would have brought."""

    threshold: str
    episodes: list[Episode] = field(default_factory=list)
    refused: str = ""


def find(connection: Connection, name: str, setting: str | None = None) -> Rule:
    """Return a rule, or say why it cannot be asked about the past."""
    row = connection.execute(RULE, [name]).fetchone()
    if row is None:
        raise Unanswerable(f"there is no rule {name}; see agentdb rules list")
    schema, view = row["view"]
    known = connection.execute(FUNCTION, [schema, f"rule_{view}"]).fetchone()
    if known is None or not known["found"]:
        raise Unanswerable(
            f"rule {name} knows only the present: make {schema}.rule_{view}"
            "(as_of timestamptz) with the columns of its view"
        )
    columns = {each["name"] for each in connection.execute(COLUMNS)}
    if setting is not None and setting not in columns:
        raise Unanswerable(f"agentdb.policy has no threshold {setting}")
    return Rule(
        name,
        sql.Identifier(schema, f"rule_{view}"),
        row["fire_after"],
        row["keep_firing"],
        setting or row["setting"],
        row["now"],
        row["agents"],
    )


def moments(rule: Rule, since: timedelta, every: timedelta) -> Iterator[datetime]:
    """Yield the moments at which the rule is asked."""
    at = rule.now - since
    while at <= rule.now:
        yield at
        at += every


def compare(
    connection: Connection,
    rule: Rule,
    *,
    since: timedelta,
    every: timedelta,
    factors: Sequence[float] = FACTORS,
    tell: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Return what each multiple of a rule's threshold would have brought.

    `tell` is called after each moment; `questions` says how many there are.
    """
    if rule.setting is None:
        factors = (1.0,)
    return [_result(connection, rule, since, every, each, tell) for each in factors]


def episodes(
    connection: Connection, rule: Rule, moments: Sequence[datetime]
) -> list[Episode]:
    """Return the pages that a rule would have brought, asked at moments in one go."""
    query = sql.SQL(
        "select m.at, r.labels, r.value, r.annotations"
        " from unnest({}::timestamptz[]) as m (at) cross join lateral {}(m.at) as r"
    )
    life, answers = Life(rule), dict[datetime, list[dict[str, Any]]]()
    with connection.transaction(force_rollback=True):
        guest.invite(connection)
        connection.execute("set local transaction_read_only = on")
        asked = query.format([at.isoformat() for at in moments], rule.function)
        for row in guest.ask(connection, asked.as_string(connection)):
            answers.setdefault(row["at"], []).append(row)
    for at in moments:
        life.look(at, answers.get(at, []))
    return life.episodes


def questions(
    rule: Rule, since: timedelta, every: timedelta, factors: Sequence[float]
) -> int:
    """Return how often a comparison evaluates the rule."""
    alternatives = 1 if rule.setting is None else len(factors)
    return alternatives * (since // every + 1)


def _result(
    connection: Connection,
    rule: Rule,
    since: timedelta,
    every: timedelta,
    factor: float,
    tell: Callable[[], object],
) -> Result:
    change = None
    if rule.setting is not None and factor != 1:
        change = _change(connection, rule.setting, factor)
    result = Result(f"{factor:g}x")
    life = Life(rule)
    try:
        for at in moments(rule, since, every):
            life.look(at, ask(connection, rule, at, change))
            tell()
    except psycopg.errors.CheckViolation as error:
        result.refused = str(error.diag.message_primary)
    result.episodes = life.episodes
    return result


def _change(connection: Connection, setting: str, factor: float) -> sql.Composed:
    """Return the statement that multiplies a threshold in every policy."""
    columns = {each["name"] for each in connection.execute(COLUMNS)}
    changes = [
        sql.SQL("{0} = {0} * {1}").format(sql.Identifier(name), sql.Literal(factor))
        for name in (setting, f"{setting}_critical")
        if name in columns
    ]
    return sql.SQL("update agentdb.policy set {}").format(sql.SQL(", ").join(changes))


def ask(
    connection: Connection, rule: Rule, at: datetime, change: sql.Composed | None
) -> list[dict[str, Any]]:
    """Return a rule's rows at a moment, with thresholds changed for nobody else.

    Each in a transaction of its own: a long one would hold up the roll-up.
    """
    query = sql.SQL("select labels, value, annotations from {}({}::timestamptz)")
    with connection.transaction(force_rollback=True):
        guest.invite(connection)
        if change is not None:
            connection.execute(change)
        connection.execute("set local transaction_read_only = on")
        asked = query.format(rule.function, sql.Literal(at.isoformat()))
        return guest.ask(connection, asked.as_string(connection))


class Life:
    """Lets alerts live as the database does: pending, firing, kept on, resolved."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._open: dict[str, Episode] = {}
        self.episodes: list[Episode] = []

    def look(self, at: datetime, found: list[dict[str, Any]]) -> None:
        """Take in what the rule sees at a moment later than the last."""
        for row in found:
            self._see(at, row)
        for key, episode in list(self._open.items()):
            keep = self._rule.keep_firing if episode.fired_at else timedelta()
            if episode.seen_at + keep < at:
                del self._open[key]

    def _see(self, at: datetime, row: dict[str, Any]) -> None:
        key = json.dumps(row["labels"], sort_keys=True)
        told = (row["annotations"] or {}).get("summary", self._rule.name)
        episode = self._open.setdefault(key, Episode(key, at, at, told))
        episode.seen_at = at
        episode.peak = max(episode.peak, row["value"] or 0)
        if episode.fired_at is None and at - episode.began_at >= self._rule.fire_after:
            episode.fired_at = at
            self.episodes.append(episode)


def pages_a_week(rule: Rule, result: Result, since: timedelta) -> float:
    """Return how often an agent would have paged in a week, on average."""
    weeks = since / timedelta(weeks=1)
    return len(result.episodes) / (max(rule.agents, 1) * weeks)


def suggest(
    rule: Rule, results: list[Result], since: timedelta, pages: float
) -> Result | None:
    """Return the lowest threshold that pages no more than that often."""
    for result in results:
        if not result.refused and pages_a_week(rule, result, since) <= pages:
            return result
    return None
