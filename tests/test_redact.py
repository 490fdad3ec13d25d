"""No secret gets out: not by log, output, error, page, database or process title."""

from __future__ import annotations

import json
import logging
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest

from agentdb.secret.redact import INSTEAD, clean, keep

from .ports import free_port
from .scene import Scene, until

CANARY = "canary-c0ffee-b16b00b5"
ODD = 'odd"quote\\and\nline %41'


def test_known_secret_is_blanked_in_every_form() -> None:
    keep(ODD)
    for form in (ODD, json.dumps(ODD), repr(ODD), quote(ODD, safe="")):
        assert INSTEAD in clean(f"before {form} after")
        assert "quote" not in clean(f"before {form} after")


def test_parts_of_an_address_that_open_doors_are_blanked() -> None:
    keep(f"https://user:pass-{CANARY}@example.org/hook/path-{CANARY}?token=q-{CANARY}")
    for part in ("pass", "path", "q"):
        assert CANARY not in clean(f"refused {part}-{CANARY}")
    assert clean("example.org said no to hook") == "example.org said no to hook"


def test_short_words_are_left_alone() -> None:
    keep("abc")
    assert clean("abc") == "abc"


@pytest.fixture
def secrets(scene: Scene, tmp_path: Path) -> dict[str, str]:
    """A receiver of every kind, each with a secret that is easy to find."""
    environment = {}
    for mode in ("ok", "404", "garbage", "reset", "quoting"):
        name = f"HOOK_{mode}".upper()
        environment[name] = f"{scene.sink.url(mode)}?token={CANARY}"
        environment[f"{name}_SECRET"] = CANARY
        scene.db.execute(
            "insert into agentdb.receiver (receiver_name, channel, target, secret_ref)"
            " values (%s, 'webhook', %s, %s)",
            [mode, f"env:{name}", f"env:{name}_SECRET"],
        )
    (tmp_path / "url").write_text(f"json://user:{CANARY}@127.0.0.1:1/")
    scene.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target, secret_ref)"
        " values ('any', 'apprise', null, %s), ('pd', 'pagerduty', %s, 'env:HOOK_OK_SECRET'),"
        " ('run', 'exec', 'none', 'env:HOOK_OK_SECRET')",
        [f"file:{tmp_path}/url", scene.sink.url("404")],
    )
    scene.db.execute("insert into agentdb.receiver values ('screen', 'stdout')")
    listed = [*(f"env:{name}" for name in environment), f"file:{tmp_path}/url"]
    environment["AGENTDB_SECRETS"] = " ".join(listed)
    return environment


def test_canaries_stay_out_of_every_output_at_debug(
    scene: Scene, secrets: dict[str, str]
) -> None:
    port = free_port()
    password = f"password='{CANARY}'"
    scene.db.execute(
        "create view public.tells as select '{}'::jsonb as labels,"
        f" '{CANARY}'::text::integer as value, null::jsonb as annotations".encode()
    )
    scene.db.execute("grant select on public.tells to agentdb_operator")
    scene.rule("tells", "public.tells")
    scene.trouble(1, CANARY)
    runner = scene.start_configured(
        "[databases]\nmain = 'env:MAIN'\nother = 'env:OTHER'\n"
        "[log]\nlevel = 'debug'\n"
        f"[health]\naddress = '127.0.0.1:{port}'\n"
        f"[ping]\nurl = 'env:PING'\nevery = 1\n"
        "[fallback]\nchannel = 'stdout'\nafter = 1\n",
        MAIN=f"{scene.dsn}&password={CANARY}",
        OTHER=f"host=127.0.0.1 port=1 user=x {password}",
        PING=f"http://x:{CANARY}@127.0.0.1:1/{CANARY}",
        **secrets,
    )
    scene.sink.wait(5)
    lines = [runner.line(), runner.line()]
    with pytest.raises(urllib.error.HTTPError) as page:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz")
    said = page.value.read().decode()
    url = f"http://127.0.0.1:{port}/metrics"
    said += urllib.request.urlopen(url).read().decode()
    until(lambda: runner.logged("database not watched"))
    until(lambda: runner.logged("rule failed"))
    said += Path(f"/proc/{runner.pid}/cmdline").read_text()
    assert runner.stop() == 0
    assert CANARY not in runner.log.read_text() + said + repr(lines)
    assert '"level": "debug"' in runner.log.read_text()
    for table in ("notification", "runner", "alert_rule"):
        rows = scene.db.execute(
            f"select to_jsonb(t) - 'payload' from agentdb.{table} t"
        )
        assert CANARY not in repr(rows.fetchall())


def test_traceback_of_our_own_is_redacted_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from agentdb.runner.logs import Handler, JsonFormatter

    keep(CANARY)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "%s", (CANARY,), None)
    handler = Handler()
    handler.setFormatter(JsonFormatter())
    assert CANARY not in handler.format(record)
