"""A release that is yet to come: the pack with a made-up second revision."""

from __future__ import annotations

import shutil
from pathlib import Path

from agentdb.schema import code as schema

RUNNER = "run/runner.sql"


def second_revision(place: Path) -> Path:
    """Return the directory of a pack that has one revision more."""
    copy = place / "pack"
    for name in ("alembic", "sql"):
        shutil.copytree(schema.bundled(name), copy / name)
    (copy / "alembic" / "versions" / "0002_shout.py").write_text(SECOND)
    former = copy / "alembic" / "versions" / "0002_shout"
    (former / RUNNER).parent.mkdir(parents=True)
    runner = (copy / "sql" / RUNNER).read_text()
    (former / RUNNER).write_text(runner)
    newer = runner.replace("'Each runner and how long", "'EACH runner and how long")
    (copy / "sql" / RUNNER).write_text(newer)
    return copy


SECOND = '''
"""Shouting."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("create table agentdb.shout (x integer)")


def downgrade() -> None:
    op.execute("drop table agentdb.shout")
'''
