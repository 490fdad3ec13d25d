"""A session of an agent at the database, over psycopg or any other DB-API driver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import AgentdbError, from_database
from ..message import read
from .calls import statement
from .errors import Busy, Unreachable

Row = dict[str, Any]
Connect = Callable[[], Any]
# Until the server must have answered, where the driver is ours to set up.
PATIENCE = 10
# How long nobody is asked again who did not answer: an agent does not wait each time.
BREAK = 1.0, 30.0
# After so many seconds without a call a connection is tried before it is used.
IDLE = 1.0
# A fork must not say anything on its parent's connections, not even good-bye.
_parents: list[Any] = []


def connector(dsn: str, *, application: str, patience: float = PATIENCE) -> Connect:
    """Return what opens psycopg connections that work through a pooler too.

    A server that takes longer than `patience` seconds for an answer is away.
    """

    def connect() -> Any:
        import psycopg

        class Patient(psycopg.Connection):
            def wait(self, gen: Any, *args: Any, **how: Any) -> Any:
                return super().wait(_limited(gen, patience), *args, **how)

        return Patient.connect(
            dsn,
            autocommit=True,
            # Behind a pooler a prepared statement may be another client's.
            prepare_threshold=None,
            connect_timeout=max(2, round(patience)),
            application_name=application,
        )

    return connect


def _limited(waiting: Any, patience: float) -> Generator[Any, Any, Any]:
    """Do what a generator of psycopg does, and give up when the time is over."""
    end = time.monotonic() + patience
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                raise TimeoutError(f"no answer within {patience:g} s")
            wanted = waiting.send(ready)
    except StopIteration as done:
        return done.value


class Away(Unreachable):
    """The database cannot be reached, or the connection broke in mid-call."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"agentdb cannot be reached: {why}",
            hint="Wait, and try again; what needs no answer is recorded later.",
        )


class Session:
    """One connection in autocommit mode, opened when needed; safe among threads."""

    def __init__(self, connect: Connect, channel: str | None = None) -> None:
        """`channel` is listened to, where the connection has a session to itself."""
        self._connect = connect
        self._channel = channel
        self._told = False
        #: What is readable when the database has said something, if it can be heard.
        self.ear: int | None = None
        self._connection: Any = None
        self._asked_again = 0.0
        self._why = ""
        self._used = 0.0
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
                return [_row(names, each) for each in cursor.fetchall()]
            finally:
                self._used = time.monotonic()
                with suppress(Exception):
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

    def close(self, timeout: float = -1) -> None:
        """Close the connection; the next call opens another.

        One that is in use for longer than `timeout` seconds is left as it is.
        """
        if not self.lock.acquire(timeout=timeout):
            return
        try:
            connection, self._connection = self._connection, None
            self.ear = None
            if connection is not None:
                with suppress(Exception):
                    connection.close()
        finally:
            self.lock.release()

    def forget(self) -> None:
        """Leave the connection to the process that opened it: this one was forked."""
        if self._connection is not None:
            _parents.append(self._connection)
        self._connection = self.ear = None
        self.lock = threading.RLock()

    def hear(self) -> bool:
        """Tell whether there was a notice since it was last asked: anybody's word."""
        with self.lock:
            driver = driver_of(self._connection)
            try:
                if self.ear is not None:
                    driver.pgconn.consume_input()
                    while driver.pgconn.notifies():
                        self._told = True
            except Exception:
                # It has ended: the next call opens another.
                self.close()
            told, self._told = self._told, False
            return told

    def again(self) -> None:
        """Ask at the next call, however lately nobody answered."""
        self._asked_again = 0.0

    def _open(self) -> Any:
        """Return the connection; one that was idle is looked at, for it may be dead."""
        if self._connection is not None and not self._is_alive():
            self.close()
        if self._connection is None:
            if time.monotonic() < self._asked_again:
                raise Away(self._why)
            began = time.monotonic()
            try:
                self._connection = prepared(self._connect())
                self._listen()
            except Exception as error:
                self._pause(began, error)
                raise
        self._used = time.monotonic()
        return self._connection

    def _listen(self) -> None:
        """Listen, unless a pooler would have others listen in our place."""
        driver = driver_of(self._connection)
        if self._channel is None or not hasattr(driver, "pgconn"):
            return
        cursor = driver.cursor()
        cursor.execute("select pg_backend_pid()")
        (pid,) = _row(["pid"], cursor.fetchone()).values()
        if pid == driver.info.backend_pid:
            driver.add_notify_handler(self._notified)
            cursor.execute(f"listen {self._channel}")
            self.ear = driver.fileno()

    def _notified(self, notice: object) -> None:
        self._told = True

    def _is_alive(self) -> bool:
        if time.monotonic() - self._used < IDLE:
            return True
        try:
            self._connection.cursor().execute("select 1")
        except Exception:
            return False
        return True

    def _pause(self, began: float, error: Exception) -> None:
        """Spare the agent the next attempts, for longer where this one took long."""
        now = time.monotonic()
        self._asked_again = now + min(max(3 * (now - began), BREAK[0]), BREAK[1])
        self._why = str(error).strip()

    def _roll_back(self) -> None:
        if self._connection is None:
            return
        try:
            self.rows("rollback")
        except Exception:
            self.close()

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Raise our own errors by their class, the driver's as they are, or Away."""
        began = time.monotonic()
        try:
            yield
        except Away:
            raise
        except Exception as error:
            if ours := _own(error):
                raise ours from error
            if self._is_away(error):
                self.close()
                if isinstance(error, TimeoutError):
                    self._pause(began, error)
                raise Away(str(error).strip()) from error
            raise
        except BaseException:
            # In the middle of an answer: what comes next would be taken for another.
            self.close()
            raise

    def _is_away(self, error: Exception) -> bool:
        """Tell whether it was the connection and not the statement that failed."""
        said = read(error)
        if said is None:
            return type(error).__module__.partition(".")[0] != "agentdb"
        # Connection and operator intervention, or a server that takes nobody more or
        # only reads; a statement that was cancelled had its answer.
        return (
            said.sqlstate[:2] in ("08", "57") and said.sqlstate != "57014"
        ) or said.sqlstate in ("25006", "53300", "53400")


def _own(error: Exception) -> AgentdbError | None:
    """Return our own error for a driver's, None where it is neither ours nor Busy."""
    said = read(error)
    if said and said.sqlstate == Busy.sqlstate:
        return Busy.of(said)
    return from_database(error)


def prepared(connection: Any) -> Any:
    """Return a connection of any driver, made ready for us and ours alone."""
    if hasattr(connection, "detach"):
        # SQLAlchemy's: given back to its pool it would commit by itself ever after.
        connection.detach()
    driver = driver_of(connection)
    driver.autocommit = True
    if hasattr(driver, "prepare_threshold"):
        driver.prepare_threshold = None
    return connection


def driver_of(connection: Any) -> Any:
    """Return the driver's own connection, where another stands for it."""
    return getattr(connection, "dbapi_connection", connection)


def _row(names: list[str], row: Any) -> Row:
    """Return a row by names, whatever the connection makes of its rows."""
    if isinstance(row, Mapping):
        return dict(row)
    return dict(zip(names, row, strict=True))
