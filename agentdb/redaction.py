"""Keeps secrets out of what is recorded of an agent, before it leaves the process.

The one list of all that records: the client, the adapters, the MCP servers.

The patterns are those of the tokens' own documentations: what a service made easy to
recognize.  A secret without a form of its own is found by the name of its field.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import InvalidArgument
from .plain import Walk
from .secret.redact import INSTEAD as INSTEAD
from .secret.redact import SHORTEST

# A token may stand behind an escape of JSON within a text; a word does not end in it.
START = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))"
# What a text holds, as it is, where a form can be found at all: looked for first, for
# that takes next to nothing.  No form looks at a place more than a few times.
FORMS = (
    (("sk-",), START + r"sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}"),  # model providers
    (
        ("gh", "github_pat_"),
        START + r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})",
    ),
    (("glpat-",), START + r"glpat-[\w-]{20,}"),
    (("AKIA", "ASIA"), START + r"(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS, the key's name
    (("AIza",), START + r"AIza[\w-]{35}"),  # Google
    (("ya29.",), START + r"ya29\.[\w-]{20,}"),
    (("xox",), START + r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),  # Slack
    (("k_live_", "k_test_"), START + r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    (("SG.",), START + r"SG\.[\w-]{16,}\.[\w-]{16,}"),  # SendGrid
    (("adbi_",), START + r"adbi_[0-9a-f]{64}"),  # our own, of emitters
    (("hf_",), START + r"hf_[A-Za-z0-9]{30,}"),
    (("gsk_", "xai-", "pplx-"), START + r"(?:gsk_|xai-|pplx-)[A-Za-z0-9]{20,}"),
    (("dop_v1_",), START + r"dop_v1_[0-9a-f]{64}"),
    # Addresses that are themselves the key: chats, and what is signed for a while.
    (("hooks.slack.com/",), r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}"),
    (("/api/webhooks/",), r"(?<=/api/webhooks/)[0-9]{6,24}/[\w-]{30,}"),
    ((":AA",), START + r"[0-9]{6,12}:AA[\w-]{30,}"),  # Telegram
    (
        ("token=", "key=", "sig=", "ignature="),
        r"(?:(?<=[?&]token=)|(?<=[?&]key=)|(?<=[?&]sig=)|(?<=[?&-][Ss]ignature=))"
        r"[^\s&\"'<>\\]{8,}",
    ),
    (("npm", "pypi"), START + r"(?:npm|pypi)[_-][A-Za-z0-9_-]{30,}"),
    (  # JSON Web Token
        ("eyJ",),
        r"(?:(?<![\w-])|(?<=\\[bfnrt]))eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+",
    ),
    (
        ("PRIVATE KEY",),
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r".*?(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    (
        ("earer", "EARER"),
        r"(?:(?<=[Bb]earer[ \t])|(?<=BEARER )|(?<=[Bb]earer  ))"
        r"[A-Za-z0-9._~+/-]{16,}=*",
    ),
    (("asic ", "ASIC "), r"(?:(?<=[Bb]asic )|(?<=BASIC ))[A-Za-z0-9+/]{12,}=*"),
    (
        ("://",),
        r"(?<=://)[^\s/:@]{0,256}:[^\s/]{1,256}(?=@)",
    ),  # a password in an address
)
COMPILED = tuple((hints, re.compile(form, re.DOTALL)) for hints, form in FORMS)
# password=…, "api_key": "…" within a text; the name stays.
SAID = re.compile(
    r"((?:passw(?:or)?d|passphrase|pwd|secret|(?:api|access|private|account)[_-]?key"
    r"|(?:access|refresh|auth|session|security)[_-]?token)"
    r"""(?:>|\\?["']?\s{0,4}(?:=>|[=:]))\s{0,4}\\?["']?)(?!\[secret\])[^\s"'\\&;,]{4,}""",
    re.IGNORECASE,
)
HINTS = re.compile(r"pass|pwd|secret|key|token", re.IGNORECASE)
NAMES = re.compile(
    r"pass(word|wd|phrase)?s?$|pwd$|secret|(?<!max_)(?<!input_)(?<!output_)token$"
    r"|(api|access|private|account)[_-]?key|authorization|^auth$|^bearer$|cookie"
    r"|credential",
    re.IGNORECASE,
)


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
        both = "|".join(f"(?:{each})" for each in self.patterns)
        own = re.compile(both, re.DOTALL) if both else None
        object.__setattr__(self, "_own", own)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Redaction:
        """Return what the TOML file of AGENTDB_REDACTION says: patterns, and fields.

        Raises InvalidArgument where it cannot be read: nothing is recorded then.
        """
        place = environment.get("AGENTDB_REDACTION")
        if not place:
            return cls()
        try:
            return cls(**_file(place))
        except (OSError, ValueError, re.error) as error:
            raise InvalidArgument(
                f"AGENTDB_REDACTION, {place}: {error}",
                hint='It holds patterns = ["…"] and fields = ["user.iban", '
                '"send_mail:body"].',
            ) from error

    def text(self, text: str) -> str:
        """Return a text without what looks like a secret."""
        for hints, form in COMPILED:
            for hint in hints:
                if hint in text:
                    text = form.sub(INSTEAD, text)
                    break
        if any(each in text for each in "=:>") and HINTS.search(text):
            text = SAID.sub(rf"\1{INSTEAD}", text)
        return self._own.sub(INSTEAD, text) if self._own else text

    def value(self, value: Any, tool: str = "", secrets: set[str] | None = None) -> Any:
        """Return any value as one of JSON without secrets, of one tool's arguments.

        It is a copy: what the program does to the value later does not change it.  What
        was blanked out for its field is added to `secrets`.
        """
        found: set[str] = set() if secrets is None else secrets
        return Walk(self.text, self._hidden(tool, found)).value(value)

    def _hidden(self, tool: str, found: set[str]) -> Any:
        """Return what tells the text that stands for a member, None for itself."""
        named = (path.rpartition(":") for path in self.fields)
        paths = frozenset(path for of, _, path in named if of in ("", tool))

        def hidden(key: str, path: str, value: Any) -> str | None:
            named = value is not None and not isinstance(value, bool)
            if path not in paths and not (named and NAMES.search(key)):
                return None
            if isinstance(value, str) and len(value) >= SHORTEST:
                found.add(value)
            return INSTEAD

        return hidden


def _file(place: str) -> dict[str, tuple[str, ...]]:
    """Return the lists of texts in a TOML file."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with open(place, "rb") as file:
        said = tomllib.load(file)
    for name, each in said.items():
        if name not in ("patterns", "fields"):
            raise ValueError(f"{name} is unknown")
        if not (isinstance(each, list) and all(isinstance(one, str) for one in each)):
            raise ValueError(f"{name} is no list of texts")
    return {name: tuple(each) for name, each in said.items()}
