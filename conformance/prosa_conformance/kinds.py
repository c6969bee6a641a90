# SPDX-License-Identifier: MIT
"""The kinds of field values: octets to Python values and back, and what makes a value faulty.

One function answers for every kind, so that the decoder has one question to ask: `fault`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from prosa_conformance.language import _
from prosa_conformance.registry import Field

Value = int | str | bytes | tuple[int, ...]

INTEGER_SIZE = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
PATTERN = {
    "nick": re.compile(rb"[a-z0-9_-]{1,32}"),
    "room": re.compile(rb"@?[a-z0-9_-]{1,32}"),
    "target": re.compile(rb"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):([1-9][0-9]{0,4})"),
    "clause": re.compile(rb"[A-Z0-9-]{4,16}"),
}
TEXT_KINDS = frozenset(PATTERN) | {"utf8"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a value; `offset` is where in the value, `length` how many octets."""

    code: str
    why: str
    offset: int = 0
    length: int = 0


def fault(field: Field, value: bytes) -> Fault | None:
    """The first fault of `value` as a value of `field`, or None."""
    kind = field.kind
    if kind in INTEGER_SIZE:
        return _integer_fault(field, value)
    wrong_size = _size_fault(value, field.min, field.max)
    if wrong_size is not None:
        return wrong_size
    if kind in PATTERN:
        return _pattern_fault(kind, value)
    if kind == "utf8":
        return _utf8_fault(value)
    if kind == "versions":
        return _versions_fault(value)
    return None


def _size_fault(value: bytes, low: int, high: int) -> Fault | None:
    if low <= len(value) <= high:
        return None
    expected = f"{low}" if low == high else _("{low} to {high}").format(low=low, high=high)
    words = _("{count} octets where {expected} are due")
    return Fault("BAD_FRAME", words.format(count=len(value), expected=expected), 0, len(value))


def _integer_fault(field: Field, value: bytes) -> Fault | None:
    size = INTEGER_SIZE[field.kind]
    wrong_size = _size_fault(value, size, size)
    if wrong_size is not None:
        return wrong_size
    number = int.from_bytes(value, "big")
    if number < field.min:
        words = _("{number} is below the minimum {least}")
        return Fault("BAD_FRAME", words.format(number=number, least=field.min), 0, size)
    if number > field.max:
        words = _("{number} is above the maximum {most}")
        return Fault("BAD_FRAME", words.format(number=number, most=field.max), 0, size)
    return None


def _pattern_fault(kind: str, value: bytes) -> Fault | None:
    match = PATTERN[kind].fullmatch(value)
    if match is None:
        return Fault("BAD_FRAME", _("not the form of a {kind}").format(kind=kind), 0, len(value))
    if kind == "target" and int(match[1]) > 65535:
        return Fault("BAD_FRAME", _("port above 65535"), match.start(1), len(match[1]))
    return None


def _utf8_fault(value: bytes) -> Fault | None:
    try:
        value.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        return Fault("BAD_TEXT", _("not well-formed UTF-8"), error.start, error.end - error.start)
    nul = value.find(0)
    if nul >= 0:
        return Fault("BAD_TEXT", _("U+0000 in text"), nul, 1)
    return None


def _versions_fault(value: bytes) -> Fault | None:
    if value[0] == 0:
        return Fault("BAD_FRAME", _("version 0"), 0, 1)
    for at in range(1, len(value)):
        if value[at] <= value[at - 1]:
            return Fault("BAD_FRAME", _("versions are not strictly ascending"), at, 1)
    return None


def load(kind: str, value: bytes) -> Value:
    """The Python value of octets that `fault` has found nothing wrong with."""
    if kind in INTEGER_SIZE:
        return int.from_bytes(value, "big")
    if kind in TEXT_KINDS:
        return value.decode("utf-8")
    if kind == "versions":
        return tuple(value)
    return value


def store(kind: str, value: Value) -> bytes:
    """The octets of a value. Octets pass as they are, so that a wrong value can be written."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int) and kind in INTEGER_SIZE:
        return value.to_bytes(INTEGER_SIZE[kind], "big")
    if isinstance(value, str) and kind in TEXT_KINDS:
        return value.encode("utf-8")
    if isinstance(value, tuple) and kind == "versions":
        return bytes(value)
    raise TypeError(f"a {type(value).__name__} is no value of kind {kind}")
