"""LiteLLM's own callback: one request is one record, its raw child none."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from ..agents import rows
from ..conftest import Connection
from ..serving import Serving
from .emitting import calls, of_requests, problems, totals
from .scripted import REASONING, Asks, says, scripted

# The exporter is the process's own.
PROGRAM = """
import sys
import time
import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.integrations.opentelemetry import OpenTelemetry, OpenTelemetryConfig
from opentelemetry import trace

seen = []


class Seen(CustomLogger):
    def log_success_event(self, *told):
        seen.append(told)

url, endpoint, header = sys.argv[1:]
config = OpenTelemetryConfig(exporter="otlp_http", endpoint=endpoint, headers=header)
litellm.callbacks = [OpenTelemetry(config=config), Seen()]


def ask(text, **more):
    return litellm.completion(
        "openai/m-1", messages=[{"role": "user", "content": text}], api_base=url,
        api_key="x", **more)


ask("one")
for part in ask("two", stream=True, stream_options={"include_usage": True}):
    pass
ask("three")
try:
    ask("four", num_retries=0, max_retries=0)
except litellm.exceptions.InternalServerError:
    pass
ask("five", max_retries=1)

# Its callbacks run in threads of their own.
end = time.monotonic() + 15
while len(seen) < 4 and time.monotonic() < end:
    time.sleep(0.1)
trace.get_tracer_provider().force_flush()
"""


def test_requests(db: Connection, serve: Serving) -> None:
    """Asked of a model: one, two in a stream, three, and five after a retry."""
    script = scripted(
        says("1"), says("2"), says("3"), Asks(status=500), Asks(status=500), says("5")
    )
    with script as provider:
        done = subprocess.run(
            [
                *(sys.executable, "-c", PROGRAM, provider.url, serve.url),
                f"authorization=Bearer {serve.token}",
            ],
            env={
                **os.environ,
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            },
            timeout=120,
        )
        assert done.returncode == 0
        assert provider.answered == 4
    assert totals(db) == of_requests(4)
    assert calls(db) == []
    assert problems(db) == []
    found: list[dict[str, Any]] = rows(
        db,
        "select distinct reasoning_tokens as reasoning, model from agentdb.token_log",
    )
    assert found == [{"reasoning": REASONING, "model": "m-1"}]
