"""Shows the whole path on recorded runs of real agents."""

from .demo import demo

__all__ = ["demo"]
