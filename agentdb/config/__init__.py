"""The one home of configuration: a TOML file, the environment, and their meaning."""

from .config import Config, Fallback, Health, Log, Ping, Rate, Seal, Settings
from .problem import Misconfigured
from .read import read, read_limits, read_secrets, read_settings

__all__ = [
    "Config",
    "Fallback",
    "Health",
    "Log",
    "Misconfigured",
    "Ping",
    "Rate",
    "Seal",
    "Settings",
    "read",
    "read_limits",
    "read_secrets",
    "read_settings",
]
