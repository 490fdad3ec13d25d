"""A database with one rule that a test can trip, and real runners at work on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from .sink import LONG, Sink

RUN = """
import json, sys
from agentdb.config import read_secrets
from agentdb.runner import Config, Settings, run
given = json.loads(sys.argv[1])
settings = Settings(name=given["name"], **given["settings"])
main = {"main": given["dsn"]}
sys.exit(run(Config(main, settings, secrets=read_secrets(None))))
"""

SETUP = """
update agentdb.alert_rule set enabled = false;
delete from agentdb.receiver;
alter table agentdb.receiver alter group_wait set default '0';
create table public.trouble (name text primary key);
create view public.trouble_seen as
  select
    jsonb_build_object('name', name) as labels, 1 as value, '{}'::jsonb as annotations
  from public.trouble;
grant select on public.trouble_seen to agentdb_operator;
"""


class Process:
    """A runner in a process of its own."""

    def __init__(
        self, command: list[str], log: Path, environment: dict[str, str]
    ) -> None:
        self.log = log
        with log.open("w") as stderr:
            self._child = subprocess.Popen(
                [sys.executable, *command],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**os.environ, **environment},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._child.send_signal(number)

    def logged(self, event: str) -> bool:
        """Tell whether its log has an event."""
        return f'"event": "{event}"' in self.log.read_text()

    def line(self) -> Any:
        """Return the next line it prints, parsed."""
        assert self._child.stdout
        return json.loads(self._child.stdout.readline())

    def wait(self) -> int:
        """Return its exit code."""
        return self._child.wait(LONG)

    def stop(self) -> int:
        """End it in order; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        """End it in any case."""
        self._child.kill()
        self._child.communicate()


class Scene:
    """What a test of the runner has at hand."""

    def __init__(
        self, db: psycopg.Connection, dsn: str, sink: Sink, logs: Path
    ) -> None:
        self.db = db
        self.dsn = dsn
        self.sink = sink
        self._logs = logs
        self._processes: list[Process] = []
        db.execute(SETUP)
        self.rule("trouble", "public.trouble_seen")

    @contextmanager
    def open(self) -> Iterator[Scene]:
        """End all processes at the end of the block."""
        try:
            yield self
        finally:
            for process in self._processes:
                process.close()

    def rule(self, name: str, view: str) -> None:
        """Add a rule that is evaluated ten times a second."""
        self.db.execute(
            "insert into agentdb.alert_rule"
            " (rule_name, description, view_name, evaluate_every, timeout)"
            " values (%s, '', %s, '100 ms', '300 ms')",
            [name, view],
        )

    def receiver(
        self, mode: str = "ok", name: str | None = None, *, each: bool = False
    ) -> None:
        """Add a receiver at the sink; `each` has a storm too told one by one."""
        self.db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target)"
            " values (%s, 'webhook', %s)",
            [name or mode, self.sink.url(mode)],
        )
        if each:
            self.db.execute("select agentdb.set_route(%s, %s)", 2 * [name or mode])

    def trouble(self, count: int = 1, prefix: str = "t") -> None:
        """Trip the rule, once for each name."""
        self.db.execute(
            "insert into public.trouble"
            " select %s::text || i from generate_series(1, %s::integer) as i",
            [prefix, count],
        )

    def start(
        self,
        name: str = "one",
        *,
        environment: dict[str, str] | None = None,
        first: str = "",
        **settings: Any,
    ) -> Process:
        """Start a runner; `first` is Python that its process runs before."""
        given = json.dumps({"dsn": self.dsn, "name": name, "settings": settings})
        return self._start(["-c", first + RUN, given], name, environment or {})

    def configure(self, text: str) -> Path:
        """Write the configuration file of runners."""
        file = self._logs / "agentdb.toml"
        file.write_text(text)
        return file

    def start_configured(self, text: str = "", **environment: str) -> Process:
        """Start a runner as people do, with a configuration file."""
        command = ["-m", "agentdb", "run", "--config", str(self.configure(text))]
        return self._start(command, "one", {"AGENTDB_DSN": self.dsn, **environment})

    def _start(
        self, command: list[str], name: str, environment: dict[str, str]
    ) -> Process:
        process = Process(command, self._logs / f"{name}.log", environment)
        self._processes.append(process)
        return process

    def notifications(self) -> list[tuple[str, int, int | None]]:
        """Return state, attempts and last status of each notification."""
        return self.db.execute(
            "select state, attempt, status from agentdb.notification order by 1, 2, 3"
        ).fetchall()

    def states(self) -> Counter[str]:
        """Return how many notifications there are in each state."""
        return Counter(state for state, _, _ in self.notifications())

    def beats(self) -> set[str]:
        """Return which loops the database has heard of."""
        rows = self.db.execute(
            "select key from agentdb.runner as r,"
            " jsonb_each(jsonb_strip_nulls(to_jsonb(r) - 'started_at'))"
            " where key like '%_at'"
        )
        return {name for (name,) in rows}

    def value(self, query: str) -> Any:
        """Return what the database says."""
        row = self.db.execute(query.encode()).fetchone()
        assert row
        return row[0]

    def make_due(self) -> None:
        """Let every lease and every delay of a retry be over."""
        self.db.execute(
            "update agentdb.notification set visible_at = clock_timestamp()"
        )


def until(fact: Callable[[], Any], *, within: float = LONG) -> None:
    """Return once something is so that only another process can bring about."""
    end = time.monotonic() + within
    while not fact():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
