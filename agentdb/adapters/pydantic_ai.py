"""pydantic-ai: `Agent(model, capabilities=[Recorded(run)])`."""

from __future__ import annotations

from typing import Any

from pydantic_ai import ModelRetry
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelResponse

from ..client import Advised, AsyncRun, Looping, Run, Usage
from ..client.aio import AsyncTokens
from ..client.price import Terms, priced
from ..client.usage import response_id
from ..errors import describe
from .common import UNKNOWN, arguments, estimate, run_of


class Recorded(AbstractCapability[Any]):
    """Records the tools and tokens of an agent; tells its model of a loop, advice."""

    def __init__(self, run: Run | AsyncRun) -> None:
        self._run = run_of(run)

    async def wrap_tool_execute(
        self, ctx: Any, *, call: Any, tool_def: Any, args: Any, handler: Any
    ) -> Any:
        """Record a call with its outcome; raises Stopped, or ModelRetry to tell."""
        try:
            self._run.check()
        except (Looping, Advised) as told:
            raise ModelRetry(describe(told)) from told
        return await self._run.call(
            call.tool_name, args, lambda: handler(args), call_id=call.tool_call_id
        )

    async def on_tool_validate_error(
        self, ctx: Any, *, call: Any, tool_def: Any, args: Any, error: Exception
    ) -> Any:
        """Record a call whose arguments the tool cannot take."""
        self._run.log_call(
            call.tool_name, arguments(args), error=str(error),
            call_id=call.tool_call_id, violation=str(error),
        )  # fmt: skip
        raise error

    async def wrap_model_request(
        self, ctx: Any, *, request_context: Any, handler: Any
    ) -> ModelResponse:
        """Set tokens aside, and settle what was used; raises BudgetRefused."""
        tokens = self._run.tokens(estimate(request_context.messages))
        async with AsyncTokens(tokens):
            response: ModelResponse = await handler(request_context)
            tokens.usage(_usage(response))
        self._note_unknown(response, request_context)
        return response

    def _note_unknown(self, response: ModelResponse, request_context: Any) -> None:
        """Record the calls of tools that there are not: no hook ever sees them."""
        known = request_context.model_request_parameters
        names = {tool.name for tool in (*known.function_tools, *known.output_tools)}
        for call in response.tool_calls:
            if call.tool_name not in names:
                self._run.log_call(
                    call.tool_name, arguments(call.args), error=UNKNOWN,
                    call_id=call.tool_call_id, violation=UNKNOWN,
                )  # fmt: skip


def _usage(response: ModelResponse) -> Usage:
    """Cached input is within the input."""
    used = response.usage
    return priced(
        Usage(
            input=max(used.input_tokens - used.cache_read_tokens, 0),
            output=used.output_tokens,
            cached_input=used.cache_read_tokens,
            reasoning=used.details.get("reasoning_tokens", 0),
            model=response.model_name,
            response_id=response_id(response.provider_response_id),
        ),
        Terms(
            provider=response.provider_name,
            url=response.provider_url,
            tier=(response.provider_details or {}).get("service_tier"),
            cache_write=used.cache_write_tokens,
            beyond=bool(used.input_audio_tokens or used.output_audio_tokens),
        ),
    )
