"""What a model call costs: by its kinds, exactly, by whom, and nothing that is guessed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import Usage as Tokens
from genai_prices import calc_price

from agentdb import Agent
from agentdb.client import Limits, Usage
from agentdb.client.price import Terms, priced
from agentdb.client.usage import usage_of

from .agents import row, rows, start, value
from .conftest import Connection
from .servers import Server
from .test_cli import agentdb

PARTS = (
    "select input_cost, cached_input_cost, output_cost, cost, priced_by"
    " from agentdb.token_log order by token_log_id"
)


def amounts(*given: str | None) -> dict[str, Any]:
    names = ("input_cost", "cached_input_cost", "output_cost", "cost")
    return {
        name: None if each is None else Decimal(each)
        for name, each in zip(names, given, strict=True)
    }


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("cost => 0.5", (None, None, None, "0.5")),
        ("model => 'm'", (None, None, None, None)),
        ("cost => null", (None, None, None, None)),
        ("cost => 0", (None, None, None, "0")),
        ("input_cost => 0.1, cached_input_cost => 0.01, output_cost => 0.2",
         ("0.1", "0.01", "0.2", "0.31")),
        ("input_cost => 0.1, output_cost => 0.2, cost => 0.3",
         ("0.1", "0", "0.2", "0.3")),
        ("output_cost => 0.000000001", ("0", "0", "0.000000001", "0.000000001")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["one", "many", "settled"])
def test_cost_is_kept_by_its_kinds_or_as_a_total_or_not(
    db: Connection, agent: Connection, said: str, kept: tuple[str | None, ...], way: str
) -> None:
    if way == "one":
        agent.execute(f"select agentdb.log_tokens(1, 1, {said})".encode())
    elif way == "settled":
        taken = value(agent, "select reservation from agentdb.reserve_tokens(10, 10)")
        agent.execute(f"select agentdb.settle_tokens({taken}, 1, 1, {said})".encode())
    else:
        pairs = (each.split(" => ") for each in said.replace("'", '"').split(", "))
        usage = ", ".join(f'"{name}": {each}' for name, each in pairs)
        agent.execute(
            "select agentdb.log_tokens_many(%s::jsonb)",
            ['[{"input": 1, "output": 1, ' + usage + "}]"],
        )
    found = row(db, PARTS)
    del found["priced_by"]
    assert found == amounts(*kept)


def test_sums_have_no_drift(db: Connection, agent: Connection) -> None:
    """A tenth that is added ten thousand times is a thousand."""
    usage = {"input": 1, "input_cost": "0.1", "output_cost": 0.2, "model": "m"}
    for _ in range(10):
        agent.execute(
            "select agentdb.log_tokens_many(%s::jsonb)", [json.dumps([usage] * 1000)]
        )
    spent = "select sum(cost) from agentdb.token_log"
    assert value(db, spent) == Decimal("3000.000000000")
    left = row(agent, "select * from agentdb.remaining_budget() where scope = 'run'")
    assert (left["input_cost"], left["output_cost"]) == (1000, 2000)
    db.execute("select agentdb.roll_up()")
    left = row(agent, "select * from agentdb.remaining_budget() where scope = 'run'")
    assert (left["input_cost"], left["output_cost"]) == (1000, 2000)
    day = row(db, "select input_cost, output_cost, cost from agentdb.cost_by_agent_day")
    assert day == {"input_cost": 1000, "output_cost": 2000, "cost": 3000}


def test_cost_by_agent_model_conversation_and_day(
    db: Connection, agent: Connection, server: Server
) -> None:
    dsn = server.dsn(database=db.info.dbname, user="auditor_u")
    agent.execute("select from agentdb.end_run()")
    start(agent, conversation="case 7")
    logged = "select agentdb.log_tokens(10, 5, 2, %s)"
    split = "input_cost => 0.3, cached_input_cost => 0.03, output_cost => 0.1"
    agent.execute(logged.replace("%s", f"model => 'big', {split}").encode())
    agent.execute(logged.replace("%s", "model => 'big', cost => 1").encode())
    agent.execute(logged.replace("%s", "model => 'big'").encode())
    agent.execute(logged.replace("%s", f"model => 'small', {split}").encode())
    db.execute("select agentdb.roll_up()")
    agent.execute("select from agentdb.end_run()")
    start(agent, conversation="other")
    agent.execute(logged.replace("%s", split).encode())
    db.execute("select agentdb.roll_up()")
    found = rows(
        db,
        "select agent_name, conversation, model, model_calls as calls, unpriced_calls as"
        " unpriced, input_cost, cached_input_cost, output_cost, cost from agentdb.cost"
        " where day = (now() at time zone 'UTC')::date order by 2, 3",
    )
    part = amounts("0.3", "0.03", "0.1", "0.43")
    named = [
        ("case 7", "big", 3, 1, part | {"cost": Decimal("1.43")}),
        ("case 7", "small", 1, 0, part),
        ("other", None, 1, 0, part),
    ]
    assert found == [
        {"agent_name": "a", "conversation": where, "model": model, "calls": calls,
         "unpriced": unpriced} | cost
        for where, model, calls, unpriced, cost in named
    ]  # fmt: skip
    said = json.loads(agentdb("costs", "--by", "model", "--json", dsn=dsn))
    assert [(each["what"], each["calls"], each["unpriced"]) for each in said] == [
        ("big", 3, 1), ("small", 1, 0), (None, 1, 0)
    ]  # fmt: skip
    assert [Decimal(str(each["input_cost"])) for each in said] == [Decimal("0.3")] * 3
    told = agentdb("costs", "--by", "conversation", "--agent", "a", dsn=dsn)
    assert "input_cost" in told and "case 7" in told
    assert "no model was called" in agentdb("costs", "--agent", "b", dsn=dsn)
    agent.execute(logged.replace("%s", "model => 'unknown'").encode())
    db.execute("select agentdb.roll_up()")
    last = json.loads(agentdb("costs", "--by", "model", "--json", dsn=dsn))[-1]
    # Nobody knows what it cost: that is not nothing.
    assert (last["what"], last["unpriced"]) == ("unknown", 1)
    assert last["cost"] is None and last["input_cost"] is None
    # What it adds up goes with its run.
    db.execute(
        "update agentdb.run set started_at = now() - interval '2 years',"
        " ended_at = now() - interval '1 year', outcome = coalesce(outcome, 'succeeded')"
    )
    db.execute("select agentdb._forget_runs('30 days')")
    assert value(db, "select count(*) from agentdb.run_cost") == 0


def test_budget_of_cost_counts_what_is_split(db: Connection, agent: Connection) -> None:
    db.execute("update agentdb.policy set run_budget_cost = 1")
    agent.execute(
        "select agentdb.log_tokens(1, 1, input_cost => 0.9, output_cost => 0.05)"
    )
    told = value(db, "select annotations ->> 'summary' from agentdb.budget_low")
    assert told == (
        "a has used 95% of its run budget, which is nearly spent: cost 0.95 of 1"
        " (input 0.90, cached input 0.00, output 0.05)"
    )
    agent.execute("select agentdb.log_tokens(1, 1, output_cost => 0.05)")
    taken = row(agent, "select granted, scope from agentdb.reserve_tokens(1)")
    assert taken == {"granted": False, "scope": "run"}


@pytest.mark.parametrize(
    "said", ["input_cost => 'x'", "input_cost => 1e400", "cost => 1e300"]
)
def test_no_amount_is_refused_in_a_batch(
    db: Connection, agent: Connection, said: str
) -> None:
    name, amount = said.split(" => ")
    usage = json.dumps([{"input": 1}, {"input": 1, name: amount.strip("'")}])
    found = row(agent, "select * from agentdb.log_tokens_many(%s::jsonb)", usage)
    assert found["recorded"] == 1
    assert [each["row"] for each in found["refused"]] == [2]


def by_list(model: str, provider: str, **tokens: int) -> Any:
    return calc_price(Tokens(**tokens), model, provider_id=provider)


def test_price_of_the_list_is_split_and_named() -> None:
    used = priced(Usage(100, 50, 900, model="gpt-4o"), Terms("openai"))
    price = by_list("gpt-4o", "openai", input_tokens=1, output_tokens=1).model_price
    mtok = Decimal(1_000_000)
    assert used.input_cost == 100 * price.input_mtok / mtok
    assert used.cached_input_cost == 900 * price.cache_read_mtok / mtok
    assert used.output_cost == 50 * price.output_mtok / mtok
    assert used.cached_input_cost < 900 * price.input_mtok / mtok
    assert used.priced_by is not None
    package, model, day = used.priced_by.split(", ")
    assert package.split(" ")[0] == "genai-prices"
    assert package.split(" ")[1][0].isdigit()
    assert (model, len(day)) == ("openai/gpt-4o", 10)


def test_steps_of_a_price_are_those_of_the_whole_prompt() -> None:
    """Beyond so many tokens all of them cost more, cached ones too."""
    used = priced(
        Usage(1000, 10, 300_000, model="claude-sonnet-4-5"), Terms("anthropic")
    )
    whole = by_list(
        "claude-sonnet-4-5", "anthropic", input_tokens=301_000,
        cache_read_tokens=300_000, output_tokens=10,
    )  # fmt: skip
    assert used.input_cost is not None and used.cached_input_cost is not None
    assert Decimal(used.input_cost) + Decimal(used.cached_input_cost) == (
        whole.input_price
    )
    assert used.output_cost == whole.output_price
    # More than ten times a thousand tokens at the lower step.
    assert used.input_cost == 1000 * Decimal(6) / 1_000_000


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        ("gpt-4o", Terms()),
        (None, Terms("openai")),
        ("no-such-model", Terms("openai")),
        ("gpt-4o", Terms("nobody")),
        ("gpt-4o", Terms(url="http://127.0.0.1:8000/v1")),
        ("gpt-4o", Terms("openai", url="http://127.0.0.1:8000/v1")),
        ("gpt-4o", Terms("openai", tier="of-its-own")),
        ("gpt-4o", Terms("openai", beyond=True)),
    ],
)
def test_what_is_not_known_is_not_priced(model: str | None, terms: Terms) -> None:
    used = Usage(100, 50, model=model)
    assert priced(used, terms) == used


def test_list_that_fails_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object, **named: object) -> None:
        raise RuntimeError("another release")

    monkeypatch.setattr("genai_prices.calc_price", broken)
    used = Usage(100, 50, model="gpt-4o")
    assert priced(used, Terms("openai")) == used


def test_what_the_emitter_says_is_not_priced_anew() -> None:
    used = Usage(100, 50, model="gpt-4o", cost=0.25)
    assert priced(used, Terms("openai")) == used


USAGE = {
    "prompt_tokens": 1000, "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 900},
}  # fmt: skip
COMPLETION: dict[str, Any] = {"model": "gpt-4o", "usage": USAGE}


def test_response_is_priced_for_the_provider_that_is_named() -> None:
    mine = usage_of(COMPLETION, provider="openai")
    assert mine.priced_by and "openai/gpt-4o" in mine.priced_by
    assert mine.input_cost == Decimal("0.00025")
    # A dictionary says of nobody whose it is.
    assert usage_of(COMPLETION).input_cost is None
    spoken = {**USAGE, "completion_tokens_details": {"audio_tokens": 5}}
    heard = usage_of(COMPLETION | {"usage": spoken}, provider="openai")
    assert heard.input_cost is None


def test_client_settles_what_a_response_cost(
    db: Connection, agent: Connection, server: Server
) -> None:
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    with Agent(dsn, limits=Limits(window=0.05)).run() as run:
        with run.tokens(estimate=10) as spent:
            spent.usage(COMPLETION, provider="openai")
        with run.tokens(estimate=10) as spent:
            spent.usage(COMPLETION)
        with run.tokens(estimate=10) as spent:
            spent.set(input=1, output=1, cost=0.1)
        with run.tokens(estimate=10) as spent:
            spent.set(input=100, output=50, model="gpt-4o", provider="openai")
        with run.tokens(estimate=10) as spent:
            spent.set(input=100, output=50, model="gpt-4o")
        run.log_tokens(usage_of(COMPLETION, provider="openai"))
        assert run._log.flush()
        assert run.budget()[0]["input_cost"] == Decimal("0.00075")
    listed = amounts("0.00025", "0.001125", "0.0005", "0.001875")
    found = rows(db, PARTS)
    by = [each.pop("priced_by") for each in found]
    assert found == [
        listed, amounts(None, None, None, None), amounts(None, None, None, "0.1"),
        amounts("0.00025", "0", "0.0005", "0.00075"), amounts(None, None, None, None), listed,
    ]  # fmt: skip
    assert [each and each.split(" ")[0] for each in by] == [
        "genai-prices", None, None, "genai-prices", None, "genai-prices",
    ]  # fmt: skip
