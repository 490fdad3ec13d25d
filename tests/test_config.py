"""Configuration: one file, over it the environment; what is wrong is told with its line."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentdb.cli import main
from agentdb.config import Config, Misconfigured, Rate, read

from .conftest import MakeDatabase
from .scene import Scene, until
from .servers import Server

CANARY = "canary-5d1e8"
WHOLE = """
[databases]
billing = "env:BILLING_DSN"
mail = "host=/tmp dbname=mail"

[runner]
name = "runner-1"
poll = 0.5
slots = 16

[exec.ticket]
argv = ["/usr/local/bin/open-ticket", "--stdin"]

[rate.team]
per_second = 0.5
burst = 5

[fallback]
channel = "webhook"
target = "env:FALLBACK_URL"

[health]
address = "127.0.0.1:9464"

[ping]
url = "https://example.org/ping"

[log]
format = "text"

[verify]
roots = ["/srv"]
"""
ENVIRONMENT = {
    "BILLING_DSN": f"postgresql://u:{CANARY}@/billing",
    "FALLBACK_URL": "https://example.org/hook",
}


def written(place: Path, text: str) -> Path:
    file = place / "agentdb.toml"
    file.write_text(text)
    return file


def config(place: Path, text: str, **environment: str) -> Config:
    return read(written(place, text), environment=environment)


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in ENVIRONMENT.items():
        monkeypatch.setenv(name, text)


@pytest.mark.usefixtures("_environment")
def test_file_says_all_that_a_runner_is_told(place: Path) -> None:
    found = config(place, WHOLE)
    assert list(found.databases) == ["billing", "mail"]
    assert (found.runner.name, found.runner.poll, found.runner.slots) == (
        "runner-1",
        0.5,
        16,
    )
    assert found.programs == {"ticket": ("/usr/local/bin/open-ticket", "--stdin")}
    assert found.rates == {"team": Rate(per_second=0.5, burst=5)}
    assert found.fallback and found.fallback.target == "env:FALLBACK_URL"
    assert found.health.place == ("127.0.0.1", 9464)
    assert found.verify.roots == ("/srv",)
    assert CANARY not in repr(found)


def test_nothing_is_needed_but_a_database(place: Path) -> None:
    found = read(None, environment={"AGENTDB_DSN": "dbname=billing"})
    assert found.databases == {"billing": "dbname=billing"}
    assert found.fallback is None and found.health.address is None
    assert read(None, environment={}).databases == {"database": ""}


@pytest.mark.usefixtures("_environment")
def test_environment_goes_before_the_file(place: Path) -> None:
    given = {
        "AGENTDB_RUNNER_POLL": "2.5",
        "AGENTDB_HEALTH_ADDRESS": "0.0.0.0:80",
        "AGENTDB_HEALTH_REMOTE": "yes",
        "AGENTDB_LOG_LEVEL": "debug",
    }
    found = config(place, WHOLE, **given)
    assert found.runner.poll == 2.5
    assert found.health.remote and found.health.place == ("0.0.0.0", 80)
    assert (found.log.format, found.log.level) == ("text", "debug")
    found = read(written(place, WHOLE), dsn="dbname=only", environment={})
    assert found.databases == {"only": "dbname=only"}


BAD = [
    ("[databases]\nx = 3", ":2: [databases] x: a text is wanted"),
    ("\n[databases]\n\nx = 'no dsn'", ":4: [databases] x: not a connection string"),
    ("[databases]\nx = 'env:UNSET_1'", ":2: [databases] x: env:UNSET_1 is empty"),
    ("[runner]\npole = 1", ":2: [runner] pole: unknown, one of name, poll"),
    ("[runner]\nslots = 2.5", ":2: [runner] slots: a whole number is wanted"),
    ("[runner]\npoll = true", ":2: [runner] poll: a number is wanted"),
    ("[runner]\n# deadline\nlease = 1", ":3: [runner] lease: twice the deadline"),
    ("[ruler]\n", ":1: [ruler] unknown, one of databases"),
    ("runner = 1", "[runner] a table is wanted"),
    ("[exec.a]\nargv = ['x']", ":2: [exec.a] argv: x is no absolute path"),
    ("[exec.a]\nargv = 'x y'", ":2: [exec.a] argv: argv must be a list of texts"),
    ("[exec]\na = 1", "[exec.a] a table is wanted"),
    ("[rate.team]\nburst = 0", ":2: [rate.team] burst: 1 at least"),
    ("[fallback]\ntarget = 'x'", ":1: [fallback] channel: is missing"),
    ("[fallback]\nchannel = 'fax'", ":2: [fallback] channel: one of"),
    (
        f"[fallback]\nchannel = 'email'\nsecret_ref = '{CANARY}'",
        ":3: [fallback] secret_ref: a secret must be given as",
    ),
    ("[secrets]\nKEY = '*'", ":2: [secrets] KEY: env:NAME or file:/path is meant"),
    ("[secrets]\n'env:KEY' = 3", ":2: [secrets] env:KEY: texts are wanted"),
    ("[secrets]\n'env:KEY' = ['']", ":2: [secrets] env:KEY: texts are wanted"),
    ("[health]\naddress = '0.0.0.0:80'", "that needs remote = true"),
    ("[health]\naddress = 'localhost'", "not like 127.0.0.1:9464"),
    ("[ping]\nevery = 0", ":2: [ping] every: 1 to 86400"),
    ("[ping]\nurl = 'file:/no/such'", ":2: [ping] url: file:/no/such cannot be read"),
    ("[seal]\nfile = 'seals'", ":2: [seal] file: an absolute path is wanted"),
    ("[log]\nformat = 'xml'", ":2: [log] format: json or text is meant"),
    ("[verify]\nroots = ['x']", ":2: [verify] roots: 'x' is no absolute path"),
    ("[runner]\npoll = = 1", "line 2"),
]


@pytest.mark.parametrize(("text", "says"), BAD, ids=[says for _, says in BAD])
def test_what_is_wrong_is_told_with_line_and_reason(
    place: Path, text: str, says: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        config(place, text)
    assert str(caught.value).startswith(f"{place}/agentdb.toml:")
    assert says in str(caught.value)
    assert CANARY not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(place: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        config(place, "[log]\nlevel = 'x'\n[runner]\nslots = 1", AGENTDB_PING_EVERY="x")
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == [
        f"{place}/agentdb.toml:4:",
        "AGENTDB_PING_EVERY:",
        f"{place}/agentdb.toml:2:",
    ]


def test_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(Misconfigured, match="/no/such: No such file"):
        read("/no/such")


def test_command_checks_and_the_runner_refuses_with_the_same_code(
    place: Path, scene: Scene
) -> None:
    given = ["--config", str(written(place, "[runner]\npoll = 'x'"))]
    for command in (["config", "check"], ["run"]):
        done = CliRunner().invoke(main, [*command, *given])
        assert done.exit_code == 78
        assert "agentdb.toml:2: [runner] poll: a number is wanted" in done.output
    given = ["--config", str(written(place, "[log]\nlevel = 'info'"))]
    done = CliRunner().invoke(main, ["config", "check", *given])
    assert done.exit_code == 0 and "fine" in done.output


def test_command_reads_what_receivers_may_have(
    place: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[secrets]\n"env:PAGER_KEY" = "*"\n"env:CHAT_URL" = "*"'
    given = ["config", "check", "--config", str(written(place, text))]
    monkeypatch.setenv("PAGER_KEY", CANARY)
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 78
    assert "agentdb.toml: [secrets] env:CHAT_URL is empty or not set" in done.output
    assert "PAGER_KEY" not in done.output and CANARY not in done.output
    monkeypatch.setenv("CHAT_URL", CANARY)
    assert CliRunner().invoke(main, given).exit_code == 0


def test_reload_loses_nothing_and_a_bad_file_keeps_the_old(scene: Scene) -> None:
    scene.receiver("hang")
    scene.trouble(3)
    runner = scene.start_configured("[runner]\nname = 'kept'\n")
    scene.sink.wait(3)
    scene.configure("[runner]\npole = 1\n")
    runner.signal(signal.SIGHUP)
    until(lambda: runner.logged("configuration refused: the old one stays"))
    assert "agentdb.toml:2: [runner] pole" in runner.log.read_text()
    scene.configure("[runner]\nname = 'kept'\nevaluators = 1\n")
    runner.signal(signal.SIGHUP)
    until(lambda: runner.logged("configuration reloaded"))
    scene.receiver()
    scene.trouble(3, "later")
    scene.sink.wait(3, "ok")
    scene.sink.released.set()
    until(lambda: scene.states() == {"sent": 9})
    assert scene.value("select count(*) from agentdb.runner") == 1
    assert runner.stop() == 0
    assert set(scene.sink.keys().values()) == {1}
    assert scene.value("select count(*) from agentdb.runner") == 0


def test_delivery_begun_before_a_reload_is_recorded_though_the_end_comes_first(
    scene: Scene,
) -> None:
    scene.receiver("hang")
    scene.trouble()
    runner = scene.start_configured()
    scene.sink.wait()
    runner.signal(signal.SIGHUP)
    until(lambda: runner.logged("configuration reloaded"))
    runner.signal(signal.SIGTERM)
    until(lambda: runner.logged("stopping"))
    scene.sink.released.set()
    assert runner.wait() == 0
    assert scene.states() == {"sent": 1}


def test_reload_after_the_order_to_stop_loses_no_outcome(scene: Scene) -> None:
    scene.receiver("hang")
    scene.trouble()
    runner = scene.start_configured()
    scene.sink.wait()
    runner.signal(signal.SIGTERM)
    until(lambda: runner.logged("stopping"))
    runner.signal(signal.SIGHUP)
    until(lambda: runner.logged("configuration reloaded"))
    scene.sink.released.set()
    assert runner.wait() == 0
    assert scene.notifications() == [("sent", 1, 200)]


def test_reload_takes_up_and_leaves_databases(
    scene: Scene, template: str, server: Server, make_database: MakeDatabase
) -> None:
    other = server.dsn(database=make_database(template), user="operator_o")
    runner = scene.start_configured(f"[databases]\nfirst = '{scene.dsn}'\n")
    until(lambda: len(scene.beats()) == 5)
    scene.configure(f"[databases]\nsecond = '{other}'\n")
    runner.signal(signal.SIGHUP)
    until(lambda: scene.value("select count(*) from agentdb.runner") == 0)
    assert runner.stop() == 0
    assert '"database": "second"' in runner.log.read_text()
