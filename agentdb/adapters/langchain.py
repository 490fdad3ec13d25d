"""LangChain and LangGraph: `create_agent(model, tools, middleware=[Recorded(run)])`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, ToolMessage

from ..client import Advised, AsyncRun, Looping, Run, Tokens
from ..client.aio import AsyncTokens
from ..client.recorded import Call
from ..client.usage import usage_of
from ..errors import describe
from .common import UNKNOWN, estimate, run_of


class Recorded(AgentMiddleware[Any, Any]):
    """Records the tools and tokens of an agent; tells its model of a loop, advice."""

    def __init__(self, run: Run | AsyncRun) -> None:
        super().__init__()
        self._run = run_of(run)

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Record a call with its outcome; raises Stopped."""
        if refused := self._refused(request):
            return refused
        call = self._call(request)
        try:
            found = handler(request)
        except BaseException as error:
            call.end(error=error)
            raise
        return _ended(call, request, found)

    async def awrap_tool_call(
        self, request: Any, handler: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        """Record a call with its outcome; raises Stopped."""
        if refused := self._refused(request):
            return refused
        call = self._call(request)
        try:
            found = await handler(request)
        except BaseException as error:
            call.end(error=error)
            raise
        return _ended(call, request, found)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Set tokens aside, and settle what was used; raises BudgetRefused."""
        with self._run.tokens(estimate(request.messages)) as tokens:
            response = handler(request)
            _settle(tokens, response, getattr(request, "model", None))
        return response

    async def awrap_model_call(
        self, request: Any, handler: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        """Set tokens aside, and settle what was used; raises BudgetRefused."""
        tokens = self._run.tokens(estimate(request.messages))
        async with AsyncTokens(tokens):
            response = await handler(request)
            _settle(tokens, response, getattr(request, "model", None))
        return response

    def _refused(self, request: Any) -> ToolMessage | None:
        try:
            self._run.check()
        except (Looping, Advised) as told:
            return ToolMessage(
                describe(told), tool_call_id=request.tool_call["id"], status="error"
            )
        return None

    def _call(self, request: Any) -> Call:
        asked = request.tool_call
        return Call(self._run, asked["name"], asked["args"], asked["id"])


def _ended(call: Call, request: Any, found: Any) -> Any:
    """Record what a tool, or the graph in its place, has answered."""
    if not isinstance(found, ToolMessage):
        call.end(found)
    elif found.status != "error":
        call.end(found.text)
    else:
        unknown = request.tool is None
        call.end(
            error=RuntimeError(UNKNOWN if unknown else found.text),
            violation=UNKNOWN if unknown else None,
        )
    return found


def _settle(tokens: Tokens, response: Any, model: Any) -> None:
    """Take the usage of the messages that a model has answered with."""
    messages = getattr(response, "result", None) or [response]
    for message in messages:
        if isinstance(message, AIMessage) and message.usage_metadata:
            said = message.response_metadata
            tokens.usage(usage_of(
                {
                    "usage": message.usage_metadata, "model": said.get("model_name"),
                    "id": said.get("id"),
                    "service_tier": said.get("service_tier"),
                },
                **_provider(model, said),
            ))  # fmt: skip


def _provider(model: Any, said: dict[str, Any]) -> dict[str, Any]:
    """Return whose price a message has: of the address asked, else of the provider."""
    for name in ("openai_api_base", "anthropic_api_url", "azure_endpoint"):
        if isinstance(address := getattr(model, name, None), str) and address:
            return {"url": address}
    return {"provider": said.get("model_provider")}
