"""Hooks: the coding agents that have them, with a model of ours, against `agentdb serve`."""
