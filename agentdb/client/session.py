"""A session of an agent at the database, over psycopg or any other DB-API driver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import from_database
from .calls import statement

Row = dict[str, Any]
Connect = Callable[[], Any]
# Until the server must have answered, where the driver is ours to set up.
PATIENCE = 10


def connector(dsn: str, *, application: str) -> Connect:
    """Return what opens psycopg connections that work through a pooler too."""

    def connect() -> Any:
        import psycopg

        return psycopg.connect(
            dsn,
            autocommit=True,
            # Behind a pooler a prepared statement may be another client's.
            prepare_threshold=None,
            connect_timeout=PATIENCE,
            application_name=application,
        )

    return connect


class Away(Exception):
    """The database cannot be reached, or the connection broke in mid-call."""


class Session:
    """One connection in autocommit mode, opened when needed; safe among threads."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Any = None
        self.lock = threading.RLock()

    def call(self, function: str, **values: Any) -> list[Row]:
        """Call a function of agentdb; return its rows.

        Raises the class of its SQLSTATE (agentdb.errors), or Away.
        """
        return self.rows(*statement(function, values))

    def rows(self, query: str, values: list[str] | None = None) -> list[Row]:
        """Execute a statement; return its rows by the names of their columns."""
        with self.lock, self._reported():
            cursor = self._open().cursor()
            try:
                cursor.execute(query, values or ())
                if cursor.description is None:
                    return []
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            finally:
                cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is called within, or nothing."""
        with self.lock:
            self.rows("begin")
            try:
                yield
                self.rows("commit")
            except BaseException:
                self._roll_back()
                raise

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self.lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(Exception):
                    connection.close()

    def forget(self) -> None:
        """Leave the connection to the process that opened it: this one was forked."""
        self._connection = None
        self.lock = threading.RLock()

    def _open(self) -> Any:
        if self._connection is None:
            connection = self._connect()
            # SQLAlchemy's raw_connection() is a wrapper.
            driver: Any = getattr(connection, "dbapi_connection", connection)
            driver.autocommit = True
            self._connection = connection
        return self._connection

    def _roll_back(self) -> None:
        try:
            self.rows("rollback")
        except Exception:
            self.close()

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Raise our own errors by their class, the driver's as they are, or Away."""
        try:
            yield
        except Exception as error:
            if ours := from_database(error):
                raise ours from error
            if self._is_away(error):
                self.close()
                raise Away(str(error).strip()) from error
            raise

    def _is_away(self, error: Exception) -> bool:
        """Tell whether it was the connection and not the statement that failed."""
        from ..message import read

        said = read(error)
        if said is None:
            return type(error).__module__.partition(".")[0] != "agentdb"
        # Connection and operator intervention, or a server that takes nobody more.
        return said.sqlstate[:2] in ("08", "57") or said.sqlstate in ("53300", "53400")
