"""The program of an agent: works for ever, and starts again what was ended for it."""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from .actor import Actor, Call, Identity
from .journal import Journal
from .work import Work

# Somebody else is the instance now.
REPLACED = 3
SPAWN = "select agentdb.spawn_token()"
END = "select run_id from agentdb.end_run()"


class Agent:
    """A process with a run of its own and, at times, a child."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._journal = Journal(Path(given["journal"]))
        self._number = given["number"]
        self._work = Work(self._number, given["slot"])
        self._child_of = [Identity(**each) for each in given["children"]]
        self._child: Actor | None = None
        self.ended = False
        self._main = Actor(
            Identity(**given["who"]), self._number, self._journal, given["width"]
        )

    def live(self) -> None:
        """Work until told to end."""
        while not self.ended:
            time.sleep(random.uniform(0.01, 0.08))
            if self._child and random.random() < 0.4:
                self._guarded(self._child, self._let_child_work)
            else:
                self._guarded(self._main, self._work_once)
        self._guarded(self._main, self._finish)

    def _work_once(self, actor: Actor) -> None:
        if actor.run is None:
            actor.start()
        chance = random.random()
        if chance < 0.01:
            self._finish(actor)
        elif chance < 0.04 and not self._child:
            self._spawn(actor)
        else:
            self._work.step(actor)

    def _finish(self, actor: Actor) -> None:
        if actor.run is not None:
            try:
                actor.do("end run", Call(END, answers=True))
            finally:
                actor.leave()

    def _spawn(self, actor: Actor) -> None:
        parent = actor.run
        [[(token,)]] = actor.do("spawn", Call(SPAWN))
        self._child = Actor(random.choice(self._child_of), self._number, self._journal)
        self._guarded(self._child, lambda child: child.start(token, parent))

    def _let_child_work(self, child: Actor) -> None:
        if child.run is None or random.random() < 0.02:
            self._finish(child)
            child.drop()
            self._child = None
        else:
            self._work.step(child)

    def _leave(self) -> None:
        """Note that this process ends by itself, before anybody can see it."""
        for actor in (self._main, self._child):
            if actor:
                actor.leave()

    def _guarded(self, actor: Actor, act: Callable[[Actor], None]) -> None:
        try:
            act(actor)
        except psycopg.Error as error:
            self._react(actor, error.sqlstate)

    def _react(self, actor: Actor, state: str | None) -> None:
        """Do what the refusal said: stop, wait, leave it to the successor."""
        if state == "ZA003" and actor is self._main and actor.who.instance:
            self._leave()
            sys.exit(REPLACED)
        elif state in ("ZA003", "ZA040"):
            actor.leave()
            # Sessions that had joined a killed run stay refused: but one may start.
            actor.drop(first=random.choice([0, 1]))
            time.sleep(0.1)
        elif state in ("ZA041", "40001"):
            time.sleep(0.05)
        elif state and state.startswith("ZA"):
            actor.leave()
            actor.drop()
        else:
            time.sleep(0.05)


def main() -> None:
    """Be the process that the command line describes."""
    given = json.loads(sys.argv[1])
    random.seed(given["seed"])
    agent = Agent(given)

    def end(number: int, frame: object) -> None:
        agent.ended = True

    signal.signal(signal.SIGTERM, end)
    with suppress(KeyboardInterrupt):
        agent.live()


if __name__ == "__main__":
    main()
