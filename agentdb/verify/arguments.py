"""Compares the arguments of tool calls with the JSON Schemas of their tools."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, exceptions, validators
from referencing import Registry


def first_violation(schema: Any, arguments: Any) -> str | None:
    """Return the first thing wrong with a call's arguments, or None.

    A schema that is none, or that points elsewhere, judges nobody: nothing is fetched.
    No arguments are an empty object, as tools/call of MCP has it.
    """
    given = {} if arguments is None else arguments
    kind = validators.validator_for(schema, default=Draft202012Validator)
    try:
        validator = kind(schema, registry=Registry())
        found = sorted(validator.iter_errors(given), key=exceptions.relevance)
    except Exception:
        # What an odd schema makes the library stumble over is not the caller's fault.
        return None
    return _told(found[0]) if found else None


def _told(error: exceptions.ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    return f"{place}: {error.message}"[:1000] if place else error.message[:1000]
