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
import litellm
from opentelemetry import trace

litellm.callbacks = ["otel"]
url = sys.argv[1]


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

import time
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
time.sleep(1)
from litellm.litellm_core_utils.litellm_logging import _in_memory_loggers
for each in _in_memory_loggers:
    provider = getattr(each, "_tracer_provider", None) or trace.get_tracer_provider()
    getattr(provider, "force_flush", bool)()
"""


def test_requests(db: Connection, serve: Serving) -> None:
    """Asked of a model: one, two in a stream, three, and five after a retry."""
    script = scripted(
        says("1"), says("2"), says("3"), Asks(status=500), Asks(status=500), says("5")
    )
    with script as provider:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, provider.url],
            env={
                **os.environ,
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "OTEL_EXPORTER": "otlp_http",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_ENDPOINT": serve.url,
                "OTEL_EXPORTER_OTLP_ENDPOINT": serve.url,
                "OTEL_HEADERS": f"authorization=Bearer {serve.token}",
                "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{serve.token}",
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
