# SPDX-License-Identifier: MIT
"""Hostile octets. Each function makes one fault and marks it, so that the failure text can point.

How octets are put on the wire (split, dribbled, reset) is a matter of the endpoint: see
endpoint.Wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.outcome import Guilty
from prosa_conformance.registry import FIELDS, MAGIC

HEADER_FIELDS = {"magic": (0, 2), "version": (2, 1), "type": (3, 1), "length": (4, 4)}


@dataclass(frozen=True)
class Faulty:
    """Octets with a fault, what the fault is in words, and where it is."""

    what: str
    octets: bytes
    guilty: Guilty


def span(octets: bytes, field: str) -> tuple[int, int]:
    """Offset and length of a field's value (or of a part of the header) in an encoded frame."""
    if field in HEADER_FIELDS:
        return HEADER_FIELDS[field]
    return tag_span(octets, FIELDS[field].tag)


def tag_span(octets: bytes, tag: int) -> tuple[int, int]:
    """Offset and length of the value with this tag; (0, 0) when there is none."""
    at = codec.HEADER.size
    while at + codec.FIELD_HEADER.size <= len(octets):
        found, length = codec.FIELD_HEADER.unpack_from(octets, at)
        at += codec.FIELD_HEADER.size
        if found == tag:
            return at, length
        at += length
    return 0, 0


def marked(frame: Frame, field: str, what: str = "") -> Faulty:
    """A frame whose fault is the value of this field."""
    octets = codec.encode(frame)
    return Faulty(what or f"{frame.name} with a wrong {field}", octets, Guilty(octets, *span(octets, field), field))


def flipped(frame: Frame, field: str, bit: int = 0) -> Faulty:
    """One bit of a field's value turned over; bit 0 is the lowest of its last octet."""
    octets = bytearray(codec.encode(frame))
    at, length = span(bytes(octets), field)
    octet = at + length - 1 - bit // 8
    octets[octet] ^= 1 << bit % 8
    data = bytes(octets)
    return Faulty(f"{frame.name} with one bit of {field} flipped", data, Guilty(data, octet, 1, field))


def with_header(
    frame: Frame, *, magic: int = MAGIC, version: int | None = None, length: int | None = None
) -> Faulty:
    """A frame with a false header; give one of the three."""
    body = codec.encode_fields(frame.fields)
    data = codec.raw_frame(
        frame.type, body, magic=magic, version=frame.version if version is None else version, length=length
    )
    part = "magic" if magic != MAGIC else "version" if version is not None else "length"
    offset, size = HEADER_FIELDS[part]
    value = int.from_bytes(data[offset : offset + size], "big")
    return Faulty(f"{frame.name} with {part} {value:#x}", data, Guilty(data, offset, size, part))


def with_fields(frame: Frame, fields: Iterable[codec.RawField], what: str) -> Faulty:
    """The same type with exactly these fields, in this order: unsorted, doubled, none..."""
    raw = tuple(fields)
    data = codec.encode(Frame(frame.type, raw, frame.version))
    at = codec.HEADER.size
    for index, (tag, value) in enumerate(raw):
        if index and tag <= raw[index - 1][0]:
            return Faulty(what, data, Guilty(data, at, 2, f"tag {tag:#06x}"))
        at += codec.FIELD_HEADER.size + len(value)
    return Faulty(what, data, Guilty(data, 4, 4, "length"))


def with_extra(frame: Frame, tag: int, value: bytes = b"?") -> Faulty:
    """The frame with one more field in its place among the tags."""
    data = codec.encode(frame.plus((tag, value)))
    at, _ = tag_span(data, tag)
    return Faulty(f"{frame.name} with the tag {tag:#06x}", data, Guilty(data, at - 4, 2, f"tag {tag:#06x}"))


def truncated(frame: Frame, keep: int) -> Faulty:
    """The first octets of a frame; the header promises more."""
    data = codec.encode(frame)[:keep]
    return Faulty(f"the first {keep} octets of {frame.name}", data, Guilty(data, max(keep - 1, 0), 1, "last octet"))
