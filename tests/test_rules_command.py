"""Rules are listed, explained, checked before they are enabled, tried on the past."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from psycopg.rows import dict_row

from agentdb.rules.lint import lint

from .agents import register, rows, start, value
from .conftest import Connect, Connection
from .servers import Server
from .test_cli import agentdb


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """An operator's connection string to an installed database."""
    return server.dsn(database=db.info.dbname, user="operator_o")


def test_every_rule_has_its_settings_with_reasons(db: Connection, dsn: str) -> None:
    found = json.loads(agentdb("rules", "list", "--json", dsn=dsn))
    names = {each["rule"] for each in found}
    assert names == {
        each["rule_name"]
        for each in rows(db, "select rule_name from agentdb.alert_rule")
    }
    settings = rows(db, "select distinct rule_name, reason from agentdb.rule_setting")
    assert {each["rule_name"] for each in settings} <= names
    assert {"silent_loop", "token_rate", "no_progress", "tool_errors"} <= {
        each["rule_name"] for each in settings
    }
    assert all(each["reason"] for each in settings)
    # What an alert names as its threshold is a setting of the rule.
    said = agentdb("rules", "explain", "silent_loop", dsn=dsn)
    assert "Rule: runs that do the same again and again" in said
    assert re.search(r"silent_loop_same +default 5, playbook 5", said)
    assert "agents in the field stop at 3 to 5" in said
    assert re.search(r"agent_is_then +looping", said) and " health " not in said
    agentdb("rules", "explain", "nothing", dsn=dsn, code=1)


def test_rules_of_the_pack_have_nothing_to_complain_of(dsn: str) -> None:
    assert "no problems found" in agentdb("rules", "lint", dsn=dsn)


GOOD = (
    "jsonb_build_object('i', i) as labels, 1::double precision as value, "
    '\'{"summary": "s"}\'::jsonb as annotations'
)
# The select list of a rule's view, and what is said of it.
WRONG = {
    "'a' as labels, 1::float as value, '{}'::jsonb as annotations": "column labels",
    "'{}'::jsonb as labels, 1 as value, '{}'::jsonb as annotations": "column value",
    "'{\"a\": 1}'::jsonb as labels, 1::float as value": "column annotations",
    "'[]'::jsonb as labels, 1::float as value, '{\"summary\": \"s\"}'::jsonb as annotations": (
        "labels are no object"
    ),
    '\'{"a": 1}\'::jsonb as labels, 1::float as value, \'{"summary": "s"}\'::jsonb as annotations': (
        "two rows have the same labels"
    ),
    GOOD.replace("summary", "text"): "a row has no summary",
    GOOD.replace("1::double", "(1 / (i - 1))::double"): "division by zero",
    GOOD.replace("1::double", "(select 1 from pg_sleep(3))::double"): (
        "has no answer in 2000 ms"
    ),
    GOOD.replace("1::double", "(select 1 from pg_sleep(0.7))::double"): "of 2000 ms",
}


@pytest.mark.parametrize("columns", WRONG)
def test_wrong_view_is_told_before_it_is_a_rule(
    db: Connection, dsn: str, columns: str
) -> None:
    db.execute(
        f"create view public.mine as select {columns} from generate_series(1, 2) as i".encode()
    )
    db.execute("grant select on public.mine to agentdb_operator")
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as operator:
        findings = lint(operator, "public.mine")
    assert any(WRONG[columns] in each.problem for each in findings)
    assert all(each.hint for each in findings)


def test_good_view_passes_and_a_missing_right_is_told(db: Connection, dsn: str) -> None:
    db.execute(
        f"create view public.mine as select {GOOD} from generate_series(1, 2) as i".encode()
    )
    agentdb("rules", "lint", "public.mine", dsn=dsn, code=1)
    db.execute("grant select on public.mine to agentdb_operator")
    agentdb("rules", "lint", "public.mine", dsn=dsn)
    db.execute(
        "insert into agentdb.alert_rule (rule_name, description, view_name, enabled, "
        "evidence_query) values ('mine', 'd', 'public.mine', false, 'select * from nowhere')"
    )
    assert "nowhere" in agentdb("rules", "lint", "mine", dsn=dsn, code=1)
    assert "no such rule" in agentdb("rules", "lint", "yours", dsn=dsn, code=1)
    assert "42P01" in agentdb("rules", "lint", "public.nothing", dsn=dsn, code=1)


@pytest.fixture
def busy(db: Connection, connect: Connect) -> Connection:
    """An agent with two bursts of tokens in a day: 3 and 6 million in half an hour."""
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    for hours, tokens in ((20, 3_100_000), (5, 6_000_000)):
        db.execute(
            "insert into agentdb.token_log (run_id, agent_id, recorded_at, input_tokens,"
            " cached_input_tokens, output_tokens, reasoning_tokens, cost) select run_id,"
            " agent_id, now() - %s * interval '1 hour', %s, 0, 0, 0, 0 from agentdb.run",
            [hours, tokens],
        )
    db.execute("update agentdb.run set started_at = now() - interval '2 days'")
    return agent


def test_backtest_shows_pages_beside_other_thresholds(
    db: Connection, dsn: str, busy: Connection
) -> None:
    before = rows(db, "select * from agentdb.policy")
    said = agentdb(
        "rules",
        "backtest",
        "token_rate",
        "--since",
        "1d",
        "--every",
        "20m",
        "--setting",
        "token_rate_warm_up_cap",
        dsn=dsn,
    )
    assert (
        said.count("a used 3100000 tokens") == said.count("a used 6000000 tokens") == 1
    )
    assert re.search(r"0\.5x token_rate_warm_up_cap +2 ", said)
    assert re.search(r"1x token_rate_warm_up_cap +2 ", said)
    # The ceiling of an hour still tells of the second.
    assert re.search(r"2x token_rate_warm_up_cap +1 ", said)
    assert rows(db, "select * from agentdb.policy") == before


def test_tune_suggests_the_lowest_threshold_that_is_bearable(
    dsn: str, busy: Connection
) -> None:
    words = ["rules", "tune", "token_rate", "--since", "1d", "--every", "20m"]
    said = agentdb(
        *words, "--setting", "token_rate_warm_up_cap", "--pages", "7", dsn=dsn
    )
    assert "is 1.5x" in said
    assert "set token_rate_warm_up_cap = token_rate_warm_up_cap * 1.5" in said
    said = agentdb(
        *words, "--setting", "token_rate_warm_up_cap", "--pages", "0", dsn=dsn, code=1
    )
    assert "no threshold tried here" in said


def test_backtest_lets_alerts_live_as_the_database_does(
    db: Connection, dsn: str, busy: Connection
) -> None:
    db.execute(
        "update agentdb.alert_rule set keep_firing = '16 hours' "
        "where rule_name = 'token_rate'"
    )
    words = ["rules", "backtest", "token_rate", "--since", "1d", "--every", "20m"]
    assert re.search(r"1x token_rate_margin +1 ", agentdb(*words, dsn=dsn))
    db.execute(
        "update agentdb.alert_rule set keep_firing = '0', fire_after = '55 minutes' "
        "where rule_name = 'token_rate'"
    )
    assert re.search(r"1x token_rate_margin +0 ", agentdb(*words, dsn=dsn))


def test_backtest_of_what_knows_only_the_present_says_so(
    db: Connection, dsn: str
) -> None:
    assert "knows only the present" in agentdb(
        "rules", "backtest", "broken_rule", dsn=dsn, code=1
    )
    assert "there is no rule x" in agentdb("rules", "backtest", "x", dsn=dsn, code=1)
    for wrong in ("14", "0d", "-1d", "x"):
        agentdb("rules", "backtest", "token_rate", "--since", wrong, dsn=dsn, code=2)
    for odd in ("x; drop", "description", "renew_needs_progress"):
        said = agentdb(
            "rules", "backtest", "token_rate", "--setting", odd, dsn=dsn, code=1
        )
        assert f"has no threshold {odd}" in said
    assert value(db, "select count(*) > 0 from agentdb.policy")


def test_threshold_that_the_policy_refuses_is_said(db: Connection, dsn: str) -> None:
    words = ["rules", "backtest", "tool_errors", "--since", "1h", "--every", "30m"]
    said = agentdb(*words, "--setting", "tool_errors_share", dsn=dsn)
    assert "violates check constraint" in said or "2x tool_errors_share" in said
    said = agentdb(*words, "--setting", "token_rate_clear", dsn=dsn)
    assert "policy_ratios_check" in said
