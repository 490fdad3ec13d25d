"""Measures the pages of `agentdb serve` on a database of a large fleet.

Fills a server of our own with 1,000 agents and 10 million events of two weeks, 300
alerts, a change of 5,000 rows and a run with 5,000 marks; then asks the real server
for each page.  Prints the median in milliseconds of the whole request, the size of what
came and of the same packed, and which limits are kept: 150 ms and 60 KB for the status
page, 500 ms for any other.  Run as ``python -m bench.page [EVENTS]``.
"""

from __future__ import annotations

import gzip
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation
from bench.rules import SETTINGS, Fleet, fill

AGENTS = 1000
LAPS = 9
STATUS_MS, ANY_MS, STATUS_BYTES = 150, 500, 60_000
ALERTS = """
insert into agentdb.alert (rule_name, fingerprint, labels, annotations, value, severity,
  state, active_at, firing_at, seen_at)
select (array['silent_loop', 'token_rate', 'no_progress'])[1 + i % 3], md5(i::text),
  jsonb_build_object('agent', 'a' || i, 'run', r.run_id::text),
  jsonb_build_object('summary', 'run ' || r.run_id || ' is stuck in a loop'), i,
  (array['critical', 'warning'])[1 + i % 2], 'firing', now(), now(), now()
from generate_series(1, 300) as i
join agentdb.agent as a on a.agent_name = 'a' || i
join agentdb.run as r on r.agent_id = a.agent_id and r.ended_at is null;
insert into agentdb.alert_group (receiver_name, group_key, labels, open_at, look_at)
select 'stdout', 'g' || i, '{}', now(), 'infinity' from generate_series(1, 200) as i;
insert into agentdb.group_alert (alert_group_id, alert_id)
select 1 + a.alert_id % 200, a.alert_id from agentdb.alert as a;
insert into agentdb.claim (run_id, agent_id, kind, target, expectation, due_at, state)
select r.run_id, r.agent_id, 'file', '/tmp/' || i, '{}', now(),
  (array['verified', 'verified', 'refuted', 'pending'])[1 + i % 4]
from agentdb.run as r cross join generate_series(1, 3) as i;
"""
# One run that has done as much as an axis has room for.
LONG = """
insert into agentdb.tool_call_log (run_id, agent_id, recorded_at, tool, args, ok,
  duration, call_signature, shape_signature, result_signature)
select r.run_id, r.agent_id, now() - i * interval '1 second', 'tool' || i % 20, '{}',
  i % 7 > 0, i % 900 * interval '1 ms', i % 3000, i, i
from agentdb.run as r
join agentdb.agent as a on a.agent_id = r.agent_id and a.agent_name = 'a7'
cross join generate_series(1, 5000) as i
where r.ended_at is null
"""
CHANGE = """
create table public.invoice (
  invoice_id integer primary key, status text, amount numeric);
insert into public.invoice select i, 'open', i from generate_series(1, 20000) as i;
create role bench_agent login in role agentdb_agent;
create role bench_person login in role agentdb_reviewer, agentdb_operator;
create role bench_serve login in role agentdb_web, agentdb_intake;
select agentdb.register_agent('bench', 'bench_agent');
grant select, update on public.invoice to bench_agent;
select agentdb.guard_table('public.invoice');
"""
STAGE = "update agentdb_stage.invoice set status = 'paid' where invoice_id <= 5000"
# What a reader opens, and how the run and the alert in it are found.
PAGES = {
    "status": "/",
    "incidents": "/incidents",
    "alert": "/alert/1",
    "agents": "/agents?page=5",
    "agent": "/agent/a7",
    "runs": "/runs?page=3",
    "run of 5,000 marks": "/run/{run}",
    "two runs": "/run/{run}/with/{other}",
    "changes": "/changes",
    "change of 5,000 rows": "/change/1",
    "audit": "/audit",
    "audit of a row": "/audit?table=public.invoice&key=1",
    "locks": "/locks",
    "tools": "/tools",
    "tools of a day": "/tools?hours=24",
    "costs": "/costs",
    "costs of 30 days": "/costs?days=30",
    "rules": "/rules",
    "rule": "/rule/tool_errors",
    "messages": "/outbox",
    "questions": "/questions",
    "silences": "/silences",
}


def prepare(server: LocalServer, events: int) -> dict[str, int]:
    """Fill a database; return the numbers that the addresses have."""
    installation.install(server.dsn())
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        # Calls and tokens alike, and a quarter as many steps.
        fill(connection, Fleet(AGENTS, events * 4 // 9))
        for part in (ALERTS, LONG, CHANGE):
            connection.execute(part.encode())
        connection.execute("select agentdb.refresh_normal()")
        with psycopg.connect(server.dsn(user="bench_agent"), autocommit=True) as agent:
            agent.execute("select agentdb.start_run()")
            agent.execute(STAGE)
        connection.execute("vacuum analyze")
        rows = connection.execute(
            "select r.run_id from agentdb.run as r"
            " join agentdb.agent as a on a.agent_id = r.agent_id"
            " where a.agent_name = 'a7' order by r.ended_at is null desc, r.run_id desc"
            " limit 2"
        ).fetchall()
    return {"run": int(rows[0][0]), "other": int(rows[1][0])}


@contextmanager
def browser(server: LocalServer) -> Iterator[httpx.Client]:
    """Run `agentdb serve`, and give a client that is logged in."""
    dsn = server.dsn(user="bench_serve")
    command = [sys.executable, "-m", "agentdb", "serve", "--dsn", dsn]
    command += ["--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("agentdb serve: ").strip()
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                _log_in(client, server, url)
                yield client
        finally:
            process.terminate()


def _log_in(client: httpx.Client, server: LocalServer, url: str) -> None:
    with psycopg.connect(server.dsn(user="bench_person"), autocommit=True) as person:
        row = person.execute("select agentdb.make_web_link()").fetchone()
    assert row is not None
    shown = client.get(f"/login/link?token={row[0]}").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', shown)
    assert csrf is not None
    fields = {"csrf": csrf[1], "token": row[0]}
    answer = client.post("/login/link", data=fields, headers={"origin": url})
    assert answer.status_code == 303, answer.text


def measure(client: httpx.Client, path: str) -> tuple[float, bytes]:
    """Return the median time of a page in milliseconds, and the page.

    What is no page has taken for ever.
    """
    times, answer = [], client.get(path)
    if answer.status_code != 200:
        return float("inf"), answer.content
    for _ in range(LAPS):
        began = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), answer.content


def show(client: httpx.Client, numbers: dict[str, Any]) -> int:
    """Print a line a page; return how many keep their limits."""
    over = 0
    print(f"{'page':22}{'median':>10}{'limit':>9}{'bytes':>11}{'packed':>9}")
    for name, path in PAGES.items():
        took, content = measure(client, path.format(**numbers))
        packed, status = len(gzip.compress(content)), name == "status"
        limit = STATUS_MS if status else ANY_MS
        kept = took < limit and (packed < STATUS_BYTES or not status)
        over += not kept
        said = "" if kept else "   too much"
        print(
            f"{name:22}{took:7.1f} ms{limit:6} ms{len(content):11,}{packed:9,}{said}",
            flush=True,
        )
    return over


def main(events: int = 10_000_000) -> None:
    with LocalServer(settings=SETTINGS) as server:
        numbers = prepare(server, events)
        with browser(server) as client:
            over = show(client, numbers)
    print("all limits are kept" if not over else f"{over} pages are over their limit")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
