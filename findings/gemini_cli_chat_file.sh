#!/usr/bin/env bash
# The chat file that Gemini CLI keeps, and hands to its hooks as transcript_path, has one
# answer of the model in several lines: as it came, and again with its calls when they have
# ended, each time with all of its tokens.  Who adds up the lines bills an answer with a
# tool call twice.  A command that failed has the status "success" there, with its exit
# code in the text alone; "error" are a tool that is not there and arguments that do not
# fit.  Its hooks name no call: two calls of one tool with one argument look the same.
#
# Versions: @google/gemini-cli 0.61.0, against a model of ours on the loopback.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

npm install --silent --no-save --prefix "$place/npm" @google/gemini-cli@0.61.0
mkdir -p "$place/home/.gemini" "$place/project"

cat > "$place/project/hook.sh" <<SH
#!/bin/sh
cat >> "$place/events"
echo '{}'
SH
chmod +x "$place/project/hook.sh"

cat > "$place/run.py" <<'PYTHON'
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

place = pathlib.Path(sys.argv[1])
CALLS = [
    ("run_shell_command", {"command": "exit 3"}),
    ("no_such_tool", {}),
    ("read_file", {"path": 5}),
]


class Model(http.server.BaseHTTPRequestHandler):
    """Asks for the three calls, and has said all when it is told what they came to."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        done = "functionResponse" in json.dumps(asked["contents"])
        parts = [{"functionCall": {"name": n, "args": a}} for n, a in CALLS]
        if done:
            parts = [{"text": "done"}]
        used = {"promptTokenCount": 100, "candidatesTokenCount": 10, "totalTokenCount": 110}
        content = {"role": "model", "parts": parts}
        answer = {
            "candidates": [{"content": content, "finishReason": "STOP"}],
            "usageMetadata": used,
        }
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"data: {json.dumps(answer)}\n\n".encode())

    def log_message(self, *said):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
hook = [{"hooks": [{"type": "command", "command": str(place / "project" / "hook.sh")}]}]
settings = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "hooks": {"BeforeTool": hook},
}
(place / "home/.gemini/settings.json").write_text(json.dumps(settings))
environment = {
    "PATH": os.environ["PATH"], "HOME": str(place / "home"), "GEMINI_API_KEY": "x",
    "GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{server.server_port}",
    "GEMINI_CLI_TRUST_WORKSPACE": "true",
}
program = place / "npm/node_modules/.bin/gemini"
subprocess.run(
    [program, "-p", "Work.", "--yolo", "-m", "gemini-2.5-pro"], cwd=place / "project",
    env=environment, stdin=subprocess.DEVNULL, check=True, capture_output=True,
    timeout=120,
)
event = json.JSONDecoder().raw_decode((place / "events").read_text())[0]
print("a hook's event has the id of its call:", any("id" in k and k != "session_id" for k in event))
lines, statuses = {}, {}
for line in pathlib.Path(event["transcript_path"]).read_text().splitlines():
    message = json.loads(line)
    if message.get("type") == "gemini":
        lines.setdefault(message["id"], []).append(message["tokens"]["total"])
        statuses |= {c["name"]: c["status"] for c in message.get("toolCalls", ())}
print("tokens by line, an answer a list:", *lines.values())
print("statuses:", json.dumps(statuses))
PYTHON

python3 "$place/run.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
a hook's event has the id of its call: False
tokens by line, an answer a list: [110, 110] [110]
statuses: {"run_shell_command": "success", "no_such_tool": "error", "read_file": "error"}
TEXT
