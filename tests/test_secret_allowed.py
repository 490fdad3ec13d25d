"""A row of the database has the runner read what its configuration lists, and no more."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agentdb.channels import Channels
from agentdb.secret.allowed import Allowed
from agentdb.secret.refused import Refused

from .delivery import CANARY, NOTIFICATION
from .scene import Scene, until

HOOKS = "https://hooks.example/agentdb"


def errors(scene: Scene) -> str:
    """Return what the messages that could not be sent say."""
    query = "select string_agg(n.error, ' ') from agentdb.notification as n"
    return str(scene.value(query))


@pytest.mark.parametrize("channel", ["alertmanager", "pagerduty", "webhook"])
@pytest.mark.parametrize("kind", ["env", "file"])
def test_unlisted_secret_is_neither_read_nor_sent(
    scene: Scene, tmp_path: Path, channel: str, kind: str
) -> None:
    (tmp_path / "key").write_text(CANARY)
    reference = "env:KEY" if kind == "env" else f"file:{tmp_path}/key"
    scene.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target, secret_ref)"
        " values ('theirs', %s, %s, %s)",
        [channel, scene.sink.url(), reference],
    )
    scene.trouble()
    environment = {"KEY": CANARY, "AGENTDB_SECRETS": "env:ANOTHER"}
    runner = scene.start(environment=environment)
    until(lambda: scene.states().get("dead") == 1)
    assert runner.stop() == 0
    assert scene.sink.received() == []
    assert f"{reference} is not listed in [secrets]" in errors(scene)


def test_unlisted_address_is_not_read(scene: Scene) -> None:
    scene.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target)"
        " values ('theirs', 'webhook', 'env:ADDRESS')"
    )
    scene.trouble()
    runner = scene.start(environment={"ADDRESS": scene.sink.url()})
    until(lambda: scene.states().get("dead") == 1)
    assert runner.stop() == 0
    assert scene.sink.received() == []


def test_secret_goes_where_the_configuration_says(scene: Scene) -> None:
    for name, mode in (("ours", "ok"), ("theirs", "404")):
        scene.db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target, secret_ref)"
            " values (%s, 'webhook', %s, 'env:KEY')",
            [name, scene.sink.url(mode)],
        )
    scene.trouble()
    runner = scene.start_configured(
        f"[secrets]\n'env:KEY' = ['{scene.sink.url('ok')}']\n", KEY=CANARY
    )
    until(lambda: {"sent", "dead"} <= scene.states().keys())
    assert runner.stop() == 0
    assert len(scene.sink.received()) == len(scene.sink.received("ok")) == 1
    assert "may not be sent to the target" in errors(scene)


@pytest.mark.parametrize(
    "target",
    [HOOKS, f"{HOOKS}/team", f"{HOOKS}?team=1", f"{HOOKS}/"],
)
def test_target_below_a_listed_address_is_meant(target: str) -> None:
    Allowed({"env:KEY": [HOOKS]}).check(target, "env:KEY")


@pytest.mark.parametrize(
    "target",
    [
        "https://hooks.example.org/agentdb",
        "https://hooks.example/agentdbx",
        "https://hooks.example/agentdb@evil.example/",
        "https://hooks.example/agentdb/../other",
        "https://hooks.example/agentdb/%2e%2E/other",
        "https://hooks.example/agentdb/.%252e/other",
        "https://hooks.example/agentdb/..\\other",
        "http://hooks.example/agentdb",
        "https://HOOKS.example/other",
        "https://evil.example/?https://hooks.example/agentdb",
    ],
)
def test_target_that_only_looks_like_it_is_not(target: str) -> None:
    with pytest.raises(Refused, match="may not be sent"):
        Allowed({"env:KEY": [HOOKS]}).check(target, "env:KEY")


def test_secret_of_one_place_is_no_address_and_no_key_of_another() -> None:
    """A receiver without a target takes its secret for an address, or for a key."""
    allowed = Allowed({"env:SMTP": [HOOKS], "env:CHAT": ["*"]})
    allowed.check(None, "env:CHAT")
    with pytest.raises(Refused, match="may not be sent"):
        allowed.check(None, "env:SMTP")


@pytest.mark.parametrize(
    ("channel", "target"),
    [
        ("pagerduty", None),
        ("apprise", None),
        ("email", "smtp://u@mail.example/?from=a@b&to=c@d&tls=no"),
    ],
)
def test_password_of_a_mail_server_stays_with_it(
    monkeypatch: pytest.MonkeyPatch, channel: str, target: str | None
) -> None:
    monkeypatch.setenv("SMTP", CANARY)
    allowed = {"env:SMTP": ["smtp://u@mail.example/"]}
    given = replace(NOTIFICATION, channel=channel, target=target, secret_ref="env:SMTP")
    outcome = asyncio.run(Channels(secrets=allowed).deliver(given, deadline=5))
    assert outcome.permanent and outcome.error
    assert "may not be sent" in outcome.error or "in clear" in outcome.error


def test_doctor_reads_no_more_than_a_runner(scene: Scene) -> None:
    from agentdb.admin.doctor import findings

    os.environ["AGENTDB_TEST_ADDRESS"] = "https://127.0.0.1:1/"
    scene.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target)"
        " values ('theirs', 'webhook', 'env:AGENTDB_TEST_ADDRESS')"
    )
    told = {f.check_name: f.detail for f in findings(scene.dsn)}
    assert "is not listed" in told["receiver theirs"]
    listed = {"env:AGENTDB_TEST_ADDRESS": ["*"]}
    told = {f.check_name: f.detail for f in findings(scene.dsn, secrets=listed)}
    assert "cannot be reached" in told["receiver theirs"]


def test_check_of_the_configuration_says_what_may_go_where(tmp_path: Path) -> None:
    file = tmp_path / "agentdb.toml"
    file.write_text(f"[secrets]\n'env:KEY' = '{HOOKS}'\n'env:CHAT' = '*'\n")
    command = [sys.executable, "-m", "agentdb", "config", "check", "--dsn", "dbname=x"]
    done = subprocess.run(
        [*command, "--config", str(file)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "KEY": "k", "CHAT": "c"},
    )
    assert f"secrets: env:CHAT (anywhere), env:KEY ({HOOKS})" in done.stdout
