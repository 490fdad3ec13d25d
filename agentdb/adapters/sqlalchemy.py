"""SQLAlchemy: `bind(run, engine)` has each transaction of an engine write for a run."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, event

from ..client import AsyncRun, Run
from .common import run_of

# Which run an engine's transactions are of: an engine outlives a run.
_bound: WeakKeyDictionary[Any, Run] = WeakKeyDictionary()


def bind(run: Run | AsyncRun, engine: Any) -> None:
    """Bind every transaction that begins on an engine, sync or async, to a run.

    Until another run is bound to it, or this one has ended.
    """
    engine = getattr(engine, "sync_engine", engine)
    if engine not in _bound:
        event.listen(engine, "begin", _begun)
    _bound[engine] = run_of(run)


def _begun(connection: Connection) -> None:
    run = _bound.get(connection.engine)
    if run is not None and not run.ended:
        connection.exec_driver_sql(
            f"select agentdb.bind_run('{run.token}')", execution_options={}
        )
