"""Evaluates rules and delivers notifications, as long as it lives."""

from .runner import Runner, run
from .settings import Settings

__all__ = ["Runner", "Settings", "run"]
