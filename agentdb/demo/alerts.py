"""Prints what the runner tells its stdout channel as lines for people."""

from __future__ import annotations

import io
import json
from typing import Any, TextIO, cast

from rich.console import Console
from rich.text import Text

STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def alert_printer(console: Console) -> TextIO:
    """Return a stream that prints the runner's messages on a console."""
    return cast(TextIO, AlertPrinter(console))


class AlertPrinter(io.TextIOBase):
    """A stream that takes the runner's JSON lines and prints firing alerts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._print(json.loads(line))
        return len(text)

    def _print(self, message: dict[str, Any]) -> None:
        if message["kind"] != "firing":
            return
        severity = message["severity"]
        told = f"A-{message.get('alert')} {message['rule']}: {message['summary']}"
        for text in message.get("news") or [told]:
            line = Text.assemble((f"{severity.upper():8} ", STYLES[severity]), text)
            self._console.print(line)
