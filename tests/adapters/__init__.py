"""Adapters, each against the library that it is for, with the library's own test model."""
