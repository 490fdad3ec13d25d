"""Tokens: context bombs, budgets that run out and refuse, spending unlike the past."""

from __future__ import annotations

import json

from .loops import working
from .play import DAY, HOUR, MINUTE, Actor, Play, Wait
from .registry import healthy, healthy_on, incident, on


def prompts(actor: Actor, total: int, each: int = 20_000) -> None:
    """Log model calls that add up to a total."""
    usages = [{"input": each - 400, "output": 400}] * max(1, total // each)
    actor.call_sql("log_tokens_many", usages=json.dumps(usages))


def allow_notice(play: Play) -> None:
    """Take it that half of a budget is used: a notice, which wakes nobody."""
    play.allow("budget_low", "info")


@incident
def prompt_that_grows_at_a_bound(play: Play) -> Wait:
    """A prompt of eight thousand tokens is one of a hundred thousand with the next call."""
    actor = working(play)
    for i in range(10):
        actor.tokens(8000 + 300 * i)
        actor.step(f"read {play.text(4)} {i}")
        yield play.pace(15, 30)
    size = play.random.randint(90_000, 130_000) if play.bad else 11_500
    actor.tokens(size)
    play.expect("context_jump", says=[actor.name, f"run.?{actor.run}|{actor.run}"])
    yield 2 * MINUTE
    actor.step("goes on")
    actor.end()


@incident
def conversation_over_its_budget(play: Play) -> Wait:
    """A conversation passes half a million tokens; that it runs low was said before."""
    allow_notice(play)
    actor = working(play, conversation=play.name("case"))
    for i in range(12):
        prompts(actor, 50_000 if play.bad else 20_000, 5000)
        actor.tool("read", {"page": i}, result=play.text(9))
        actor.step(f"read {play.text(4)} {i}")
        if i == 8:
            play.expect(
                "budget_low", "conversation_budget", says=[actor.name, "9\\d ?%|budget"]
            )
            # At 80 and at 95 %.
            play.updates = 1
        if i == 10:
            play.expect("conversation_budget", severity="critical", says=["500.?000"])
        yield play.pace(40, 80)
    actor.end()


@incident
def budget_that_refuses(play: Play) -> Wait:
    """A reservation is refused for want of budget, and the agent stands still."""
    allow_notice(play)
    actor = working(play, conversation=play.name("case"))
    prompts(actor, 380_000, 5000)
    actor.step("read it all")
    yield 60
    asked = 150_000 if play.bad else 10_000
    got = actor.call_sql("reserve_tokens", estimate=asked)
    assert got["granted"] is not play.bad
    play.expect("budget_refused", says=[actor.name, "conversation"])
    if got["granted"]:
        actor.call_sql(
            "settle_tokens", reservation=got["reservation"], input=9000, output=300
        )
    yield 3 * MINUTE
    actor.end()


@incident
def budget_that_runs_low(play: Play) -> Wait:
    """Nine tenths of a conversation's budget are spent, and work is left."""
    allow_notice(play)
    actor = working(play, conversation=play.name("case"))
    for i in range(9):
        prompts(actor, 50_000 if play.bad else 30_000, 5000)
        actor.step(f"read {play.text(4)} {i}")
        yield play.pace(30, 60)
    play.expect("budget_low", says=[actor.name, "%"])
    yield 2 * MINUTE
    actor.end()


@incident
def burns_millions_an_hour(play: Play) -> Wait:
    """An agent opens a conversation for each prompt, and burns eight million an hour."""
    actor = play.agent()
    spend = 130_000 if play.bad else 6_000
    for i in range(50):
        actor.start(conversation=play.name("chat"))
        prompts(actor, spend, 6000)
        actor.step(f"answered {play.text(4)} {i}")
        actor.end()
        if i == 44:
            play.expect("token_rate", severity="critical", says=[actor.name])
        yield MINUTE


@incident
def tree_that_spends_together(play: Play) -> Wait:
    """A run may spend 400,000 tokens; its six children spend 120,000 each at once."""
    allow_notice(play)
    parent = play.agent(policy={"run_budget_tokens": 400_000})
    parent.start()
    parent.step(play.text(4))
    children = []
    for _ in range(6):
        token = parent.call_sql("spawn_token")["spawn_token"]
        child = play.agent(policy={"run_budget_tokens": 400_000})
        child.start(spawn_token=token)
        children.append(child)
    for i in range(8):
        for child in children:
            prompts(child, 15_000 if play.bad else 5_000, 5000)
            child.step(f"did {play.text(5)} {i}")
        parent.step(f"saw {play.text(5)} {i}")
        if i == 4:
            play.expect(
                "budget_refused",
                "budget_low",
                "conversation_budget",
                "tree_budget",
                says=[f"{parent.run}|{parent.name}"],
            )
            play.updates = 1
        yield play.pace(30, 60)
    for each in (*children, parent):
        each.end()


@incident
def spawns_without_end(play: Play) -> Wait:
    """A run starts a child that starts a child, and so on, thirty deep and wide."""
    agent = root = play.agent()
    agent.start(purpose="root")
    agent.step(play.text(3))
    many = 18 if play.bad else 3
    sessions = []
    for i in range(many):
        token = agent.call_sql("spawn_token", run=agent.run)["spawn_token"]
        child = Actor(play, agent.name, agent.role)
        play.actors.append(child)
        child.start(spawn_token=token)
        child.call_sql("log_progress", step=f"{play.text(4)} {i}", run=child.run)
        sessions.append(child)
        agent = child
        yield play.pace(3, 10)
    play.expect("spawn_storm", says=[agent.name])
    yield 2 * MINUTE
    for each in (*reversed(sessions), root):
        each.end()


@on("days")
def nights_of_an_office_worker(play: Play) -> Wait:
    """An agent that works in office hours burns a million tokens at three in the morning."""
    actor = play.agent()
    for day in range(8):
        yield from office_day(actor, day)
    # Three in the morning after the last day.
    yield 10 * HOUR
    if play.bad:
        actor.start(conversation=play.name("night"))
        for i in range(8):
            prompts(actor, 60_000)
            actor.step(f"dreamt {play.text(4)} {i}")
            if i == 5:
                play.expect("token_rate", severity="critical", says=[actor.name])
            yield 4 * MINUTE
        actor.end()


def office_day(actor: Actor, day: int, factor: float = 1.0) -> Wait:
    """Play a day of an agent that works from eight to five; ends at five."""
    play = actor.play
    now = play.server.now()
    until = (8 * HOUR - (now.hour * HOUR + now.minute * 60 + now.second)) % DAY
    yield until + play.pace(0, 20 * MINUTE)
    for hour in range(5):
        actor.start(conversation=play.name("day"))
        for _ in range(3):
            prompts(actor, int(factor * play.random.randint(40_000, 60_000)))
            actor.tool("search", {"q": play.text(5), "d": day}, result=play.text(9))
            actor.step(f"wrote {play.text(6)} {day}.{hour}")
            yield play.pace(4, 9) * MINUTE
        actor.end()
        yield play.pace(60, 70) * MINUTE


@on("days")
def boils_slowly(play: Play) -> Wait:
    """An agent spends a tenth more each day; after nine days it is more than twice as much."""
    allow_notice(play)
    actor, factor = play.agent(), 1.0
    for day in range(9):
        yield from office_day(actor, day, factor)
        factor *= 1.1 if play.bad else 1.0
        if day == 8:
            play.expect("slow_drift", says=[actor.name])


@healthy_on("days")
def nightly_batch(play: Play) -> Wait:
    """A batch uses half a million tokens at two each night, for eight nights."""
    actor = play.agent()
    for night in range(8):
        now = play.server.now()
        yield (2 * HOUR - (now.hour * HOUR + now.minute * 60 + now.second)) % DAY
        for part in range(4):
            actor.start(conversation=play.name("night"))
            prompts(actor, play.random.randint(110_000, 140_000))
            actor.step(f"part {part} of night {night}: {play.text(4)}")
            yield 7 * MINUTE
            actor.end()
        yield HOUR


@healthy_on("days")
def weekly_report(play: Play) -> Wait:
    """Light weekdays, and a report that takes most of each Monday."""
    actor = play.agent()
    for day in range(8):
        yield from office_day(actor, day, 1.5 if day % 7 == 0 else 0.3)


@healthy
def conversation_that_is_begun_anew(play: Play) -> Wait:
    """A long task is cut into conversations before any of them is full."""
    actor = play.agent()
    for i in range(4):
        actor.start(conversation=play.name("part"))
        for j in range(6):
            actor.tokens(9000 + 6000 * j, 400)
            actor.step(f"wrote {play.text(5)} {i}.{j}")
            yield play.pace(40, 90)
        actor.end()
