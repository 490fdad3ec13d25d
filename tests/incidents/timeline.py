"""Many scenarios on one database and one clock, with a runner that looks all the time."""

from __future__ import annotations

import heapq
import random
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import psycopg

from agentdb.verify.claim import Limits

from ..agents import rows
from ..conftest import install_on
from .clock import BEGIN, ClockedServer
from .play import Play, Wait
from .runner import EVALUATE as EVALUATE_SQL
from .runner import Message, Turns
from .site import Site, serving

Generator: TypeAlias = Callable[[Play], Wait]
EVALUATE = 15.0
# How often the runner looks so long after the last thing that anybody did.
Quiet: TypeAlias = tuple[tuple[float, float], ...]
HOURS: Quiet = ((300.0, 15.0), (3600.0, 60.0), (float("inf"), 300.0))
# Where days are played: so long after somebody has known something.
DAYS: Quiet = ((120.0, 15.0), (float("inf"), 1200.0))
# How long the runner still looks once everybody is done.
SETTLE = 900.0


@dataclass
class Part:
    """A scenario as it is to be played."""

    name: str
    scenario: Generator
    bad: bool


@dataclass
class Played:
    """What came of a part."""

    part: Part
    play: Play
    messages: list[Message] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


class Timeline:
    """Plays parts side by side; scenario by scenario from the same seed."""

    def __init__(
        self,
        seed: int,
        *,
        before: Sequence[str] = (),
        spread: float = 0,
        quiet: Quiet = HOURS,
    ) -> None:
        self._quiet = quiet
        self._seed = seed
        self._before = before
        self._spread = spread
        self._queue: list[tuple[float, int, Played, Wait]] = []
        self._messages: list[Message] = []
        self._count = 0

    def play(self, parts: Sequence[Part]) -> list[Played]:
        """Play them on a database of their own; return what came of each."""
        with ExitStack() as stack:
            server = stack.enter_context(ClockedServer())
            dsn = install_on(server)
            db = stack.enter_context(
                psycopg.connect(server.dsn(database="agentdb"), autocommit=True)
            )
            for statement in (EVALUATE_SQL, *self._before):
                db.execute(statement.encode())
            site = stack.enter_context(serving())
            limits = Limits(
                roots=(str(server.directory),),
                hosts=(site.host,),
                private_addresses=True,
            )
            turns = Turns(server, dsn, limits)
            stack.callback(turns.close)
            played = [
                self._cast(server, site, db, part, i) for i, part in enumerate(parts)
            ]
            self._go_on(server, turns)
            for each in played:
                for actor in each.play.actors:
                    actor.close()
            self._hand_out(db, played)
            return played

    def _cast(
        self,
        server: ClockedServer,
        site: Site,
        db: psycopg.Connection[Any],
        part: Part,
        place: int,
    ) -> Played:
        """Give a part its dice and names, and a place on the timeline."""
        dice = random.Random(f"{self._seed}/{part.name}")
        tag = f"q{place:03d}{'vwxyz'[place % 5]}"
        play = Play(tag, part.bad, dice, server, db, pages=site)
        played = Played(part, play)
        order = random.Random(f"{self._seed}/{part.name}/{part.bad}")
        self._put(order.uniform(20, 20 + self._spread), played, part.scenario(play))
        return played

    def _put(self, at: float, played: Played, acts: Wait) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, played, acts))

    def _go_on(self, server: ClockedServer, turns: Turns) -> None:
        """Let everybody act at their times, and the runner look in between."""
        began = max(BEGIN, server.now())
        look, acted = 0.0, 0.0
        while self._queue or look - acted < SETTLE + 15:
            if self._queue and self._queue[0][0] < look:
                at, _, played, acts = heapq.heappop(self._queue)
                server.move_to(began + timedelta(seconds=at))
                if (wait := _act(played, acts)) is not None:
                    self._put(at + max(wait, 0.001), played, acts)
                if self._quiet is HOURS or _known(played, server.now()):
                    acted = max(acted, at)
                    # The runner would not have slept: only the play passes over days.
                    look = min(look, at + EVALUATE)
                continue
            server.move_to(began + timedelta(seconds=look))
            self._messages += turns.turn()
            look += self._pause(look - acted, look)

    def _pause(self, quiet: float, look: float) -> float:
        """Return the time until the runner looks again; it is there for each act."""
        pause = next(step for longest, step in self._quiet if quiet < longest)
        soonest = self._queue[0][0] if self._queue else float("inf")
        if self._quiet is DAYS:
            soonest = float("inf")
        steps = max(1, int(min(pause, soonest - look) // EVALUATE))
        return steps * EVALUATE

    def _hand_out(self, db: psycopg.Connection[Any], played: Sequence[Played]) -> None:
        """Give each part the messages and alerts that name something of it."""
        alerts = rows(
            db,
            "select rule_name, severity, active_at, firing_at, labels::text as labels"
            " from agentdb.alert order by active_at",
        )
        for each in played:
            tag = each.play.tag
            each.messages = [m for m in self._messages if tag in _about(m)]
            each.alerts = [a for a in alerts if tag in a["labels"]]


def _act(played: Played, acts: Wait) -> float | None:
    """Let a scenario go on; return how long it waits, none once it is over."""
    try:
        return next(acts)
    except StopIteration:
        return None
    except Exception:
        played.error = traceback.format_exc()
        return None


def _known(played: Played, now: datetime) -> bool:
    """Tell whether a reader has just come to know something."""
    recent = now - timedelta(seconds=5)
    return any(each.known >= recent for each in played.play.expected)


def _about(message: Message) -> str:
    """Return what a message is about: its labels, or all of it where they say little."""
    payload = message.payload
    labels = [payload.get("labels"), payload.get("counts")]
    labels += [each.get("labels") for each in payload.get("worst") or []]
    return str(labels) + (message.text if not payload.get("labels") else "")


def moment(at: datetime) -> str:
    """Return a moment as a person reads it."""
    return at.strftime("%d. %H:%M:%S")
