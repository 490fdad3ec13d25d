"""The webhook against a real receiver, well or badly behaved."""

from __future__ import annotations

import hashlib
import hmac
import logging
import socket
import ssl
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from agentdb.channels import Outcome
from agentdb.channels.answer import retry_after

from .delivery import CANARY, NOTIFICATION, SHORT, deliver
from .sink import Sink

CERTIFICATE = Path(__file__).with_name("localhost.pem")


def test_webhook_posts_the_payload_as_json(sink: Sink) -> None:
    assert deliver(sink.url()) == Outcome(200)
    [request] = sink.received()
    assert request.payload == NOTIFICATION.payload
    assert request.headers["Content-Type"] == "application/json"
    assert request.key == str(NOTIFICATION.idempotency_key)
    assert request.headers["Agentdb-Attempt"] == "2"
    assert "Agentdb-Signature" not in request.headers


def test_signature_is_the_hmac_of_timestamp_and_body(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", CANARY)
    deliver(sink.url(), secret="env:HOOK_SECRET")
    [request] = sink.received()
    signed = request.headers["Agentdb-Timestamp"].encode() + b"." + request.body
    expected = hmac.new(CANARY.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["Agentdb-Signature"] == f"v1={expected}"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_a_delivery(sink: Sink, status: int) -> None:
    assert deliver(sink.url(str(status))) == Outcome(status)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_passing_trouble_is_worth_another_attempt(sink: Sink, status: int) -> None:
    outcome = deliver(sink.url(str(status)))
    assert outcome.error and not outcome.permanent
    assert outcome.status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_other_4xx_are_permanent(sink: Sink, status: int) -> None:
    outcome = deliver(sink.url(str(status)))
    assert outcome.error and outcome.permanent
    assert outcome.status == status


def test_error_names_the_status(sink: Sink) -> None:
    assert deliver(sink.url("404")).error == "HTTP 404 Not Found"


def test_redirect_is_permanent_and_its_target_never_contacted(sink: Sink) -> None:
    outcome = deliver(sink.url("redirect"))
    assert outcome.status == 307 and outcome.permanent
    assert [request.mode for request in sink.received()] == ["redirect"]


def test_retry_after_is_honoured(sink: Sink) -> None:
    assert deliver(sink.url("429?Retry-After=7")).retry_after == 7
    assert deliver(sink.url("503?Retry-After=8")).retry_after == 8


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 11, 22, 3, 8, 14, tzinfo=timezone.utc)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after(later, format_datetime(now, usegmt=True)) == 90
    assert retry_after(format_datetime(now, usegmt=True), later) == 0


@pytest.mark.parametrize(
    "value", ["999999999", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_retry_after_is_capped(value: str) -> None:
    assert retry_after(value) == 3600


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        "-1",
        "1e9",
        "inf",
        "²",
        "0x10",
        "1 Jan 99999999999999999999 0:0",
    ],
)
def test_senseless_retry_after_is_ignored(value: str | None) -> None:
    assert retry_after(value) is None


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_deadline_cuts_an_answer_that_does_not_come(sink: Sink, mode: str) -> None:
    # Long enough for it to be asked, on a machine that is busy.
    outcome = deliver(sink.url(mode), deadline=3)
    assert outcome == Outcome(error="not delivered within 3 s")
    # It did not end because the receiver gave in.
    assert len(sink.received(mode)) == 1 and not sink.released.is_set()


def test_body_that_never_ends_does_not_undo_a_delivery(sink: Sink) -> None:
    assert deliver(sink.url("endless")) == Outcome(200)
    assert not sink.released.is_set()


def test_huge_body_is_not_read(sink: Sink) -> None:
    assert deliver(sink.url("huge")) == Outcome(200)
    # What the kernels buffer on the way is all that is ever sent.
    assert sink.written < 64 * 1024 * 1024


def test_reset_is_worth_another_attempt(sink: Sink) -> None:
    outcome = deliver(sink.url("reset"))
    assert outcome.error and not outcome.permanent


def test_refused_connection_is_worth_another_attempt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    outcome = deliver(f"http://127.0.0.1:{port}/")
    assert outcome == Outcome(error="ConnectError: Connection refused")


def test_unknown_host_is_worth_another_attempt() -> None:
    outcome = deliver("http://no-such-host.invalid/")
    assert outcome.error and outcome.error.startswith("ConnectError")
    assert not outcome.permanent


@pytest.mark.parametrize(
    "target",
    [None, "", "not a url", "ftp://host/", "http://", "http:///x", "file:relative"],
)
def test_target_that_is_none_is_permanent(target: str | None) -> None:
    outcome = deliver(target)
    assert outcome.error and outcome.permanent


def test_certificate_nobody_signed_is_refused() -> None:
    with Sink(_tls()).serving() as sink:
        outcome = deliver(sink.url())
        assert outcome.error and "certificate" in outcome.error
        assert not sink.received()


def test_authority_of_the_machine_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with Sink(_tls()).serving() as sink:
        assert deliver(sink.url()) == Outcome(200)


def test_proxy_of_the_environment_is_not_used(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert deliver(sink.url()) == Outcome(200)


@pytest.mark.parametrize(
    "mode", ["ok", "quoting", "garbage", "reset", "redirect", "hang", "refused", "none"]
)
def test_secrets_stay_out_of_errors_and_logs(
    sink: Sink,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HOOK_SECRET", CANARY)
    caplog.set_level(logging.DEBUG)
    url = sink.url(mode).replace("://", f"://user:{CANARY}@") + f"/{CANARY}?k={CANARY}"
    url = {
        "refused": f"http://u:{CANARY}@127.0.0.1:1/{CANARY}",
        "none": f"{CANARY}:x",
    }.get(mode, url)
    outcome = deliver(url, secret="env:HOOK_SECRET", deadline=SHORT)
    assert CANARY not in repr(outcome)
    assert CANARY not in caplog.text


def test_credentials_of_a_url_are_sent_as_basic_authentication(sink: Sink) -> None:
    deliver(sink.url().replace("://", "://user:word@"))
    assert sink.received()[0].headers["Authorization"] == "Basic dXNlcjp3b3Jk"


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
