#!/usr/bin/env bash
# A comparator that a program registers in Alembic's public registry runs after the
# built-in ones in 1.16 and before them in 1.20.  One that prunes what autogenerate
# has found therefore prunes nothing any more, without a word.
#
# Versions: alembic 1.16.5 and 1.20.1, SQLAlchemy 2.0.44, SQLite of Python.
# Seen:     1.16.5: remove_table other
#           1.20.1: nothing yet
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

cat > "$place/look.py" <<'PYTHON'
from alembic.autogenerate import comparators, compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, text

seen = []


@comparators.dispatch_for("schema")
def look(context, upgrade, schemas):
    seen.extend(type(op).__name__ for op in upgrade.ops)


engine = create_engine("sqlite://")
with engine.connect() as connection:
    connection.execute(text("create table other (id integer primary key)"))
    found = compare_metadata(MigrationContext.configure(connection), MetaData())
assert [each[0] for each in found] == ["remove_table"], found
print("remove_table other" if seen else "nothing yet")
PYTHON

for version in 1.16.5 1.20.1; do
  python3 -m venv "$place/$version"
  "$place/$version/bin/pip" install --quiet --disable-pip-version-check \
    "alembic==$version" "sqlalchemy==2.0.44"
  echo "$version: $("$place/$version/bin/python" "$place/look.py")"
done | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
1.16.5: remove_table other
1.20.1: nothing yet
TEXT
