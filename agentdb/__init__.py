"""Debuggable, safe agents in plain Postgres."""

__version__ = "0.1.0.dev0"
# The newest revision of the database that this release knows.
REVISION = "0001"
