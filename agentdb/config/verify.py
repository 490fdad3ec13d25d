"""Reads section [verify]: what the operator lets verifiers look at."""

from __future__ import annotations

import pwd
import re
from typing import Any

from ..verify.claim import Limits
from .problem import Wrong

LISTS = ("roots", "hosts")
KINDS: dict[str, tuple[type, ...]] = {
    "roots": (list,),
    "hosts": (list,),
    "private_addresses": (bool,),
    "commands": (dict,),
    "user": (str,),
    "deadline": (int, float),
}


def limits(section: dict[str, Any]) -> Limits:
    """Return the limits that a section describes, or say what is wrong with it."""
    for name, value in section.items():
        if name not in KINDS:
            raise Wrong(name, f"unknown, one of {', '.join(KINDS)} is meant")
        if not isinstance(value, KINDS[name]) or isinstance(value, bool) != (
            KINDS[name] == (bool,)
        ):
            raise Wrong(name, f"a {KINDS[name][-1].__name__} is wanted")
    _check(section)
    given = {**section, **{n: tuple(section[n]) for n in LISTS if n in section}}
    return Limits(**given)


def _check(section: dict[str, Any]) -> None:
    for root in section.get("roots", []):
        if not isinstance(root, str) or not root.startswith("/") or root == "/":
            raise Wrong("roots", f"{root!r} is no absolute path below /")
    if not all(isinstance(host, str) for host in section.get("hosts", [])):
        raise Wrong("hosts", "names are wanted")
    if not 0.1 <= section.get("deadline", 10) <= 600:
        raise Wrong("deadline", "0.1 to 600 seconds are possible")
    for name, command in section.get("commands", {}).items():
        _check_command(name, command)
    if user := section.get("user"):
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise Wrong("user", f"there is no user {user}") from None


def _check_command(name: str, command: Any) -> None:
    where = f"commands.{name}"
    if not isinstance(command, dict) or command.keys() - {"argv", "values"}:
        raise Wrong(where, "argv and values are wanted, and nothing else")
    argv, patterns = checked_argv(command.get("argv"), where), command.get("values", {})
    if not isinstance(patterns, dict):
        raise Wrong(where, "values must be a table")
    for key, pattern in patterns.items():
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise Wrong(where, f"values.{key}: {error}") from None
    places = {p for part in argv for p in re.findall(r"\{(\w+)\}", part)}
    if unmatched := places ^ patterns.keys():
        raise Wrong(where, f"{sorted(unmatched)} has no place or no pattern")


def checked_argv(argv: Any, where: str) -> tuple[str, ...]:
    """Return an argument vector whose program is named by its absolute path."""
    if not isinstance(argv, list) or not argv or not all(map(_is_text, argv)):
        raise Wrong(where, "argv must be a list of texts")
    if not argv[0].startswith("/"):
        raise Wrong(where, f"{argv[0]} is no absolute path")
    return tuple(argv)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value
