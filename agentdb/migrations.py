"""Alembic operations for your own migrations: import this module, then use `op`.

    import agentdb.migrations  # noqa: F401  (registers the operations)
    from alembic import op

    def upgrade() -> None:
        op.audit_table("orders", redact=["card_number"])

        op.guard_table("refunds", approvals=2)

    def downgrade() -> None:
        op.unguard_table("refunds")
        op.unaudit_table("orders")

A migration that alters such a table loses nothing, and the runner adapts to it within
half a minute; `op.maintain()` at its end does so at once.  A column of a guarded table
changes its type or goes between `op.drop_staging_view("refunds")` and `op.maintain()`.
`op.mark("before 0042")` names the moment before it, at which the past is exact.

Imported in your env.py, it keeps `alembic revision --autogenerate` from proposing to
drop what belongs to agentdb.

Run them as the owner of the table who is a member of agentdb_operator, or as a
superuser.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import UpgradeOps
from psycopg import sql
from sqlalchemy import Connection

from .schema.code import emit

OURS: set[str | None] = {"agentdb", "agentdb_stage"}
AUDIT = """
select agentdb.audit_table(
  relation => {relation}::regclass, exclude => {exclude}::text[],
  redact => {redact}::text[], refuse_blast => {refuse_blast}
)
"""
GUARD = """
select agentdb.guard_table(
  relation => {relation}::regclass, columns => {columns}::text[],
  approvals => {approvals}::integer, expires => {expires}::interval,
  auto_approve => {auto_approve}::jsonb, apply => {apply}::text,
  validators => {validators}::text[], context => {context}::text[],
  everybody => {everybody}::boolean, reads => {reads}::jsonb
)
"""
UNGUARD = "select agentdb.unguard_table(relation => {relation}::regclass)"
DROP_STAGING_VIEW = """
select agentdb.drop_staging_view(relation => {relation}::regclass)
"""
MAINTAIN = "select agentdb.maintain_tables()"
MARK = "select agentdb.mark(name => {name})"
UNAUDIT = "select agentdb.unaudit_table(relation => {relation}::regclass)"


@Operations.register_operation("audit_table")
class AuditTable(MigrateOperation):
    """Record every change of a table from now on."""

    def __init__(
        self,
        table: str,
        schema: str,
        exclude: Sequence[str],
        redact: Sequence[str],
        refuse_blast: bool,
    ) -> None:
        self.table = table
        self.schema = schema
        self.exclude = list(exclude)
        self.redact = list(redact)
        self.refuse_blast = refuse_blast

    @classmethod
    def audit_table(
        cls,
        operations: Operations,
        table: str,
        *,
        schema: str = "public",
        exclude: Sequence[str] = (),
        redact: Sequence[str] = (),
        refuse_blast: bool = False,
    ) -> None:
        """Record every change of a table; `exclude` and `redact` name columns."""
        operations.invoke(cls(table, schema, exclude, redact, refuse_blast))

    def reverse(self) -> UnauditTable:
        return UnauditTable(self.table, self.schema)


@Operations.register_operation("unaudit_table")
class UnauditTable(MigrateOperation):
    """Record a table no more."""

    def __init__(self, table: str, schema: str) -> None:
        self.table = table
        self.schema = schema

    @classmethod
    def unaudit_table(
        cls, operations: Operations, table: str, *, schema: str = "public"
    ) -> None:
        """Record a table no more; what was recorded stays."""
        operations.invoke(cls(table, schema))

    def reverse(self) -> AuditTable:
        return AuditTable(self.table, self.schema, (), (), False)


@dataclass(frozen=True)
class Guard:
    """How a table is guarded, None as it was last; see agentdb.guard_table."""

    columns: Sequence[str] | None = None
    approvals: int | None = None
    expires: str | None = None
    auto_approve: Mapping[str, Any] | None = None
    apply: str | None = None
    validators: Sequence[str] | None = None
    context: Sequence[str] | None = None
    everybody: bool | None = None
    reads: Mapping[str, Any] | None = None


@Operations.register_operation("guard_table")
class GuardTable(MigrateOperation):
    """Let agents write a table only through approved changes."""

    def __init__(self, table: str, schema: str, guard: Guard) -> None:
        self.table = table
        self.schema = schema
        self.guard = guard

    @classmethod
    def guard_table(
        cls, operations: Operations, table: str, *, schema: str = "public", **how: Any
    ) -> None:
        """Guard a table; `how` are the arguments of agentdb.guard_table."""
        operations.invoke(cls(table, schema, Guard(**how)))

    def reverse(self) -> UnguardTable:
        return UnguardTable(self.table, self.schema)


@Operations.register_operation("unguard_table")
class UnguardTable(MigrateOperation):
    """Let agents write a table directly again."""

    def __init__(self, table: str, schema: str) -> None:
        self.table = table
        self.schema = schema

    @classmethod
    def unguard_table(
        cls, operations: Operations, table: str, *, schema: str = "public"
    ) -> None:
        """End the guard of a table; it stays audited."""
        operations.invoke(cls(table, schema))

    def reverse(self) -> GuardTable:
        return GuardTable(self.table, self.schema, Guard())


@Operations.register_operation("drop_staging_view")
class DropStagingView(MigrateOperation):
    """Take the staging view of a guarded table out of the way of what follows."""

    def __init__(self, table: str, schema: str) -> None:
        self.table = table
        self.schema = schema

    @classmethod
    def drop_staging_view(
        cls, operations: Operations, table: str, *, schema: str = "public"
    ) -> None:
        """Let columns of a guarded table be retyped or dropped until `maintain`."""
        operations.invoke(cls(table, schema))

    def reverse(self) -> Maintain:
        return Maintain()


@Operations.register_operation("maintain")
class Maintain(MigrateOperation):
    """Adapt to the tables that this migration has altered."""

    @classmethod
    def maintain(cls, operations: Operations) -> None:
        """Make capture functions and staging views for the new shape of tables."""
        operations.invoke(cls())

    def reverse(self) -> Maintain:
        return Maintain()


@Operations.register_operation("mark")
class Mark(MigrateOperation):
    """Name the moment before what the migration does."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def mark(cls, operations: Operations, name: str) -> None:
        """Give the present moment a name: the past is known exactly at it."""
        operations.invoke(cls(name))


# Which of the two it is depends on the order, which differs between Alembic's versions:
# before the comparison ours are left out of it, after it they leave its findings.
@comparators.dispatch_for("schema")
def _leave_ours_alone(
    context: AutogenContext, upgrade: UpgradeOps, schemas: set[str | None]
) -> None:
    """Keep autogenerate from dropping what is not the application's."""
    schemas -= OURS
    upgrade.ops[:] = [o for o in upgrade.ops if getattr(o, "schema", None) not in OURS]


@Operations.implementation_for(DropStagingView)
def _drop_staging_view(operations: Operations, operation: DropStagingView) -> None:
    statement = sql.SQL(DROP_STAGING_VIEW).format(relation=_relation(operation))
    _run(operations, statement)


@Operations.implementation_for(Maintain)
def _maintain(operations: Operations, operation: Maintain) -> None:
    _run(operations, sql.Composed([sql.SQL(MAINTAIN)]))


@Operations.implementation_for(Mark)
def _mark(operations: Operations, operation: Mark) -> None:
    _run(operations, sql.SQL(MARK).format(name=sql.Literal(operation.name)))


@Operations.implementation_for(GuardTable)
def _guard_table(operations: Operations, operation: GuardTable) -> None:
    guard = operation.guard
    _run(
        operations,
        sql.SQL(GUARD).format(
            relation=_relation(operation),
            columns=sql.Literal(_array(guard.columns)),
            approvals=sql.Literal(guard.approvals),
            expires=sql.Literal(guard.expires),
            auto_approve=sql.Literal(_json(guard.auto_approve)),
            apply=sql.Literal(guard.apply),
            validators=sql.Literal(_array(guard.validators)),
            context=sql.Literal(_array(guard.context)),
            everybody=sql.Literal(guard.everybody),
            reads=sql.Literal(_json(guard.reads)),
        ),
    )


@Operations.implementation_for(UnguardTable)
def _unguard_table(operations: Operations, operation: UnguardTable) -> None:
    _run(operations, sql.SQL(UNGUARD).format(relation=_relation(operation)))


@Operations.implementation_for(AuditTable)
def _audit_table(operations: Operations, operation: AuditTable) -> None:
    _run(
        operations,
        sql.SQL(AUDIT).format(
            relation=_relation(operation),
            exclude=sql.Literal(_array(operation.exclude)),
            redact=sql.Literal(_array(operation.redact)),
            refuse_blast=sql.Literal(operation.refuse_blast),
        ),
    )


@Operations.implementation_for(UnauditTable)
def _unaudit_table(operations: Operations, operation: UnauditTable) -> None:
    _run(operations, sql.SQL(UNAUDIT).format(relation=_relation(operation)))


def _run(operations: Operations, statement: sql.Composed) -> None:
    """Execute as it stands, or print it in offline mode."""
    context = operations.get_context()
    with _noticed(context.connection):
        emit(context, statement.as_string(None).strip() + ";")


@contextmanager
def _noticed(connection: Connection | None) -> Iterator[None]:
    """Pass on what the database notes: a driver keeps it to itself."""
    driver = connection.connection.driver_connection if connection else None
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    driver.add_notice_handler(_note)
    try:
        yield
    finally:
        driver.remove_notice_handler(_note)


def _note(notice: psycopg.errors.Diagnostic) -> None:
    said = filter(None, (notice.message_primary, notice.message_hint))
    logging.getLogger(__name__).warning("%s", "\n".join(said))


def _relation(
    operation: AuditTable | UnauditTable | GuardTable | UnguardTable | DropStagingView,
) -> sql.Literal:
    """Return the table's name, quoted, as a literal."""
    name = sql.Identifier(operation.schema, operation.table)
    return sql.Literal(name.as_string(None))


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _array(names: Sequence[str] | None) -> str | None:
    """Return names as the text of an array."""
    if names is None:
        return None
    quoted = ('"' + n.replace("\\", "\\\\").replace('"', '\\"') + '"' for n in names)
    return "{" + ",".join(quoted) + "}"
