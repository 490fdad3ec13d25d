"""Changes, approvals, races, undo and redo in any order do what a model of them does."""

from __future__ import annotations

import copy
import os
import threading
from dataclasses import dataclass, field

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from .agents import register, rows, start, value
from .changes import approve
from .conftest import Connect, Connection

EXAMPLES = int(os.environ.get("AGENTDB_EXAMPLES", "15"))
KEYS = st.integers(1, 4)
VALUES = st.integers(0, 2)
COLUMN = st.sampled_from(["a", "b"])
AGENTS = st.integers(0, 1)
LIVE = ("pending", "approved")
# What builds on another one waits in vain.
COMING = (*LIVE, "applied")

Fields = dict[str, int]
Table = dict[int, Fields]


@dataclass
class Deed:
    """What a change does to one row, and what it expects of it."""

    operation: str
    key: int
    new: Fields = field(default_factory=dict)
    expected: Fields = field(default_factory=dict)

    def fits(self, table: Table) -> bool:
        present = table.get(self.key)
        if self.operation == "insert":
            return present is None
        return present is not None and self.expected.items() <= present.items()

    def settled(self, table: Table) -> bool:
        present = table.get(self.key)
        if self.operation == "delete":
            return present is None
        return present is not None and self.new.items() <= present.items()

    def do(self, table: Table) -> None:
        if self.operation == "delete":
            del table[self.key]
        else:
            table[self.key] = {**table.get(self.key, {}), **self.new}


@dataclass
class Change:
    """A change as it should be."""

    who: int
    deeds: list[Deed]
    state: str = "pending"
    builds_on: list[int] = field(default_factory=list)
    # What its proposer sees of the row, and what became of rows when it was applied.
    net: tuple[str, Fields] = ("", {})
    did: list[tuple[int, Fields | None, Fields | None]] = field(default_factory=list)


@dataclass
class Model:
    """The table and all changes."""

    table: Table = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)

    def latest(self, who: int, key: int) -> int | None:
        mine = [
            number
            for number, change in self.changes.items()
            if change.who == who
            and change.state in LIVE
            and all(self.changes[n].state in COMING for n in change.builds_on)
            and change.deeds[0].key == key
        ]
        return max(mine, default=None)

    def seen(self, who: int) -> Table:
        """Return the table with the agent's own changes laid over it."""
        table = copy.deepcopy(self.table)
        for key in range(1, 5):
            latest = self.latest(who, key)
            if latest is None:
                continue
            operation, values = self.changes[latest].net
            if operation == "insert":
                table[key] = dict(values)
            elif operation == "delete":
                table.pop(key, None)
            elif key in table:
                table[key] |= values
        return table

    def basis(self, first: int | None) -> list[int]:
        if first is None:
            return []
        found = {first, *self.changes[first].builds_on}
        return sorted(n for n in found if self.changes[n].state in LIVE)

    def stage(self, who: int, deed: Deed) -> Change | None:
        """Return the change that staging makes, or None where it is refused."""
        former = self.latest(who, deed.key)
        trial, basis = copy.deepcopy(self.table), self.basis(former)
        for number in basis:
            for each in self.changes[number].deeds:
                if not each.fits(trial):
                    return None
                each.do(trial)
        if not deed.fits(trial):
            return None
        net = (deed.operation, dict(deed.new))
        if former is not None and deed.operation == "update":
            operation, values = self.changes[former].net
            net = (operation, values | deed.new)
        return Change(who, [deed], builds_on=basis, net=net)

    def approve(self, number: int) -> None:
        self.changes[number].state = "approved"
        self.apply(number)

    def apply(self, number: int) -> None:
        change = self.changes[number]
        states = {self.changes[n].state for n in change.builds_on} - {"applied"}
        if states & set(LIVE):
            return
        if states or not all(deed.fits(self.table) for deed in change.deeds):
            change.state = "conflict"
            return
        for deed in change.deeds:
            before = copy.deepcopy(self.table.get(deed.key))
            deed.do(self.table)
            after = copy.deepcopy(self.table.get(deed.key))
            change.did.append((deed.key, before, after))
        change.state = "applied"

    def advance(self) -> None:
        ready = [
            number
            for number, change in self.changes.items()
            if change.state == "approved"
            and not any(self.changes[n].state in LIVE for n in change.builds_on)
        ]
        for number in ready:
            self.apply(number)

    def undo(self, number: int) -> Change:
        """Return the undo of a change, in the state it gets at once."""
        deeds = [taken_back(*each) for each in self.changes[number].did]
        found = [deed for deed in deeds if deed]
        if not all(deed.fits(self.table) for deed in found):
            found = [
                d for d in found if d.fits(self.table) or not d.settled(self.table)
            ]
            if not all(deed.fits(self.table) for deed in found):
                return Change(2, found, "conflict")
        return Change(2, found, "pending" if found else "withdrawn")


def taken_back(key: int, before: Fields | None, after: Fields | None) -> Deed | None:
    if before is None:
        return Deed("delete", key, {}, after or {})
    if after is None:
        return Deed("insert", key, before)
    changed = [column for column in before if before[column] != after[column]]
    if not changed:
        return None
    new = {column: before[column] for column in changed}
    return Deed("update", key, new, {column: after[column] for column in changed})


class Changes(RuleBasedStateMachine):
    """Two agents, two reviewers, an application and an operator at one table."""

    db: Connection
    agents: list[Connection]
    reviewers: list[Connection]
    # Whether all of a row is bound, or only what a change sets.
    strict: bool

    @initialize()
    def begin(self) -> None:
        self.db.execute("truncate agentdb.change, agentdb.change_row cascade")
        self.db.execute(
            "delete from item; insert into item values (1, 0, 0), (2, 1, 1)"
        )
        self.model = Model({1: {"a": 0, "b": 0}, 2: {"a": 1, "b": 1}})

    def in_state(self, *states: str) -> list[int]:
        return [n for n, c in self.model.changes.items() if c.state in states]

    def proposed(self, who: int, query: str, deed: Deed) -> None:
        """Stage a row, and see that the model stages or refuses it too."""
        expected = self.model.stage(who, deed)
        try:
            self.agents[who].execute(query.encode())
        except psycopg.Error as error:
            assert error.sqlstate in ("ZA052", "23505"), error
            assert expected is None, error
            return
        assert expected is not None
        number = value(self.db, "select max(change_id) from agentdb.change")
        self.model.changes[number] = expected

    @rule(who=AGENTS, key=KEYS, column=COLUMN, number=VALUES)
    def agent_updates(self, who: int, key: int, column: str, number: int) -> None:
        seen = self.model.seen(who).get(key)
        query = f"update agentdb_stage.item set {column} = {number} where id = {key}"
        if seen is None or seen[column] == number:
            before = value(self.db, "select count(*) from agentdb.change")
            self.agents[who].execute(query.encode())
            assert value(self.db, "select count(*) from agentdb.change") == before
            return
        bound = dict(seen) if self.strict else {column: seen[column]}
        deed = Deed("update", key, {column: number}, bound)
        self.proposed(who, query, deed)

    @rule(who=AGENTS, key=KEYS, a=VALUES, b=VALUES)
    def agent_inserts(self, who: int, key: int, a: int, b: int) -> None:
        query = f"insert into agentdb_stage.item values ({key}, {a}, {b})"
        self.proposed(who, query, Deed("insert", key, {"a": a, "b": b}))

    @rule(who=AGENTS, key=KEYS)
    def agent_deletes(self, who: int, key: int) -> None:
        seen = self.model.seen(who).get(key)
        query = f"delete from agentdb_stage.item where id = {key}"
        if seen is None:
            self.agents[who].execute(query.encode())
            return
        self.proposed(who, query, Deed("delete", key, {}, seen))

    @rule(key=KEYS, a=VALUES, b=VALUES, remove=st.booleans())
    def application_writes(self, key: int, a: int, b: int, remove: bool) -> None:
        if remove:
            self.db.execute("delete from item where id = %s", [key])
            self.model.table.pop(key, None)
        else:
            self.db.execute(
                "insert into item values (%(k)s, %(a)s, %(b)s) on conflict (id)"
                " do update set a = %(a)s, b = %(b)s",
                {"k": key, "a": a, "b": b},
            )
            self.model.table[key] = {"a": a, "b": b}

    @precondition(lambda self: self.in_state("pending"))
    @rule(data=st.data())
    def reviewer_approves(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.in_state("pending")))
        self.model.approve(number)
        ended = approve(self.reviewers[0], number)
        assert ended["state"] == self.model.changes[number].state

    @precondition(lambda self: self.in_state("pending"))
    @rule(data=st.data())
    def reviewers_race(self, data: st.DataObject) -> None:
        """What comes of it is what one of the two orders would have given."""
        two = [data.draw(st.sampled_from(self.in_state("pending"))) for _ in range(2)]
        outcomes = []
        for order in (two, two[::-1]):
            model = copy.deepcopy(self.model)
            for number in dict.fromkeys(order):
                model.approve(number)
            outcomes.append(model)

        def attempt(session: Connection, number: int) -> None:
            try:
                approve(session, number)
            except psycopg.Error as error:
                assert error.sqlstate == "ZA053", error

        threads = [
            threading.Thread(target=attempt, args=each)
            for each in zip(self.reviewers, two, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        states = self.states()
        fitting = [
            model
            for model in outcomes
            if {n: c.state for n, c in model.changes.items()} == states
            and model.table == self.contents()
        ]
        assert fitting
        self.model = fitting[0]

    @precondition(lambda self: self.in_state("pending"))
    @rule(data=st.data())
    def reviewer_rejects(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.in_state("pending")))
        self.reviewers[0].execute("select agentdb.reject_change(%s, 'no')", [number])
        self.model.changes[number].state = "rejected"

    @precondition(lambda self: self.in_state(*LIVE))
    @rule(data=st.data())
    def operator_withdraws(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.in_state(*LIVE)))
        self.db.execute("select agentdb.withdraw_change(%s)", [number])
        self.model.changes[number].state = "withdrawn"

    @rule()
    def runner_advances(self) -> None:
        self.db.execute("select agentdb.advance_changes()")
        self.model.advance()

    @precondition(lambda self: self.in_state("applied"))
    @rule(data=st.data())
    def operator_undoes(self, data: st.DataObject) -> None:
        """An undo is itself a change, so that undoing it is the redo."""
        number = data.draw(st.sampled_from(self.in_state("applied")))
        expected = self.model.undo(number)
        (found,) = rows(self.db, "select * from agentdb.undo_change(%s)", number)
        assert found["state"] == expected.state
        expected.state = "withdrawn" if expected.state == "conflict" else expected.state
        self.model.changes[found["change_id"]] = expected

    def contents(self, name: str = "item", session: Connection | None = None) -> Table:
        found = rows(session or self.db, f"select id, a, b from {name}")
        assert len({each["id"] for each in found}) == len(found), found
        return {each["id"]: {"a": each["a"], "b": each["b"]} for each in found}

    def states(self) -> dict[int, str]:
        found = rows(self.db, "select change_id, state from agentdb.change")
        return {each["change_id"]: each["state"] for each in found}

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        assert self.contents() == self.model.table
        states = {number: c.state for number, c in self.model.changes.items()}
        assert self.states() == states
        for who, session in enumerate(self.agents):
            assert self.contents("agentdb_stage.item", session) == self.model.seen(who)


@pytest.fixture
def machine(db: Connection, connect: Connect) -> type[Changes]:
    """The machine at work on a fresh database."""
    db.execute(
        "create table item (id int primary key, a int, b int);"
        "grant select, insert, update, delete on item to agent_a, agent_b; select agentdb.guard_table('item')"
    )
    register(db)
    register(db, "b", "agent_b")
    Changes.db = db
    Changes.agents = [connect(db.info.dbname, role) for role in ("agent_a", "agent_b")]
    Changes.reviewers = [connect(db.info.dbname, "reviewer_r") for _ in range(2)]
    for session in Changes.agents:
        start(session)
    return Changes


@pytest.mark.parametrize("binding", ["strict", "columns"])
def test_changes_are_as_their_model(machine: type[Changes], binding: str) -> None:
    machine.strict = binding == "strict"
    machine.db.execute("update agentdb.policy set change_binding = %s", [binding])
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
