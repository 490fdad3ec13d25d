"""Keeps secrets out of what an agent's program records, before it leaves the process.

The patterns are those of the tokens' own documentations: what a service made easy to
recognize.  A secret without a form of its own is found by the name of its field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

INSTEAD = "[secret]"
# Deeper values are cut by the database anyway.
DEEPEST = 32

FORMS = (
    r"\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}",  # model providers
    r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})",
    r"\bglpat-[\w-]{20,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS, the key's name
    r"\bAIza[\w-]{35}",  # Google
    r"\bya29\.[\w-]{20,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
    r"\bSG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"\bhf_[A-Za-z0-9]{30,}",
    r"\b(?:npm|pypi)[_-][A-Za-z0-9_-]{30,}",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+",  # JSON Web Token
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*",
    r"(?<=[Bb]asic )[A-Za-z0-9+/]{12,}=*",
    r"(?<=://)[^\s/:@]*:[^\s/@]+(?=@)",  # a password in an address
)
NAMES = re.compile(
    r"pass(word|wd|phrase)?$|pwd$|secret|(?<!max_)(?<!input_)(?<!output_)token$"
    r"|api_?key|access_?key|private_?key|authorization|cookie|credential",
    re.IGNORECASE,
)
FORM = re.compile("|".join(FORMS), re.DOTALL)


@dataclass(frozen=True)
class Redaction:
    """What never leaves the process: forms of secrets, fields, and tools' own fields.

    `patterns` are further regular expressions; `fields` are paths of arguments such as
    "user.iban", of every tool or, as "send_mail:body", of one.
    """

    patterns: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    _own: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = re.compile("|".join(self.patterns), re.DOTALL) if self.patterns else None
        object.__setattr__(self, "_own", own)

    def text(self, text: str) -> str:
        """Return a text without what looks like a secret."""
        text = FORM.sub(INSTEAD, text)
        return self._own.sub(INSTEAD, text) if self._own else text

    def value(self, value: Any, tool: str = "") -> Any:
        """Return a value of JSON without secrets, of one tool's arguments."""
        return self._value(value, self._paths(tool), "", 0)

    def _paths(self, tool: str) -> frozenset[str]:
        named = (path.rpartition(":") for path in self.fields)
        return frozenset(path for of, _, path in named if of in ("", tool))

    def _value(self, value: Any, paths: frozenset[str], place: str, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if depth >= DEEPEST:
            return value
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): self._member(str(key), each, paths, place, depth)
                for key, each in value.items()
            }
        if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
            return [self._value(each, paths, place, depth + 1) for each in value]
        return value

    def _member(
        self, key: str, value: Any, paths: frozenset[str], place: str, depth: int
    ) -> Any:
        path = f"{place}.{key}" if place else key
        if path in paths or (NAMES.search(key) and not isinstance(value, bool | None)):
            return INSTEAD
        return self._value(value, paths, path, depth + 1)
