"""Redaction finds a secret wherever it hides, spares nobody's arguments, and ends."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
from collections import OrderedDict, namedtuple
from enum import IntEnum
from pathlib import Path
from typing import Any

import pydantic
import pytest

from agentdb.client import Redaction
from agentdb.plain import DEEPEST, PARTS
from agentdb.redaction import FORMS, INSTEAD

from .planted import BODY

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


@dataclasses.dataclass
class Login:
    user: str
    password: str


class Model(pydantic.BaseModel):
    note: str
    api_key: str
    login: dict[str, str]


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


Pair = namedtuple("Pair", ["user", "secret"])

HIDDEN: list[Any] = [
    KEY,
    KEY.encode(),
    bytearray(KEY.encode()),
    {KEY: 1},
    {KEY.encode(): 1},
    {(1, KEY): 1},
    [[[KEY]]],
    (KEY, {KEY}),
    frozenset([KEY]),
    OrderedDict(a=[{"b": KEY}]),
    ValueError(f"refused {KEY}"),
    Path("/") / KEY,
    Login("ada", "plain1234"),
    [Login("ada", "plain1234")],
    Model(note=KEY, api_key="plain1234", login={"password": "plain1234"}),
    Pair("ada", "plain1234"),
    {"a": {"Authorization": "plain1234"}},
    {"PASSWORD": ["plain1234"]},
    json.dumps({"text": f"first line\n{KEY}"}),
    json.dumps(json.dumps({"password": "plain1234"})),
    "host=db user=app password=plain1234 dbname=x",
    "https://x.example/?a=1&api_key=plain1234&b=2",
    "export AWS_SECRET_ACCESS_KEY=plain1234",
    f"MY_{KEY}",
    f"'{KEY}'",
    "\\u003c" + KEY,
]


@pytest.mark.parametrize("place", range(len(HIDDEN)))
def test_secret_is_found_wherever_it_is(place: int) -> None:
    shown = json.dumps(Redaction().value(HIDDEN[place]))
    assert KEY not in shown
    assert "plain1234" not in shown
    assert INSTEAD in shown


def test_secret_is_found_at_any_depth() -> None:
    for depth in (1, DEEPEST - 1, DEEPEST, DEEPEST + 1, 3 * DEEPEST):
        value: Any = {"k": KEY, "password": "plain1234"}
        for _ in range(depth):
            value = [value]
        shown = json.dumps(Redaction().value(value))
        assert KEY not in shown
        assert "plain1234" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "the tokens: 5000 of 6000",
        "passive income: 4000",
        "key value store",
        "https://db.example:5432/path",
        "task-force sk-1",
        "secretary: Ada Lovelace",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redaction().text(text) == text


def test_what_can_be_read_once_is_not_read() -> None:
    read = iter([1, 2, 3])
    endless = itertools.count()
    kept = Redaction().value({"read": read, "endless": endless})
    assert list(read) == [1, 2, 3]
    assert next(endless) == 0
    assert "iterator" in kept["read"]


def test_whatever_an_argument_is_it_becomes_json() -> None:
    class Level(IntEnum):
        HIGH = 3

    itself: list[Any] = []
    itself += [itself, {"again": itself}]
    values = {
        "nan": float("nan"), "inf": float("-inf"), "big": 10**5000, "set": {2, 1},
        "when": dt.datetime(2026, 11, 29), "broken": Broken(), "level": Level.HIGH,
        "itself": itself, "type": Login, "function": len, "bytes": b"\xff\x00",
        "range": range(3), None: 1, 1.5: True,
    }  # fmt: skip
    kept = Redaction().value(values)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert kept["nan"] == "nan"
    assert kept["set"] == [1, 2]
    assert kept["level"] == 3
    assert kept["itself"] == ["[itself]", {"again": "[itself]"}]


def test_value_that_grows_out_of_all_bounds_is_cut() -> None:
    """Ten in ten in ten … : a few hundred bytes in memory."""
    value: list[Any] = [1]
    for _ in range(20):
        value = [value] * 10
    assert json.dumps(Redaction().value(value)).count("1") <= PARTS
    assert len(Redaction().value([0] * (2 * PARTS))) <= PARTS + 1


def test_same_value_is_the_same_each_time() -> None:
    """Or a call that is repeated would look like another."""
    first, second = (Redaction().value({"on": object(), "s": {"b", "a"}}) for _ in "12")
    assert first == second


def test_value_is_a_copy() -> None:
    value = {"list": [1]}
    kept = Redaction().value(value)
    value["list"].append(2)
    assert kept == {"list": [1]}


PIECES = [
    *(hint for hints, _ in FORMS for hint in hints),
    "eyJaaaaaaaa.", "-eyJaaaaaaaa", "eyJaaaaaaaa.eyJ", "-sk-", "_ghp_a", "-SG.",
    "SG.aaaaaaaaaaaaaaaa.", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "://a:",
    "password", "password=", "password  =  ", "password    ", 'pwd\\"', "a", " ", "\\",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_text_is_read_in_one_go(piece: str) -> None:
    """A form that begins again at each place would take hours for it."""
    text = piece * (1_000_000 // len(piece))
    for before in ("", "eyJ", "://x:", "password", "-----BEGIN "):
        assert Redaction().text(before + text + "end").endswith(("end", INSTEAD))


def test_own_patterns_are_each_their_own() -> None:
    redaction = Redaction((r"A\d+", r"(?i:b)\d+"))
    assert redaction.text("A1 b2 B3 a4") == f"{INSTEAD} {INSTEAD} {INSTEAD} a4"


# As HTTP, addresses, consoles and other services write them.
OTHERWISE = {
    "a header by its dash": {"X-Api-Key": BODY},
    "a list of headers": {"headers": [["x-api-key", BODY], ("Cookie", BODY)]},
    "a named field": [{"name": "password", "value": BODY}, {"key": "api-key", "value": BODY}],
    "several": {"passwords": [BODY], "auth": BODY},
    "a header as text": f"X-Api-Key: {BODY}\nx-auth-token: {BODY}",
    "another case": f"AUTHORIZATION: BEARER {BODY}",
    "a tab": f"Bearer\t{BODY}",
    "an address with a token": f"https://x.example/y?a=1&token={BODY}&b=2",
    "a signed address": f"https://x.example/y?X-Amz-Signature={BODY}",
    "a password with an at": f"postgresql://u:p@s{BODY}@db/x",
    "a chat's address": f"https://hooks.slack.com/services/T0000/B0000/{BODY}",
    "another chat's": f"https://discord.com/api/webhooks/123456789012/{BODY}",
    "a bot": f"12345678:AA{BODY}x",
    "a storage account": f"AccountName=x;AccountKey={BODY}==;",
    "an element": f"<password>{BODY}</password>",
    "PGP": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{BODY}\n-----END PGP PRIVATE KEY BLOCK-----",
    "another provider": f"gsk_{BODY} xai-{BODY} pplx-{BODY}",
}  # fmt: skip


@pytest.mark.parametrize("form", OTHERWISE)
def test_forms_that_a_key_takes_elsewhere(form: str) -> None:
    assert BODY not in json.dumps(Redaction().value({"said": OTHERWISE[form]}))


@pytest.mark.parametrize(
    "said",
    [
        {"name": "key", "values": [1, 2]}, ["token", 3], {"key": "invoice", "value": "7"},
        "the key=4711 of a row", "passwords must be longer than 8", "a > b",
        {"input_tokens": 5, "primary_key": "id"}, "https://x.example/?key=id",
        "mail a:b@c.example", [["name", "Ann"], ["city", "Bern"]],
    ],
)  # fmt: skip
def test_words_stay(said: Any) -> None:
    shown = Redaction().value(said)
    assert shown == said or said == ["token", 3]
