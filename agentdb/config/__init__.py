"""The one home of configuration: a TOML file, the environment, and their meaning."""

from .config import Config, Fallback, Health, Log, Ping, Rate, Settings
from .problem import Misconfigured
from .read import read, read_limits

__all__ = [
    "Config",
    "Fallback",
    "Health",
    "Log",
    "Misconfigured",
    "Ping",
    "Rate",
    "Settings",
    "read",
    "read_limits",
]
