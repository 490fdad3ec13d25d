"""A row that moved to another partition goes back as one row, or stays as one."""

from __future__ import annotations

from typing import Any

import pytest

from .agents import register, rows, start
from .conftest import Connect, Connection
from .test_record import audit, version
from .test_undo import undo

TABLE = """
create table parcel (id int, place text, weight int, primary key (id, place))
  partition by list (place);
create table parcel_north partition of parcel for values in ('north', 'far north');
create table parcel_south partition of parcel for values in ('south');
create table label (id int, place text, said text,
  foreign key (id, place) references parcel on update cascade on delete set null);
insert into parcel values (1, 'north', 1), (2, 'north', 2), (3, 'south', 3);
insert into label values (1, 'north', 'fragile');
grant select, insert, update, delete on parcel, label to agent_a, agent_b;
"""


@pytest.fixture
def run(db: Connection, connect: Connect) -> tuple[Connection, Connection, int]:
    """A session of somebody else, one of an agent, and its run."""
    register(db)
    if version(db) < 15:
        pytest.skip("before 15 a move is a delete to those who refer to the row")
    db.execute(TABLE.encode())
    audit(db, "parcel")
    agent = connect(db.info.dbname, "agent_a")
    return db, agent, start(agent)


def parcels(db: Connection) -> Any:
    return rows(db, "select id, place, weight from parcel order by 1, 2")


MOVES = {
    "alone": "update parcel set place = 'south' where id = 1",
    "with another value": "update parcel set place = 'south', weight = 9 where id = 1",
    "all": "update parcel set place = 'south' where place = 'north'",
    "there and on": "update parcel set place = 'south' where id = 1;"
    "update parcel set place = 'far north' where id = 1",
    "within": "update parcel set place = 'far north' where id = 1",
}


@pytest.mark.parametrize("move", MOVES)
def test_row_goes_back_with_what_refers_to_it(
    run: tuple[Connection, Connection, int], move: str
) -> None:
    db, agent, number = run
    before = parcels(db), rows(db, "select * from label")
    agent.execute(MOVES[move].encode())
    assert parcels(db) != before[0]
    assert undo(db, "run", number)["state"] == "applied"
    assert (parcels(db), rows(db, "select * from label")) == before


@pytest.mark.parametrize("move", ["alone", "with another value"])
def test_row_that_others_changed_since_stays_one(
    run: tuple[Connection, Connection, int], move: str
) -> None:
    db, agent, number = run
    agent.execute(MOVES[move].encode())
    agent.execute("update parcel set weight = 20 where id = 2")
    db.execute("update parcel set weight = 50 where id = 1")
    now = parcels(db)
    assert undo(db, "run", number)["state"] == "conflict"
    assert parcels(db) == now
    assert undo(db, "run", number, "skip")["state"] == "applied"
    assert parcels(db) == [
        {"id": 1, "place": "south", "weight": 50},
        {"id": 2, "place": "north", "weight": 2},
        {"id": 3, "place": "south", "weight": 3},
    ]


def test_two_rows_are_not_taken_for_one(
    run: tuple[Connection, Connection, int],
) -> None:
    """One is deleted, another one made: each is taken back by itself."""
    db, agent, number = run
    with agent.transaction():
        agent.execute("delete from parcel where id = 2")
        agent.execute("insert into parcel values (7, 'south', 7)")
    db.execute("update parcel set weight = 70 where id = 7")
    assert undo(db, "run", number, "skip")["state"] == "applied"
    assert [(each["id"], each["weight"]) for each in parcels(db)] == [
        (1, 1), (2, 2), (3, 3), (7, 70),
    ]  # fmt: skip
