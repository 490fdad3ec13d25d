"""Channels by name, references to secrets, and standard output."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agentdb.channels import Outcome
from agentdb.channels.alertmanager import alert
from agentdb.channels.text import lines

from .delivery import CANARY, LONG, NOTIFICATION, SHORT, deliver, send
from .sink import Sink


def test_secret_and_target_may_be_files(sink: Sink, tmp_path: Path) -> None:
    target, secret = tmp_path / "target", tmp_path / "secret"
    target.write_text(sink.url() + "\n")
    secret.write_text(CANARY + "\n")
    assert deliver(f"file:{target}", secret=f"file:{secret}") == Outcome(200)
    assert "Agentdb-Signature" in sink.received()[0].headers


def test_target_may_be_in_the_environment(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_URL", sink.url())
    assert deliver("env:HOOK_URL") == Outcome(200)


@pytest.mark.parametrize("secret", ["env:MISSING_SECRET", "file:/no/such/file"])
def test_missing_secret_is_named_and_nothing_is_sent(sink: Sink, secret: str) -> None:
    outcome = deliver(sink.url(), secret=secret)
    assert outcome.error and secret in outcome.error and outcome.permanent
    assert not sink.received()


def test_secret_in_place_of_a_reference_is_not_repeated(sink: Sink) -> None:
    outcome = deliver(sink.url(), secret=CANARY)
    assert outcome.error and CANARY not in outcome.error and outcome.permanent


def test_fifo_for_a_secret_does_not_block(sink: Sink, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    outcome = deliver(sink.url(), secret=f"file:{tmp_path}/fifo")
    assert outcome.error and "not a regular file" in outcome.error


def test_unknown_channel_is_permanent() -> None:
    outcome = send(replace(NOTIFICATION, channel="pigeon"))
    assert outcome == Outcome(
        error="this release has no channel pigeon", permanent=True
    )


def test_stdout_is_one_json_object_a_line() -> None:
    stream = io.StringIO()
    notification = replace(NOTIFICATION, channel="stdout")
    assert send(notification, notification, stream=stream) == Outcome()
    said = stream.getvalue().splitlines()
    assert [json.loads(line) for line in said] == 2 * [
        {
            "receiver": "team",
            "idempotency_key": str(NOTIFICATION.idempotency_key),
            "attempt": 2,
            **NOTIFICATION.payload,
        }
    ]
    assert stream.getvalue().isascii()


def test_stdout_on_a_terminal_is_the_message_that_people_read() -> None:
    terminal, end = os.openpty()
    program = (
        "import asyncio; from dataclasses import replace;"
        "from agentdb.channels import Channels;"
        "from tests.delivery import NOTIFICATION;"
        "asyncio.run(Channels().deliver(replace(NOTIFICATION, channel='stdout'),"
        f" deadline={LONG}))"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        stdout=end,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    os.close(end)
    said = os.read(terminal, 10_000).decode().replace("\r", "")
    os.close(terminal)
    assert said == "\n".join(lines(NOTIFICATION.payload)) + "\n\n"


STDOUT = """
import asyncio, sys
from agentdb.channels import Channels
from tests.delivery import NOTIFICATION, replace

async def until_it_fails(deadline):
    channels = Channels()
    notification = replace(NOTIFICATION, channel="stdout")
    while not (await channels.deliver(notification, deadline=deadline)).error:
        pass
    outcome = await channels.deliver(notification, deadline=deadline)
    print(outcome.error, file=sys.stderr)
    await channels.close()

asyncio.run(until_it_fails(float(sys.argv[1])))
"""


def _child(deadline: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STDOUT, str(deadline)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_broken_pipe_is_a_failure_and_no_more() -> None:
    with _child(LONG) as child:
        assert child.stdout and child.stderr
        child.stdout.close()
        assert child.stderr.read() == "nobody reads standard output any more\n"
    assert child.returncode == 0


def test_reader_that_stops_reading_holds_up_nothing_else() -> None:
    with _child(SHORT) as child:
        assert child.stdout and child.stderr
        assert child.stderr.readline() == "not delivered within 0.5 s\n"
        assert child.wait(LONG) == 0


def test_digest_is_read_at_a_glance_whatever_agents_are_called() -> None:
    changes = [
        f"{n} runs, 0 the day before: @all{'x' * n}\n\u202e" for n in range(9, 900, 50)
    ]
    payload = {"kind": "digest", "rule": "digest", "severity": "info",
               "summary": "the day until 2026-12-01 08:00 UTC", "changes": changes}  # fmt: skip
    said = lines(payload)
    assert len(said) == 2 + 8 + 1
    assert said[2].startswith("9 runs, 0 the day before: \uff20all")
    assert max(len(each) for each in said) <= 160
    assert all(each.isprintable() for each in said)
    assert said[-1] == f"and {len(changes) - 8} more: agentdb digest"


def test_alertmanager_gets_text_that_nobodys_software_acts_upon() -> None:
    payload = {
        "labels": {"agent": "<!channel>"},
        "summary": "@here https://evil.example",
        "next": ["agentdb why A-1", 7, None],
    }
    found = alert(replace(NOTIFICATION, payload=payload))
    assert not any(sign in json.dumps(found) for sign in ("@", "<", "://"))
    assert found["annotations"]["next"] == "agentdb why A-1\n7\nNone"


def test_address_of_two_lines_is_refused_for_good() -> None:
    target = "smtp://127.0.0.1:1/?from=a@b%0ABcc:x@y&to=c@d&tls=no"
    outcome = send(replace(NOTIFICATION, channel="email", target=target))
    assert outcome.permanent and "the target is not like" in (outcome.error or "")
