"""The short name of agentdb.client.tool, for programs that have it."""

from .client.tool import ToolCall, log_tool_call

__all__ = ["ToolCall", "log_tool_call"]
