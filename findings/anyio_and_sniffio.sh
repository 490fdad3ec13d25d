#!/usr/bin/env bash
# A task group of anyio takes a new task from a callback of the event loop, such as the
# handler of a signal, as long as no package has brought sniffio along.  Where sniffio is
# installed, whoever wanted it, the same program raises NoEventLoopError there: in a
# callback no task is running, and sniffio is asked in place of the loop.
#
# Versions: anyio 4.16.0, sniffio 1.3.1.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

cat > "$place/look.py" <<'PYTHON'
import asyncio
import signal

import anyio


async def work():
    print("the task has run")


async def main():
    loop = asyncio.get_running_loop()
    async with anyio.create_task_group() as group:

        def hear():
            try:
                group.start_soon(work)
            except Exception as error:
                print(f"{type(error).__name__}")

        loop.add_signal_handler(signal.SIGHUP, hear)
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0.2)


asyncio.run(main())
PYTHON

for more in "" "sniffio==1.3.1"; do
  rm -rf "$place/venv"
  python3 -m venv "$place/venv"
  # shellcheck disable=SC2086
  "$place/venv/bin/pip" install --quiet --disable-pip-version-check "anyio==4.16.0" $more
  echo "with ${more:-nothing else}"
  "$place/venv/bin/python" -W ignore "$place/look.py"
done | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
with nothing else
the task has run
with sniffio==1.3.1
NoEventLoopError
TEXT
