"""Which tables the SQL in a call's arguments is about, by a parser of SQL.

The text is an agent's: huge, cut off, invalid, or made to hurt.  So this runs in a
child process with a deadline, and what cannot be read names no table.
"""

from __future__ import annotations

import contextlib
import logging
import resource
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

LONGEST = 20_000
MOST = 10
MEMORY = 2**30
# Statements that carry another: PostgreSQL's EXPLAIN, PREPARE, COPY (…), DECLARE.
BEGINNINGS = {"WITH", "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"}
WRITES = {"Insert": "insert", "Update": "update", "Merge": "update"}
DELETES = {"Delete": "delete", "TruncateTable": "delete"}


def bound() -> None:
    """Let no text take more memory than a parser needs."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable(logging.CRITICAL)


def relations(texts: list[str]) -> list[tuple[str, str]]:
    """Return each table that is read or written, quoted, with the right it takes."""
    found: dict[tuple[str, str], None] = {}
    for text in texts:
        if len(text) <= LONGEST and " " in text.strip():
            found |= dict.fromkeys(_in_text(text))
    return list(found)[:MOST]


def _in_text(text: str) -> list[tuple[str, str]]:
    try:
        return [pair for tree in _parse(text) for pair in _in_statement(tree)]
    # Whatever a text does to the library, it names no table then.
    except (Exception, RecursionError, MemoryError):
        return []


def _parse(text: str) -> Iterator[exp.Expression]:
    """Yield the statements of a text; what one carries in place of the carrier."""
    from sqlglot import ErrorLevel, exp, parse

    for tree in parse(text, dialect="postgres", error_level=ErrorLevel.IGNORE):
        if isinstance(tree, exp.Command):
            yield from _carried(tree.expression.name)
        elif isinstance(tree, exp.Expression):
            yield tree


def _carried(text: str) -> Iterator[exp.Expression]:
    from sqlglot import tokenize

    for token in tokenize(text, dialect="postgres"):
        if token.text.upper() in BEGINNINGS:
            yield from _parse(text[token.start :])
            return


def _in_statement(tree: exp.Expression) -> Iterator[tuple[str, str]]:
    from sqlglot import exp

    for table in tree.find_all(exp.Table):
        parts = [table.args.get("db"), table.this]
        names = [part for part in parts if isinstance(part, exp.Identifier)]
        if isinstance(table.this, exp.Identifier) and not _is_cte(table):
            yield ".".join(_quoted(name) for name in names), _right(table)


def _is_cte(table: exp.Table) -> bool:
    """Tell whether a name stands for a WITH query that is visible where it is used."""
    from sqlglot import exp

    if table.args.get("db"):
        return False
    node: exp.Expression = table
    while isinstance(above := node.parent, exp.Expression):
        clause = (
            above
            if isinstance(above, exp.With)
            else above.args.get("with_") or (above.args.get("with"))
        )
        if isinstance(clause, exp.With) and clause is not node:
            for cte in clause.expressions:
                if cte is node and not clause.recursive:
                    break
                if _folded(cte.args["alias"].this) == _folded(table.this):
                    return True
        node = above
    return False


def _right(table: exp.Table) -> str:
    """Return the right that a statement needs on a table."""
    above = table.parent
    if type(above).__name__ == "Schema" and above is not None:
        above = above.parent
    kind = type(above).__name__
    if above is not None and above.this in (table, table.parent):
        return {**WRITES, **DELETES}.get(kind, "select")
    if kind == "TruncateTable":
        return "delete"
    return "select"


def _folded(name: exp.Identifier) -> str:
    return str(name.name) if name.args.get("quoted") else str(name.name).lower()


def _quoted(name: exp.Identifier) -> str:
    return '"' + _folded(name).replace('"', '""') + '"'
