"""What agents' libraries emit, each in its own words, as events of the intake."""

from __future__ import annotations

from .memory import Memory as Memory
from .reading import Reading as Reading
