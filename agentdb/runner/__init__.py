"""Evaluates rules and delivers notifications, as long as it lives."""

from ..config import Config, Settings
from .runner import Runner, run

__all__ = ["Config", "Runner", "Settings", "run"]
