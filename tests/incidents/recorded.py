"""Recorded runs of real agents that reached their goal, at their own pace."""

from __future__ import annotations

from pathlib import Path

from agentdb.demo import airline
from agentdb.demo.recording import Event, lines, read
from agentdb.demo.replay import _log

from .play import Actor, Play, Wait
from .registry import healthy, healthy_on

DATA = Path(__file__).parent.parent / "data"


def replayed(actor: Actor, name: str, events: list[Event]) -> Wait:
    """Play a recording in a run of its own."""
    actor.start(conversation=f"{name} {actor.play.tag}")
    now = 0.0
    for event in events:
        yield max(event["t"] - now, 0.01)
        now = event["t"]
        with actor.open.transaction():
            _log(actor.open, actor.run, event)
    actor.end()


@healthy_on("recorded")
def recorded_customer_service(play: Play) -> Wait:
    """Twelve recorded cases of a customer service that ended well, one after the other."""
    actor = play.agent()
    airline.create(play.db, DATA / "airline", actor.role)
    runs = read(DATA / "airline" / "events.jsonl")
    truth = lines(DATA / "airline" / "truth.jsonl")
    good = [each["run"] for each in truth if each["reward"] == 1]
    for name in play.random.sample(good, 12):
        yield from replayed(actor, name, runs[name])
        yield play.pace(20, 120)


@healthy
def recorded_coder(play: Play) -> Wait:
    """A recorded coding agent that fixed an issue, with 13 failed commands on its way."""
    actor = play.agent()
    # It comes near its budget, and that is said.
    play.allow("budget_low")
    name = "coding-ponyc-4593"
    yield from replayed(actor, name, read(DATA / "coding" / "events.jsonl")[name])
