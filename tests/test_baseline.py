"""What is usual is learned by the hour and the week, and slow growth is told."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import combinations, pairwise
from math import exp, log
from statistics import median

import pytest

from .agents import Row, labels, policy, register, row, rows, start, value
from .conftest import Connect, Connection

# A Wednesday.
TODAY = datetime(2026, 11, 18, tzinfo=timezone.utc)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FLOOR = {"tokens": 1000, "calls": 1, "errors": 1, "tick": 10}
Sample = tuple[datetime, float]
Samples = dict[str, list[Sample]]


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent without a run."""
    register(db)
    return connect(db.info.dbname, "agent_a")


def tokens(db: Connection, at: datetime, amount: float) -> None:
    """Let agent a have used tokens in a half hour."""
    db.execute(
        "insert into agentdb.token_half_hour select agent_id, %s, %s, 0, 0, 0"
        " from agentdb.agent where agent_name = 'a'",
        [at, amount],
    )


def calls(db: Connection, at: datetime, count: int, errors: int = 0) -> None:
    """Let it have called tools in an hour."""
    db.execute(
        "insert into agentdb.call_hour select agent_id, %s, %s, %s"
        " from agentdb.agent where agent_name = 'a'",
        [at, count, errors],
    )


def tick(
    db: Connection, at: datetime, seconds: float | None, outcome: str = "succeeded"
) -> int:
    """Let it have done a tick, or be at it."""
    return int(
        value(
            db,
            "insert into agentdb.run (agent_id, role_name, pooled, conversation,"
            " started_at, ended_at, outcome, label, lock_max_ttl, renew_needs_progress,"
            " tick_interval) select agent_id, 'agent_a', false, 'c', %s::timestamptz,"
            " %s::timestamptz, %s, 'a tick', '1 hour', false, '1 hour'"
            " from agentdb.agent where agent_name = 'a' returning run_id",
            at,
            None if seconds is None else at + timedelta(seconds=seconds),
            None if seconds is None else outcome,
        )
    )


def live(
    db: Connection, dice: random.Random, days: int, works: Callable[[datetime], bool]
) -> Samples:
    """Give the agent days up to today; return what it did, hour by hour."""
    found: Samples = defaultdict(list)
    for place in range(-days * 24, 0):
        hour = TODAY + place * HOUR
        if not works(hour) and place != -days * 24:
            continue
        halves = [dice.choice((0, 10**12, dice.randint(1, 10**6))) for _ in range(2)]
        for half, amount in enumerate(halves):
            if amount:
                tokens(db, hour + half * HOUR / 2, amount)
        if sum(halves):
            found["tokens"].append((hour, sum(halves)))
        count = dice.randint(1, 50)
        failed = dice.choice((0, 0, count // 3))
        calls(db, hour, count, failed)
        found["calls"].append((hour, count))
        found["errors"].append((hour, failed))
        seconds = round(dice.lognormvariate(4, 1), 3)
        tick(db, hour + HOUR / 60, seconds)
        if hour + HOUR / 60 + timedelta(seconds=seconds) < TODAY:
            found["tick"].append((hour, seconds))
    return found


def usual(samples: list[Sample], hour: int, known: int) -> list[float]:
    """The samples by which an hour of today is judged."""
    recent = [(at, x) for at, x in samples if at >= TODAY - 28 * DAY]
    at_hour = [(at, x) for at, x in recent if at.hour == hour]
    alike = [x for at, x in at_hour if at.weekday() == TODAY.weekday()]
    if known >= 28 and len(alike) >= 3:
        return alike
    if known >= 7 and len(at_hour) >= 3:
        return [x for _, x in at_hour]
    return [x for _, x in recent]


def office(at: datetime) -> bool:
    return at.weekday() < 5 and 9 <= at.hour < 17


def mondays(at: datetime) -> bool:
    return at.weekday() == 0 and at.hour < 12


RHYTHMS: dict[str, Callable[[random.Random], Callable[[datetime], bool]]] = {
    "office": lambda dice: office,
    "mondays": lambda dice: mondays,
    "gaps": lambda dice: lambda at: at.day % 5 != 0 and dice.random() < 0.4,
    "seldom": lambda dice: lambda at: dice.random() < 0.02,
}


@pytest.mark.parametrize("days", [3, 6, 7, 27, 28, 33])
@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_as_another_implementation_has_it(
    db: Connection, agent: Connection, days: int, rhythm: str
) -> None:
    dice = random.Random(f"{rhythm} {days}")
    lived = live(db, dice, days, RHYTHMS[rhythm](dice))
    asked = rows(
        db,
        "select m, h, u.* from unnest(array['tokens', 'calls', 'errors', 'tick']) as m,"
        " generate_series(0, 23) as h cross join lateral agentdb._usual_at(1, m,"
        " %s::timestamptz + h * interval '1 hour' + interval '59 minutes') as u",
        TODAY,
    )
    assert {each["m"] for each in asked} == {
        m for m, s in lived.items() if any(at >= TODAY - 28 * DAY for at, _ in s)
    }
    for each in asked:
        samples = usual(lived[each["m"]], each["h"], days)
        middle = median(samples)
        mad = median(abs(x - middle) for x in samples)
        spread = max(1.4826 * mad, middle / 10, FLOOR[each["m"]])
        assert each["days"] == days
        assert each["usual"] == pytest.approx(middle)
        assert each["spread"] == pytest.approx(spread)


def test_what_is_learned_today_is_kept_and_a_past_day_has_its_own(
    db: Connection, agent: Connection
) -> None:
    asked = (
        "select u.usual from agentdb._usual_at(1, 'tokens', now() - %s::interval) as u"
    )
    db.execute(
        "insert into agentdb.token_half_hour select 1, date_bin('1 day', now(), 'epoch')"
        " - i * interval '1 hour', case when i > 600 then 100000 else 700000 end, 0, 0, 0"
        " from generate_series(1, 900) as i"
    )
    db.execute("select agentdb.refresh_normal()")
    assert value(db, asked, "0") == 700_000
    assert value(db, asked, "624 hours") == 100_000
    # What comes late changes neither today nor a day that is over.
    days = rows(db, "select * from agentdb.agent_day order by day_at")
    db.execute("update agentdb.token_half_hour set input_tokens = 5")
    db.execute("select agentdb.refresh_normal()")
    assert value(db, asked, "0") == 700_000
    assert rows(db, "select * from agentdb.agent_day order by day_at") == days
    assert value(db, asked, "624 hours") == 5


def test_today_is_no_part_of_what_is_usual(db: Connection, agent: Connection) -> None:
    for place in range(24 * 10):
        tokens(db, TODAY - (place + 1) * HOUR, 50_000)
        tokens(db, TODAY + place * HOUR, 10**15)
    asked = "select u.usual from agentdb._usual_at(1, 'tokens', %s::timestamptz) as u"
    assert value(db, asked, TODAY + 23 * HOUR) == 50_000


def test_clocks_that_change_are_not_followed(db: Connection, agent: Connection) -> None:
    # Nine o'clock in Berlin is seven, then eight UTC.
    change = datetime(2026, 10, 25, tzinfo=timezone.utc)
    for place in range(-10, 20):
        at = change + place * DAY + (7 if place < 0 else 8) * HOUR
        tokens(db, at, 500_000 if place < 0 else 400_000)
        tokens(db, at + 3 * HOUR, 1000)
    asked = "select u.usual from agentdb._usual_at(1, 'tokens', %s::timestamptz) as u"
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        db.execute(f"set timezone = '{zone}'".encode())
        assert value(db, asked, change + 15 * DAY + 8 * HOUR) == 400_000
        assert value(db, asked, change + 15 * DAY + 7 * HOUR) == 500_000


def learned(db: Connection) -> str:
    """How far the agent has been learned, as people read it."""
    query = "select learned from agentdb.agent_baseline where measure = 'tokens'"
    return str(value(db, query))


def test_says_how_far_it_has_learned(db: Connection, agent: Connection) -> None:
    assert learned(db) == "learning, 0 of 7 days"
    today = "date_bin('1 day', now(), 'epoch')"
    for days, says in (
        (3, "learning, 3 of 7 days"),
        (6, "learning, 6 of 7 days"),
        (7, "knows hours of the day, 7 of 28 days"),
        (27, "knows hours of the day, 27 of 28 days"),
        (28, "knows hours of each weekday"),
    ):
        # Late on its first day: whole days count from there.
        db.execute(
            "insert into agentdb.token_half_hour select 1, "
            f"{today} - {days - 1} * interval '24 hours' - interval '1 hour',"
            " 5, 0, 0, 0".encode()
        )
        assert learned(db) == says


def test_new_agent_reads_that_it_is_learned(db: Connection, agent: Connection) -> None:
    start(agent)
    agent.execute("select agentdb.log_tokens(3500000, 0)")
    told = value(db, "select annotations from agentdb.token_rate")
    assert "a new agent (learning, 0 of 7 days) may use" in told["summary"]
    assert told["learned"] == "learning, 0 of 7 days"


def test_calls_are_counted_by_the_hour(db: Connection, agent: Connection) -> None:
    start(agent)
    for ok in ("true", "false", "true"):
        agent.execute(f"select agentdb.log_tool_call('t', '{{}}', ok => {ok})".encode())
        db.execute("select agentdb.roll_up()")
    found = rows(db, "select calls, errors, hour_at from agentdb.call_hour")
    assert [(each["calls"], each["errors"]) for each in found] == [(3, 1)]
    assert found[0]["hour_at"].minute == 0


# Slow growth.
def trend(levels: list[float]) -> tuple[float, float, float]:
    """The trend of days in another implementation."""
    pairs = list(combinations(range(len(levels)), 2))
    logs = [log(level) for level in levels]
    growth = exp(median((logs[j] - logs[i]) / (j - i) for i, j in pairs))
    rising = sum((logs[j] > logs[i]) - (logs[j] < logs[i]) for i, j in pairs)
    steps = [b - a for a, b in pairwise(logs)]
    return growth, rising / len(pairs), max(steps) / (logs[-1] - logs[0])


def test_trend_as_another_implementation_has_it(db: Connection) -> None:
    dice = random.Random(7)
    for _ in range(50):
        levels = [dice.choice((5.0, dice.lognormvariate(11, 1))) for _ in range(6)]
        levels = [4.0, *levels]
        found = row(db, "select * from agentdb._trend(%s::float8[])", levels)
        assert tuple(found.values()) == pytest.approx(trend(levels))
    huge = row(db, "select * from agentdb._trend('{1e-300, 1, 1e300}')")
    assert huge["rising"] == 1 and huge["growth"] < float("inf")


def spend(db: Connection, amounts: list[float | None], *, until: int = 0) -> None:
    """Let the agent have used so much a day, the last amount `until` days ago."""
    for place, amount in enumerate(reversed(amounts)):
        if amount is not None:
            db.execute(
                "insert into agentdb.token_half_hour select 1, date_bin('1 day', now(),"
                " 'epoch') - (%s - 0.5) * interval '24 hours', %s, 0, 0, 0",
                [place + until + 1, int(amount)],
            )
    db.execute("select agentdb.refresh_normal()")


def drift(db: Connection, days_ago: int = 0) -> list[Row]:
    """What the rule says now, or days ago."""
    query = "select * from agentdb.rule_slow_drift(now() - %s * interval '24 hours')"
    return rows(db, query, days_ago)


BOIL = [500_000 * 1.1**day for day in range(7)]


def noisy(amounts: list[float], share: float = 0.03) -> list[float | None]:
    dice = random.Random(11)
    return [each * dice.gauss(1, share) for each in amounts]


def test_boil_is_told_within_a_week_and_was_not_before(
    db: Connection, agent: Connection
) -> None:
    spend(db, noisy([500_000] * 14) + noisy([*BOIL[1:], BOIL[-1] * 1.1]))
    (told,) = drift(db)
    assert told["labels"] == {"agent": "a", "measure": "tokens"}
    assert told["value"] == pytest.approx(0.1, abs=0.03)
    assert told["annotations"]["summary"].startswith(
        "a: tokens (as they are paid for) grow by 1"
    )
    assert told["annotations"]["learned"] == "knows hours of the day, 21 of 28 days"
    assert drift(db, 4) == []
    db.execute("update agentdb.policy set slow_drift_share = 0.2")
    assert drift(db) == []
    db.execute("update agentdb.policy set slow_drift_share = null")
    assert drift(db) == []


def test_boil_from_the_first_day_on(db: Connection, agent: Connection) -> None:
    spend(db, noisy(BOIL))
    assert len(drift(db)) == 1
    assert drift(db, 1) == []


def test_boil_under_noise_takes_a_fortnight(db: Connection, agent: Connection) -> None:
    spend(db, noisy([500_000 * 1.1**day for day in range(14)], 0.25))
    (told,) = drift(db)
    assert told["annotations"]["summary"].endswith("within 14 active days")
    assert drift(db, 7) == []


def test_boil_of_an_agent_with_weekends(db: Connection, agent: Connection) -> None:
    days: list[float | None] = [*BOIL[:3], None, None, *BOIL[3:], None, None]
    spend(db, days)
    # It is told over the weekend too, but not for ever.
    assert [len(drift(db, ago)) for ago in (2, 1, 0)] == [1, 1, 1]
    assert drift(db, -1) == []


@pytest.mark.parametrize(
    "days",
    [
        pytest.param([5e5] * 14 + [5e5] * 3 + [1.2e6] * 4, id="a step"),
        pytest.param([5e5] * 20 + [5e6], id="a monthly report"),
        pytest.param(([5e5] * 5 + [None] * 2) * 3, id="weekends off"),
        pytest.param([5e5 * 1.02**d for d in range(21)], id="2 % a day"),
        pytest.param([5e5 * 0.9**d for d in range(21)], id="it falls"),
        pytest.param([5e3 * 1.1**d for d in range(21)], id="too small to matter"),
        pytest.param(
            [5e5 * 1.15**d for d in (0, 1, 2, 3, 4, 5, 6)] * 3, id="shape of a week"
        ),
        pytest.param(
            [5e5] * 5 + [None] * 2 + [5e5] * 5 + [4e5] * 2 + [5e5] * 5 + [5.1e5] * 2,
            id="begins to work at weekends",
        ),
    ],
)
def test_healthy_growth_is_not_told(
    db: Connection, agent: Connection, days: list[float | None]
) -> None:
    steady = [d and d * (1 + i % 3 / 100) for i, d in enumerate(days)]
    spend(db, steady)
    assert drift(db) == []


@pytest.mark.parametrize(("measure", "levels"), [("calls", 200), ("errors", 30)])
def test_calls_and_errors_drift_too(
    db: Connection, agent: Connection, measure: str, levels: int
) -> None:
    db.execute(
        "insert into agentdb.call_hour select 1, date_bin('1 day', now(), 'epoch')"
        " - (8 - i) * interval '24 hours', case when %s then 1000 else n end,"
        " case when %s then n else 0 end"
        " from generate_series(1, 7) as i, lateral (select (%s * 1.1 ^ i)::int as n) as x",
        [measure == "errors", measure == "errors", levels],
    )
    db.execute("select agentdb.refresh_normal()")
    assert [each["labels"]["measure"] for each in drift(db)] == [measure]


def test_ticks_drift_too(db: Connection, agent: Connection) -> None:
    midnight = datetime.now(timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    for place in range(7):
        tick(db, midnight - (7 - place) * DAY, 100 * 1.1**place)
        tick(db, midnight - (7 - place) * DAY + HOUR, 100 * 1.1**place)
        # A failure says nothing about how long it takes.
        tick(db, midnight - (7 - place) * DAY + 2 * HOUR, 1, outcome="failed")
    db.execute("select agentdb.refresh_normal()")
    assert [each["labels"]["measure"] for each in drift(db)] == ["tick"]


def test_amounts_that_are_none_are_left_out(db: Connection, agent: Connection) -> None:
    # Not from any function of ours: a row that somebody wrote by hand.
    db.execute(
        "insert into agentdb.agent_day select 1, date_bin('1 day', now(), 'epoch') - i"
        " * interval '24 hours', v, v, v, nullif(v, 'NaN') from unnest(array['NaN',"
        " 'infinity', 0, -5, 1e308, 1e308, 1e308, 1e308, 1e308]::float8[])"
        " with ordinality as x (v, i)"
    )
    assert rows(db, "select * from agentdb._drift_of(1, now())") == []
    spend(db, [10**15] * 3)
    assert drift(db) == []


def test_costs_little_where_nothing_is_wrong(db: Connection, agent: Connection) -> None:
    db.execute(
        "insert into agentdb.agent (agent_name, role_name, pooled, policy_name)"
        " select 'x' || i, 'nobody', true, 'default' from generate_series(1, 500) as i"
    )
    db.execute(
        "insert into agentdb.agent_day select agent_id, date_bin('1 day', now(), 'epoch')"
        " - i * interval '24 hours', 5e5, 100, 0, null from agentdb.agent,"
        " generate_series(1, 14) as i"
    )
    db.execute("analyze agentdb.agent_day, agentdb.drift")
    with db.transaction():
        db.execute("select * from agentdb.slow_drift")
        read = value(
            db,
            "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int from"
            " pg_stat_xact_user_tables where relname in ('agent_day', 'drift')",
        )
    assert read == 0


# Ticks that take longer than they do.
def ticks(db: Connection, now: datetime, seconds: float) -> None:
    """Give the agent four ticks a day at this hour, for ten days."""
    for place in range(1, 11):
        for part in range(4):
            began = now - place * DAY - part * timedelta(minutes=2)
            tick(db, began, seconds + place + part)


def test_tick_that_takes_long_is_a_notice_before_the_limit(
    db: Connection, agent: Connection
) -> None:
    ticks(db, TODAY + 12 * HOUR + HOUR / 2, 30)
    tokens(db, TODAY - 9 * DAY, 5)
    run = tick(db, TODAY + 12 * HOUR + HOUR / 2, None)

    def severity(minutes: float) -> str | None:
        at = TODAY + 12 * HOUR + HOUR / 2 + timedelta(minutes=minutes)
        found = rows(
            db,
            "select labels, annotations from agentdb.rule_long_tick(%s::timestamptz)",
            at,
        )
        if not found:
            return None
        assert found[0]["labels"] == {"agent": "a", "run": str(run)}
        return str(found[0]["annotations"]["severity"])

    assert severity(1.5) is None
    assert severity(2) == "info"
    assert severity(14) == "info"
    assert severity(16) == "warning"
    db.execute("update agentdb.policy set long_tick_spreads = null")
    assert severity(2) is None
    assert severity(16) == "warning"


def test_tick_is_not_judged_before_it_is_known(
    db: Connection, agent: Connection
) -> None:
    tick(db, TODAY - 2 * DAY, 20)
    tick(db, TODAY, None)
    assert labels(db, "long_tick", str(TODAY + timedelta(minutes=14))) == []


def test_tick_that_always_takes_that_long_is_usual(
    db: Connection, agent: Connection
) -> None:
    ticks(db, TODAY + 12 * HOUR, 700)
    tokens(db, TODAY - 9 * DAY, 5)
    tick(db, TODAY + 12 * HOUR, None)
    assert labels(db, "long_tick", str(TODAY + 12 * HOUR + timedelta(minutes=14))) == []


# The hours of an agent, for token_rate.
def weekly(db: Connection, weeks: int, tokens_each: int) -> None:
    """Give the agent weeks of office hours, up to a Friday."""
    for place in range(-weeks * 7 * 24, 0):
        at = datetime(2026, 11, 21, tzinfo=timezone.utc) + place * HOUR
        if office(at):
            tokens(db, at, tokens_each)


def excess(db: Connection, at: datetime, used: int) -> tuple[str, str] | None:
    """Severity and setting of token_rate where the agent has used so much."""
    db.execute(
        "insert into agentdb.token_log (run_id, agent_id, recorded_at, input_tokens,"
        " cached_input_tokens, output_tokens, reasoning_tokens, cost) select run_id, 1,"
        " %s::timestamptz - interval '1 minute', %s, 0, 0, 0, 0 from agentdb.run",
        [at, used],
    )
    query = "select annotations from agentdb.rule_token_rate(%s::timestamptz)"
    found = rows(db, query, at)
    if not found:
        return None
    told = found[0]["annotations"]
    return told["severity"], told["setting"]


@pytest.mark.parametrize("weeks", [1, 2, 4, 5])
def test_weekend_at_the_usual_rate_is_none_and_above_it_a_warning(
    db: Connection, agent: Connection, weeks: int
) -> None:
    start(agent)
    weekly(db, weeks, 200_000)
    saturday = datetime(2026, 11, 21, tzinfo=timezone.utc)
    assert excess(db, saturday + 10 * HOUR, 200_000) is None
    expected = ("warning", "token_rate_unusual_hour") if weeks == 5 else None
    assert excess(db, saturday + 12 * HOUR, 330_000) == expected
    found = excess(db, saturday + 14 * HOUR, 500_000)
    assert found == ("critical", "token_rate_margin")


def test_night_is_critical_once_a_week_is_known(
    db: Connection, agent: Connection
) -> None:
    start(agent)
    weekly(db, 1, 200_000)
    night = datetime(2026, 11, 21, 3, tzinfo=timezone.utc)
    # Monday to Friday: five days are known.
    assert excess(db, night, 120_000) is None
    tokens(db, datetime(2026, 11, 14, 15, tzinfo=timezone.utc), 5)
    assert excess(db, night, 0) == ("critical", "token_rate_unusual_hour")


def test_playbook_has_no_hours(db: Connection, agent: Connection) -> None:
    start(agent)
    weekly(db, 4, 200_000)
    policy(db, "playbook")
    assert excess(db, datetime(2026, 11, 21, 3, tzinfo=timezone.utc), 9_000) is None
