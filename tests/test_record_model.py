"""The past against a model: random tables, triggers, DDL and writers, asked at random."""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Connection, create_database, drop_database
from .differential import sessions_in
from .pasts import STEPS, World, shares
from .servers import Server

WORLDS = int(os.environ.get("AGENTDB_WORLDS", "8"))
SEEDS = st.integers(0, 2**32 - 1)


def test_the_past_is_what_a_select_gave(
    server: Server, admin: Connection, template: str
) -> None:
    """Longer: AGENTDB_WORLDS=200, or python -m tests.pasts SECONDS SEED."""
    counted: Counter[str] = Counter()
    refusals: list[str] = []

    @settings(
        max_examples=WORLDS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(tables=SEEDS, steps=st.lists(SEEDS, min_size=STEPS, max_size=STEPS))
    def explore(tables: int, steps: list[int]) -> None:
        name = f"{template}_past"
        create_database(admin, name, template)
        try:
            with sessions_in(server.dsn, name) as open_session:
                world = World(tables, open_session)
                # What is wrong raises: of what is refused it is the share that counts.
                counted.update(world.explore(steps))
                refusals.extend(world.refusals)
        finally:
            drop_database(admin, name)

    explore()
    said = "\n\n".join([shares(counted), *refusals[:1]])
    assert counted["refused at marks"] == 0, said
    other = counted["refused"] + counted["shifted"]
    assert other <= (counted["right"] + other) * 0.01, said
    for kind in ("right", "right at marks"):
        assert counted[kind] > counted["worlds"] * 5, said
