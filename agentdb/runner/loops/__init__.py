"""The loops of a runner."""
