"""Resolves references to secrets, which the database knows only by name."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from .redact import keep
from .refused import Refused

LARGEST = 65536
REFERENCE = re.compile(r"env:|file:")


def resolve(reference: str) -> str:
    """Return the text that `env:NAME` or `file:/path` stands for."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        text = os.environ.get(name, "")
    elif kind == "file":
        text = _read(reference, Path(name))
    else:
        # Never quote it: it may be the secret itself, put in the wrong place.
        raise Refused("a secret must be given as env:NAME or file:/path")
    if not text.strip():
        raise Refused(f"{reference} is empty or not set where the runner runs")
    return keep(text.strip())


def resolve_target(target: str | None) -> str:
    """Return an address, which may be given itself or by reference."""
    if not target:
        raise Refused("the receiver has no target")
    return resolve(target) if REFERENCE.match(target) else target


def _read(reference: str, path: Path) -> str:
    try:
        # A FIFO would block the runner at open, a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refused(f"{reference} is not a regular file")
        with path.open("rb") as file:
            return file.read(LARGEST).decode()
    except OSError as error:
        raise Refused(f"{reference} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refused(f"{reference} is not text in UTF-8") from None
