"""Reads the configuration: a TOML file, over it the environment, all of it checked."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from .. import connection
from ..secret.allowed import ANYWHERE
from ..secret.reference import resolve, resolve_target
from ..secret.refused import Refused
from ..verify.claim import Limits
from .config import Config, Fallback, Health, Log, Ping, Rate, Seal, Settings
from .problem import Misconfigured, Wrong, line_of
from .verify import checked_argv, limits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
S = TypeVar("S", bound="DataclassInstance")

# Where the file is looked for when nobody names one.
VARIABLE = "AGENTDB_CONFIG"
# Sections of plain values: AGENTDB_HEALTH_ADDRESS is `address` of [health].
PLAIN: dict[str, type[Any]] = {
    "runner": Settings,
    "fallback": Fallback,
    "health": Health,
    "ping": Ping,
    "seal": Seal,
    "log": Log,
}
SECTIONS = ("databases", *PLAIN, "verify", "exec", "secrets", "rate")
REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+")
WORDS = {str: "text", float: "number", int: "whole number", bool: "true or false"}
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read(
    path: Path | str | None,
    *,
    dsn: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Return the configuration, or raise `Misconfigured` with all that is wrong.

    A `dsn` stands for all databases of the file.
    """
    return _Reader(path, environment).config(dsn)


def read_limits(path: Path | str | None) -> Limits:
    """Return what verifiers may look at, whatever else the file says."""
    reader = _Reader(path, {})
    found = reader.limits()
    reader.end()
    return found


def read_secrets(
    path: Path | str | None, *, environment: Mapping[str, str] = os.environ
) -> dict[str, tuple[str, ...]]:
    """Return what section [secrets] says, whatever else the file says."""
    reader = _Reader(path, environment)
    found = reader.secrets()
    reader.end()
    return found


def read_settings(
    path: Path | str | None, *, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Return what section [runner] says, whatever else the file says."""
    reader = _Reader(path, environment)
    found = reader.settings()
    reader.end()
    return found


class _Reader:
    """Reads one file, and remembers what is wrong with it."""

    def __init__(self, path: Path | str | None, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._problems: list[str] = []
        self._text, self._tables = _load(path)
        for name in self._tables:
            if name not in SECTIONS:
                self._add(name, "", f"unknown, one of {', '.join(SECTIONS)} is meant")

    def config(self, dsn: str | None) -> Config:
        """Return what the file and the environment say together."""
        found: dict[str, Any] = {
            name: self._plain(name, kind) for name, kind in PLAIN.items()
        }
        found["databases"] = self._databases(dsn)
        found["verify"] = self.limits()
        found["programs"] = self._each("exec", _program)
        found["secrets"] = self.secrets()
        found["rates"] = self._each("rate", lambda given: _fill(Rate, given))
        self._references(found["fallback"], found["ping"])
        self.end()
        return Config(**found)

    def limits(self) -> Limits:
        """Return what section [verify] says."""
        return self._told("verify", lambda: limits(self._table("verify"))) or Limits()

    def secrets(self) -> dict[str, tuple[str, ...]]:
        """Return what section [secrets] and AGENTDB_SECRETS say."""
        listed = self._environment.get("AGENTDB_SECRETS", "").split()
        given = {**self._table("secrets"), **{name: ANYWHERE for name in listed}}
        found = {}
        for name, places in given.items():
            made = self._told("secrets", partial(_places, name, places))
            if made is not None:
                found[name] = made
        return found

    def settings(self) -> Settings:
        """Return what section [runner] says."""
        return self._plain("runner", Settings) or Settings()

    def end(self) -> None:
        """Raise what was found wrong."""
        if self._problems:
            raise Misconfigured("\n".join(self._problems))

    def _databases(self, dsn: str | None) -> dict[str, str]:
        given = {} if dsn else self._table("databases")
        if not given:
            text = dsn or self._environment.get("AGENTDB_DSN", "")
            given = {_name(text): text}
        for name, text in given.items():
            self._told("databases", partial(_check_dsn, name, text))
        return given

    def _plain(self, name: str, kind: type[S]) -> S | None:
        given = dict(self._table(name))
        hints = get_type_hints(kind)
        for key in hints:
            variable = f"AGENTDB_{name}_{key}".upper()
            if text := self._environment.get(variable):
                given[key] = _from_text(hints[key], text)
        needed = [f.name for f in fields(kind) if _needed(f)]
        if needed and not given:
            return None
        return self._told(name, lambda: _fill(kind, given))

    def _each(self, name: str, make: Callable[[dict[str, Any]], T]) -> dict[str, T]:
        found = {}
        for key, given in self._table(name).items():
            made = self._told(f"{name}.{key}", partial(_in_table, make, given))
            if made is not None:
                found[key] = made
        return found

    def _references(self, fallback: Fallback | None, ping: Ping | None) -> None:
        """Resolve what is needed when nothing else works any more."""
        if ping and ping.url:
            self._told("ping", partial(_resolve, "url", resolve_target, ping.url))
        for key, how in (("target", resolve_target), ("secret_ref", resolve)):
            if text := getattr(fallback, key, None):
                self._told("fallback", partial(_resolve, key, how, text))

    def _table(self, name: str) -> dict[str, Any]:
        table = self._tables.get(name, {})
        if isinstance(table, dict):
            return table
        self._add(name, "", "a table is wanted")
        return {}

    def _told(self, section: str, make: Callable[[], T]) -> T | None:
        """Return what is made, or note what is wrong with it."""
        try:
            return make()
        except Wrong as error:
            self._add(section, error.key, str(error))
            return None

    def _add(self, section: str, key: str, why: str) -> None:
        variable = f"AGENTDB_{section}_{key}".upper()
        if key and variable in self._environment:
            where = variable
        elif self._path:
            where = f"{self._path}:{line_of(self._text, section, key)}"
        else:
            where = "AGENTDB_DSN" if section == "databases" else VARIABLE
        self._problems.append(f"{where}: [{section}] {why}")


def _load(path: Path | str | None) -> tuple[str, dict[str, Any]]:
    """Return the file's text and what it says."""
    if not path:
        return "", {}
    try:
        text = Path(path).read_text("utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Misconfigured(f"{path}: {error}") from error


def _fill(kind: type[S], given: dict[str, Any]) -> S:
    """Return a section's values, each of its type."""
    hints = get_type_hints(kind)
    for key, value in given.items():
        if key not in hints:
            raise Wrong(key, f"unknown, one of {', '.join(hints)} is meant")
        wanted = _wanted(hints[key])
        fits = isinstance(value, (int, float) if wanted is float else wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise Wrong(key, f"a {WORDS[wanted]} is wanted")
    for each in fields(kind):
        if each.name not in given and _needed(each):
            raise Wrong(each.name, "is missing")
    return kind(**given)


def _needed(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _wanted(hint: Any) -> type:
    """Return the type of a value that may also be left out."""
    found = next((kind for kind in get_args(hint) if kind is not type(None)), hint)
    assert isinstance(found, type)
    return found


def _from_text(hint: Any, text: str) -> Any:
    """Return what a variable of the environment means; nonsense stays text."""
    wanted = _wanted(hint)
    if wanted is bool:
        return TRUTHS.get(text.lower(), text)
    try:
        return wanted(text)
    except ValueError:
        return text


def _in_table(make: Callable[[dict[str, Any]], T], given: object) -> T:
    if not isinstance(given, dict):
        raise Wrong("", "a table is wanted")
    return make(given)


def _places(name: str, given: object) -> tuple[str, ...]:
    """Return where a secret may be sent: a text or several."""
    if not REFERENCE.fullmatch(name):
        raise Wrong(name, "env:NAME or file:/path is meant")
    places = [given] if isinstance(given, str) else given
    if not isinstance(places, list) or not all(
        isinstance(place, str) and place for place in places
    ):
        raise Wrong(name, "texts are wanted, the beginnings of addresses")
    return tuple(places)


def _program(given: dict[str, Any]) -> tuple[str, ...]:
    if given.keys() - {"argv"}:
        raise Wrong("argv", "is wanted, and nothing else")
    return checked_argv(given.get("argv"), "argv")


def _resolve(key: str, how: Callable[[str], str], text: str) -> None:
    try:
        how(text)
    except Refused as error:
        # It names the reference, never its value.
        raise Wrong(key, str(error)) from None


def _check_dsn(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise Wrong(name, "a text is wanted")
    try:
        connection.parse(text)
    except (ValueError, Refused) as error:
        raise Wrong(name, str(error)) from None


def _name(text: str) -> str:
    """Return what to call the only database."""
    try:
        return str(connection.parse(text).get("dbname") or "database")
    except (ValueError, Refused):
        return "database"
