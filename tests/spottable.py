"""Prints the SQL on standard input in the part of the language that pgspot reads.

It stops at functions with a SQL-standard body: they are parsed when they are
created, so nothing that it looks for can happen in them, and they are left out.
And it does not know results that are qualified by their function's name: the
name is left out.  Nor does it know the columns of our types: a variable of one is
a record, which has any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from pglast import ast, parse_sql

OF_OUR_TYPE = re.compile(r"\b(v_\w+) agentdb\.change_\w+(?=[; ])")


def spottable(script: str) -> Iterator[str]:
    """Yield the statements as pgspot can read them."""
    for raw in parse_sql(script):
        start = raw.stmt_location
        text = script[start : start + raw.stmt_len].strip()
        if not isinstance(raw.stmt, ast.CreateFunctionStmt):
            yield f"{text};"
        elif raw.stmt.sql_body is None:
            text = text.replace(f" {raw.stmt.funcname[-1].sval}.", " ")
            yield f"{OF_OUR_TYPE.sub(lambda found: f'{found[1]} record', text)};"


if __name__ == "__main__":
    sys.stdout.writelines(f"{text}\n\n" for text in spottable(sys.stdin.read()))
