"""What a run says that it has done, to be looked up from outside of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InvalidArgument
from ..redaction import Redaction
from .calls import as_json
from .session import Row


class Claims(ABC):
    """The claims of a run; each is returned by its number."""

    _redaction: Redaction

    @abstractmethod
    def _ask(self, function: str, **values: Any) -> Row:
        """Call a function for this run, and return its first row."""

    def claim_rows(
        self,
        table: str,
        operation: str,
        keys: Iterable[Any] | None = None,
        count: int | None = None,
        *,
        new_values: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
    ) -> int:
        """Claim that the run wrote rows of an audited table; return the claim.

        `operation` is insert, update or delete; a key is a dictionary, or the value of
        a primary key `id`.  `new_values` is what the run left in their columns: a
        dictionary for all rows, or one for each row with its key.
        """
        given = None if keys is None else [_key(key) for key in keys]
        left = (
            new_values
            if new_values is None or isinstance(new_values, Mapping)
            else [*new_values]
        )
        return self._claim(
            "claim_rows",
            relation=table,
            operation=operation,
            keys=given,
            count=count,
            new_values=left,
        )

    def claim_file(
        self, path: str, *, min_size: int | None = None, sha256: str | None = None
    ) -> int:
        """Claim that a file exists, as large as `min_size` bytes; return the claim."""
        return self._claim("claim_file", path=path, min_size=min_size, sha256=sha256)

    def claim_http(
        self, url: str, *, status: int | None = None, has_text: str | None = None
    ) -> int:
        """Claim that an address answers with a status (200) and a text."""
        return self._claim("claim_http", url=url, status=status, has_text=has_text)

    def claim_message(
        self, channel: str, recipient: str, *, has_text: str | None = None
    ) -> int:
        """Claim that a message has reached the record of its channel."""
        return self._claim(
            "claim_message", channel=channel, recipient=recipient, has_text=has_text
        )

    def claim_command(self, name: str, **args: Any) -> int:
        """Claim that a command which the operator registered succeeds."""
        return self._claim("claim_command", name=name, args=args or None)

    def claim(self, kind: str, target: str, **expectation: Any) -> int:
        """Claim what a verifier of the operator's own can look up."""
        return self._claim(
            "claim_custom", kind=kind, target=target, expectation=expectation or None
        )

    def _claim(self, function: str, **values: Any) -> int:
        refuse_secret(self._redaction, function, values)
        return int(self._ask(function, **values)["claim_id"])


def refuse_secret(
    redaction: Redaction, function: str, values: Mapping[str, Any]
) -> None:
    """Raise InvalidArgument for what cannot be sent, and would be wrong without it."""
    said = as_json(values)
    if redaction.text(said) != said:
        raise InvalidArgument(
            f"the arguments of {function} hold what looks like a secret: "
            "they are not sent",
            hint="Name it by something that may be stored and shown.",
        )


def _key(key: Any) -> Any:
    return key if isinstance(key, Mapping) else {"id": key}
