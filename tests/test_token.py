"""Tokens are facts: recorded apart by kind, refused only where they cannot be."""

from __future__ import annotations

from decimal import Decimal

import pytest

from .agents import refusal, row, value
from .conftest import Connection


def test_kinds_of_tokens_are_kept_apart(db: Connection, agent: Connection) -> None:
    agent.execute(
        "select agentdb.log_tokens(input => 100, cached_input => 900, output => 50,"
        " reasoning => 20, model => 'm-1', cost => %s)",
        [0.0125],
    )
    found = row(
        db,
        "select input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost,"
        " model from agentdb.token_log",
    )
    assert found == {
        "input_tokens": 100,
        "cached_input_tokens": 900,
        "output_tokens": 50,
        "reasoning_tokens": 20,
        "cost": Decimal("0.012500000"),
        "model": "m-1",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        "null, 1",
        "1, null",
        "-1, 1",
        "1, -1",
        "1, 1, -1",
        "1, 1, null",
        "1, 1, 0, 2",
        "1000000001, 1",
        "1, 1, cost => 'NaN'",
        "1, 1, cost => 'infinity'",
        "1, 1, cost => -0.01",
        "1, 1, input_cost => 'NaN'",
        "1, 1, cached_input_cost => 'infinity'",
        "1, 1, output_cost => -0.000000001",
        "1, 1, output_cost => 1000000000.1",
        "1, 1, cost => 3, input_cost => 1, output_cost => 1",
    ],
)
def test_counts_that_cannot_be_are_refused(
    db: Connection, agent: Connection, arguments: str
) -> None:
    query = f"select agentdb.log_tokens({arguments})"
    refused = refusal(agent, query)
    assert refused.sqlstate == "ZA004"
    assert value(db, "select count(*) from agentdb.token_log") == 0


def test_many_usages_are_one_call(db: Connection, agent: Connection) -> None:
    usages = (
        '[{"input": 10, "output": 2}, {"input": 20, "cached_input": 5, "cost": 0.5}]'
    )
    said = row(agent, "select * from agentdb.log_tokens_many(%s::jsonb)", usages)
    assert said["recorded"] == 2
    found = row(
        db,
        "select sum(input_tokens)::int as input, sum(cached_input_tokens)::int as cached,"
        " sum(output_tokens)::int as output, sum(cost) as cost from agentdb.token_log",
    )
    assert found == {"input": 30, "cached": 5, "output": 2, "cost": Decimal("0.5")}


@pytest.mark.parametrize(
    "bad", ['{"input": 1.5}', '{"input": "NaN"}', '{"input": 1e99}', "{}"]
)
def test_a_bad_usage_refuses_itself(
    db: Connection, agent: Connection, bad: str
) -> None:
    usages = f'[{{"input": 1}}, {bad}, {{"input": 2}}]'
    found = row(agent, "select * from agentdb.log_tokens_many(%s::jsonb)", usages)
    assert (found["recorded"], found["repeated"]) == (2, 0)
    assert [each["row"] for each in found["refused"]] == [2]
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == 3
