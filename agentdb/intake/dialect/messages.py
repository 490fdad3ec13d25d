"""Calls that a model's reply asks for, and the tools that it was offered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from .value import arguments, listed, member, text

if TYPE_CHECKING:
    from ..otlp.record import Log, Span
    from .reading import Reading

NO_SUCH_TOOL = "the agent has no such tool"


class Asked(NamedTuple):
    """A call that a model asked for."""

    tool: str
    args: Any
    call: str | None


def asked(messages: Any) -> Iterator[Asked]:
    """Yield the calls in messages as the semantic conventions have them."""
    for message in listed(messages):
        for part in listed(member(message, "parts")):
            # What a provider runs itself is in no list of tools.
            if member(part, "type") != "tool_call" or member(part, "builtin"):
                continue
            if name := text(member(part, "name")):
                yield Asked(
                    name, arguments(member(part, "arguments")), text(member(part, "id"))
                )


def offered(definitions: Any) -> set[str]:
    """Return the names of the tools that a model was offered, where they are told."""
    found = set()
    for each in listed(definitions):
        name = member(each, "name") or member(each, "function", "name")
        if isinstance(name, str):
            found.add(name)
    return found


def replied(
    reading: Reading,
    record: Span | Log,
    calls: list[Asked],
    tools: set[str],
    **where: Any,
) -> None:
    """Note what a reply asked for; a tool that was not offered is an unknown one.

    Nothing runs then, so that libraries write no span of it.
    """
    for place, call in enumerate(calls):
        if tools and call.tool not in tools:
            reading.call(
                record,
                call.tool,
                call_id=call.call,
                args=call.args,
                ok=False,
                error=NO_SUCH_TOOL,
                unknown=True,
                place=place,
                **where,
            )
        else:
            reading.asks(record, call.tool, call.args, call.call)
