"""What people on call do: acknowledge, silence, answer, and see to the outbox."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg

from ..waking import MESSAGES
from .wake import wake

if TYPE_CHECKING:
    from typing_extensions import LiteralString

ACKNOWLEDGE: dict[str, LiteralString] = {
    "alert": "select count(*) from agentdb.acknowledge_alert("
    "%s::bigint, %s::text, %s::text::interval)",
    "group": "select agentdb.acknowledge_group("
    "%s::bigint, %s::text, %s::text::interval)",
}
UNACKNOWLEDGE: dict[str, LiteralString] = {
    "alert": "select agentdb.unacknowledge_alert(%s::bigint)::integer",
    "group": "select agentdb.unacknowledge_group(%s::bigint)",
}
RESOLVE: dict[str, LiteralString] = {
    "alert": "select count(*) from agentdb.resolve_alert(%s::bigint, %s::text)",
    "group": "select agentdb.resolve_group(%s::bigint, %s::text)",
}
SILENCE = """
select silence_id, ends_at, alerts
from agentdb.silence_alerts(%s::text, %s::text::interval, %s::text)
"""
END_SILENCE = "select alerts from agentdb.end_silence(%s::bigint)"
ANSWER = """
select run_id, agent_name
from agentdb.answer_question(%s::bigint, %s::text, %s::text)
"""
ADOPT = "select agentdb.adopt(%s::text)"
RETRY = "select agentdb.retry_notification(%s::bigint)"
DROP = "select agentdb.drop_notification(%s::bigint)"
RECEIVERS = """
select receiver_name from agentdb.receiver where enabled order by receiver_name
"""
TEST = "select agentdb.test_receiver(%s::text)"
STATE = """
select state, error from agentdb.notification where notification_id = %s::bigint
"""
RUNNER = """
select detail from agentdb.health_check where check_name = 'runner' and state <> 'ok'
"""
LOOK_EVERY = 0.2


def acknowledge(
    dsn: str, kind: str, number: int, *, comment: str, lasts: str | None = None
) -> int:
    """Acknowledge an alert or a group; return how many alerts that is."""
    return int(_call(dsn, ACKNOWLEDGE[kind], number, comment, lasts)[0])


def unacknowledge(dsn: str, kind: str, number: int) -> int:
    """Take acknowledgements back; return how many there were."""
    return int(_call(dsn, UNACKNOWLEDGE[kind], number)[0])


def resolve(dsn: str, kind: str, number: int, *, reason: str) -> int:
    """End an alert or those of a group; return how many alerts that is."""
    return int(_call(dsn, RESOLVE[kind], number, reason)[0])


def silence(
    dsn: str,
    matchers: str,
    *,
    lasts: str,
    comment: str,
    warn: Callable[[str], None] | None = None,
) -> tuple[int, datetime, int]:
    """Make a silence; return its number, its end, and how many alerts fire under it."""
    number, ends, alerts = _call(dsn, SILENCE, matchers, lasts, comment, warn=warn)
    return number, ends, alerts


def end_silence(dsn: str, number: int) -> int:
    """End a silence; return how many alerts fired under it."""
    return int(_call(dsn, END_SILENCE, number)[0])


def answer(
    dsn: str, number: int, *, answer: str, comment: str | None = None
) -> tuple[int, str]:
    """Answer a question; return the run and the agent that asked."""
    run, agent = _call(dsn, ANSWER, number, answer, comment)
    return run, agent


def adopt(dsn: str, site: str) -> int:
    """Make it an installation of its own; return how many messages were dropped."""
    return int(_call(dsn, ADOPT, site)[0])


def retry(dsn: str, number: int) -> None:
    """Queue a dead message again."""
    _call(dsn, RETRY, number)


def drop(dsn: str, number: int) -> None:
    """Drop a message."""
    _call(dsn, DROP, number)


def receivers(dsn: str) -> list[str]:
    """Return the receivers that are switched on."""
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        return [name for (name,) in connection.execute(RECEIVERS)]


def runner_trouble(dsn: str) -> str | None:
    """Return why runners send nothing, as `agentdb status` has it."""
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        return next((why for (why,) in connection.execute(RUNNER)), None)


def try_receiver(
    dsn: str, receiver: str, *, wait: float = 30
) -> tuple[int, str, str | None]:
    """Send a test; return its number, and its state and error once that is decided."""
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        row = connection.execute(TEST, [receiver]).fetchone()
        assert row is not None
        wake(connection, MESSAGES)
        end = time.monotonic() + wait
        while True:
            found = connection.execute(STATE, [row[0]]).fetchone()
            assert found is not None
            if found[0] != "queued" or time.monotonic() >= end:
                return row[0], found[0], found[1]
            time.sleep(LOOK_EVERY)


def _call(
    dsn: str,
    statement: LiteralString,
    *values: object,
    warn: Callable[[str], None] | None = None,
) -> tuple[Any, ...]:
    """Return the one row of a call, in a transaction of its own."""
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        if warn is not None:
            connection.add_notice_handler(lambda said: warn(_warning(said)))
        row = connection.execute(statement, values).fetchone()
        wake(connection, MESSAGES)
    assert row is not None
    return row


def _warning(said: psycopg.errors.Diagnostic) -> str:
    """Return a warning of the database with what it suggests."""
    hint = said.message_hint
    return f"{said.message_primary}{f' ({hint})' if hint else ''}"
