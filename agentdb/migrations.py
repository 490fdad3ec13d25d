"""Alembic operations for your own migrations: import this module, then use `op`.

    import agentdb.migrations  # noqa: F401  (registers the operations)
    from alembic import op

    def upgrade() -> None:
        op.audit_table("orders", redact=["card_number"])

    def downgrade() -> None:
        op.unaudit_table("orders")

Run them as the owner of the table, a member of agentdb_operator, or as a superuser.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic.operations import MigrateOperation, Operations
from psycopg import sql

from .schema import emit

AUDIT = """
select agentdb.audit_table(
  relation => {relation}::regclass, exclude => {exclude}::text[],
  redact => {redact}::text[], refuse_blast => {refuse_blast}
)
"""
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
    emit(operations.get_context(), statement.as_string(None).strip() + ";")


def _relation(operation: AuditTable | UnauditTable) -> sql.Literal:
    """Return the table's name, quoted, as a literal."""
    name = sql.Identifier(operation.schema, operation.table)
    return sql.Literal(name.as_string(None))


def _array(names: Sequence[str]) -> str:
    """Return names as the text of an array."""
    quoted = ('"' + n.replace("\\", "\\\\").replace('"', '\\"') + '"' for n in names)
    return "{" + ",".join(quoted) + "}"
