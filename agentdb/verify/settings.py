"""Reads from a TOML file what the operator lets verifiers look at."""

from __future__ import annotations

import pwd
import re
import sys
from pathlib import Path
from typing import Any

from .claim import Limits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Where the file is looked for when nobody names one.
VARIABLE = "AGENTDB_CONFIG"
LISTS = ("roots", "hosts")
KINDS: dict[str, tuple[type, ...]] = {
    "roots": (list,),
    "hosts": (list,),
    "private_addresses": (bool,),
    "commands": (dict,),
    "user": (str,),
    "deadline": (int, float),
}


class Misconfigured(ValueError):
    """The file says what cannot be meant; the text says where and why."""


def read(path: Path | str | None) -> Limits:
    """Return the limits of section [verify]; without a file nothing is allowed."""
    if not path:
        return Limits()
    try:
        found = tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path}: {error}") from error
    try:
        return limits(found.get("verify", {}))
    except Misconfigured as error:
        raise Misconfigured(f"{path}: [verify] {error}") from error


def limits(section: dict[str, Any]) -> Limits:
    """Return the limits that a section describes, or say what is wrong with it."""
    for name, value in section.items():
        if name not in KINDS:
            raise Misconfigured(f"{name}: unknown, one of {', '.join(KINDS)} is meant")
        if not isinstance(value, KINDS[name]) or isinstance(value, bool) != (
            KINDS[name] == (bool,)
        ):
            raise Misconfigured(f"{name}: a {KINDS[name][-1].__name__} is wanted")
    _check(section)
    given = {**section, **{n: tuple(section[n]) for n in LISTS if n in section}}
    return Limits(**given)


def _check(section: dict[str, Any]) -> None:
    for root in section.get("roots", []):
        if not isinstance(root, str) or not root.startswith("/") or root == "/":
            raise Misconfigured(f"roots: {root!r} is no absolute path below /")
    if not all(isinstance(host, str) for host in section.get("hosts", [])):
        raise Misconfigured("hosts: names are wanted")
    if not 0.1 <= section.get("deadline", 10) <= 600:
        raise Misconfigured("deadline: 0.1 to 600 seconds are possible")
    for name, command in section.get("commands", {}).items():
        _check_command(name, command)
    if user := section.get("user"):
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise Misconfigured(f"user: there is no user {user}") from None


def _check_command(name: str, command: Any) -> None:
    where = f"commands.{name}"
    if not isinstance(command, dict) or command.keys() - {"argv", "values"}:
        raise Misconfigured(f"{where}: argv and values are wanted, and nothing else")
    argv, patterns = command.get("argv"), command.get("values", {})
    if not isinstance(argv, list) or not argv or not all(map(_is_text, argv)):
        raise Misconfigured(f"{where}: argv must be a list of texts")
    if not argv[0].startswith("/"):
        raise Misconfigured(f"{where}: {argv[0]} is no absolute path")
    for key, pattern in patterns.items():
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise Misconfigured(f"{where}: values.{key}: {error}") from None
    places = {p for part in argv for p in re.findall(r"\{(\w+)\}", part)}
    if unmatched := places ^ patterns.keys():
        raise Misconfigured(f"{where}: {sorted(unmatched)} has no place or no pattern")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value
