#!/usr/bin/env bash
# LiteLLM keeps the first callback of a class for ever: a second one, set for the next
# piece of work as `litellm.callbacks = [Mine(2)]`, is never called, and the first still
# is.  And what it says that the cache cost (cost_breakdown.cache_read_cost) is within
# input_cost, which is described as the cost of raw, non-cached input tokens only.
#
# Versions: litellm 1.110.2.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "litellm==1.110.2"

cat > "$place/look.py" <<'PYTHON'
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import litellm
from litellm.integrations.custom_logger import CustomLogger

USAGE = {
    "prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107,
    "prompt_tokens_details": {"cached_tokens": 40},
}
MESSAGE = {"role": "assistant", "content": "hi"}
ANSWER = {
    "id": "x", "created": 1, "model": "gpt-4o", "object": "chat.completion",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
    "usage": USAGE,
}


class Provider(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(ANSWER).encode())

    def log_message(self, *said):
        pass


heard = []


class Mine(CustomLogger):
    def __init__(self, number):
        super().__init__()
        self._number = number

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        heard.append((self._number, kwargs["standard_logging_object"]["cost_breakdown"]))


server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
for number in (1, 2):
    litellm.callbacks = [Mine(number)]
    litellm.completion(
        model="openai/gpt-4o", messages=[{"role": "user", "content": "?"}], api_key="k",
        api_base=f"http://127.0.0.1:{server.server_port}/v1",
    )
    end = time.monotonic() + 60
    while len(heard) < number and time.monotonic() < end:
        time.sleep(0.1)
print("called:", [number for number, _ in heard])
cost = heard[0][1]
within = abs(cost["total_cost"] - cost["input_cost"] - cost["output_cost"]) < 1e-12
print("the cache is within the input:", within, cost["cache_read_cost"] > 0)
PYTHON

LITELLM_LOCAL_MODEL_COST_MAP=True "$place/venv/bin/python" "$place/look.py" \
  2> "$place/errors" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
called: [1, 1]
the cache is within the input: True True
TEXT
