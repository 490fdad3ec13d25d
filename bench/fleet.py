"""Makes agents up: what they use and do for weeks, healthy and with injected faults.

Everything follows from a seed.  Tokens come in steps of five minutes, as they are paid
for; calls and steps belong to sessions, the spans in which an agent is at work.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Steps of five minutes.
HOUR = 12
DAY = 24 * HOUR
WEEK = 7 * DAY
# What the rules learn from, and what they are judged on.
LEARN = 3 * WEEK
JUDGE = WEEK
STEPS = LEARN + JUDGE


@dataclass(frozen=True)
class Call:
    """A tool call at a second of the simulation."""

    at: float
    tool: str
    args: Any
    result: str
    ok: bool = True


@dataclass
class Session:
    """A run: when it is open, what it calls, which steps it reaches."""

    start: float
    end: float
    calls: list[Call] = field(default_factory=list)
    steps: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class Agent:
    """An agent with its weighted tokens a step, and the step at which a fault began."""

    name: str
    profile: str
    tokens: list[float]
    cached: list[float]
    sessions: list[Session] = field(default_factory=list)
    fault: str = ""
    fault_at: int = 0


def office(rng: random.Random, tokens: list[float]) -> None:
    """Five or six bursts between nine and half past five on weekdays."""
    for day in range(STEPS // DAY):
        if day % 7 < 5:
            for _ in range(max(1, round(rng.gauss(6, 2)))):
                at = day * DAY + int(rng.uniform(9, 17.5) * HOUR)
                _burst(rng, tokens, at, rng.randint(2, 12), rng.lognormvariate(11, 0.6))


def nightly(rng: random.Random, tokens: list[float]) -> None:
    """Half an hour of heavy work at two o'clock."""
    for day in range(STEPS // DAY):
        at = day * DAY + 2 * HOUR + rng.randint(0, 1)
        for step in range(at, at + rng.randint(4, 6)):
            tokens[step] = rng.lognormvariate(11.9, 0.25)


def weekly(rng: random.Random, tokens: list[float]) -> None:
    """Light weekdays, and a report that takes most of Monday."""
    for step in range(STEPS):
        hour, weekday = step % DAY / HOUR, step // DAY % 7
        if weekday == 0 and 9 <= hour < 15:
            tokens[step] = rng.lognormvariate(11.7, 0.3)
        elif weekday < 5 and 8 < hour < 18 and rng.random() < 0.3:
            tokens[step] = rng.lognormvariate(9.6, 0.5)


def bursty(rng: random.Random, tokens: list[float]) -> None:
    """Batches that come when they come, day and night."""
    for day in range(STEPS // DAY):
        for _ in range(rng.randint(1, 4)):
            at = day * DAY + rng.randrange(DAY - 20)
            _burst(rng, tokens, at, rng.randint(3, 18), rng.lognormvariate(11.3, 0.5))


def steady(rng: random.Random, tokens: list[float]) -> None:
    """The same day and night."""
    for step in range(STEPS):
        tokens[step] = rng.lognormvariate(9.9, 0.35)


def _burst(
    rng: random.Random, tokens: list[float], at: int, length: int, level: float
) -> None:
    for step in range(at, min(at + length, STEPS)):
        tokens[step] += level * rng.lognormvariate(0, 0.3)


PROFILES: dict[str, Callable[[random.Random, list[float]], None]] = {
    "office hours": office,
    "nightly": nightly,
    "weekly": weekly,
    "bursty batch": bursty,
    "steady": steady,
}


def healthy(profile: str, seed: int, *, judged: bool = True) -> Agent:
    """Return an agent that does its work; its calls where it shall be judged."""
    rng = random.Random(f"{profile} {seed}")
    agent = Agent(f"{profile.split()[0]}-{seed}", profile, [0.0] * STEPS, [])
    PROFILES[profile](rng, agent.tokens)
    # Some days the cache holds most of what is sent, some days little.
    for _ in range(STEPS // DAY):
        agent.cached += [rng.choice((0.05, 0.2, 0.4))] * DAY
    if judged:
        agent.sessions = _sessions(rng, agent)
    return agent


def _sessions(rng: random.Random, agent: Agent) -> list[Session]:
    """Return the runs of the judged time: one a spell of work, two hours at most."""
    found: list[Session] = []
    tokens, step = agent.tokens, LEARN
    while step < STEPS:
        if tokens[step] == 0:
            step += 1
            continue
        end = step
        while end < STEPS and tokens[end] > 0 and end - step < 2 * HOUR:
            end += 1
        session = Session(step * 300.0, end * 300.0 + 60)
        for each in range(step, end):
            _work(rng, session, each, len(prompts(agent, each)))
        found.append(session)
        step = end
    return found


# What is easily taken for a loop, and is none.  A call a prompt.
def _work(rng: random.Random, session: Session, step: int, count: int) -> None:
    """Add five minutes of honest work: a new step, and calls of one kind."""
    at = step * 300.0
    session.steps.append((at + rng.uniform(0, 290), f"item {step} is done"))
    kind = rng.choice(("edit", "poll", "insert", "search", "retry", "read"))
    for number in range(count):
        now = at + 290 * (number + 0.5) / count
        one, attempt = rng.getrandbits(40), number % 4
        call = {
            "edit": Call(now, "edit", {"old": f"x{one:x}", "new": one}, "applied"),
            "poll": Call(now, "get_job", {"job": 9}, f'{{"done": {at + number}}}'),
            "insert": Call(now, "insert", {"name": f"n{one:x}", "id": one}, "ok"),
            "search": Call(now, "search", {"q": f"acme {one:x}"}, f"{one % 7} hits"),
            "retry": Call(
                now,
                "send",
                {"to": step + number // 4},
                "sent" if attempt == 3 else "429",
                attempt == 3,
            ),
            "read": Call(now, "read", {"path": f"/f{one % 50}"}, f"{one:x}"),
        }[kind]
        session.calls.append(call)


def loop(step: int) -> list[Call]:
    """Ask for the same and get the same."""
    text = f"HTTP 502 at 03:{step % 60:02}:07Z, request_id: {step:016x}"
    return _every(20, step, lambda at, i: Call(at, "check", {"job": 7}, text, False))


def cosmetic(step: int) -> list[Call]:
    """Count in the arguments and reach nothing."""
    return _every(
        20, step, lambda at, i: Call(at, "bash", {"name": f"noop{at:.0f}"}, "noop")
    )


def ping_pong(step: int) -> list[Call]:
    """Read and test, over and over."""
    return _every(
        20,
        step,
        lambda at, i: (
            Call(at, "read", {"path": "/a"}, "v1")
            if i % 2
            else Call(at, "test", {}, "1 failed")
        ),
    )


def alternating(step: int) -> list[Call]:
    """The same call, failing in one of two ways."""
    return _every(
        20, step, lambda at, i: Call(at, "query", {"q": 1}, f"E{i % 2} {at}", False)
    )


def _every(seconds: int, step: int, make: Callable[[float, int], Call]) -> list[Call]:
    return [make(step * 300.0 + i * seconds, i) for i in range(300 // seconds)]


@dataclass(frozen=True)
class Fault:
    """A fault: how long it lasts, what it burns a step, what it calls if anything."""

    steps: int
    tokens: float
    calls: Callable[[int], list[Call]] | None = None
    quiet: bool = False
    at_night: bool = False


FAULTS = {
    "2-hour loop": Fault(2 * HOUR, 55_000, loop),
    "context bomb": Fault(2, 1_000_000),
    "overnight runaway": Fault(6 * HOUR, 20_000, at_night=True),
    "silent stall": Fault(2 * HOUR, 0, quiet=True),
    "cosmetic loop": Fault(2 * HOUR, 10_000, cosmetic),
    "ping-pong": Fault(2 * HOUR, 10_000, ping_pong),
    "alternating error": Fault(2 * HOUR, 10_000, alternating),
}


def faulty(profile: str, seed: int, name: str) -> Agent:
    """Return an agent to which a fault happens in the judged week."""
    agent = healthy(profile, seed, judged=False)
    fault = FAULTS[name]
    rng = random.Random(f"{profile} {seed} {name}")
    day = LEARN + rng.randrange(1, JUDGE // DAY - 1) * DAY
    hour = 0.5 + rng.random() if fault.at_night else rng.uniform(0, 21)
    agent.name = f"{agent.name}-{name.replace(' ', '-')}"
    agent.fault, agent.fault_at = name, day + int(hour * HOUR)
    span = range(agent.fault_at, agent.fault_at + fault.steps)
    # By day a fault comes over an agent at work.
    lead = 0 if fault.at_night else 6
    session = Session((span.start - lead) * 300.0, span.stop * 300.0)
    for step in range(span.start - lead, span.start):
        agent.tokens[step] = max(agent.tokens[step], 8_000.0)
        _work(rng, session, step, len(prompts(agent, step)))
    for step in span:
        agent.tokens[step] = fault.tokens + (0 if fault.quiet else agent.tokens[step])
        if fault.calls:
            session.calls += fault.calls(step)
        elif not fault.quiet:
            _work(rng, session, step, len(prompts(agent, step)))
    agent.sessions = [session]
    return agent


# What a prompt holds, cached or not, on a usual day and in a context bomb.
PROMPT, BOMB = 30_000, 180_000


def prompts(agent: Agent, step: int) -> list[tuple[float, int, int, int]]:
    """Return second, input, cached input and output tokens of the prompts of a step.

    A fifth of the weight is output, which counts four times; cached input counts a
    tenth, and a bomb is not in the cache.
    """
    weight = agent.tokens[step]
    bomb = agent.fault == "context bomb" and 0 <= step - agent.fault_at < 2
    share = 0.0 if bomb else agent.cached[step]
    size = BOMB if bomb else PROMPT
    # A prompt is as large as the one before it: their number follows the weight.
    unit = size / (0.8 + share * 9)
    count = max(1, round(weight / unit))
    amounts = (unit * (0.8 - share), unit * share * 10, unit * 0.05)
    fresh, cached, output = (round(amount) for amount in amounts)
    return [
        (step * 300 + 299 * (place + 1) / count, fresh, cached, output)
        for place in range(count if weight > 0 else 0)
    ]


def as_json(value: object) -> str:
    """Return arguments as the logs have them."""
    return json.dumps(value, sort_keys=True)
