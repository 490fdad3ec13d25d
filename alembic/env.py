"""Runs revisions, and after each step puts that revision's code in place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, create_engine

from agentdb.schema.code import SCHEMA, code, emit, frame, url


def place_code(
    ctx: MigrationContext,
    step: MigrationInfo,
    heads: Collection[Any],
    run_args: Mapping[str, Any],
) -> None:
    """Follow one revision step with its code; at base, remove the last traces."""
    if not step.is_stamp:
        emit(ctx, code(*heads) if heads else frame("base"))


def migrate(**options: Any) -> None:
    """Run the asked command with the version table inside the schema."""
    context.configure(
        version_table_schema=SCHEMA,
        on_version_apply=place_code,
        **options,
    )
    with context.begin_transaction():
        ctx = context.get_context()
        emit(ctx, frame("before"))
        found = () if ctx.as_sql else ctx.get_current_heads()
        context.run_migrations()
        if (
            context.config.attributes.get("refresh")
            and found == ctx.get_current_heads()
        ):
            emit(ctx, code())
        if ctx.as_sql or ctx.get_current_heads():
            emit(ctx, frame("after"))


def main() -> None:
    """Use the caller's connection, a connection of our own, or none at all."""
    connection: Connection | None = context.config.attributes.get("connection")
    if context.is_offline_mode():
        migrate(
            dialect_name="postgresql",
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},
        )
    elif connection is not None:
        migrate(connection=connection)
    else:
        with create_engine(url()).connect() as connection:
            migrate(connection=connection)


main()
