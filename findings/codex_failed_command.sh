#!/usr/bin/env bash
# Codex's PostToolUse hook does not say how a command ended: one that exits with 3 and one
# that exits with 0 send the same event, with an empty text as the result where nothing was
# printed.  A tool that does not exist, and arguments that do not parse, run no hook at all.
# And the tool is called Bash in the hook and exec_command in the rollout that the same
# event names as its transcript, where the exit code is a line of text.  Who counts failed
# or hallucinated calls of Codex from its hooks counts none.
#
# Versions: @openai/codex 0.171.0, against a model of ours on the loopback.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

npm install --silent --no-save --prefix "$place/npm" @openai/codex@0.171.0
mkdir -p "$place/home/.codex" "$place/project"

cat > "$place/project/hook.sh" <<SH
#!/bin/sh
cat >> "$place/events"
echo >> "$place/events"
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
    ("c1", "exec_command", '{"cmd": "true"}'),
    ("c2", "exec_command", '{"cmd": "exit 3"}'),
    ("c3", "no_such_tool", "{}"),
    ("c4", "exec_command", '{"cmd": 5}'),
]


class Model(http.server.BaseHTTPRequestHandler):
    """Asks for the four calls, and has said all when it is told what they came to."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        done = any(item.get("type") == "function_call_output" for item in asked["input"])
        items = [
            {"type": "function_call", "call_id": c, "name": n, "arguments": a}
            for c, n, a in CALLS
        ]
        text = [{"type": "output_text", "text": "done", "annotations": []}]
        if done:
            items = [{"type": "message", "role": "assistant", "content": text}]
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        whole = {"id": "r", "output": items, "usage": usage}
        events = [{"type": "response.created", "response": {"id": "r"}}]
        events += [{"type": "response.output_item.done", "item": item} for item in items]
        events += [{"type": "response.completed", "response": whole}]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in events:
            line = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            self.wfile.write(line.encode())

    def log_message(self, *said):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
hook = [{"hooks": [{"type": "command", "command": str(place / "project" / "hook.sh")}]}]
hooks = {"hooks": {"PreToolUse": hook, "PostToolUse": hook}}
(place / "home/.codex/hooks.json").write_text(json.dumps(hooks))
(place / "home/.codex/config.toml").write_text(f"""
model = "m"
model_provider = "local"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[model_providers.local]
name = "local"
base_url = "http://127.0.0.1:{server.server_port}/v1"
wire_api = "responses"
""")
program = place / "npm/node_modules/.bin/codex"
trusted = "--dangerously-bypass-hook-trust"
subprocess.run(
    [program, "exec", "--skip-git-repo-check", trusted, "Work."],
    cwd=place / "project", env={"PATH": os.environ["PATH"], "HOME": str(place / "home")},
    stdin=subprocess.DEVNULL, check=True, capture_output=True, timeout=120,
)
shown_events = []
for line in (place / "events").read_text().splitlines():
    event = json.loads(line)
    shown = {k: event[k] for k in ("tool_name", "tool_use_id", "tool_response") if k in event}
    shown_events.append(f"{event['hook_event_name']} {json.dumps(shown)}")
# Two calls of one reply run at once, in either order.
print(*sorted(shown_events), sep="\n")
(rollout,) = (place / "home/.codex/sessions").rglob("*.jsonl")
for line in rollout.read_text().splitlines():
    payload = json.loads(line)["payload"]
    if payload.get("type") == "function_call":
        print("transcript calls", payload["call_id"], payload["name"])
    elif payload.get("type") == "function_call_output":
        said = [w for w in payload["output"].splitlines() if "Chunk" not in w and "Wall" not in w]
        print("transcript of", payload["call_id"], said[0])
PYTHON

python3 "$place/run.py" "$place" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
PostToolUse {"tool_name": "Bash", "tool_use_id": "c1", "tool_response": ""}
PostToolUse {"tool_name": "Bash", "tool_use_id": "c2", "tool_response": ""}
PreToolUse {"tool_name": "Bash", "tool_use_id": "c1"}
PreToolUse {"tool_name": "Bash", "tool_use_id": "c2"}
transcript calls c1 exec_command
transcript calls c2 exec_command
transcript calls c3 no_such_tool
transcript calls c4 exec_command
transcript of c1 Process exited with code 0
transcript of c2 Process exited with code 3
transcript of c3 unsupported call: no_such_tool
transcript of c4 failed to parse function arguments: invalid type: integer `5`, expected a string at line 1 column 9
TEXT
