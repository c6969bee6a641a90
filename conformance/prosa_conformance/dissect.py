# SPDX-License-Identifier: MIT
"""What octets say if they are frames: names and values of all parts, as far as they go.

It judges nothing and reads on where a decoder would stop: what it shows are the frames of a failed test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prosa_conformance import kinds
from prosa_conformance.codec import FIELD_HEADER, HEADER, NAMED_NUMBERS
from prosa_conformance.language import _
from prosa_conformance.registry import FIELDS_BY_TAG, FRAMES_BY_TYPE

LONGEST = 96  # characters of a value


@dataclass(frozen=True)
class Part:
    """A part of a frame: where its octets are, what it is called, and its value in words."""

    offset: int
    length: int
    name: str
    value: str


@dataclass(frozen=True)
class Dissected:
    """One frame's parts. `whole` is False where octets are missing."""

    name: str
    parts: tuple[Part, ...]
    whole: bool


def dissect(octets: bytes) -> list[Dissected]:
    """All frames in these octets, one behind the other."""
    found = []
    at = 0
    while at < len(octets):
        frame = _frame(octets, at)
        found.append(frame)
        if not frame.whole:
            break
        at = frame.parts[-1].offset + frame.parts[-1].length
    return found


def _frame(octets: bytes, at: int) -> Dissected:
    if len(octets) - at < HEADER.size:
        rest = Part(at, len(octets) - at, _("octets"), octets[at:].hex(" "))
        return Dissected(_("less than a header"), (rest,), whole=False)
    magic, version, number, length = HEADER.unpack_from(octets, at)
    row = FRAMES_BY_TYPE.get(number)
    name = row.name if row else _("type {number:#04x}").format(number=number)
    header = (
        Part(at, 2, "magic", f"{magic:#06x}"),
        Part(at + 2, 1, "version", str(version)),
        Part(at + 3, 1, "type", f"{number:#04x} {row.name if row else ''}".strip()),
        Part(at + 4, 4, "length", str(length)),
    )
    start = at + HEADER.size
    fields = tuple(_fields(octets, start, min(start + length, len(octets))))
    return Dissected(name, header + fields, whole=start + length <= len(octets))


def _fields(octets: bytes, at: int, end: int) -> Iterator[Part]:
    while at + FIELD_HEADER.size <= end:
        tag, length = FIELD_HEADER.unpack_from(octets, at)
        start = at + FIELD_HEADER.size
        if start + length > end:
            break
        row = FIELDS_BY_TAG.get(tag)
        name = row.name if row else _("tag {tag:#06x}").format(tag=tag)
        yield Part(at, FIELD_HEADER.size + length, name, _value(tag, octets[start : start + length]))
        at = start + length
    if at < end:
        yield Part(at, end - at, _("octets that are no field"), octets[at:end].hex(" ")[:LONGEST])


def _value(tag: int, octets: bytes) -> str:
    field = FIELDS_BY_TAG.get(tag)
    if field is None or kinds.fault(field, octets) is not None:
        return _cut(octets.hex(" "))
    value = kinds.load(field.kind, octets)
    names = {number: name for name, number in NAMED_NUMBERS.get(field.name, {}).items()}
    if isinstance(value, int):
        return f"{value} {names.get(value, '')}".rstrip()
    return _cut(value.hex(" ") if isinstance(value, bytes) else str(value))


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 3] + "..."
