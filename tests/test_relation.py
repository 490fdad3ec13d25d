"""Which tables a call's SQL is about: read by a parser, whatever the text is."""

from __future__ import annotations

import anyio
import pytest

from agentdb.runner.loops.failing import failing
from agentdb.verify import look
from agentdb.verify.relation import relations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from billing.invoice", ['"billing"."invoice" select']),
        ("SELECT * FROM Invoice WHERE id = %s AND x = $1", ['"invoice" select']),
        ('select from "Odd ""Name"".x"."T.b"', ['"Odd ""Name"".x"."T.b" select']),
        ("select 1; select * from a.b; delete from c.d", ['"a"."b" select', '"c"."d" delete']),
        ("update a.b set x = 1 from c", ['"a"."b" update', '"c" select']),
        ("insert into a.b (x) select y from c", ['"a"."b" insert', '"c" select']),
        ("with c as (select * from a) select * from c", ['"a" select']),
        ("with a as (select * from a) select * from A", ['"a" select']),
        ("with c as (select 1) select * from public.c", ['"public"."c" select']),
        ('with c as (select 1) select * from "C"', ['"C" select']),
        (
            "with recursive c as (select 1 union all select * from c join d on true)"
            " select * from c",
            ['"d" select'],
        ),
        ("explain analyze select * from a.b", ['"a"."b" select']),
        ("copy (select * from a) to stdout", ['"a" select']),
        ("select * from f(1)", []),
        ("select 'from secret.salary'", []),
        ("select 1 -- from secret.salary", []),
        ("select * from a /* from b */ where x in (select y from c)", ['"a" select', '"c" select']),
        ("What does the invoice from March say?", []),
        ("select * from 'unterminated", []),
    ],
)  # fmt: skip
def test_tables_are_those_that_the_statement_reads_or_writes(
    text: str, expected: list[str]
) -> None:
    assert [" ".join(pair) for pair in relations([text])] == expected


def find(*texts: str, seconds: float = 20.0) -> list[list[str]]:
    return anyio.run(lambda: look.relations(list(texts), seconds=seconds))


HURTING = {
    "deep": "select " + "(" * 9000 + "1" + ")" * 9000 + " from a",
    "nested": "select * from (" * 2000 + "select 1" + ") as x" * 2000,
    "wide": "select " + ", ".join(["x"] * 6000) + " from a",
    "strings": "select " + "'" * 9001,
    "operators": "select " + "- " * 9000 + "1",
    "nul": "select '\x00' from a",
    "surrogate": "select '\ud800' from a",
    "cases": "select " + "case when " * 1500 + "1",
}


@pytest.mark.parametrize("text", HURTING.values(), ids=HURTING)
def test_text_made_to_hurt_ends_in_an_answer_and_hides_no_other(text: str) -> None:
    assert ['"s"."t"', "select"] in find(text, "select * from s.t")


def test_parser_that_takes_too_long_is_ended() -> None:
    assert find(*[HURTING["wide"]] * 300, seconds=1.0) == []


def test_text_that_is_too_long_is_not_parsed() -> None:
    assert find("select * from s.t where " + "x = 1 or " * 20_000 + "true") == []


FOUND = [('"billing"."invoice"', "select"), ('"other"."t"', "select"), ('"u"', "update")]  # fmt: skip


@pytest.mark.parametrize(
    ("relation", "schema", "expected"),
    [
        ("invoice", None, FOUND[:1]),
        ("u", None, FOUND[2:]),
        (None, "other", FOUND[1:2]),
        (None, "nowhere", FOUND),
        (None, None, FOUND),
        ("elsewhere", None, [("elsewhere", "select")]),
    ],
)
def test_error_says_which_of_them_it_is(
    relation: str | None, schema: str | None, expected: list[tuple[str, str]]
) -> None:
    call = {"relation": relation, "schema_name": schema}
    assert failing(call, FOUND) == expected
