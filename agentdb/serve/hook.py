"""`POST /hook`: the events of coding agents' hooks, recorded and answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .hook_event import BEFORE_WORK, Hook, NoEvent, answer

if TYPE_CHECKING:
    from .intake import Intake
