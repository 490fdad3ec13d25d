"""Makes the tools of an MCP server known, in an operator's name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..client.calls import as_json
from ..client.session import Session, connector

REGISTER = "select from agentdb.register_tools(tools => %s::text::jsonb)"
logger = logging.getLogger("agentdb.mcp")


def registers(dsn: str, agent: str | None) -> Callable[[list[Any]], None]:
    """Return what registers the tools of a list, and the agent's where it is named."""
    session = Session(connector(dsn, application="agentdb gateway"))

    def register(tools: list[Any]) -> None:
        try:
            if agent is None:
                session.rows(REGISTER, [as_json(tools)])
            else:
                query = REGISTER[:-1] + ", agent => %s::text)"
                session.rows(query, [as_json(tools), agent])
        except Exception as error:
            # The server works, known or not.
            logger.warning("tools are not registered: %s", error)

    return register
