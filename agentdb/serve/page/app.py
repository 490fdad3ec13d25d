"""The page as an application of its own, behind its door."""

from __future__ import annotations

from starlette.applications import Starlette

from . import action
from . import routes as pages
from .door import routes as ways
from .door.failure import handlers
from .door.keeper import Keeper
from .door.middleware import Door


def create_page(keeper: Keeper, names: frozenset[str]) -> Door:
    """Return the page; who starts it opens the keeper's pool."""
    routes = [*ways.routes(), *action.routes(), *pages.routes()]
    app = Starlette(routes=routes, exception_handlers=handlers())
    app.state.keeper = keeper
    return Door(app, keeper, routes, names)
