"""Numbers within JSON as they are written: a float would round what is approved."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads


def exact(connection: AsyncConnection[Any]) -> None:
    """Have a connection read numbers within JSON exactly."""
    set_json_loads(partial(json.loads, parse_float=Decimal), connection)
