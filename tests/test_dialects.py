"""Channels that speak others' dialects, each against a real server or program."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from agentdb.channels import Channels, Notification, Outcome
from agentdb.channels.text import lines, plain, subject

from .agents import refusal, value
from .conftest import Connection
from .delivery import CANARY, LONG, NOTIFICATION, named
from .sink import Sink

CERTIFICATE = Path(__file__).with_name("localhost.pem")
PAYLOAD = {
    "version": 1,
    "kind": "firing",
    "alert": 41,
    "rule": "no_progress",
    "severity": "critical",
    "labels": {"run": "12", "agent": "billing"},
    "summary": "billing reached no step for 16 min; the limit is 15 min",
    "since": "2026-11-22T03:08:00Z",
    "next": ["agentdb why A-41", "agentdb timeline 12"],
}
FIRING = replace(NOTIFICATION, payload=PAYLOAD, dedup_key="agentdb/shop/A-41")
RESOLVED = replace(FIRING, kind="resolved", payload={**PAYLOAD, "kind": "resolved"})


def deliver(
    notification: Notification,
    *,
    deadline: float = LONG,
    programs: dict[str, list[str]] | None = None,
) -> Outcome:
    """Try once to deliver."""

    async def once() -> Outcome:
        channels = Channels(programs=programs, secrets=named(notification))
        try:
            return await channels.deliver(notification, deadline=deadline)
        finally:
            await channels.close()

    return anyio.run(once)


def test_message_says_who_what_since_when_and_what_next() -> None:
    assert lines(PAYLOAD) == [
        "[CRIT] no_progress A-41 agent=billing run=12",
        "billing reached no step for 16 min; the limit is 15 min, "
        "since 2026-11-22 03:08 UTC",
        "next: agentdb why A-41",
        "next: agentdb timeline 12",
    ]
    assert subject(RESOLVED.payload).startswith("[RESOLVED] no_progress")


@pytest.mark.parametrize(
    ("evil", "harmless"),
    [
        ("@channel <!here>", "\uff20channel \u2039!here\u203a"),
        ("see https://evil.example", "see https[:]//evil.example"),
        ("www.evil.example", "www[.]evil.example"),
        ("WWW.evil.example", "WWW[.]evil.example"),
        ("a\r\nBcc: all", "a Bcc: all"),
        ("\u202egnp.exe\u2066", "\ufffdgnp.exe\ufffd"),
        ("\x1b[2J\x07\x00", "\ufffd[2J\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
        ("x" * 400, "x" * 299 + "\u2026"),
        (None, "None"),
    ],
)
def test_text_of_agents_neither_mentions_nor_links_nor_hides(
    evil: object, harmless: str
) -> None:
    assert plain(evil) == harmless
    assert plain(harmless) == harmless


def test_alertmanager_is_pushed_and_the_same_labels_resolve(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AM_TOKEN", CANARY)
    base = sink.url().removesuffix("/ok")
    for each in (FIRING, RESOLVED):
        given = replace(
            each, channel="alertmanager", target=base, secret_ref="env:AM_TOKEN"
        )
        assert deliver(given) == Outcome(200)
    firing, resolved = (r.payload[0] for r in sink.received())
    assert firing["labels"] == resolved["labels"]
    assert firing["labels"]["alertname"] == "no_progress"
    assert firing["labels"]["agent"] == "billing"
    assert firing["annotations"]["summary"] == PAYLOAD["summary"]
    assert firing["startsAt"] == PAYLOAD["since"]
    assert firing["endsAt"] > resolved["endsAt"]
    request = sink.received()[0]
    assert request.path == "/api/v2/alerts"
    assert request.headers["Authorization"] == f"Bearer {CANARY}"


def test_pagerduty_opens_and_resolves_one_incident(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PD_KEY", CANARY)
    for each in (FIRING, replace(FIRING, kind="acknowledged"), RESOLVED):
        given = replace(
            each, channel="pagerduty", target=sink.url(), secret_ref="env:PD_KEY"
        )
        assert deliver(given) == Outcome(200)
    events = [request.payload for request in sink.received()]
    assert [event["event_action"] for event in events] == [
        "trigger",
        "acknowledge",
        "resolve",
    ]
    assert {event["dedup_key"] for event in events} == {"agentdb/shop/A-41"}
    assert {event["routing_key"] for event in events} == {CANARY}
    assert events[0]["payload"]["severity"] == "critical"
    assert "no step for 16 min" in events[0]["payload"]["summary"]


def test_pagerduty_without_a_key_is_refused_and_sends_nothing(sink: Sink) -> None:
    outcome = deliver(replace(FIRING, channel="pagerduty", target=sink.url()))
    assert outcome.permanent and outcome.error and "routing key" in outcome.error
    assert not sink.received()


class Box:
    """Takes mail, or refuses it as the recipient's name says."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        name = address.partition("@")[0]
        if name.isdigit():
            return f"{name} {CANARY}"
        if name == "hang":
            await anyio.sleep(LONG)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data.password == CANARY.encode(), handled=False)


@pytest.fixture
def box() -> Iterator[tuple[Box, str]]:
    """A mail server that wants STARTTLS and a login."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    box = Box()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        authenticator=_authenticate,
        auth_required=True,
    )
    controller.start()
    yield box, f"smtp://bot@localhost:{port}/?from=agentdb@localhost&to="
    controller.stop()


def mail(target: str, secret: str | None = "env:SMTP_PASSWORD") -> Notification:
    return replace(FIRING, channel="email", target=target, secret_ref=secret)


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the certificate of the server, and know its password."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("SMTP_PASSWORD", CANARY)


@pytest.mark.usefixtures("trusted")
def test_mail_is_sent_over_tls_and_threads_by_alert(box: tuple[Box, str]) -> None:
    received, target = box
    assert deliver(mail(target + "team@localhost&to=two@localhost")) == Outcome(250)
    assert deliver(
        replace(
            RESOLVED,
            channel="email",
            target=target + "team@localhost",
            secret_ref="env:SMTP_PASSWORD",
        )
    ) == Outcome(250)
    first, second = received.mails
    assert first["Subject"] == "[CRIT] no_progress A-41 agent=billing run=12"
    assert first["To"] == "team@localhost, two@localhost"
    assert first["Message-ID"] == f"<{FIRING.idempotency_key}@agentdb>"
    assert first["References"] == second["References"]
    assert "next: agentdb why A-41" in first.get_payload()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("code", "permanent"), [("550", True), ("450", False)])
def test_refused_mail_is_judged_by_its_code(
    box: tuple[Box, str], code: str, permanent: bool
) -> None:
    outcome = deliver(mail(f"{box[1]}{code}@localhost"))
    assert (outcome.permanent, outcome.status) == (permanent, int(code))
    assert CANARY not in str(outcome)


def test_mail_server_that_nobody_vouches_for_gets_no_password(
    box: tuple[Box, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", CANARY)
    outcome = deliver(mail(f"{box[1]}team@localhost"))
    assert outcome.error and not outcome.permanent
    assert box[0].mails == []


@pytest.mark.usefixtures("trusted")
def test_mail_server_that_hangs_meets_the_deadline(box: tuple[Box, str]) -> None:
    began = time.monotonic()
    outcome = deliver(mail(f"{box[1]}hang@localhost"), deadline=1.0)
    assert outcome == Outcome(error="not delivered within 1 s")
    assert time.monotonic() - began < LONG


@pytest.mark.parametrize(
    "target",
    [
        "smtp://host",
        "smtp://host/?to=a@b",
        "http://host/?to=a@b&from=c@d",
        "smtp://[/?to=a",
    ],
)
def test_target_that_is_no_mail_server_is_refused(target: str) -> None:
    outcome = deliver(mail(target, None))
    assert outcome.permanent and outcome.error and "smtps://" in outcome.error


def script(place: Path, text: str) -> dict[str, list[str]]:
    file = place / "page.py"
    file.write_text(text)
    return {"page": [sys.executable, str(file)]}


def test_program_gets_the_payload_and_its_key(place: Path) -> None:
    programs = script(
        place,
        "import json, os, sys\n"
        f"with open({str(place / 'got')!r}, 'w') as f:\n"
        "  json.dump([json.load(sys.stdin), dict(os.environ)], f)\n",
    )
    given = replace(FIRING, channel="exec", target="page")
    assert deliver(given, programs=programs) == Outcome()
    payload, environment = json.loads((place / "got").read_text())
    assert payload == PAYLOAD
    assert environment["AGENTDB_IDEMPOTENCY_KEY"] == str(FIRING.idempotency_key)
    assert environment["AGENTDB_KIND"] == "firing"
    assert "HOME" not in environment


@pytest.mark.parametrize(
    ("text", "permanent"),
    [
        ("raise SystemExit(75)", False),
        ("raise SystemExit(3)", True),
        ("import os; os.kill(os.getpid(), 9)", False),
    ],
)
def test_status_of_a_program_is_judged(place: Path, text: str, permanent: bool) -> None:
    outcome = deliver(
        replace(FIRING, channel="exec", target="page"), programs=script(place, text)
    )
    assert outcome.error and outcome.permanent == permanent


def test_program_that_hangs_is_ended_with_its_children(place: Path) -> None:
    text = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '62.5'])\n"
        f"open({str(place / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    outcome = deliver(
        replace(FIRING, channel="exec", target="page"),
        programs=script(place, text),
        deadline=2.0,
    )
    assert outcome == Outcome(error="not delivered within 2 s")
    assert ended(int((place / "pid").read_text()))


def ended(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


@pytest.mark.parametrize("target", ["/bin/sh", "rm -rf /", None, ""])
def test_program_that_the_runner_does_not_allow_never_runs(target: str | None) -> None:
    outcome = deliver(replace(FIRING, channel="exec", target=target))
    assert outcome.permanent and outcome.error and "configured" in outcome.error


def test_apprise_reaches_a_service_by_its_url(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_URL", sink.url().replace("http://", "json://"))
    given = replace(FIRING, channel="apprise", secret_ref="env:CHAT_URL")
    assert deliver(given) == Outcome()
    [request] = sink.received()
    assert request.payload["title"] == subject(PAYLOAD)
    assert "agentdb why A-41" in request.payload["message"]


@pytest.mark.parametrize("mode", ["400", "hang", "reset"])
def test_apprise_that_fails_or_hangs_is_ended(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("CHAT_URL", sink.url(mode).replace("http://", "json://"))
    given = replace(FIRING, channel="apprise", secret_ref="env:CHAT_URL")
    outcome = deliver(given, deadline=4.0)
    assert outcome.error and not outcome.permanent
    assert "json://" not in outcome.error


def test_url_that_apprise_does_not_know_is_named_by_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_URL", f"nosuch://{CANARY}")
    outcome = deliver(replace(FIRING, channel="apprise", secret_ref="env:CHAT_URL"))
    assert outcome.permanent and outcome.error
    assert "env:CHAT_URL" in outcome.error and CANARY not in outcome.error


@pytest.mark.parametrize(
    ("channel", "target", "secret"),
    [
        ("email", "smtp://bot:secret@host/?to=a@b", None),
        ("email", None, None),
        ("webhook", "http://user@host/", None),
        ("alertmanager", None, None),
        ("exec", "/bin/sh", None),
        ("apprise", "slack://token", None),
        ("apprise", None, None),
        ("pagerduty", None, None),
        ("pagerduty", None, "the key itself"),
        ("pigeon", None, None),
    ],
)
def test_receiver_that_cannot_work_or_holds_a_secret_is_refused(
    db: Connection, channel: str, target: str | None, secret: str | None
) -> None:
    problem = refusal(db, RECEIVER, channel, target, secret)
    assert problem.sqlstate == "23514"


@pytest.mark.parametrize(
    ("channel", "target", "secret"),
    [
        ("email", "smtps://bot@host:465/?from=a@b&to=c@d", "env:SMTP"),
        ("email", "env:MAIL", None),
        ("alertmanager", "https://alerts.example/prefix", None),
        ("exec", "page", None),
        ("apprise", None, "env:CHAT"),
        ("pagerduty", None, "file:/run/key"),
    ],
)
def test_receiver_may_be_of_every_channel(
    db: Connection, channel: str, target: str | None, secret: str | None
) -> None:
    db.execute(RECEIVER, [channel, target, secret])
    assert value(db, "select count(*) from agentdb.receiver where receiver_name = 'r'")


RECEIVER = """
insert into agentdb.receiver (receiver_name, channel, target, secret_ref)
values ('r', %s, %s, %s)
"""
