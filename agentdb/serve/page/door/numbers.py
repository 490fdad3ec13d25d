"""Values as the database has them: numbers in JSON unrounded, times without end."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import partial
from typing import Any

from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import set_json_loads

from ....value import Number

ENDS = {
    b"infinity": datetime.max.replace(tzinfo=timezone.utc),
    b"-infinity": datetime.min.replace(tzinfo=timezone.utc),
}


class Endless(TimestamptzLoader):
    """Reads what is for good, such as an acknowledgement until it is resolved."""

    def load(self, data: Buffer) -> datetime:
        """Return a moment, the last one there is for infinity."""
        return ENDS.get(bytes(data)) or super().load(data)


def exact(connection: AsyncConnection[Any]) -> None:
    """Have a connection read values as they are."""
    connection.adapters.register_loader("timestamptz", Endless)
    set_json_loads(partial(json.loads, parse_float=Number), connection)
