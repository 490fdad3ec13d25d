"""What comes from outside the database: a file, a client, a server, a message.

Whatever it is, it is refused with the error that is ours, or passed on as it came; what
a person reads of it has nothing in it that a terminal or a chat service acts upon.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentdb import Agent
from agentdb.channels.text import lines, subject
from agentdb.client import Run
from agentdb.config import Config, Misconfigured, read
from agentdb.mcp.gateway import Gateway

from ..conftest import Connection
from ..servers import Server
from .test_fuzz import TIMES

QUICK = settings(
    max_examples=200 * TIMES,
    derandomize=TIMES == 1,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=12,
)
SECTIONS = (
    "databases", "runner", "fallback", "health", "ping", "seal", "log", "verify", "exec",
    "secrets", "rate", "rate.team", "exec.ticket", "no such",
)  # fmt: skip
KEYS = (
    "name", "poll", "lease", "deadline", "slots", "channel", "target", "address", "url",
    "every", "file", "format", "argv", "burst", "roots", "'env:KEY'", "x",
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=20).map(json.dumps),
    st.integers().map(str),
    st.sampled_from(
        ["nan", "inf", "-1", "0", "true", "[]", "{}", "['x']", "1979-05-27"]
    ),
)


@QUICK
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SECTIONS),
            st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
        ),
        max_size=4,
    )
)
def test_file_of_the_runner_is_read_or_refused(
    tmp_path: Path, sections: list[tuple[str, dict[str, str]]]
) -> None:
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for name, keys in sections
    )
    _read(tmp_path, text.encode(errors="replace"))


@QUICK
@given(st.binary(max_size=200))
@example(b"\xff\xfe[\x00")
@example(b"[" * 5000)
def test_file_of_any_bytes_is_refused(tmp_path: Path, data: bytes) -> None:
    _read(tmp_path, data)


def _read(place: Path, data: bytes) -> None:
    file = place / "agentdb.toml"
    file.write_bytes(data)
    try:
        found = read(file, dsn="dbname=x", environment={})
    except Misconfigured as error:
        assert str(error).startswith(str(file))
    else:
        assert isinstance(found, Config)


@pytest.fixture(scope="module")
def run(server: Server, admin: Connection, scenery: str) -> Iterator[Run]:
    """The run of an agent, whose calls a gateway records."""
    from ..conftest import create_database, drop_database

    name = f"{scenery}_outside"
    create_database(admin, name, scenery)
    agent = Agent(server.dsn(database=name, user="agent_a"))
    with agent.run("fuzzed") as run:
        yield run
    drop_database(admin, name)


CALL = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": JSON,
        "method": st.sampled_from(["tools/call", "x"]),
    },
    optional={
        "params": JSON | st.fixed_dictionaries({"name": JSON, "arguments": JSON})
    },
)
ANSWER = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": JSON},
    optional={"result": JSON, "error": JSON | st.fixed_dictionaries({"message": JSON})},
)


@QUICK
@given(
    st.lists(
        st.one_of(
            st.tuples(st.booleans(), st.one_of(CALL, ANSWER, JSON, st.lists(CALL))).map(
                lambda pair: (pair[0], json.dumps(pair[1]).encode())
            ),
            st.tuples(st.booleans(), st.binary(max_size=60)),
        ),
        max_size=6,
    )
)
def test_gateway_lives_through_any_message(
    run: Run, messages: list[tuple[bool, bytes]]
) -> None:
    gateway = Gateway(run)
    for of_client, data in messages:
        if of_client:
            answer = gateway.from_client(data)
            assert answer is None or json.loads(answer)
        else:
            gateway.from_server(data)
    gateway.closed("the test is over")


TEXT = st.text(max_size=60)


@QUICK
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **{name: TEXT for name in ("kind", "rule", "severity", "summary", "was")},
            "alert": st.integers(),
            "group": TEXT,
            "labels": st.dictionaries(TEXT, TEXT, max_size=4),
            "next": st.lists(TEXT, max_size=4),
        },
    )
)
def test_message_has_nothing_that_anything_acts_upon(payload: dict[str, Any]) -> None:
    for line in [subject(payload), *lines(payload)]:
        assert not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs"}
        assert "@" not in line and "<" not in line and "://" not in line
