"""The airline's own tables, which the recorded customer service agents write to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .recording import lines

KEYS = {"users": "user_id", "reservations": "reservation_id"}

TABLES = """
create schema airline;

create table airline.users (
  user_id text primary key,
  name jsonb,
  address jsonb,
  email text,
  dob date,
  payment_methods jsonb,
  saved_passengers jsonb,
  membership text,
  reservations jsonb
);

create table airline.reservations (
  reservation_id text primary key,
  user_id text,
  origin text,
  destination text,
  flight_type text,
  cabin text,
  flights jsonb,
  passengers jsonb,
  payment_history jsonb,
  created_at timestamp,
  total_baggages integer,
  nonfree_baggages integer,
  insurance text,
  status text
);
"""

GRANT = """
grant usage on schema airline to {role};
grant select, insert, update, delete on all tables in schema airline to {role};
"""
INSERT = """
insert into airline.{table}
select * from jsonb_populate_record(null::airline.{table}, {row}::jsonb)
"""
UPDATE = """
update airline.{table} as t
set ({columns}) = row({values})
from jsonb_populate_record(null::airline.{table}, {row}::jsonb) as n
where t.{key} = {pk}
"""


def create(connection: psycopg.Connection[Any], data: Path, *writers: str) -> None:
    """Create the tables with their rows, and let some roles write to them."""
    connection.execute(TABLES)
    for table in KEYS:
        for row in lines(data / f"{table}.jsonl"):
            connection.execute(insertion(table, row))
    for writer in writers:
        connection.execute(sql.SQL(GRANT).format(role=sql.Identifier(writer)))


def statements(writes: Iterable[Mapping[str, Any]]) -> Iterable[sql.Composed]:
    """Yield the SQL of what a recorded call changed."""
    for write in writes:
        table = write["table"]
        if write["op"] == "insert":
            yield insertion(table, write["row"])
        else:
            yield update(table, write["pk"], write["set"])


def insertion(table: str, row: Mapping[str, Any]) -> sql.Composed:
    """Return the SQL that inserts a row."""
    return sql.SQL(INSERT).format(
        table=sql.Identifier(table), row=sql.Literal(json.dumps(row))
    )


def update(table: str, pk: str, changed: Mapping[str, Any]) -> sql.Composed:
    """Return the SQL that changes some columns of a row."""
    names = [sql.Identifier(name) for name in changed]
    return sql.SQL(UPDATE).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(names),
        values=sql.SQL(", ").join(sql.SQL("n.{}").format(name) for name in names),
        row=sql.Literal(json.dumps(changed)),
        key=sql.Identifier(KEYS[table]),
        pk=sql.Literal(pk),
    )
