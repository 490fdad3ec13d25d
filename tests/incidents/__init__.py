"""Incidents played against the product at their own times, under a clock that we move."""
