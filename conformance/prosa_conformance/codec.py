# SPDX-License-Identifier: MIT
"""Frames to octets and back: an independent codec, sharing nothing with the C library.

Pure: octets in, a tagged verdict out; nothing here waits, prints or remembers. The encoder
writes what it is told, wrong frames included, because the suite's hostile peer is built on it;
only `decode` judges.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from prosa_conformance import kinds
from prosa_conformance.kinds import Value
from prosa_conformance.language import _
from prosa_conformance.registry import (
    CODES,
    CONSTANTS,
    EVENTS,
    FIELDS,
    FIELDS_BY_TAG,
    FRAMES,
    FRAMES_BY_TYPE,
    MAGIC,
    RULES,
    VERSION,
    Field,
    FrameType,
    Rule,
)

HEADER = struct.Struct(">HBBI")
FIELD_HEADER = struct.Struct(">HH")
AUTHOR_ZONE_LAST = CONSTANTS["author_zone_last"]
AUTHOR_SIG_TAG = CONSTANTS["author_sig_tag"]
SERVER_ZONE_LAST = CONSTANTS["server_zone_last"]
HANDSHAKE_SIG_TAG = CONSTANTS["handshake_sig_tag"]
HANDSHAKE_SIGNED = frozenset({"CHALLENGE", "AUTH"})

# Numbers that have names, by the field that holds them.
NAMED_NUMBERS = {"code": {name: code.number for name, code in CODES.items()}, "event": EVENTS}

RawField = tuple[int, bytes]


# --- values -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """A frame as a type and an ordered list of (tag, value octets); not necessarily a good one."""

    type: int
    fields: tuple[RawField, ...] = ()
    version: int = VERSION

    @property
    def name(self) -> str | None:
        """The registered name of the type, or None."""
        row = FRAMES_BY_TYPE.get(self.type)
        return None if row is None else row.name

    def octets(self, field: str) -> bytes | None:
        """The octets of the first field of that name, or None when it is absent."""
        tag = FIELDS[field].tag
        for at, value in self.fields:
            if at == tag:
                return value
        return None

    def need(self, field: str) -> bytes:
        """The octets of a field that the frame must have."""
        octets = self.octets(field)
        if octets is None:
            raise KeyError(field)
        return octets

    def value(self, field: str) -> Value | None:
        """The typed value of a field, or None when it is absent."""
        octets = self.octets(field)
        return None if octets is None else kinds.load(FIELDS[field].kind, octets)

    def number(self, field: str) -> int:
        """The value of an integer field that the frame must have."""
        value = self.value(field)
        if not isinstance(value, int):
            raise KeyError(field)
        return value

    def has(self, field: str) -> bool:
        return self.octets(field) is not None

    def without(self, *names: str) -> Frame:
        """The same frame less the named fields."""
        tags = {FIELDS[name].tag for name in names}
        return Frame(self.type, tuple(f for f in self.fields if f[0] not in tags), self.version)

    def plus(self, *fields: RawField) -> Frame:
        """The same frame with raw fields merged in tag order."""
        merged = sorted((*self.fields, *fields), key=lambda f: f[0])
        return Frame(self.type, tuple(merged), self.version)


@dataclass(frozen=True)
class Partial:
    """A good beginning: at least `needed` octets in all are due before there is a verdict."""

    needed: int


@dataclass(frozen=True)
class Ignored:
    """A whole frame of an unknown odd type; its body was not looked at."""

    type: int
    length: int
    consumed: int


@dataclass(frozen=True)
class Decoded:
    """A good frame. `displayable` is False for a DELIVER with an unknown even author field."""

    frame: Frame
    consumed: int
    displayable: bool = True


@dataclass(frozen=True)
class Rejected:
    """The first fault: its code, a sentence, and the guilty octets as offset and length."""

    code: str
    why: str
    offset: int
    length: int
    field: str | None = None


Verdict = Partial | Ignored | Decoded | Rejected


# --- encode -----------------------------------------------------------------------------


def raw_field(tag: int, value: bytes, length: int | None = None) -> bytes:
    """One encoded field; `length` overrides the true one."""
    return FIELD_HEADER.pack(tag, len(value) if length is None else length) + value


def raw_frame(
    frame_type: int,
    body: bytes,
    *,
    length: int | None = None,
    version: int = VERSION,
    magic: int = MAGIC,
) -> bytes:
    """A frame of any octets; the keyword arguments falsify the header."""
    return HEADER.pack(magic, version, frame_type, len(body) if length is None else length) + body


def encode_fields(fields: Iterable[RawField]) -> bytes:
    return b"".join(raw_field(tag, value) for tag, value in fields)


def encode(frame: Frame) -> bytes:
    """The octets of a frame, its fields in the order given."""
    return raw_frame(frame.type, encode_fields(frame.fields), version=frame.version)


def field_value(name: str, value: Value) -> RawField:
    """One raw field from a name and a value; `code` and `event` also take registered names."""
    field = FIELDS[name]
    registered = NAMED_NUMBERS.get(name, {})
    if isinstance(value, str) and value in registered:
        value = registered[value]
    return field.tag, kinds.store(field.kind, value)


def frame(name: str, /, extra: Iterable[RawField] = (), **values: Value | None) -> Frame:
    """A frame from values by field name, in tag order: frame("PING", opaque=b"x").

    None leaves a field out; octets are taken as they are; `extra` are raw fields merged in.
    Nothing is checked: that is `decode`'s business.
    """
    fields = [field_value(key, value) for key, value in values.items() if value is not None]
    return Frame(FRAMES[name].type).plus(*fields, *extra)


# --- decode -----------------------------------------------------------------------------


class _Fault(Exception):
    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.why)
        self.rejected = rejected


def _fail(code: str, why: str, offset: int, length: int, field: str | None = None) -> _Fault:
    return _Fault(Rejected(code, why, offset, length, field))


def decode(octets: bytes, sender: str, cap: int) -> Verdict:
    """The verdict on the frame at the beginning of `octets`.

    `sender` is "client" or "server"; `cap` is the greatest `length` that the state allows.
    Octets after the frame are left alone. Never raises.
    """
    try:
        return _decode(octets, sender, cap)
    except _Fault as fault:
        return fault.rejected


def _decode(octets: bytes, sender: str, cap: int) -> Verdict:
    _check_header(octets, cap)
    if len(octets) < HEADER.size:
        return Partial(HEADER.size)
    _magic, version, frame_type, length = HEADER.unpack_from(octets)
    consumed = HEADER.size + length
    if len(octets) < consumed:
        return Partial(consumed)
    row = FRAMES_BY_TYPE.get(frame_type)
    if row is None:
        if frame_type % 2 == 0:
            raise _fail("UNSUPPORTED", _("unknown even frame type {type}").format(type=frame_type), 3, 1)
        return Ignored(frame_type, length, consumed)
    fields, displayable = _decode_fields(octets[:consumed], row)
    decoded = Frame(frame_type, tuple(fields), version)
    _check_presence(decoded, row, sender, consumed)
    return Decoded(decoded, consumed, displayable)


def _check_header(octets: bytes, cap: int) -> None:
    """The faults of a header, found as soon as their octets are there."""
    magic = HEADER.pack(MAGIC, VERSION, 0, 0)[:2]
    for at, octet in enumerate(octets[:2]):
        if octet != magic[at]:
            raise _fail("BAD_FRAME", _("the magic is not 50 52"), at, 1)
    if len(octets) > 2 and octets[2] != VERSION:
        raise _fail("UNSUPPORTED", _("version octet {version}").format(version=octets[2]), 2, 1)
    if len(octets) < HEADER.size:
        return
    frame_type, length = HEADER.unpack_from(octets)[2:]
    if length > cap:
        raise _fail("TOO_LARGE", _("length {length} is above the cap {cap}").format(length=length, cap=cap), 4, 4)
    room = cap - CONSTANTS["publish_headroom"]
    if frame_type == FRAMES["PUBLISH"].type and length > room:
        words = _("length {length} of a PUBLISH is above {cap}")
        raise _fail("TOO_LARGE", words.format(length=length, cap=room), 4, 4)


def _decode_fields(octets: bytes, row: FrameType) -> tuple[list[RawField], bool]:
    fields: list[RawField] = []
    displayable = True
    at = HEADER.size
    previous = 0
    while at < len(octets):
        tag, value = _split_field(octets, at)
        _check_tag(row, tag, previous, len(fields), at)
        known = _known_field(row, tag)
        if known is not None:
            _check_value(known, value, at + FIELD_HEADER.size)
        elif tag % 2 == 0:
            _check_unknown_even(row, tag, at)
            displayable = False
        fields.append((tag, value))
        previous = tag
        at += FIELD_HEADER.size + len(value)
    return fields, displayable


def _split_field(octets: bytes, at: int) -> RawField:
    left = len(octets) - at
    if left < FIELD_HEADER.size:
        raise _fail("BAD_FRAME", _("{count} octets are too few for a field").format(count=left), at, left)
    tag, length = FIELD_HEADER.unpack_from(octets, at)
    if length > left - FIELD_HEADER.size:
        words = _("a value of {count} octets ends beyond the frame")
        raise _fail("BAD_FRAME", words.format(count=length), at + 2, 2)
    start = at + FIELD_HEADER.size
    return tag, octets[start : start + length]


def _check_tag(row: FrameType, tag: int, previous: int, before: int, at: int) -> None:
    """The faults of a tag that do not depend on its value."""
    publish = row.name == "PUBLISH"
    most = CONSTANTS["max_publish_fields" if publish else "max_fields"]
    if tag == 0:
        raise _fail("BAD_FRAME", _("tag 0"), at, 2)
    if previous == HANDSHAKE_SIG_TAG and row.name in HANDSHAKE_SIGNED:
        raise _fail("BAD_FRAME", _("a field after the handshake signature"), at, 2)
    if tag <= previous:
        words = _("tag {tag:#06x} after {previous:#06x}")
        raise _fail("BAD_FRAME", words.format(tag=tag, previous=previous), at, 2)
    if before >= most:
        raise _fail("BAD_FRAME", _("more than {count} fields").format(count=most), at, 2)
    if tag > SERVER_ZONE_LAST and row.name not in HANDSHAKE_SIGNED:
        raise _fail("BAD_FRAME", _("tag {tag:#06x} outside of the handshake").format(tag=tag), at, 2)
    if publish and tag > AUTHOR_SIG_TAG:
        raise _fail("BAD_FRAME", _("tag {tag:#06x} beyond the author zone in PUBLISH").format(tag=tag), at, 2)


def _known_field(row: FrameType, tag: int) -> Field | None:
    field = FIELDS_BY_TAG.get(tag)
    return field if field is not None and field.name in row.fields else None


def _check_value(field: Field, value: bytes, at: int) -> None:
    fault = kinds.fault(field, value)
    if fault is not None:
        raise _fail(fault.code, f"{field.name}: {fault.why}", at + fault.offset, fault.length, field.name)


def _check_unknown_even(row: FrameType, tag: int, at: int) -> None:
    if row.name != "DELIVER" or tag > AUTHOR_ZONE_LAST:
        raise _fail("UNSUPPORTED", _("unknown even tag {tag:#06x}").format(tag=tag), at, 2)


def _check_presence(decoded: Frame, row: FrameType, sender: str, end: int) -> None:
    """Required fields, then the registry's rules about fields that stand together."""
    for name in row.fields:
        if name not in row.optional and not decoded.has(name):
            raise _fail("BAD_FRAME", _("{frame} lacks {field}").format(frame=row.name, field=name), end, 0, name)
    for rule in RULES:
        if rule.frame == row.name and _rule_applies(rule, decoded, sender):
            _check_rule(rule, decoded, end)


def _rule_applies(rule: Rule, decoded: Frame, sender: str) -> bool:
    if rule.sender not in (None, sender):
        return False
    if rule.when_field is not None and decoded.value(rule.when_field) not in rule.when_values:
        return False
    return all(decoded.has(field) for field in rule.if_present)


def _check_rule(rule: Rule, decoded: Frame, end: int) -> None:
    for field in rule.required:
        if not decoded.has(field):
            words = _("{frame}: {field} is missing")
            raise _fail("BAD_FRAME", words.format(frame=rule.frame, field=field), end, 0, field)
    for field in rule.forbidden:
        if decoded.has(field):
            words = _("{frame}: {field} does not belong here")
            raise _fail("BAD_FRAME", words.format(frame=rule.frame, field=field), end, 0, field)


# --- parts that are signed or hashed ----------------------------------------------------


def author_zone(message: Frame) -> bytes:
    """The encoded fields of a PUBLISH or DELIVER with tags up to 0x3FFF, in order."""
    return encode_fields(f for f in message.fields if f[0] <= AUTHOR_ZONE_LAST)


def before(message: Frame, field: str) -> bytes:
    """The encoded fields that stand before the named one."""
    return encode_fields(f for f in message.fields if f[0] < FIELDS[field].tag)


# --- projection -------------------------------------------------------------------------


def project(decoded: Frame) -> dict[str, object]:
    """The one-way JSON projection of a frame, fields in wire order."""
    row = FRAMES_BY_TYPE[decoded.type]
    fields = dict(_project_field(row, tag, value) for tag, value in decoded.fields)
    return {
        "frame": row.name,
        "type": decoded.type,
        "version": decoded.version,
        "length": len(encode_fields(decoded.fields)),
        "fields": fields,
    }


def project_ignored(ignored: Ignored) -> dict[str, object]:
    """The projection of a frame whose type is unknown."""
    return {"frame": None, "type": ignored.type, "version": VERSION, "length": ignored.length}


def _project_field(row: FrameType, tag: int, value: bytes) -> tuple[str, object]:
    field = _known_field(row, tag)
    if field is None:
        return f"{tag:#06x}", value.hex()
    return field.name, _project_value(field, kinds.load(field.kind, value))


def _project_value(field: Field, value: Value) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return list(value)
    if field.kind == "u64":
        return str(value)
    registered = NAMED_NUMBERS.get(field.name, {})
    return next((name for name, number in registered.items() if number == value), value)
