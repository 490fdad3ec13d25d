"""Templates of the pages."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

HERE = Path(__file__).parent


def page(
    request: Request, name: str, context: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """Return a page made of a template."""
    state = request.state
    given = {
        "person": getattr(state, "person", None),
        "csrf": getattr(state, "csrf", ""),
        "zone": getattr(state, "zone", None) or timezone.utc,
        "flash": getattr(state, "flash", []),
        "now": datetime.now(timezone.utc),
        "path": request.url.path,
        "here": request.url.path,
    }
    return HTMLResponse(
        environment().get_template(name).render(given | context), status
    )


@cache
def environment() -> Environment:
    """Return what makes pages of templates; all that is put in is escaped."""
    return Environment(
        loader=FileSystemLoader(HERE / "template"),
        autoescape=True,
        undefined=StrictUndefined,
    )
