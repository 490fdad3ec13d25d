"""Measures what is kept on disk of an event, and of a row that is recorded or changed.

All tables of the pack are measured with their indexes before and after, once the
totals are rolled up and dead rows are gone; what is printed is the difference by event.
Arguments are of 200 bytes, the recorded row has twelve columns.  docs/capacity.md has
these figures.  Run as ``python -m bench.capacity [EVENTS]``.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from agentdb.local import LocalServer
from bench import build
from bench.build import Connection

from .batches import ARGS
from .change import ROLES, STAGE, fill, prepare

SIZE = """
select sum(pg_total_relation_size(c.oid))::bigint from pg_class as c
where c.relnamespace = 'agentdb'::regnamespace and c.relkind in ('r', 'm')
"""
EACH = "select count(*) from generate_series(1, {events}) as g, agentdb."
# As the agent, but what an application writes; {events} is their number.
EVENTS = {
    "tool call": (
        f"{EACH}log_tool_call('search', %(args)s::jsonb || jsonb_build_object('page',"
        " g), result_size => 5120)"
    ),
    "tool call with call_id": (
        f"{EACH}log_tool_call('search', %(args)s::jsonb || jsonb_build_object('page',"
        " g), call_id => gen_random_uuid()::text)"
    ),
    "model call": (
        f"{EACH}log_tokens(5000 + g %% 500, 310, model => 'model-1', cost => 0.01)"
    ),
    "step": f"{EACH}log_progress('page ' || g, '{{{{\"rows\": 120}}}}')",
    "recorded UPDATE of two columns": (
        "update public.account set balance = balance + 1, note = 'seen ' || id"
    ),
    "recorded INSERT": (
        "insert into public.account select id + 1000000, customer, balance, currency,"
        " note, active, created_at, updated_at, branch, score, tags, version"
        " from public.account"
    ),
    "recorded DELETE": "delete from public.account where id > 1000000",
}


def measure(server: LocalServer, events: int) -> dict[str, int]:
    """Return the bytes that are kept of each kind of event."""
    with ExitStack() as stack:
        admin = build.connect(stack, server.dsn())
        admin.execute(ROLES.encode())
        desk = prepare(stack, admin, server, "capacity", build.ROOT)
        desk.admin.execute("update agentdb.policy set max_events_per_day = null")
        fill(desk.admin, "account", events)
        found = {}
        for kind, statement in EVENTS.items():
            before = size(desk.admin)
            said = statement.format(events=events).encode()
            (desk.admin if "recorded" in kind else desk.writer).execute(
                said, {"args": ARGS}
            )
            found[kind] = (size(desk.admin) - before) // events
        before, few = size(desk.admin), min(events, 500)
        for number in range(1, few + 1):
            desk.writer.execute(STAGE.encode(), [f"seen {number}", number])
            approve(desk.reviewer)
        found["change of one row, staged, approved and applied"] = (
            size(desk.admin) - before
        ) // few
    return found


def approve(reviewer: Connection) -> None:
    """Approve what waits, which is applied."""
    reviewer.execute(
        "select agentdb.approve_change(w.change_id, w.digest)"
        " from agentdb.waiting_changes() as w"
    )


def size(admin: Connection) -> int:
    """Return the bytes of all tables of the pack, without what can be used again."""
    admin.execute("select agentdb.roll_up()")
    for (table,) in admin.execute(
        "select oid::regclass::text from pg_class"
        " where relnamespace = 'agentdb'::regnamespace and relkind = 'r'"
    ).fetchall():
        admin.execute(f"vacuum {table}".encode())
    row = admin.execute(SIZE).fetchone()
    assert row is not None
    return int(row[0])


def main(events: int = 50_000) -> None:
    """Measure and print."""
    with LocalServer(fast=True) as server:
        for kind, kept in measure(server, events).items():
            print(f"{kept:6,} bytes  {kind}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
