"""Asks people and waits for their answer."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from ..redaction import Redaction

# How long to sleep between two looks, at first and at most.
FIRST, LONGEST = 0.5, 5.0

ASK = """
select question_id
from agentdb.ask_human(
  question => %s::text, options => %s::jsonb, urgency => %s::text, run => %s::bigint
)
"""
LOOK = """
select state, answer, comment, answered_by
from agentdb.answer_of(question => %s::bigint, run => %s::bigint)
"""


@dataclass(frozen=True)
class Answer:
    """What became of a question: `state` is open, answered or closed."""

    question: int
    state: str
    answer: str | None
    comment: str | None
    answered_by: str | None


def ask_human(
    connection: psycopg.Connection,
    question: str,
    *,
    options: Sequence[str] | None = None,
    urgency: str = "normal",
    timeout: float = 3600,
    run: int | None = None,
    redaction: Redaction | None = None,
) -> Answer:
    """Ask, and return the answer, or the open question when the time is over.

    What looks like a secret is blanked out before it is sent.

    The connection must be in autocommit mode: in a transaction nobody would see
    the question.  An answer that comes later is read by `wait_for_answer`.
    """
    if not connection.autocommit:
        raise ValueError("ask_human needs a connection in autocommit mode")
    hide = redaction or Redaction.from_env()
    given = None if options is None else json.dumps(hide.value(list(options)))
    asked = [hide.text(question), given, urgency, run]
    row = connection.execute(ASK, asked).fetchone()
    assert row is not None
    return wait_for_answer(connection, row[0], timeout=timeout, run=run)


def wait_for_answer(
    connection: psycopg.Connection,
    question: int,
    *,
    timeout: float = 3600,
    run: int | None = None,
) -> Answer:
    """Return the answer as soon as there is one, or the last look at the question."""
    end, pause = time.monotonic() + timeout, FIRST
    while True:
        row = connection.execute(LOOK, [question, run]).fetchone()
        assert row is not None
        found = Answer(question, *row)
        left = end - time.monotonic()
        if found.state != "open" or left <= 0:
            return found
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST)
