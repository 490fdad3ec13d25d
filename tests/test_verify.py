"""Verifiers look at real files, servers and programs, and never at what they may not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from click.testing import CliRunner

from agentdb.cli import main
from agentdb.config import Misconfigured, read_limits
from agentdb.runner.loops import verify as loop
from agentdb.runner.session import Lost, Session, session
from agentdb.runner.state import State
from agentdb.verify import look
from agentdb.verify.claim import Limits

from .agents import register, row, rows, start, value
from .conftest import Connect, Connection
from .scene import Scene, until
from .servers import Server
from .sink import Sink

BEGAN = datetime.now(timezone.utc) - timedelta(minutes=1)
# Takes a regular expression for ever that was written without thought.
BAD = "a" * 60 + "!"
LONG_AGO = (BEGAN - timedelta(hours=1)).timestamp()

Seen = tuple[str, dict[str, Any]]


def see(kind: str, target: str, expectation: object = None, **limits: Any) -> Seen:
    """Have one look taken."""
    given = expectation if isinstance(expectation, dict) else {}
    return anyio.run(
        lambda: look.verify(
            kind, target, given, run_started_at=BEGAN, limits=Limits(**limits)
        )
    )


def see_file(path: Path, **expectation: Any) -> Seen:
    """Have a file looked at below the directory that its test owns."""
    return see("file", str(path), expectation, roots=(str(path.parents[0]),))


def test_file_as_claimed_is_verified(place: Path) -> None:
    file = place / "report"
    file.write_text("hello")
    digest = hashlib.sha256(b"hello").hexdigest()
    verdict, evidence = see_file(file, min_size=5, sha256=digest)
    assert verdict == "verified"
    assert (evidence["size"], evidence["sha256"]) == (5, digest)


@pytest.mark.parametrize(
    ("expectation", "says"),
    [({"min_size": 6}, "smaller"), ({"sha256": "0" * 64}, "another content")],
)
def test_file_that_is_otherwise_is_refuted(
    place: Path, expectation: dict[str, Any], says: str
) -> None:
    (place / "report").write_text("hello")
    verdict, evidence = see_file(place / "report", **expectation)
    assert verdict == "refuted"
    assert says in evidence["problem"]


def test_file_that_is_not_there_is_refuted(place: Path) -> None:
    verdict, evidence = see_file(place / "report")
    assert (verdict, evidence["verdict"]) == ("refuted", "missing")


def test_file_from_before_the_run_is_refuted(place: Path) -> None:
    file = place / "report"
    file.write_text("hello")
    os.utime(file, (LONG_AGO, LONG_AGO))
    verdict, evidence = see_file(file)
    assert verdict == "refuted"
    assert "not modified since the run began" in evidence["problem"]
    assert evidence["skew_allowed_seconds"] == 2


def test_what_lies_outside_is_refused_whether_it_is_there_or_not(place: Path) -> None:
    (place / "root").mkdir()
    (place / "secret").write_text("x")
    (place / "root" / "link").symlink_to(place / "secret")
    os.mkfifo(place / "root" / "fifo")
    roots = (f"{place}/root",)
    for path in ("secret", "nothing", "root/../secret", "root/link", "root/fifo"):
        verdict, evidence = see("file", f"{place}/{path}", roots=roots)
        assert verdict == "refused", path
        assert "size" not in evidence
    (place / "rootless").write_text("x")
    assert see("file", f"{place}/rootless", roots=roots)[0] == "refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as somebody else")
def test_file_that_the_user_cannot_reach_is_unreachable(place: Path) -> None:
    (place / "private").mkdir(mode=0o700)
    (place / "private" / "a").write_text("x")
    verdict, evidence = see(
        "file", f"{place}/private/a", roots=(str(place),), user="nobody"
    )
    assert (verdict, evidence["verdict"]) == ("unreachable", "no_search")


def test_name_that_is_no_text_is_told_all_the_same(place: Path) -> None:
    os.symlink(b"/nothing/\xff", place / "link")
    verdict, evidence = see_file(place / "link")
    assert verdict == "refused"
    # As a database takes it.
    assert json.dumps(evidence, ensure_ascii=False).encode()


def test_directory_that_we_are_in_brings_no_code(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "json.py").write_text("raise SystemExit('stolen')")
    monkeypatch.chdir(place)
    assert see("command", "yes", commands=COMMANDS)[0] == "verified"


def test_look_that_cannot_be_begun_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(look, "CHILD", ["/no/such/python"])
    verdict, evidence = see("command", "yes", commands=COMMANDS)
    assert verdict == "unreachable"
    assert "No such file" in evidence["problem"]


def netloc(sink: Sink) -> str:
    """Return host and port of the sink."""
    return urlsplit(sink.url()).netloc


def web(sink: Sink, mode: str, expectation: object = None, **limits: Any) -> Seen:
    """Have a page of the sink looked at."""
    given = {"hosts": (netloc(sink),), "private_addresses": True, "deadline": 5.0}
    return see("http", sink.url(mode), expectation, **{**given, **limits})


@pytest.mark.parametrize(
    ("mode", "expectation", "verdict"),
    [
        ("ok", {"status": 200}, "verified"),
        ("404", {"status": 404}, "verified"),
        ("404", {"status": 200}, "refuted"),
        ("204", {"status": 200}, "refuted"),
        ("503", {"status": 200}, "unreachable"),
        ("503", {"status": 503}, "verified"),
        ("429", {"status": 200}, "unreachable"),
        ("quoting", {"status": 400, "has_text": "User-Agent"}, "verified"),
        ("quoting", {"status": 400, "has_text": "no such text"}, "refuted"),
        ("huge", {"status": 200}, "verified"),
        ("reset", {"status": 200}, "unreachable"),
        ("garbage", {"status": 200}, "unreachable"),
    ],
)
def test_address_is_asked_once(
    sink: Sink, mode: str, expectation: dict[str, Any], verdict: str
) -> None:
    assert web(sink, mode, expectation)[0] == verdict
    assert [each.method for each in sink.received()] == ["GET"]


@pytest.mark.parametrize(
    ("mode", "status", "verdict"),
    [
        ("ok", 200, "verified"),
        # It tells of a body, and none comes.
        ("quoting", 400, "verified"),
        ("quoting", 200, "refuted"),
        ("404", 200, "refuted"),
        ("503", 200, "unreachable"),
    ],
)
def test_head_is_asked_for_where_it_is_claimed(
    sink: Sink, mode: str, status: int, verdict: str
) -> None:
    claimed = {"method": "HEAD", "status": status}
    assert web(sink, mode, claimed)[0] == verdict
    assert [each.method for each in sink.received()] == ["HEAD"]


def test_redirect_is_an_answer_and_is_not_followed(sink: Sink) -> None:
    assert web(sink, "redirect", {"status": 200})[0] == "refuted"
    assert web(sink, "redirect", {"status": 307})[0] == "verified"
    assert sink.received("stolen") == []


@pytest.mark.parametrize("mode", ["hang", "drip", "endless"])
def test_server_that_never_ends_is_unreachable(sink: Sink, mode: str) -> None:
    verdict, evidence = web(sink, mode, {"status": 200, "has_text": "y"}, deadline=1.0)
    assert verdict == "unreachable"
    assert "within 1 s" in evidence["problem"] or "Timeout" in evidence["problem"]


def test_address_that_is_not_allowed_is_never_asked(sink: Sink) -> None:
    # Another host, and another port of the same.
    for host in ("example.org", "127.0.0.1"):
        assert web(sink, "ok", hosts=(host,))[0] == "refused"
    verdict, evidence = web(sink, "ok", private_addresses=False)
    assert verdict == "refused"
    assert "private address 127.0.0.1" in evidence["problem"]
    url = sink.url("ok").replace("//", "//user:secret@")
    assert see("http", url, hosts=(netloc(sink),), private_addresses=True)[0] == (
        "refused"
    )
    assert sink.received() == []


COMMANDS = {
    "yes": {"argv": ["/bin/true"]},
    "no": {"argv": ["/bin/sh", "-c", "echo nothing here >&2; exit 3"]},
    "echo": {"argv": ["/bin/echo", "<{word}>"], "values": {"word": "[a-z ;]+"}},
    "sleep": {"argv": ["/bin/sh", "-c", "sleep 61.5 & wait"]},
    "gone": {"argv": ["/no/such/program"]},
}


@pytest.mark.parametrize(
    ("name", "values", "verdict", "says"),
    [
        ("yes", {}, "verified", "'status': 0"),
        ("no", {}, "refuted", "nothing here"),
        ("echo", {"word": "a; b"}, "verified", "<a; b>"),
        ("echo", {"word": "$(id)"}, "refused", "does not match"),
        ("echo", {}, "refused", "word"),
        ("yes", {"word": "x"}, "refused", "word"),
        ("rm -rf /", {}, "refused", "registered"),
        ("gone", {}, "unreachable", "No such file"),
    ],
)
def test_only_registered_commands_run(
    name: str, values: dict[str, str], verdict: str, says: str
) -> None:
    found, evidence = see("command", name, values, commands=COMMANDS)
    assert found == verdict
    assert says in str(evidence)


def test_command_that_hangs_is_ended_with_its_children() -> None:
    verdict, evidence = see("command", "sleep", commands=COMMANDS, deadline=0.7)
    assert (verdict, evidence) == ("unreachable", {"problem": "no answer within 0.7 s"})
    until(lambda: "sleep\x0061.5\x00" not in map(_command, Path("/proc").iterdir()))


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_text() if entry.name.isdigit() else ""
    except OSError:
        return ""


PLUGIN = """
import os, signal, sys, time
from agentdb.verify.claim import Verdict

def even(claim):
    if int(claim.target) % 2:
        return Verdict("refuted", {"rest": 1})
    return Verdict("verified", claim.expectation)

def hang(claim):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)

def crash(claim):
    os.kill(os.getpid(), signal.SIGSEGV)

def fail(claim):
    raise RuntimeError("the printer is on fire")

def chatter(claim):
    print("x" * 10_000_000)
    sys.exit(0)

def talker(claim):
    print("looking")
    os.system("echo {}")
    return Verdict("verified", claim.expectation)

def liar(claim):
    return Verdict("maybe", {})

def odd(claim):
    return Verdict("verified", {"share": float("nan")})

def bare(claim):
    return Verdict("verified", None)

def torn(claim):
    return Verdict("verified", {"file": os.fsdecode(bytes([110, 255]))})
"""


def test_arguments_are_judged_on_a_machine_that_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = ["/bin/sh", "-c", 'sleep 1; exec "$@"', "sh", *look.CHILD]
    monkeypatch.setattr(look, "CHILD", slow)
    calls = [({"type": "string"}, 7), ({"type": "string", "pattern": "^(a+)+$"}, BAD)]
    (first, second) = anyio.run(lambda: look.compare(calls, seconds=0.5))
    assert first and "not of type 'string'" in first
    assert second is None


def test_arguments_that_no_process_can_look_at_are_not_taken_for_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(look, "CHILD", ["/no/such/python"])
    with pytest.raises(look.Busy, match="No such file"):
        anyio.run(lambda: look.compare([({"type": "string"}, 7)]))


@pytest.fixture
def plugged(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings verifiers."""
    (place / "plugged.py").write_text(PLUGIN)
    info = place / "plugged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n"
    )
    names = re.findall(r"^def (\w+)", PLUGIN, re.M)
    points = "rows = plugged:even\n"
    points += "".join(f"{name} = plugged:{name}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[agentdb.verifiers]\n{points}")
    paths = [str(place), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(str(place))


@pytest.mark.usefixtures("plugged")
@pytest.mark.parametrize(
    ("kind", "target", "verdict", "says"),
    [
        ("even", "4", "verified", "{'a': 1}"),
        ("even", "5", "refuted", "'rest': 1"),
        ("even", "x", "unreachable", "invalid literal"),
        ("hang", "x", "unreachable", "within 2 s"),
        ("crash", "x", "unreachable", "ended with -11"),
        ("fail", "x", "unreachable", "the printer is on fire"),
        ("chatter", "x", "unreachable", "ended with 0"),
        ("talker", "x", "verified", "{'a': 1}"),
        ("liar", "x", "unreachable", "maybe is no verdict"),
        ("odd", "x", "unreachable", "not JSON compliant"),
        ("bare", "x", "unreachable", "evidence is a dictionary"),
        ("torn", "x", "verified", "n?"),
        ("absent", "x", "unreachable", "no verifier absent"),
    ],
)
def test_plugin_is_asked_and_its_failure_refutes_nothing(
    kind: str, target: str, verdict: str, says: str
) -> None:
    found, evidence = see(kind, target, {"a": 1}, deadline=2.0)
    assert found == verdict
    assert says in str(evidence)


@pytest.mark.usefixtures("plugged")
def test_plugin_takes_no_claim_that_we_decide_ourselves() -> None:
    found = loop.kinds(Limits())
    assert "even" in found
    assert "rows" not in found


CONFIG = """
[verify]
roots = ["{place}"]
hosts = ["{sink}"]
private_addresses = true
deadline = 3

[verify.commands.yes]
argv = ["/bin/true"]
"""


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """An agent's session with an open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


@pytest.fixture
def config(place: Path, sink: Sink) -> Path:
    """A file that allows looks at one directory and at the sink."""
    file = place / "agentdb.toml"
    file.write_text(CONFIG.format(place=place, sink=netloc(sink)))
    return file


@pytest.fixture
def dsn(server: Server, db: Connection) -> str:
    """The connection string of an operator."""
    return server.dsn(database=db.info.dbname, user="operator_o")


def test_command_line_looks_at_everything_and_tells(
    agent: Connection, db: Connection, dsn: str, config: Path, place: Path, sink: Sink
) -> None:
    (place / "a").write_text("x")
    for call in (
        f"claim_file('{place}/a')",
        f"claim_file('{place}/b')",
        f"claim_http('{sink.url('ok')}')",
        f"claim_http('{sink.url('quoting')}', 400, method => 'HEAD')",
        "claim_command('yes')",
        "claim_custom('unknown', 'x')",
    ):
        agent.execute(f"select agentdb.{call}".encode())
    done = CliRunner().invoke(main, ["verify", "--dsn", dsn, "--config", str(config)])
    assert done.exit_code == 1, done.output
    assert "missing" in done.output
    states = rows(db, "select kind, state from agentdb.claim order by claim_id")
    assert [tuple(r.values()) for r in states] == [
        ("file", "verified"),
        ("file", "refuted"),
        ("http", "verified"),
        ("http", "verified"),
        ("command", "verified"),
        ("unknown", "pending"),
    ]
    assert sorted(each.method for each in sink.received()) == ["GET", "HEAD"]
    done = CliRunner().invoke(main, ["claims", "1", "--dsn", dsn])
    assert done.exit_code == 0
    assert "what it says it did" in done.output


def test_role_that_may_not_verify_is_told_so(server: Server, db: Connection) -> None:
    dsn = server.dsn(database=db.info.dbname, user="auditor_u")
    done = CliRunner().invoke(main, ["verify", "--dsn", dsn])
    assert done.exit_code == 1
    assert "permission denied" in done.output
    assert "agentdb_operator" in done.output


def test_without_configuration_nothing_is_looked_at(
    agent: Connection, db: Connection, dsn: str
) -> None:
    agent.execute("select agentdb.claim_file('/etc/passwd')")
    done = CliRunner().invoke(main, ["verify", "--dsn", dsn])
    assert done.exit_code == 0
    assert value(db, "select state from agentdb.claim") == "pending"


@pytest.mark.usefixtures("plugged")
def test_runner_verifies_past_a_verifier_that_hangs(
    agent: Connection, db: Connection, dsn: str, place: Path
) -> None:
    limits = Limits(roots=(str(place),), deadline=20.0)
    (place / "a").write_text("x")
    for _ in range(loop.LOOKS - 1):
        agent.execute("select agentdb.claim_custom('hang', 'x')")
    for _ in range(5):
        agent.execute("select agentdb.claim_file(%s)", [f"{place}/a"])

    async def work() -> None:
        with anyio.move_on_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(loop.verify, dsn, limits)
                while value(db, VERIFIED) < 5:
                    await anyio.sleep(0.05)
                group.cancel_scope.cancel()

    anyio.run(work)
    assert value(db, VERIFIED) == 5


def test_failing_calls_keep_no_claim_waiting(
    agent: Connection,
    db: Connection,
    dsn: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a file system that hangs: the paths are the agent's choice."""
    db.execute("select agentdb.set_os_user('a', 'nobody')")
    for number in range(2 * loop.LOOKS):
        agent.execute(
            "select agentdb.log_tool_call('t', ok => false, error => %s)",
            [f"not found: /hung/{number}"],
        )
    monkeypatch.setattr(look, "probe", lambda *_, **__: anyio.sleep_forever())
    (place / "a").write_text("x")

    async def work() -> None:
        limits = Limits(roots=(str(place),))
        async with session(dsn) as connection, anyio.create_task_group() as group:
            verify = loop.Verify(State(), limits, group)
            with anyio.move_on_after(30):
                await verify.turn(connection)
                agent.execute("select agentdb.claim_file(%s)", [f"{place}/a"])
                while not value(db, VERIFIED):
                    await verify.turn(connection)
                    await anyio.sleep(0.05)
            group.cancel_scope.cancel()

    anyio.run(work)
    assert value(db, VERIFIED) == 1


def test_diagnosis_that_lost_its_connection_is_made_by_the_next(
    agent: Connection, db: Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = "select agentdb.log_tool_call('t', ok => false, error => %s)"
    for _ in range(loop.LOOKS):
        agent.execute(log, ["permission denied for table orders"])
    access, lost = loop._access, iter(range(loop.LOOKS))

    async def failing(session: Session, call: Any, table: Any) -> Any:
        if next(lost, None) is not None:
            raise Lost("no answer")
        return await access(session, call, table)

    monkeypatch.setattr(loop, "_access", failing)

    async def work() -> None:
        async with session(dsn) as connection, anyio.create_task_group() as group:
            verify = loop.Verify(State(), Limits(), group)
            with anyio.move_on_after(30):
                while value(db, DIAGNOSED) < loop.LOOKS:
                    with suppress(Lost):
                        await verify.turn(connection)
                    await anyio.sleep(0.01)

    anyio.run(work)
    assert value(db, DIAGNOSED) == loop.LOOKS


@pytest.mark.parametrize("odd", ["error", "text"])
def test_look_that_goes_wrong_ends_no_loop_and_is_taken_again(
    agent: Connection,
    db: Connection,
    dsn: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    odd: str,
) -> None:
    (place / "a").write_text("x")
    agent.execute("select agentdb.claim_file(%s)", [f"{place}/a"])
    verify, wrong = look.verify, iter([odd])

    async def failing(*given: Any, **more: Any) -> Any:
        if (now := next(wrong, None)) == "error":
            raise RuntimeError(odd)
        # No JSON of PostgreSQL's holds half a character.
        return ("verified", {"said": "\ud800"}) if now else await verify(*given, **more)

    monkeypatch.setattr(look, "verify", failing)
    limits = Limits(roots=(str(place),))
    for _ in range(2):
        anyio.run(loop.verify, dsn, limits)
        db.execute(
            "update agentdb.claim set leased_until = null, next_check_at = now()"
        )
    assert value(db, VERIFIED) == 1


DIAGNOSED = "select count(*) from agentdb.tool_diagnosis"
VERIFIED = "select count(*) from agentdb.claim where state = 'verified'"


def test_claim_of_a_runner_that_was_killed_is_looked_at_again(
    scene: Scene, connect: Connect
) -> None:
    register(scene.db)
    agent = connect(scene.db.info.dbname, "agent_a")
    start(agent)
    scene.db.execute("create table public.mail (recipient text, sent_at timestamptz)")
    scene.db.execute("grant select on public.mail to agentdb_operator")
    scene.db.execute(
        "select agentdb.register_message_channel("
        "'mail', 'public.mail', 'recipient', 'sent_at')"
    )
    agent.execute("select agentdb.claim_message('mail', 'x@y')")
    # Taken by somebody who died: the lease runs out.
    taken = row(scene.db, "select attempt from agentdb.take_claim('{message}', '1 s')")
    assert taken == {"attempt": 1}
    scene.db.execute("insert into public.mail values ('x@y', clock_timestamp())")
    runner = scene.start()
    until(lambda: bool(value(scene.db, VERIFIED)))
    runner.signal(signal.SIGTERM)
    assert runner.wait() == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[verify]\nroots = ['relative']", "no absolute path"),
        ("[verify]\nroots = ['/']", "no absolute path"),
        ("[verify]\nroots = 3", "a list is wanted"),
        ("[verify]\nrots = []", "rots: unknown"),
        ("[verify]\ndeadline = true", "deadline"),
        ("[verify]\ndeadline = 1e9", "deadline"),
        ("[verify]\nuser = 'no-such-user'", "no-such-user"),
        ("[verify.commands.x]\nargv = 'rm'", "list of texts"),
        ("[verify.commands.x]\nargv = ['rm']", "no absolute path"),
        ("[verify.commands.x]\nargv = ['/bin/x', '{a}']", "['a']"),
        ("[verify.commands.x]\nargv = ['/bin/x']\nvalues = {a = '('}", "values.a"),
        ("[verify.commands.x]\nprogram = '/bin/x'", "nothing else"),
        ("[verify]\nroots = = 1", "line 2"),
    ],
)
def test_bad_configuration_is_told_at_once(place: Path, text: str, says: str) -> None:
    file = place / "bad.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        read_limits(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)
