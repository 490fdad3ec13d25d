"""openai-agents: `Runner.run(agent, input, hooks=Recorded(run))`.

A tool that raises answers with a text that looks like any other; its span alone knows,
and does not say why unless the tool has a failure_error_function of its own.
"""

from __future__ import annotations

from typing import Any

from agents import RunHooks, ToolGuardrailFunctionOutput, ToolInputGuardrail
from agents.tracing import get_current_span

from ..client import Advised, AsyncRun, Looping, Run
from ..client.recorded import Call
from ..client.usage import usage_of
from ..errors import describe
from .common import UNKNOWN, arguments, run_of


class Recorded(RunHooks[Any]):
    """Records the tools and tokens of an agent; raises Stopped before either."""

    def __init__(self, run: Run | AsyncRun, provider: str | None = None) -> None:
        """`provider` is whose prices the tokens have, such as openai: no hook knows."""
        self._run = run_of(run)
        self._provider = provider
        self._calls: dict[tuple[str, int], Call] = {}

    async def on_llm_start(self, context: Any, agent: Any, *prompt: Any) -> None:
        """Look whether the run may go on."""
        self._check()

    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        """Record what a model used, and the calls of tools that there are not."""
        model = agent.model
        name = model if isinstance(model, str) else getattr(model, "model", None)
        self._run.log_tokens(
            usage_of(
                {
                    "usage": response.usage,
                    "model": name if name else None,
                    "id": response.response_id,
                },
                provider=self._provider,
            )
        )
        names = {tool.name for tool in await agent.get_all_tools(context)}
        names |= {getattr(each, "tool_name", "") for each in agent.handoffs}
        for item in response.output:
            if getattr(item, "type", "") == "function_call" and item.name not in names:
                self._run.log_call(
                    item.name, arguments(item.arguments), error=UNKNOWN,
                    call_id=item.call_id, violation=UNKNOWN,
                )  # fmt: skip

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        """Begin a call."""
        self._check()
        self._calls[_key(context, tool)] = Call(
            self._run, tool.name, arguments(getattr(context, "tool_arguments", None)),
            getattr(context, "tool_call_id", None),
        )  # fmt: skip

    async def on_tool_end(
        self, context: Any, agent: Any, tool: Any, result: object
    ) -> None:
        """Record a call with its outcome."""
        call = self._calls.pop(_key(context, tool), None)
        if call is None:
            return
        span = get_current_span()
        if span is not None and span.error:
            said = (span.error.get("data") or {}).get("error") or result
            call.end(error=RuntimeError(str(said)))
        else:
            call.end(result)

    def _check(self) -> None:
        """Raise Stopped or Paused; a loop and advice are for the guardrail."""
        if self._run.stopped is not None:
            raise self._run.stopped


def guardrail(run: Run | AsyncRun) -> ToolInputGuardrail[Any]:
    """Return a guardrail of tools that tells the model of a loop, of advice."""
    ours = run_of(run)

    async def refuse(data: Any) -> ToolGuardrailFunctionOutput:
        try:
            ours.check()
        except (Looping, Advised) as told:
            return ToolGuardrailFunctionOutput.reject_content(describe(told))
        return ToolGuardrailFunctionOutput.allow()

    return ToolInputGuardrail(guardrail_function=refuse, name="agentdb")


def _key(context: Any, tool: Any) -> tuple[str, int]:
    """Return which call it is: one id may come twice in an answer of a model."""
    return str(getattr(context, "tool_call_id", tool.name)), id(context)
