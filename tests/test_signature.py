"""Signatures are what their patterns say, however few of these are tried on a text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .agents import value
from .conftest import Connection

# Every pattern on every text, one after the other.
PLAIN = """
create function pg_temp.plain (value text, patterns text[]) returns bigint
language plpgsql as $$
declare
  v_text text := value;
  v_rest bigint := 0;
  v_pattern text;
begin
  if length(value) > 4000 then
    v_text := left(value, 2000) || ' ' || right(value, 2000);
    v_rest := hashtextextended(substr(value, 2001, length(value) - 4000), 0);
  end if;
  if v_text ~ '[0-9]|[iI][dD]|[kK][eE][yY]|[nN]on' then
    foreach v_pattern in array patterns loop
      v_text := regexp_replace(v_text collate "C", v_pattern, '#', 'gi');
    end loop;
  end if;
  return hashtextextended(v_text, v_rest);
end $$
"""
IDS = [
    r"\m[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\M",
    r"\m[0-9a-f]{16,}\M",
    r"""\m(request|req|trace|span|correlation)[_-]?id["' :=]+[\w.-]+""",
]
TIMES = [
    r"(\d{4}-\d\d-\d\d[t ])?\d\d:\d\d:\d\d([.,]\d+)?(z| ?[-+]\d\d:?\d\d)?",
    r"\d{4}-\d\d-\d\d[t ]\d\d:\d\dz?",
    r"\m1\d{9}(\.\d+|\d{3})?\M",
    r"\m\d+([.,]\d+)? ?(ns|us|ms|s|secs?|seconds?)\M",
    r"""\m(attempts?|retry|retries|tries|try|iteration)["' :=#_-]*\d+""",
]
NUMBERS = [r"\d+([.,:]\d+)*"]
MEMBERS = [
    r'"(request|req|trace|span|correlation|idempotency)[_-]?(id|key)": ("[^"]*"|\d+)',
    r'"(timestamp|ts|nonce|now|attempts?|retry|retries|try|iteration|request_?at)"'
    r': ("[^"]*"|[\d.]+)',
]
WORDS = st.sampled_from(
    [
        "request",
        "req",
        "trace",
        "span",
        "correlation",
        "idempotency",
        "id",
        "Id",
        "ID",
        "key",
        "KEY",
        "timestamp",
        "ts",
        "nonce",
        "now",
        "attempt",
        "attempts",
        "Attempts",
        "retry",
        "retries",
        "tries",
        "try",
        "TRY",
        "iteration",
        "request_at",
        "requestAt",
        "at",
        "on",
        "no",
        "entry",
        "ms",
        "s",
        "ns",
        "US",
        "sec",
        "secs",
        "seconds",
        "z",
        "T",
        "ok",
        "failed",
        "straße",
    ]
)
DIGITS = st.sampled_from(
    [
        "1",
        "7",
        "42",
        "123",
        "12.5",
        "1,5",
        "2026-11-30",
        "2026-11-30T10:11:12.5Z",
        "2026-11-30T10:11",
        "10:11:12",
        "10:11",
        "10:11:12+02:00",
        "1796000000",
        "1796000000123",
        "1796000000.25",
        "0123456789abcdef",
        "0123456789abcdef0",
        "123e4567-e89b-12d3-a456-426614174000",
        "123E4567-E89B-12D3-A456-426614174000",
        "+02:00",
        "-0100",
        "b7",
    ]
)
JOINTS = st.sampled_from(
    ["", " ", "  ", "_", "-", ": ", '": ', '"', "'", "=", "#", "\n"]
)
TEXT = st.lists(st.one_of(WORDS, DIGITS, JOINTS, st.text(max_size=3)), max_size=14).map(
    "".join
)
MEMBER = st.one_of(TEXT, st.integers(-5, 10**13), st.floats(0, 9, width=16), st.none())
ARGS = st.recursive(
    MEMBER, lambda part: st.dictionaries(st.one_of(WORDS, TEXT), part, max_size=4)
)
EXAMPLES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=400,
)


def stored(text: str) -> str:
    """Return the text as PostgreSQL can have it."""
    return text.replace("\0", "")


@EXAMPLES
@given(text=TEXT, many=st.sampled_from([1, 1, 1, 80, 400]))
def test_texts(db: Connection, text: str, many: int) -> None:
    text = stored(text) * many
    db.execute(PLAIN.replace("create", "create or replace", 1).encode())
    for numbers, patterns in ((False, IDS + TIMES), (True, IDS + NUMBERS)):
        same = (
            "select agentdb._signature(%s::text, %s)"
            " = pg_temp.plain(%s::text, %s::text[])"
        )
        assert value(db, same, text, numbers, text, patterns), text


@EXAMPLES
@given(args=ARGS)
def test_arguments(db: Connection, args: Any) -> None:
    given_args = stored(json.dumps(args)).replace("\\u0000", "")
    db.execute(PLAIN.replace("create", "create or replace", 1).encode())
    same = (
        "select agentdb._call_signature('get_Id', a)"
        " = pg_temp.plain('get_Id ' || a::text, %s::text[])"
        " and agentdb._shape_signature('get_Id', a)"
        " = pg_temp.plain('get_Id ' || a::text, %s::text[])"
        " from (select %s::jsonb) as j (a)"
    )
    assert value(db, same, MEMBERS, IDS + NUMBERS, given_args), args


def test_what_differs_by_itself_is_no_difference(db: Connection) -> None:
    same = "select agentdb._signature(%s::text, false) = agentdb._signature(%s::text, false)"
    assert value(db, same, "took 12 ms, attempt 2", "took 9.5 ms, attempt 31")
    assert value(db, same, "at 2026-11-30T10:11:12Z", "at 2026-12-01T00:00:00Z")
    assert not value(db, same, "row 12 of 2026-11-30", "row 12 of 2026-12-01")
    assert not value(db, same, "row 12", "row 13")
