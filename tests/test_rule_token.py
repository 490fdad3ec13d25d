"""Tokens are judged by what they cost and by what is normal for the agent."""

from __future__ import annotations

import pytest

from .agents import age, evaluate, labels, policy, row, rows, value
from .conftest import Connection

# Half hours of an agent, by local hour and day of the week (UTC; 6 and 7 are weekends).
OFFICE = "extract(hour from h) between 9 and 16 and extract(isodow from h) < 6"
NIGHTLY = "extract(hour from h) = 2 and extract(minute from h) = 0"
STEADY = "true"
# A Wednesday, so that the days around it are alike.
NOON = "2026-11-18 12:00Z"


def history(db: Connection, when: str, tokens: int, days: int = 20) -> None:
    """Let the agent have used so many tokens in each half hour of its rhythm."""
    db.execute(
        "insert into agentdb.token_half_hour "
        f"select a.agent_id, h, {tokens}, 0, 0, 0 from agentdb.agent as a, "
        f"generate_series('{NOON}'::timestamptz - interval '{days} days', "
        f"'{NOON}', '30 minutes') as h cross join lateral (select set_config("
        f"'TimeZone', 'UTC', true)) as z where {when}".encode()
    )


def use(db: Connection, at: str, tokens: int, cached: int = 0, output: int = 0) -> None:
    """Let the agent use tokens a minute before a moment."""
    db.execute(
        "insert into agentdb.token_log (run_id, agent_id, recorded_at, input_tokens, "
        "cached_input_tokens, output_tokens, reasoning_tokens, cost) "
        "select run_id, agent_id, %s::timestamptz - interval '1 minute', %s, %s, %s, 0, 0 "
        "from agentdb.run",
        [at, tokens, cached, output],
    )


def setting(db: Connection, at: str) -> str | None:
    """Which threshold the agent is over at a moment."""
    found = rows(
        db, "select annotations from agentdb.rule_token_rate(%s::timestamptz)", at
    )
    return found[0]["annotations"]["setting"] if found else None


def test_cached_input_counts_what_it_costs(db: Connection, agent: Connection) -> None:
    use(db, NOON, 1_000_000, cached=9_000_000, output=500_000)
    assert setting(db, NOON) == "token_rate_warm_up_cap"
    assert value(
        db, "select value from agentdb.rule_token_rate(%s::timestamptz)", NOON
    ) == pytest.approx(3_900_000)


def test_ceiling_of_an_hour(db: Connection, agent: Connection) -> None:
    history(db, STEADY, 3_000_000)
    use(db, "2026-11-18 11:31Z", 2_000_000)
    use(db, NOON, 2_000_000)
    assert setting(db, NOON) is None
    use(db, NOON, 1)
    assert setting(db, NOON) == "token_rate_per_hour"
    assert setting(db, "2026-11-18 13:01Z") is None


@pytest.mark.parametrize("rhythm", [OFFICE, STEADY])
def test_far_above_its_own_busy_half_hours_is_an_anomaly(
    db: Connection, agent: Connection, rhythm: str
) -> None:
    history(db, rhythm, 400_000)
    # Few active half hours tell less of what is normal than many.
    bound = 800_000 if rhythm == OFFICE else 520_000
    use(db, NOON, bound - 10_000)
    assert setting(db, NOON) is None
    use(db, NOON, 11_000)
    assert setting(db, NOON) == "token_rate_margin"


def test_nightly_batch_is_normal_and_a_busy_noon_is_not(
    db: Connection, agent: Connection
) -> None:
    history(db, NIGHTLY, 900_000)
    use(db, "2026-11-18 02:20Z", 900_000)
    assert setting(db, "2026-11-18 02:20Z") is None
    use(db, NOON, 90_000)
    assert setting(db, NOON) is None
    use(db, NOON, 20_000)
    assert setting(db, NOON) == "token_rate_unusual_hour"


def test_first_weekend_at_work_is_told(db: Connection, agent: Connection) -> None:
    history(db, OFFICE, 400_000, days=40)
    sunday = "2026-11-15 12:00Z"
    use(db, sunday, 400_000)
    assert setting(db, sunday) is None
    use(db, sunday, 250_000)
    assert setting(db, sunday) == "token_rate_unusual_hour"


def test_work_after_an_idle_weekend_is_normal(
    db: Connection, agent: Connection
) -> None:
    history(db, OFFICE, 400_000)
    monday = "2026-11-16 09:30Z"
    use(db, monday, 500_000)
    assert setting(db, monday) is None


def test_new_agent_is_judged_by_a_cap(db: Connection, agent: Connection) -> None:
    history(db, OFFICE, 10_000, days=4)
    use(db, NOON, 2_900_000)
    assert setting(db, NOON) is None
    use(db, NOON, 200_000)
    assert setting(db, NOON) == "token_rate_warm_up_cap"


def test_small_agents_have_a_floor(db: Connection, agent: Connection) -> None:
    history(db, STEADY, 1_000)
    use(db, NOON, 149_000)
    assert setting(db, NOON) is None
    use(db, NOON, 2_000)
    assert setting(db, NOON) == "token_rate_margin"


def test_what_lasts_a_day_does_not_become_normal_meanwhile(
    db: Connection, agent: Connection
) -> None:
    history(db, STEADY, 100_000)
    db.execute(
        "update agentdb.token_half_hour set input_tokens = 800000 "
        "where half_hour_at > %s::timestamptz - interval '20 hours'",
        [NOON],
    )
    use(db, NOON, 800_000)
    assert setting(db, NOON) == "token_rate_margin"


def test_normal_is_kept_and_a_past_moment_has_its_own(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "insert into agentdb.token_half_hour select a.agent_id, date_trunc('hour', now()) "
        "- i * interval '30 minutes', case when i < 480 then 2000000 else 200000 end, "
        "0, 0, 0 from agentdb.agent as a, generate_series(50, 1000) as i"
    )
    assert value(db, "select agentdb.refresh_normal()") == 1
    found = row(db, "select active_days, bound, hours from agentdb.token_normal")
    assert found["active_days"] in (14, 15)
    assert found["bound"] == 2_600_000
    assert found["hours"] == 2**48 - 1
    past = "select n.bound from agentdb.agent as a, agentdb._normal_at(a.agent_id, now() {}) as n"
    assert value(db, past.format("")) == 2_600_000
    assert value(db, past.format("- interval '12 days'")) == 260_000
    db.execute("delete from agentdb.token_half_hour")
    assert value(db, past.format("")) == 2_600_000
    assert value(db, "select agentdb.refresh_normal()") == 0
    assert rows(db, "select * from agentdb.token_normal") == []


def test_alert_does_not_flap_at_its_threshold(
    db: Connection, agent: Connection
) -> None:
    db.execute("update agentdb.policy set token_rate_per_hour = 100000")
    db.execute("update agentdb.alert_rule set keep_firing = '0'")

    def state() -> str:
        evaluate(db)
        return str(
            value(db, "select state from agentdb.alert where rule_name = 'token_rate'")
        )

    agent.execute("select agentdb.log_tokens(95000, 0)")
    assert labels(db, "token_rate") == []
    agent.execute("select agentdb.log_tokens(10000, 0)")
    assert state() == "firing"
    age(db, "token_log", "recorded_at", "61 minutes")
    agent.execute("select agentdb.log_tokens(85000, 0)")
    assert state() == "firing"
    age(db, "token_log", "recorded_at", "61 minutes")
    agent.execute("select agentdb.log_tokens(75000, 0)")
    assert state() == "resolved"
    agent.execute("select agentdb.log_tokens(10000, 0)")
    assert state() == "resolved"


def test_playbook_compares_with_three_times_the_average(
    db: Connection, agent: Connection
) -> None:
    policy(db, "playbook")
    # 10,000 each half hour for two days; raw tokens count, cached or not.
    history(db, STEADY, 10_000, days=2)
    use(db, NOON, 20_000, cached=8_000)
    assert setting(db, NOON) is None
    use(db, NOON, 0, cached=4_000)
    assert setting(db, NOON) == "token_rate_factor"
    assert labels(db, "input_spike", NOON) == [{"agent": "a"}]
    policy(db, "default")
    assert setting(db, NOON) is None
    assert labels(db, "input_spike", NOON) == []


def test_playbook_needs_a_day_of_history(db: Connection, agent: Connection) -> None:
    policy(db, "playbook")
    db.execute(
        "insert into agentdb.token_half_hour select a.agent_id, %s::timestamptz - "
        "i * interval '30 minutes', 10000, 0, 0, 0 from agentdb.agent as a, "
        "generate_series(2, 40) as i",
        [NOON],
    )
    use(db, NOON, 90_000)
    assert setting(db, NOON) is None


def test_summary_says_what_a_person_needs(db: Connection, agent: Connection) -> None:
    history(db, STEADY, 400_000)
    use(db, NOON, 700_000)
    told = value(
        db, "select annotations from agentdb.rule_token_rate(%s::timestamptz)", NOON
    )
    assert told["summary"] == (
        "a used 700000 tokens (as they are paid for) in 30 min; "
        "its own busy half hours stay below 520000"
    )
    assert (told["policy"], told["threshold"]) == ("default", 520_000)
