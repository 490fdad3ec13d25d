"""Statements, once directly and once staged and applied, and what an undo leaves.

python -m tests.differential SECONDS SEED
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import psycopg

from agentdb.local import LocalServer

from .agents import Row, register, row, rows, start, value
from .changes import approve
from .conftest import (
    Connection,
    create_database,
    create_roles,
    drop_database,
    grant_groups,
    install,
)
from .worlds import World

TABLES = ("t", "parent")
BAD_VALUES = ("22001", "22003", "23514")
LAST = "select coalesce(max(audit_log_id), 0) from agentdb.audit_log"
SINCE = (
    "select t.table_name as table, l.row_key as key from agentdb.audit_log as l"
    " join agentdb.audit_target as t using (audit_target_id)"
    " where l.audit_log_id > %s and l.row_key is not null"
)
STAGING = "agentdb_stage, guarded, pg_catalog"
Open = Callable[[str], Connection]
State = dict[tuple[str, str], Row]


class Comparison:
    """One world, its sessions, and what was counted in it."""

    def __init__(self, world: World, open_session: Open) -> None:
        self.world = world
        self.db = open_session("")
        for statement in world.setup():
            self.db.execute(statement.encode())
        register(self.db)
        self.agent = open_session("agent_a")
        self.reviewer = open_session("reviewer_r")
        start(self.agent)
        self.counted: Counter[str] = Counter()

    def refill(self) -> None:
        """Give both schemas the same rows again."""
        for schema in ("direct", "guarded"):
            for statement in self.world.rows(schema):
                self.db.execute(statement.encode())

    def work(self, path: str, story: list[str]) -> tuple[str, list[Any]]:
        """Do a transaction; return its SQLSTATE and what its statements returned."""
        seen: list[Any] = []
        try:
            with self.agent.transaction():
                self.agent.execute(f"set local search_path = {path}".encode())
                for each in story:
                    done = self.agent.execute(each.encode(), prepare=False)
                    found = (
                        sorted(map(str, done.fetchall())) if done.description else []
                    )
                    seen.append((done.rowcount, found))
        except psycopg.Error as error:
            return str(error.sqlstate), [*seen, str(error)]
        return "", seen

    def contents(self, schema: str) -> dict[str, list[str]]:
        """Return all rows of a schema."""
        self.db.execute(f"set search_path = {schema}".encode())
        return {
            table: sorted(str(each["r"]) for each in
                          rows(self.db, f"select x::text as r from {table} as x"))
            for table in ("t", "parent", "seen", *["child"] * self.world.child)
        }  # fmt: skip

    def approve_all(self) -> None:
        """Approve what waits: it must be applied."""
        waiting = (
            "select change_id from agentdb.change where state = 'pending' order by 1"
        )
        for each in rows(self.db, waiting):
            ended = approve(self.reviewer, each["change_id"])
            assert ended["state"] == "applied", ended["problem"]
            self.counted["applied"] += 1

    def last_change(self) -> int:
        """Return the number of the newest change."""
        query = "select coalesce(max(change_id), 0) from agentdb.change"
        return int(value(self.db, query))

    def withdraw(self, after: int = 0) -> None:
        """Have the agent take back what waits, of the changes after a number."""
        waiting = "select change_id from agentdb.my_changes(undecided => true)"
        for each in rows(self.agent, f"{waiting} where change_id > {after}"):
            self.agent.execute(
                "select agentdb.withdraw_change(%s)", [each["change_id"]]
            )

    def compare(self, story: list[str], *, wait: bool = False) -> None:
        """Do a story both ways: all must be equal, or refused as listed.

        Where its change waits, the next one builds on it.
        """
        former = self.last_change()
        direct, returned = self.work("direct, pg_catalog", story)
        staged, shown = self.work(STAGING, story)
        self.counted[f"story {direct or 'done'}"] += 1
        if self.is_on_conflict(story, direct, staged, returned, shown):
            self.counted["refused as listed"] += 1
            self.withdraw()
            self.refill()
            return
        if direct[:2] == "23" != staged[:2]:
            # Constraints are looked at when the transaction ends: with this statement.
            self.withdraw(former)
            staged, shown = self.work(STAGING, story[: len(returned)])
        if self.world.policies and not direct and staged in BAD_VALUES:
            # Of a row that a policy leaves out the new value is made before that is known.
            assert returned[len(shown) - 1][0] == 0, (returned, shown)
            self.withdraw()
            self.refill()
            return
        # Of several violations another one may come first.
        another = direct[:2] == "23" and (staged[:2] == "23" or staged == "42501")
        assert staged == direct or another, (
            direct, returned, staged, shown)  # fmt: skip
        if not direct:
            assert shown == returned, (returned, shown)
        if wait:
            return
        self.approve_all()
        before, after = self.contents("direct"), self.contents("guarded")
        assert after == before, (before, after)

    def is_on_conflict(
        self,
        story: list[str],
        direct: str,
        staged: str,
        returned: list[Any],
        shown: Any,
    ) -> bool:
        """Whether ON CONFLICT made a difference, which it does as it is listed."""
        if not any("on conflict" in each for each in story):
            return False
        if staged != direct:
            assert direct or staged == "23505", (staged, shown)
            return True
        if not self.world.policies:
            return False
        # Where a policy is, a key that is there is refused when the transaction ends,
        # unless a later statement deletes that row again.
        inserted = [
            (there[0], here[0])
            for each, there, here in zip(story, returned, shown, strict=False)
            if "on conflict" in each and not direct
        ]
        return any(there < here for there, here in inserted)


class History:
    """What the test itself knows of the guarded rows: who made them what, and when."""

    def __init__(self, comparison: Comparison) -> None:
        self.it = comparison
        self.states = [self.now()]
        self.writers: list[str] = []
        self.written: list[set[tuple[str, str]]] = []
        self.moved: list[tuple[tuple[str, str], tuple[str, str]]] = []
        self.last = int(value(comparison.db, LAST))

    def now(self) -> State:
        """Return all rows by table and key."""
        found: State = {}
        for table in TABLES:
            shape = self.it.db.execute(
                f"select * from guarded.{table} limit 0".encode()
            )
            names = [column.name for column in shape.description or ()]
            shown = ", ".join(f"{name}::text" for name in names)
            for each in rows(self.it.db, f"select {shown} from guarded.{table}"):
                key = each["k" if table == "t" else "id"]
                found[table, key] = {name: str(v) for name, v in each.items()}
        return found

    def note(self, writer: str, story: list[str]) -> None:
        """Remember what somebody has just made of the rows, with which statements."""
        self.states.append(self.now())
        if any("set k =" in each for each in story):
            before, after = self.states[-2:]
            self.moved += [
                (old, new)
                for old in before.keys() - after
                for new in after.keys() - before
                if old[0] == new[0] == "t"
            ]
        self.writers.append(writer)
        self.written.append(
            {key_of(each) for each in rows(self.it.db, SINCE, self.last)}
        )
        self.last = int(value(self.it.db, LAST))

    def touched(self, writer: str) -> set[tuple[str, str]]:
        """Return the rows that somebody else wrote since a writer wrote them."""
        hers: set[tuple[str, str]] = set()
        others: set[tuple[str, str]] = set()
        for before, after, who, written in zip(
            self.states, self.states[1:], self.writers, self.written, strict=False
        ):
            changed = {
                key for key in {*before, *after} if before.get(key) != after.get(key)
            }
            if who == writer:
                # Deleted and inserted again it may look as before, and is another row.
                hers |= changed | written
            else:
                others |= changed & hers
        # Who writes a row under its new key writes the one that had the former.
        for old, new in reversed(self.moved):
            others |= {old} if new in others else set()
        return others

    def restored(
        self, writer: str, key: tuple[str, str]
    ) -> list[dict[str, str] | None]:
        """Return a row as it was before a writer wrote it, where it is as left by that."""
        now = self.states[-1].get(key)
        steps = zip(self.states, self.states[1:], self.writers, strict=False)
        return [
            before.get(key)
            for before, after, who in steps
            if who == writer and after.get(key) == now != before.get(key)
        ]

    def without(self, writer: str) -> State:
        """Return what the rows would be had a writer done nothing."""
        left = {key: dict(each) for key, each in self.states[0].items()}
        for before, after, who in zip(
            self.states, self.states[1:], self.writers, strict=False
        ):
            if who == writer:
                continue
            for key in {*before, *after}:
                was, now = before.get(key), after.get(key)
                if now is None and was is not None:
                    left.pop(key, None)
                elif now is not None and was is None:
                    left[key] = dict(now)
                elif now is not None and was is not None and key in left:
                    left[key] |= {n: v for n, v in now.items() if was[n] != v}
        return left


def undo(comparison: Comparison, on_conflict: str) -> str:
    """Let an agent and others write, undo the agent's run, and check what is left."""
    it, pick = comparison, comparison.world.random
    it.refill()
    run = start(it.agent)
    history = History(it)
    for _ in range(pick.randint(1, 5)):
        if pick.random() < 0.5:
            story = it.world.story()
            state, _ = it.work(STAGING, story)
            if not state:
                it.approve_all()
            history.note("agent", story)
        else:
            history.note("others", others(it))
    it.agent.execute("select agentdb.end_run()")
    now = history.now()
    written = "select count(*) from agentdb.audit_log where run_id = %s"
    if not value(it.db, written, run):
        return "nothing"
    query = "select * from agentdb.undo_run(%s, on_conflict => %s::text)"
    try:
        found = row(it.db, query, run, on_conflict)
    except psycopg.Error as error:
        # All of it was taken back by the run itself.
        assert error.sqlstate == "ZA056", error
        assert history.without("agent") == now
        return "nothing"
    if found["state"] == "pending":
        found |= approve(it.reviewer, found["change_id"])
        assert found["state"] == "applied", found["problem"]
    check(history, found, now, history.now())
    return str(found["state"])


def others(it: Comparison) -> list[str]:
    """Have somebody write the guarded tables directly; return with which statement."""
    statement = it.world.statement()
    with suppress(psycopg.Error), it.db.transaction():
        it.db.execute("set local search_path = guarded")
        it.db.execute(statement.encode(), prepare=False)
    return [statement]


def check(history: History, found: Row, before: State, after: State) -> None:
    """Law 2: the agent's work is gone, everybody else's stays or is named."""
    crowded, without = history.touched("agent"), history.without("agent")
    if found["state"] == "conflict":
        assert after == before
        named = {key_of(each) for each in found["conflicts"] if "key" in each}
        assert named <= crowded, (named, crowded)
        # Else others took a value, or refer to what would go.
        assert named or "others" in history.writers[history.writers.index("agent") :]
        return
    for key in {*before, *after, *without}:
        allowed = [without.get(key)]
        if key in crowded:
            # What others changed and changed back is as the agent left it.
            allowed += [before.get(key), *history.restored("agent", key)]
        assert after.get(key) in allowed, (key, after.get(key), allowed, found)


def key_of(conflict: Row) -> tuple[str, str]:
    """Return table and key of the row that a conflict names."""
    (key,) = conflict["key"].values()
    return conflict["table"].removeprefix("guarded."), str(key)


def explore(seed: int, open_session: Open, stories: int = 12) -> Counter[str]:
    """Compare random stories in a random world."""
    world = World(seed, open_session("").info.server_version)
    comparison = Comparison(world, open_session)
    story: list[str] = []
    waiting = set(world.random.sample(range(3), world.random.choice([0, 1, 2])))
    try:
        for number in range(stories):
            if number % 4 == 0:
                comparison.refill()
            story = world.story()
            # What cascades and triggers do is not seen before a change is applied.
            alone = world.touches or any("delete from parent" in each for each in story)
            comparison.compare(story, wait=number % 4 in waiting and not alone)
        if not world.triggers:
            for on_conflict in ("refuse", "skip", "refuse", "skip"):
                came = undo(comparison, on_conflict)
                comparison.counted[f"undo {came}"] += 1
    except Exception as error:
        said = f"world {seed}: {world.names}, {'; '.join(story)}"
        raise AssertionError(said) from error
    comparison.counted |= {"statements": world.told, "worlds": 1}
    return comparison.counted


def main() -> None:
    """Explore worlds for some seconds, from a seed on."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    end, counted = time.monotonic() + seconds, Counter[str]()
    with (
        LocalServer(fast=True) as server,
        psycopg.connect(server.dsn(), autocommit=True) as admin,
    ):
        create_roles(admin)
        create_database(admin, "differential", "template1")
        install(server.dsn(database="differential", user="installer"))
        grant_groups(admin)
        while time.monotonic() < end:
            create_database(admin, "world", "differential")
            try:
                with sessions_in(server.dsn, "world") as open_session:
                    counted += explore(seed, open_session)
            except AssertionError as error:
                counted["failed"] += 1
                print(f"{error}\n  {str(error.__cause__)[:2000]}", flush=True)
            seed += 1
            drop_database(admin, "world")
    print(f"next seed {seed}: {dict(sorted(counted.items()))}")
    sys.exit(counted["failed"] > 0)


@contextmanager
def sessions_in(dsn: Callable[..., str], database: str) -> Iterator[Open]:
    """Open sessions in a database until the end of the block."""
    with ExitStack() as stack:

        def open_session(user: str) -> Connection:
            who = {"user": user} if user else {}
            found = psycopg.connect(dsn(database=database, **who), autocommit=True)
            return stack.enter_context(found)

        yield open_session


if __name__ == "__main__":
    main()
