"""SQLAlchemy: `bind(run, engine)` has each transaction of an engine write for a run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event

from ..client import AsyncRun, Run
from .common import run_of


def bind(run: Run | AsyncRun, engine: Any) -> None:
    """Bind every transaction that begins on an engine, sync or async, to a run."""
    ours = run_of(run)

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(
            f"select agentdb.bind_run('{ours.token}')", execution_options={}
        )

    event.listen(getattr(engine, "sync_engine", engine), "begin", begun)
