"""A PostgreSQL server of our own: no installation, no port, gone when we are.

The server is started by a keeper, a small process that lives as long as its
owner does.  The owner holds a pipe to it; when the pipe closes, for whatever
reason, SIGKILL included, the keeper stops PostgreSQL and tidies up.  If the
keeper is killed as well, the next start sweeps what they left.

For Linux and macOS.
"""

from __future__ import annotations

from .errors import LocalServerError
from .server import LocalServer

__all__ = ["LocalServer", "LocalServerError"]
