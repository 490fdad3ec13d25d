"""Receivers that fail in every way: each is tried as it deserves, and delays no other."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from ..scene import Scene, until
from ..sink import LONG, Sink

PASSING = ("500", "503", "408", "425", "429", "hang", "drip", "reset", "garbage")
HOPELESS = ("400", "401", "404", "410", "redirect", "quoting")
ANSWERED = ("ok", "huge", "endless")


def test_every_fault_of_a_receiver_gets_what_it_deserves(scene: Scene) -> None:
    for mode in (*PASSING, *HOPELESS, *ANSWERED):
        scene.receiver(mode)
    scene.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target) values"
        " ('refused', 'webhook', 'http://127.0.0.1:1/'),"
        " ('nowhere', 'webhook', 'http://no-such-host.invalid/')"
    )
    scene.db.execute(
        "alter table agentdb.notification alter max_attempts set default 2"
    )
    scene.trouble()
    runner = scene.start(deadline=4, lease=10)
    until(lambda: _done(scene) >= len(HOPELESS) + len(ANSWERED))
    size = _resident(runner.pid)
    until(lambda: scene.states()["queued"] == 0)
    assert runner.stop() == 0
    rows = scene.db.execute(
        "select receiver_name, state, attempt::text from agentdb.notification"
    ).fetchall()
    attempts = {name: [state, attempt] for name, state, attempt in rows}
    expected = {mode: ["dead", "2"] for mode in (*PASSING, "refused", "nowhere")}
    expected |= {mode: ["dead", "1"] for mode in HOPELESS}
    expected |= {mode: ["sent", "1"] for mode in ANSWERED}
    assert attempts == expected
    assert scene.sink.received("stolen") == []
    assert scene.sink.written < 16_000_000
    assert size < 80


def _done(scene: Scene) -> int:
    states = scene.states()
    return states["sent"] + states["dead"]


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def test_certificate_of_a_stranger_is_not_trusted(scene: Scene, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    subprocess.run(
        [*make.split(), "-keyout", key, "-out", certificate],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Sink(context).serving() as stranger:
        scene.db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target)"
            " values ('stranger', 'webhook', %s)",
            [stranger.url()],
        )
        scene.receiver()
        scene.trouble()
        runner = scene.start()
        scene.sink.wait()
        until(lambda: runner.logged("delivery failed, will be tried again"))
        assert runner.stop() == 0
        assert stranger.received() == []
    assert "certificate" in runner.log.read_text().lower()


def test_wish_of_a_receiver_to_wait_is_honoured(scene: Scene) -> None:
    scene.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target)"
        " values ('busy', 'webhook', %s)",
        [scene.sink.url("429") + "?Retry-After=600"],
    )
    scene.receiver()
    scene.trouble()
    runner = scene.start()
    scene.sink.wait(1, "ok")
    waits = (
        "select extract(epoch from min(visible_at) - clock_timestamp())"
        " from agentdb.notification where state = 'queued' and status = 429"
    )
    until(lambda: scene.value(waits) is not None)
    assert 500 < scene.value(waits) <= 600
    assert runner.stop() == 0


def test_hung_receiver_delays_no_other(scene: Scene) -> None:
    scene.receiver("hang", each=True)
    scene.receiver("ok", each=True)
    runner = scene.start(deadline=60, lease=120, slots=4)
    scene.trouble(40)
    scene.sink.wait(40, "ok")
    assert not scene.sink.released.is_set()
    assert len(scene.sink.received("hang")) <= 4
    scene.sink.released.set()
    scene.sink.wait(40, "hang")
    assert runner.stop() == 0
    assert scene.states() == {"sent": 80}


def test_storm_is_drained_once_and_told_as_configured(scene: Scene) -> None:
    scene.receiver(name="digest")
    scene.receiver(name="each", each=True)
    # At the usual ten times a second the rule's own work would be most of it.
    scene.db.execute(
        "update agentdb.alert_rule"
        " set max_alerts = 5000, timeout = '5 s', evaluate_every = '1 s'"
    )
    runner = scene.start(slots=32)
    scene.trouble(600, "storm")
    until(
        lambda: _sent_to(scene, "each") == 600 and _sent_to(scene, "digest"),
        within=4 * LONG,
    )
    until(lambda: scene.states()["queued"] == 0)
    assert scene.value("select count(*) from agentdb.alert") == 600
    assert runner.stop() == 0
    # Ten by themselves and the rest; what two evaluations saw of it, each of it.
    assert _sent_to(scene, "digest") <= 2 * 11
    assert set(scene.sink.keys().values()) == {1}


def _sent_to(scene: Scene, receiver: str) -> int:
    query = "select count(*) from agentdb.notification where state = 'sent'"
    return int(scene.value(f"{query} and receiver_name = '{receiver}'"))


POISON = (
    "\u202eevil\u2066",
    "\x1b[31mred\x07",
    "<!channel> @everyone @here",
    "<script>alert(1)</script>",
    "a\r\nBcc: all@example.org",
    "{{7*7}} ${jndi:ldap://x} %s %n",
    "\ufeff\u200b\U000e0001",
    "';drop table agentdb.alert;--",
    '"}],"x":[{"',
)


def test_poison_in_a_payload_is_delivered_harmless_and_holds_up_nothing(
    scene: Scene,
) -> None:
    for name, channel, mode in (
        ("hook", "webhook", "ok"),
        ("pager", "pagerduty", "202"),
        ("manager", "alertmanager", ""),
    ):
        scene.db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target, secret_ref)"
            " values (%s, %s, %s, 'env:KEY')",
            [name, channel, scene.sink.url(mode)],
        )
    scene.db.execute("insert into agentdb.receiver values ('screen', 'stdout')")
    for text in POISON:
        scene.db.execute("insert into public.trouble values (%s)", [text])
    scene.db.execute(
        "create view public.large as select '{}'::jsonb as labels, 1 as value,"
        " jsonb_build_object('summary', repeat('x', 1000000)) as annotations"
    )
    scene.db.execute("grant select on public.large to agentdb_operator")
    scene.rule("large", "public.large")
    runner = scene.start(
        environment={"KEY": "canary-poison", "AGENTDB_SECRETS": "env:KEY"}
    )
    until(lambda: scene.states()["sent"] >= 4 and scene.states()["queued"] == 0)
    until(lambda: "large" in {r.payload.get("rule") for r in scene.sink.received("ok")})
    assert runner.stop() == 0
    assert scene.states().keys() == {"sent"}
    for request in scene.sink.received():
        assert request.body.isascii() and len(request.body) < 100_000
        assert b"\x1b" not in request.body and b"\r" not in request.body
    for request in scene.sink.received("202"):
        text = request.payload["payload"]["summary"]
        assert "@" not in text and "<" not in text and "\u202e" not in text
