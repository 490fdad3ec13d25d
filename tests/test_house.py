"""The house rules, read from the catalog and the files; each fails on an offender."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentdb import errors
from agentdb.schema import code as schema

from .agents import rows
from .conftest import Connection

if TYPE_CHECKING:
    from typing_extensions import LiteralString

ROOT = Path(__file__).parent.parent
OURS: LiteralString = "p.pronamespace = 'agentdb'::regnamespace"

# Each query names what breaks a rule; each offender is an object that must be named.
RULES: dict[str, tuple[LiteralString, LiteralString]] = {
    "function has a comment": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " and obj_description(p.oid, 'pg_proc') is null",
        "create function agentdb.f() returns int language sql return 1",
    ),
    "function pins its path or has a parsed body": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " and p.prosqlbody is null and not coalesce(p.proconfig::text[] @> "
        "array['search_path=pg_catalog, pg_temp'], false)",
        "create function agentdb.f() returns int language sql set search_path = pg_catalog "
        "as 'select 1'",
    ),
    "public may execute nothing": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " and has_function_privilege('public', p.oid, 'execute')",
        "create function agentdb.f() returns int language sql return 1",
    ),
    "names are not overloaded": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " group by p.proname having count(*) > 1",
        "create function agentdb.flush() returns int language sql return 1",
    ),
    "no polymorphic or variadic argument": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " and (p.provariadic <> 0 or exists (select from unnest(p.proargtypes) as t "
        "join pg_type as y on y.oid = t where y.typtype = 'p'))",
        "create function agentdb.f(x anyelement) returns int language sql as 'select 1'",
    ),
    "what an agent may call waits for no lock for long": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " and has_function_privilege('agentdb_agent', p.oid, 'execute')"
        " and not coalesce(exists (select from unnest(p.proconfig) as c "
        "where c like 'lock_timeout=%%'), false)",
        "create function agentdb.f() returns int language sql return 1; "
        "grant execute on function agentdb.f to agentdb_agent",
    ),
    "internal function is granted to no agent": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " and p.proname like '\\_%%' and has_function_privilege('agentdb_agent', p.oid, 'execute')",
        "create function agentdb._f() returns int language sql return 1; "
        "grant execute on function agentdb._f to agentdb_agent",
    ),
    "function belongs to an owner role": (
        "select p.proname from pg_proc as p where "
        + OURS
        + " and p.proowner::regrole::text not in "
        "('agentdb_owner', 'agentdb_capture', 'agentdb_applier')",
        "create function agentdb.f() returns int language sql return 1",
    ),
    "agents read no table": (
        "select c.relname from pg_class as c where c.relnamespace = 'agentdb'::regnamespace"
        " and c.relkind in ('r', 'p', 'v', 'S') and (has_table_privilege('agentdb_agent', c.oid,"
        " 'select, insert, update, delete') or has_table_privilege('public', c.oid, 'select'))",
        "grant select on agentdb.run to agentdb_agent",
    ),
    "table and view has a comment": (
        "select c.relname from pg_class as c where c.relnamespace = 'agentdb'::regnamespace"
        " and c.relkind in ('r', 'p', 'v') and not c.relispartition"
        " and c.relname <> 'alembic_version' and obj_description(c.oid, 'pg_class') is null",
        "create table agentdb.t (x int)",
    ),
    "column of a view has a comment": (
        "select c.relname || '.' || a.attname from pg_class as c join pg_attribute as a "
        "on a.attrelid = c.oid and a.attnum > 0 where c.relkind = 'v' and "
        "c.relnamespace = 'agentdb'::regnamespace and col_description(c.oid, a.attnum) is null",
        "create view agentdb.v as select 1 as x",
    ),
    "threshold has a comment": (
        "select a.attname from pg_attribute as a where a.attrelid = 'agentdb.policy'::regclass"
        " and a.attnum > 2 and not a.attisdropped"
        " and col_description(a.attrelid, a.attnum) is null",
        "alter table agentdb.policy add x int",
    ),
    "constraint is named after its table": (
        "select k.conname from pg_constraint as k join pg_class as c on c.oid = k.conrelid"
        " where c.relnamespace = 'agentdb'::regnamespace and not c.relispartition"
        " and k.contype in ('c', 'f', 'p', 'u') and k.conname not like c.relname || '\\_%%'"
        " and c.relname <> 'alembic_version'",
        "create table agentdb.t (x int constraint odd check (x > 0))",
    ),
    "index is named after its table": (
        "select i.relname from pg_index as x join pg_class as i on i.oid = x.indexrelid "
        "join pg_class as c on c.oid = x.indrelid where c.relnamespace = 'agentdb'::regnamespace"
        " and i.relname not like c.relname || '\\_%%' and c.relname <> 'alembic_version'"
        " and not c.relispartition",
        "create index odd on agentdb.run (started_at)",
    ),
    "moment ends in at and log in log": (
        "select c.relname || '.' || a.attname from pg_class as c join pg_attribute as a"
        " on a.attrelid = c.oid and a.attnum > 0 where c.relnamespace = 'agentdb'::regnamespace"
        " and c.relkind in ('r', 'p') and a.atttypid = 'timestamptz'::regtype"
        " and a.attname !~ '(_at|_until)$'"
        " union all select c.relname from pg_class as c where c.relkind = 'p'"
        " and c.relnamespace = 'agentdb'::regnamespace and c.relname !~ '_log$'",
        "create table agentdb.t (moment timestamptz)",
    ),
    # A column of the same name comes first, and nobody is told.
    "parameter is read": (
        "select p.proname || '.' || a.name from pg_proc as p cross join lateral"
        " unnest(p.proargnames, p.proargmodes) as a (name, mode) where "
        + OURS
        + " and coalesce(a.mode, 'i') in ('i', 'b') and p.prosqlbody is not null"
        " and pg_get_function_sqlbody(p.oid)"
        " !~ ('((^|[^.[:alnum:]_])|\\m' || p.proname || '\\.)' || a.name"
        " || '([^[:alnum:]_]|$)')",
        "create function agentdb.f(severity text) returns bool language sql begin atomic"
        " select exists (select from agentdb.alert as a where a.severity = severity); end",
    ),
    "owner roles have no rights of their own": (
        "select r.rolname from pg_roles as r where r.rolname like 'agentdb\\_%%' and "
        "(r.rolcanlogin or r.rolsuper or r.rolcreaterole or r.rolbypassrls)",
        "alter role agentdb_auditor createrole",
    ),
}


def offenders(db: Connection, query: LiteralString) -> list[str]:
    return [str(next(iter(each.values()))) for each in rows(db, query, *[])]


@pytest.mark.parametrize("rule", RULES)
def test_house_rule_holds_and_sees_an_offender(db: Connection, rule: str) -> None:
    query, offence = RULES[rule]
    query = query.replace("%%", "%")
    assert offenders(db, query) == []
    with db.transaction(force_rollback=True):
        db.execute(offence)
        assert offenders(db, query) != []


def sql_files() -> list[Path]:
    return sorted((ROOT / "sql").rglob("*.sql"))


def place(path: Path) -> str:
    """Return the name of a file within its layer."""
    return path.relative_to(ROOT / "sql").as_posix()


@pytest.mark.parametrize("path", sql_files(), ids=place)
def test_sql_file_is_in_shape(path: Path) -> None:
    text = path.read_text()
    lines = text.splitlines()
    assert text.startswith("-- ")
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert "\t" not in text
    assert not [line for line in lines if line != line.rstrip()]
    assert not [line for line in lines if len(line) > 88]
    code = re.sub(r"--.*|'(?:[^']|'')*'|\"[^\"]*\"", "", text)
    assert not re.findall(r"\b(?:SELECT|INSERT|UPDATE|DELETE|CREATE|BEGIN|END)\b", code)


def test_every_sql_file_is_installed() -> None:
    manifest = (ROOT / "sql" / "install.sql").read_text()
    listed = re.findall(r"^\\ir (\S+)$", manifest, re.MULTILINE)
    assert sorted(listed) == [
        each for each in map(place, sql_files()) if each != "install.sql"
    ]


@pytest.mark.parametrize("path", sql_files(), ids=place)
def test_sql_file_holds_one_concept(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 330


def longer(text: str, limit: int) -> list[str]:
    """Return the functions whose bodies are longer than a limit."""
    found = re.finditer(
        r"create or replace (?:function|procedure) (\S+).*?as \$\$\n(.*?)\n\$\$;",
        text,
        re.DOTALL,
    )
    return [m[1] for m in found if m[2].count("\n") >= limit]


@pytest.mark.parametrize("path", sql_files(), ids=place)
def test_function_body_is_short_enough_to_read(path: Path) -> None:
    assert longer(path.read_text(), 60) == []
    offence = "create or replace function f () as $$\n" + "x\n" * 61 + "$$;"
    assert longer(offence, 60) == ["f"]


def test_every_sqlstate_is_listed_once_and_raised_somewhere() -> None:
    text = "".join(path.read_text() for path in sql_files())
    text += (ROOT / "alembic" / "before.sql").read_text()
    raised = set(re.findall(r"'(ZA\d{3})'", text))
    assert raised == set(errors.BY_SQLSTATE)
    assert not [state for state in raised if state.endswith("000")]
    documented = re.findall(r"`(ZA\d{3})`", (ROOT / "docs" / "errors.md").read_text())
    assert sorted(documented) == sorted(raised)


def test_code_and_catalog_name_the_same_objects(db: Connection) -> None:
    named = {
        name.removeprefix("agentdb.")
        for kind, name, *_ in schema.CREATED.findall(schema.code())
        if kind
    }
    found = rows(
        db,
        "select proname as name from pg_proc where pronamespace = 'agentdb'::regnamespace "
        "union select relname from pg_class where relnamespace = 'agentdb'::regnamespace "
        "and relkind = 'v'",
    )
    assert named == {each["name"] for each in found}


def test_sql_parses_and_plpgsql_compiles() -> None:
    import pglast

    statements = pglast.parse_sql(schema.code())
    assert len(statements) > 100


def test_page_on_security_names_tests_that_are_there() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs/security.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / f"tests/{name}.py").exists()] == []
