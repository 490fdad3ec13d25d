"""Adapters for what an agent is written with, a line in its program each.

They record tool calls, unknown tools, bad arguments and tokens in a run, and refuse
what a stopped, looping or over-budget run would do next.
"""
