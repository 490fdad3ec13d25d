"""Random faults for 20 minutes: nothing is lost, nothing comes twice without cause.

Run it from the checkout: python -m tests.faults.soak.  AGENTDB_SOAK says for how many
seconds, AGENTDB_SOAK_SEED which faults.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg

from agentdb.local import LocalServer

from ..conftest import install_on
from ..processes import postmaster_of
from ..scene import Process, Scene
from ..sink import Sink

SECONDS = float(os.environ.get("AGENTDB_SOAK", "1200"))
SEED = int(os.environ.get("AGENTDB_SOAK_SEED", "0")) or random.randrange(1, 10**6)
RUNNERS = ("one", "two", "three")
SLOTS = 8
# To bring everything home once the faults have ended.
PATIENCE = 120.0
LARGEST_MB = 90
MOST_FILES = 80


class Soak:
    """A server, a sink, runners, a writer of troubles, and a hand that breaks them."""

    def __init__(self, stack: ExitStack, place: Path) -> None:
        place.chmod(0o755)
        self._home = place / "home"
        self._stack = stack
        self._random = random.Random(SEED)
        self.sink = stack.enter_context(Sink().serving())
        self._server = _server(self._home)
        self._server.__enter__()
        stack.callback(lambda: self._server.__exit__(None, None, None))
        dsn = install_on(self._server)
        self._own = self._server.dsn(database="agentdb")
        with self.database() as db:
            self.scene = Scene(db, dsn, self.sink, place)
            self.scene.receiver("ok", each=True)
            self.scene.receiver("flaky", each=True)
            self.scene.receiver("slow", each=True)
        stack.enter_context(self.scene.open())
        self._runners = {name: self._start(name) for name in RUNNERS}
        self.faults: Counter[str] = Counter()
        self.written = 0

    def database(self) -> psycopg.Connection:
        """Connect, for as long as the server lets us."""
        return psycopg.connect(self._own, autocommit=True)

    def _start(self, name: str) -> Process:
        return self.scene.start(name, deadline=2, lease=4, slots=SLOTS, settle=5)

    def write(self, ended: threading.Event) -> None:
        """Let troubles come and go; a writer too has to live with a dead server."""
        while not ended.wait(0.1):
            with suppress(psycopg.Error), self.database() as db:
                db.execute(
                    "insert into public.trouble values (%s)", [f"t{self.written}"]
                )
                self.written += 1
                gone = self.written - self._random.randint(5, 50)
                db.execute("delete from public.trouble where name = %s", [f"t{gone}"])

    def break_something(self) -> None:
        """Cause one fault."""
        faults: tuple[Callable[[], None], ...] = (
            self._kill,
            self._freeze,
            self._end,
            self._end_sessions,
            self._lock,
            self._crash,
        )
        [fault] = self._random.choices(faults, weights=(4, 2, 2, 3, 2, 1))
        self.faults[fault.__name__.strip("_")] += 1
        with suppress(psycopg.Error):
            fault()

    def _kill(self) -> None:
        name = self._random.choice(RUNNERS)
        self._runners[name].signal(signal.SIGKILL)
        self._runners[name].wait()
        self._runners[name] = self._start(name)

    def _freeze(self) -> None:
        runner = self._runners[self._random.choice(RUNNERS)]
        runner.signal(signal.SIGSTOP)
        time.sleep(self._random.uniform(1, 8))
        runner.signal(signal.SIGCONT)

    def _end(self) -> None:
        name = self._random.choice(RUNNERS)
        self._runners[name].signal(signal.SIGTERM)
        self._runners[name].wait()
        self._runners[name] = self._start(name)

    def _end_sessions(self) -> None:
        with self.database() as db:
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'operator_o'"
            )

    def _lock(self) -> None:
        with self.database() as db, db.transaction():
            db.execute("set local lock_timeout = '5 s'")
            db.execute("lock table agentdb.notification in access exclusive mode")
            time.sleep(self._random.uniform(0.5, 4))

    def _crash(self) -> None:
        number = self._random.choice((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
        os.kill(postmaster_of(self._home), number)
        self._server.__exit__(None, None, None)
        time.sleep(self._random.uniform(0, 3))
        self._server = _server(self._home)
        self._server.__enter__()

    def settled(self) -> bool:
        """Tell whether everything is told and on record."""
        with suppress(psycopg.Error), self.database() as self.scene.db:
            self.scene.db.execute("delete from public.trouble")
            waiting = (
                "select count(*) from agentdb.alert where flush or state = 'firing'"
            )
            return not self.scene.value(waiting) and not self.scene.states()["queued"]
        return False

    def judge(self) -> None:
        """Compare what the database believes with what has arrived."""
        with self.database() as db:
            rows = db.execute(
                "select idempotency_key::text, state from agentdb.notification"
            ).fetchall()
            told = db.execute("select count(*) from agentdb.alert").fetchone()
        arrived = self.sink.keys()
        states = Counter(state for _, state in rows)
        lost = {key for key, state in rows if state == "sent"} - arrived.keys()
        unknown = arrived.keys() - {key for key, _ in rows}
        twice = sum(
            count - 1
            for mode in ("ok", "slow")
            for count in self.sink.keys(mode).values()
        )
        print(f"troubles {self.written}, alerts {told and told[0]}, {dict(states)}")
        print(f"faults {dict(self.faults)}, repeated {twice}, lost {len(lost)}")
        assert states.keys() == {"sent"}, states
        assert not lost and not unknown
        # A death or a freeze leaves in doubt what one runner had in hand.
        causes = self.faults["kill"] + self.faults["freeze"]
        assert twice <= 2 * causes * SLOTS
        for name, runner in self._runners.items():
            files = len(os.listdir(f"/proc/{runner.pid}/fd"))
            resident = _resident(runner.pid)
            print(f"runner {name}: {resident} MB, {files} files")
            assert resident < LARGEST_MB and files < MOST_FILES
            assert runner.stop() == 0


def _server(home: Path) -> LocalServer:
    """Return a server that, once killed, has all that it said it had."""
    return LocalServer(directory=home, fast=True, settings={"synchronous_commit": "on"})


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def main() -> None:
    """Soak, and say what came of it."""
    print(f"{SECONDS:g} s of faults, seed {SEED}", flush=True)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        soak = Soak(stack, place)
        ended = threading.Event()
        writer = threading.Thread(target=soak.write, args=[ended])
        writer.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(random.uniform(0.5, 4))
            soak.break_something()
        ended.set()
        writer.join()
        end = time.monotonic() + PATIENCE
        while not soak.settled():
            assert time.monotonic() < end, "it does not come to rest"
            time.sleep(0.5)
        soak.judge()


if __name__ == "__main__":
    main()
