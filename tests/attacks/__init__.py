"""Attacks on the laws of the pack, each with a mutant in which it succeeds."""
