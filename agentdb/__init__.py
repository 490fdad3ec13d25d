"""Debuggable, safe agents in plain Postgres."""

__version__ = "0.1.0.dev0"
