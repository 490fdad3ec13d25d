"""The short name of agentdb.client.lock, for programs that have it."""

from .client.lock import Lock, release_lock, wait_for_lock

__all__ = ["Lock", "release_lock", "wait_for_lock"]
