"""What the commands print fits every terminal: nothing is cut, no number is noise."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from agentdb.terminal.layout import Section, print_table
from agentdb.value import number, shown, span, text_of

from .agents import age, evaluate
from .conftest import Connection
from .test_incident import (
    agentdb,
    billing,
    diagnose,
    dsn,
    loop,
    query,
    vault,
)
from .test_incident import number as alert_number

__all__ = ["billing", "dsn", "vault"]
WIDTHS = [40, 80, 200]
LONG = "a_column_with_a_rather_long_name"
ROWS: list[dict[str, Any]] = [
    {
        "recorded_at": datetime.fromisoformat("2026-11-22T03:08:14+00:00"),
        "run_id": 1234567,
        "lock_name": "nightly",
        "fence": 1795926899627755,
        "value": 1.79591895405,
        "age": timedelta(minutes=2, seconds=42),
        LONG: "x" * 70,
        "wide": "発注番号 四二",
        "args": {"q": "Müller & Söhne", "pages": list(range(30))},
    },
    {
        "recorded_at": None,
        "run_id": 1,
        "lock_name": "a\nb\x1b[31m",
        "fence": 2,
        "value": Decimal("0.00123"),
        "age": timedelta(0),
        LONG: None,
        "wide": "",
        "args": None,
    },
]


def squash(text: str) -> str:
    return re.sub(r"\s+", "", text)


def printed(its: list[dict[str, Any]], width: int, **given: Any) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False)
    print_table(Section("rows", "", **given), its, console)
    return out.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("below", ["", "args"])
@pytest.mark.parametrize("columns", [2, 5, 9])
def test_no_cell_and_no_header_is_cut(width: int, below: str, columns: int) -> None:
    names = [*list(ROWS[0])[:columns], "args"]
    its = [{name: row[name] for name in names} for row in ROWS]
    said = printed(its, width, below=below)
    assert not [line for line in said.splitlines() if cell_len(line.rstrip()) > width]
    assert "…" not in said and "\x1b" not in said
    cells = [text_of(v, n) for row in its for n, v in row.items() if v is not None]
    # Of what is folded within a column the parts are apart: no character is lost.
    wanted = Counter(squash("".join(cells)))
    assert not wanted - Counter(squash(said))
    for name in names:
        assert name in said or name == below, name


def test_table_that_does_not_fit_becomes_records() -> None:
    its = [{k: v for k, v in ROWS[0].items() if k != LONG}] * 2
    said = printed(its, 40)
    assert said.count("lock_name") == 2
    assert re.search(r"^fence +1795926899627755 *$", said, re.M)
    assert re.search(r"^age +2 min 42 s *$", said, re.M)
    its = [{"run_id": 1, "lock_name": "nightly"}] * 2
    assert printed(its, 40).count("lock_name") == 1


def test_table_does_without_columns_that_say_nothing() -> None:
    its = [{"run_id": 1, "instance": None, "lock_name": "nightly", "parent": None}] * 2
    assert printed(its, 40).count("instance") == 1
    said = printed(its, 20)
    assert said.count("lock_name") == 1 and "instance" not in said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.79591895405, "1.8"),
        (523443, "523,443"),
        (523443.7, "523,444"),
        (41.26, "41.3"),
        (2.0, "2"),
        (2.04, "2"),
        (0.0349, "0.035"),
        (0.1, "0.1"),
        (-0.5, "-0.5"),
        (0, "0"),
        (Decimal("0.001200"), "0.0012"),
        (Decimal("3600.0"), "3,600"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_number_has_the_digits_that_say_something(
    value: int | float | Decimal, expected: str
) -> None:
    assert number(value) == expected == shown(value)


def test_span_is_whole() -> None:
    assert span(timedelta(seconds=162.9)) == "2 min 42 s"
    assert span(timedelta(days=1, hours=2, minutes=3)) == "1 d 2 h"


@pytest.fixture
def trouble(db: Connection, dsn: str, billing: Connection, vault: None) -> None:
    """An incident with a loop, a failing tool, a lock and a diagnosis."""
    for _ in range(9):
        query(billing, "select id from vault.invoice where customer = 'Müller'")
    diagnose(dsn)
    billing.execute("select agentdb.acquire_lock('nightly', '10 minutes')")
    billing.execute("select agentdb.log_progress('a step', '{\"n\": 1}')")
    loop(billing)
    age(db, "lock", "acquired_at", "1 day")
    evaluate(db)


READING = [
    ["why", "silent_loop"],
    ["why", "lock_held_too_long"],
    ["why", "1"],
    ["why", "billing"],
    ["alerts"],
    ["runs"],
    ["locks"],
    ["timeline", "1"],
    ["outbox"],
    ["rules", "list"],
    ["rules", "explain", "silent_loop"],
]


# Where COLUMNS is 0, the width is not known.
@pytest.mark.parametrize("width", [0, *WIDTHS])
def test_reading_commands_show_all_that_their_json_has(
    db: Connection, dsn: str, trouble: None, width: int
) -> None:
    for command in READING:
        words = [
            alert_number(db, word)
            if word in ("silent_loop", "lock_held_too_long") and command[0] == "why"
            else word
            for word in command
        ]
        said = agentdb(dsn, *words, columns=width)
        answer = json.loads(agentdb(dsn, *words, "--json"))
        sections = answer.values() if isinstance(answer, dict) else [answer]
        for its in sections:
            texts = [v for row in its for v in row.values() if isinstance(v, str)]
            for text in texts:
                if not re.match(r"\d{4}-\d\d-\d\dT", text):
                    assert squash(text) in squash(said), (words, text)


def test_page_of_an_alert_has_its_commands_in_one_piece(
    db: Connection, dsn: str, trouble: None
) -> None:
    alert = alert_number(db, "lock_held_too_long")
    for width in WIDTHS:
        said = agentdb(dsn, "why", alert, columns=width).splitlines()
        assert "  agentdb lock release nightly --reason …" in said
        assert f"  agentdb resolve {alert} --reason …" in said


def test_times_say_that_they_are_utc(db: Connection, dsn: str, trouble: None) -> None:
    for words in (["alerts"], ["runs"], ["timeline", "1"]):
        said = agentdb(dsn, *words)
        assert re.search(r"\d\d-\d\d \d\d:\d\d:\d\dZ", said)
        assert said.rstrip().endswith("times are in UTC")
    card = agentdb(dsn, "why", "1")
    assert re.search(r"started_at +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", card)
    assert "UTC" not in agentdb(dsn, "silences")
    for words in (["alerts"], ["runs"], ["timeline", "1"], ["locks"]):
        for each in json.loads(agentdb(dsn, *words, "--json")):
            times = [
                each[name] for name in ("at", "since", "started_at") if name in each
            ]
            assert all(datetime.fromisoformat(at).tzinfo for at in times)
