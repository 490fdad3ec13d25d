#!/usr/bin/env bash
# A tool of openai-agents that raises is an ordinary answer to all that a program can
# hook into: on_tool_end gets the same fixed text as the model, and no exception.  That
# it failed is on the current span alone; why it failed is nowhere, also where tracing
# of sensitive data is switched on for the run: at the hook the span says "redacted".
#
# Versions: openai-agents 0.24.0, openai 3.57.0.
# Seen:     see the end of this file.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
  "openai-agents==0.24.0" "openai==3.57.0"

cat > "$place/look.py" <<'PYTHON'
import asyncio

from agents import Agent, RunConfig, RunHooks, Runner, function_tool
from agents.testing.model import ModelStep, ScriptedModel
from agents.tracing import get_current_span
from openai.types.responses import ResponseFunctionToolCall


@function_tool
def pay(amount: int) -> str:
    """Pay."""
    raise ValueError("the account is closed")


class Hooks(RunHooks):
    async def on_tool_end(self, context, agent, tool, result):
        error = get_current_span().error
        print(f"hook: {result!r}")
        print(f"span: {(error or {}).get('data', {}).get('error')!r}")


async def look(sensitive):
    call = ResponseFunctionToolCall(
        type="function_call", name="pay", arguments='{"amount": 1}', call_id="c1"
    )
    model = ScriptedModel([[call], ModelStep.raise_error(RuntimeError("enough"))])
    config = RunConfig(trace_include_sensitive_data=sensitive)
    try:
        agent = Agent("payer", model=model, tools=[pay])
        await Runner.run(agent, "pay", hooks=Hooks(), run_config=config)
    except RuntimeError:
        pass
    outputs = [
        item["output"] for item in model.last_call.input
        if isinstance(item, dict) and item.get("type") == "function_call_output"
    ]
    print(f"model: {outputs[0]!r}")


for sensitive in (False, True):
    print(f"trace_include_sensitive_data={sensitive}")
    asyncio.run(look(sensitive))
PYTHON

"$place/venv/bin/python" "$place/look.py" 2> "$place/errors" | tee "$place/seen"

diff "$place/seen" - <<'TEXT'
trace_include_sensitive_data=False
hook: 'An error occurred while running the tool. Please try again.'
span: 'Tool execution failed. Error details are redacted.'
model: 'An error occurred while running the tool. Please try again.'
trace_include_sensitive_data=True
hook: 'An error occurred while running the tool. Please try again.'
span: 'Tool execution failed. Error details are redacted.'
model: 'An error occurred while running the tool. Please try again.'
TEXT
