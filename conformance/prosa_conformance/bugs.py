# SPDX-License-Identifier: MIT
"""Hostile octets. Each function makes one fault and marks it, so that the failure text can point.

How octets are put on the wire (split, dribbled, reset) is a matter of the endpoint: see
endpoint.Wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prosa_conformance import codec
from prosa_conformance.codec import Frame, RawField
from prosa_conformance.language import _
from prosa_conformance.outcome import Guilty
from prosa_conformance.registry import FIELDS, FRAMES, GREASE_TYPES, MAGIC, VERSION

PADDING_TAG = 0x3FFD  # odd, unknown, the last but one of the author zone
UNKNOWN_EVEN_TYPE = 0x7E
HEADER_FIELDS = {"magic": (0, 2), "version": (2, 1), "type": (3, 1), "length": (4, 4)}


@dataclass(frozen=True)
class Faulty:
    """Octets with a fault, what the fault is in words, and where it is."""

    what: str
    octets: bytes
    guilty: Guilty


Fault = Callable[[Frame], Faulty]


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
    words = _(what) or _("{frame} with a wrong {field}").format(frame=frame.name, field=field)
    return Faulty(words, octets, Guilty(octets, *span(octets, field), field))


def flipped(frame: Frame, field: str, bit: int = 0) -> Faulty:
    """One bit of a field's value turned over; bit 0 is the lowest of its last octet."""
    octets = bytearray(codec.encode(frame))
    at, length = span(bytes(octets), field)
    octet = at + length - 1 - bit // 8
    octets[octet] ^= 1 << bit % 8
    data = bytes(octets)
    words = _("{frame} with one bit of {field} flipped").format(frame=frame.name, field=field)
    return Faulty(words, data, Guilty(data, octet, 1, field))


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
    words = _("{frame} with {part} {value:#x}").format(frame=frame.name, part=part, value=value)
    return Faulty(words, data, Guilty(data, offset, size, part))


def with_fields(frame: Frame, fields: Iterable[RawField], what: str) -> Faulty:
    """The same type with exactly these fields, in this order: unsorted, doubled, none..."""
    what = _(what)
    raw = tuple(fields)
    data = codec.encode(Frame(frame.type, raw, frame.version))
    at = codec.HEADER.size
    for index, (tag, value) in enumerate(raw):
        if index and tag <= raw[index - 1][0]:
            return Faulty(what, data, Guilty(data, at, 2, tag_words(tag)))
        at += codec.FIELD_HEADER.size + len(value)
    return Faulty(what, data, Guilty(data))


def with_extra(frame: Frame, tag: int, value: bytes = b"?") -> Faulty:
    """The frame with one more field in its place among the tags."""
    data = codec.encode(frame.plus((tag, value)))
    at = tag_span(data, tag)[0]
    words = _("{frame} with the tag {tag:#06x}").format(frame=frame.name, tag=tag)
    return Faulty(words, data, Guilty(data, at - 4, 2, tag_words(tag)))


def tag_words(tag: int) -> str:
    return _("tag {tag:#06x}").format(tag=tag)


def truncated(frame: Frame, keep: int) -> Faulty:
    """The first octets of a frame; the header promises more."""
    data = codec.encode(frame)[:keep]
    words = _("the first {count} octets of {frame}").format(count=keep, frame=frame.name)
    return Faulty(words, data, Guilty(data, max(keep - 1, 0), 1, _("last octet")))


# --- bodies that are no list of fields ---


def unsorted(frame: Frame) -> Faulty:
    first, second, *rest = frame.fields
    return with_fields(frame, (second, first, *rest), _("tags in the wrong order"))


def doubled(frame: Frame) -> Faulty:
    first, *rest = frame.fields
    return with_fields(frame, (first, first, *rest), _("a tag twice"))


def tag_zero(frame: Frame) -> Faulty:
    return with_fields(frame, ((0, b""), *frame.fields), _("the tag 0"))


def too_many_fields(frame: Frame) -> Faulty:
    spare: list[RawField] = [(0x3001 + 2 * number, b"") for number in range(33 - len(frame.fields))]
    return with_fields(frame.plus(*spare), frame.plus(*spare).fields, _("33 fields"))


def field_beyond_the_end(frame: Frame) -> Faulty:
    body = codec.encode_fields(frame.fields) + codec.raw_field(0x3FFF, b"xy", length=3)
    return _with_body(frame, body, _("a field that reaches beyond the end"), 4)


def octets_left_over(frame: Frame) -> Faulty:
    return _with_body(frame, codec.encode_fields(frame.fields) + b"\x3f\xff\x00", _("three octets left over"), 3)


def _with_body(frame: Frame, body: bytes, what: str, guilty: int) -> Faulty:
    octets = codec.raw_frame(frame.type, body)
    return Faulty(what, octets, Guilty(octets, len(octets) - guilty, guilty, what))


MALFORMED: tuple[Fault, ...] = (
    unsorted, doubled, tag_zero, too_many_fields, field_beyond_the_end, octets_left_over
)  # fmt: skip


# --- lengths ---


def padded(frame: Frame, length: int) -> Frame:
    """The frame with one more ignorable field, so that its `length` is this."""
    missing = length - len(codec.encode_fields(frame.fields)) - codec.FIELD_HEADER.size
    return frame.plus((PADDING_TAG, bytes(missing)))


def header_alone(name: str, length: int) -> Faulty:
    """A header that promises `length` octets, and nothing after it."""
    octets = codec.HEADER.pack(MAGIC, VERSION, FRAMES[name].type, length)
    words = _("the header of {frame} with length {length:#x}").format(frame=name, length=length)
    return Faulty(words, octets, Guilty(octets, 4, 4, "length"))


# --- frames out of their place ---


# Each is good where that matters before its state is judged.
ID = bytes(32)
SOUND = {
    "HELLO": codec.frame("HELLO", versions=(1,), nonce=ID, client_key=ID, features=0, target="localhost:65432"),
    "AUTH": codec.frame("AUTH", nick="mallory", handshake_sig=bytes(64)),
    "WELCOME": codec.frame("WELCOME", session=1, time=1),
    "JOIN": codec.frame("JOIN", room="@host", send_window=1, recv_window=64),
    "JOINED": codec.frame(
        "JOINED", room="@host", room_id=ID, epoch=bytes(16), granted_window=1, last_counter=0,
        limit_counter=1, head_seq=0, oldest_seq=1, start_seq=1,
    ),
    "LEAVE": codec.frame("LEAVE", room_id=ID),
    "PUBLISH": codec.frame(
        "PUBLISH", nick="mallory", room_id=ID, author_key=ID, counter=1, sent_at=1, text="early", author_sig=bytes(64)
    ),
    "DELIVER": codec.frame(
        "DELIVER", nick="mallory", room_id=ID, author_key=ID, counter=1, sent_at=1, text="mine",
        author_sig=bytes(64), room_seq=1, server_time=1,
    ),
    "ACK": codec.frame("ACK", room_id=ID, seen_seq=0, limit_seq=1),
    "server's ACK": codec.frame("ACK", room_id=ID, limit_counter=1, acked_counter=0, acked_seq=0),
    "PING": codec.frame("PING", opaque=b"early"),
    "PONG": codec.frame("PONG", opaque=b"early"),
    "unknown odd": Frame(GREASE_TYPES[0]),
    "unknown even": Frame(UNKNOWN_EVEN_TYPE),
}  # fmt: skip
