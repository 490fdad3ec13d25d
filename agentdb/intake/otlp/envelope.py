"""Splits a protobuf request into its elements, before any of them is unpacked.

Two bytes of a request can stand for an object of hundreds: unpacked as a whole, a body
of some megabytes would take gigabytes.  Its three outer levels are the same in traces,
logs and metrics, and are walked here; each element is then unpacked alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..refused import Refused

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Numbers of fields, of all three kinds of requests.
GROUPS, RESOURCE, SCOPES, SCOPE, ELEMENTS = 1, 1, 2, 1, 2

Place = tuple[int, int]


class Malformed(Refused):
    """It is no OTLP."""


def split(data: bytes, most: int) -> Iterator[tuple[bytes, bytes, Place]]:
    """Yield resource, scope and the place of each element.

    Raises Malformed, and Refused (413) past so many parts.
    """
    left = [most]
    for group in _parts(data, (0, len(data)), GROUPS, left):
        resource = _first(data, group, RESOURCE)
        for scoped in _parts(data, group, SCOPES, left):
            scope = _first(data, scoped, SCOPE)
            for place in _parts(data, scoped, ELEMENTS, left):
                yield resource, scope, place


def _parts(data: bytes, within: Place, number: int, left: list[int]) -> Iterator[Place]:
    for found, place in _fields(data, *within):
        if found == number:
            left[0] -= 1
            if left[0] < 0:
                raise Refused("too many elements in one request", 413)
            yield place


def _first(data: bytes, within: Place, number: int) -> bytes:
    """Return a message that is there once; protobuf gives no order of fields."""
    for found, (start, end) in _fields(data, *within):
        if found == number:
            return data[start:end]
    return b""


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, Place]]:
    """Yield number and place of the fields with a length; others are passed over."""
    while at < end:
        key, at = _varint(data, at, end)
        kind = key & 7
        if kind == BYTES:
            size, at = _varint(data, at, end)
            if at + size > end:
                raise Malformed("truncated protobuf")
            yield key >> 3, (at, at + size)
            at += size
        elif kind == VARINT:
            _, at = _varint(data, at, end)
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
        else:
            raise Malformed("not protobuf")
    if at != end:
        raise Malformed("truncated protobuf")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    number = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise Malformed("truncated protobuf")
