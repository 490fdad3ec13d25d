"""An agent that works by SQLAlchemy: `bind(run, engine)` makes its writes the run's."""

from __future__ import annotations

import os
import time

import psycopg
from sqlalchemy import Engine, create_engine, text

from agentdb import Agent
from agentdb.adapters.sqlalchemy import bind
from agentdb.client import Looping


def connect() -> psycopg.Connection:
    """Connect as the agent; no other form of its connection string is needed."""
    return psycopg.connect(os.environ["AGENTDB_DSN"])


def look_up(engine: Engine, order: int) -> str:
    """Look an order up in the table of the shop."""
    with engine.begin() as connection:
        query = text("select state from orders where id = :id")
        return str(connection.execute(query, {"id": order}).scalar())


def main(agent: Agent | None = None, engine: Engine | None = None) -> str:
    """Wait for an order that never comes, and leave a note when that is said."""
    engine = engine or create_engine("postgresql+psycopg://", creator=connect)
    with (agent or Agent.from_env()).run("answer a customer") as run:
        bind(run, engine)
        while True:
            try:
                run.call("look_up", {"order": 4711}, lambda: look_up(engine, 4711))
            except Looping as looping:
                with engine.begin() as connection:
                    said = {"said": str(looping)}
                    connection.execute(text("insert into note values (:said)"), said)
                run.claim_rows("note", "insert", count=1)
                return str(looping)
            time.sleep(0.1)


if __name__ == "__main__":
    print(main())
