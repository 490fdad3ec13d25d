"""The figures of docs/capacity.md are those that are measured."""

from __future__ import annotations

import re
from pathlib import Path

from agentdb.local import LocalServer
from bench.capacity import measure

PAGE = Path(__file__).parent.parent / "docs" / "capacity.md"
ROW = re.compile(r"^\| ([\d,]+) \| (.+) \|$", re.M)


def test_sizes_are_as_the_page_says() -> None:
    said = {
        what.replace("`", ""): int(number.replace(",", ""))
        for number, what in ROW.findall(PAGE.read_text())
    }
    with LocalServer(fast=True) as server:
        found = measure(server, 20_000)
    assert said.keys() == found.keys()
    for what, size in found.items():
        # Few events leave pages half empty, and a table is extended by many at once.
        assert 0.7 < said[what] / size < 1.15, (what, size, said[what])
