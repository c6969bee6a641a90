# SPDX-License-Identifier: MIT
"""Frames and fields: octets to a Frame, and a Frame to octets (chapter 3). No socket here, no key.

The numbers are those of registry.py: FRAMES has a row for each type of frame, FIELDS one for each field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from registry import CODES, CONSTANTS, FIELDS, FIELDS_BY_TAG, FRAMES, FRAMES_BY_TYPE, RULES, Field, FrameType

Value = int | str | bytes | tuple[int, ...]

HEADER = CONSTANTS["header_size"]
HANDSHAKE_CAP = CONSTANTS["max_frame_handshake"]
AUTHOR_SIG = CONSTANTS["author_sig_tag"]
HANDSHAKE_SIG = CONSTANTS["handshake_sig_tag"]
MAGIC = b"PR"
VERSION = 1
INTEGERS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
WORDS = {
    "nick": re.compile(r"[a-z0-9_-]{1,32}"),
    "room": re.compile(r"@?[a-z0-9_-]{1,32}"),
    "target": re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):([1-9][0-9]{0,4})"),
    "clause": re.compile(r"[A-Z0-9-]{4,16}"),
}


class Fault(Exception):
    """Something that the peer did wrong: the code for the ERROR, the clause, and what the ERROR names."""

    def __init__(self, code: str, clause: str, reason: str = "", **about: Value) -> None:
        super().__init__(reason or code.lower().replace("_", " "))
        self.code, self.clause, self.about = code, clause, about


def need(good: object, code: str, clause: str, reason: str = "") -> None:
    if not good:
        raise Fault(code, clause, reason)


@dataclass
class Frame:
    """One frame. A field that the row of its type does not list has its tag for a name, such as 0x1a1b."""

    name: str  # empty for a type that nobody knows
    type: int
    octets: bytes  # as they came, with the header
    fields: dict[str, Value] = field(default_factory=dict)
    starts: list[tuple[int, int]] = field(default_factory=list)  # each field's tag, and where it begins
    is_displayable: bool = True  # MSG-14

    def __getitem__(self, name: str) -> Value:
        return self.fields[name]

    def get(self, name: str) -> Value | None:
        return self.fields.get(name)

    def before(self, tag: int) -> bytes:
        """The octets of the fields whose tags are below this one, as they came: what is signed."""
        ends = [start for one, start in self.starts if one >= tag]
        return self.octets[HEADER : ends[0] if ends else None]


def is_word(kind: str, text: str) -> bool:
    """Whether a text is a good nick, room, target or clause."""
    match = WORDS[kind].fullmatch(text)
    return match is not None and (kind != "target" or (len(text) <= 261 and int(match[1]) <= 65535))


def hex_tag(tag: int) -> str:
    return f"0x{tag:04x}"


# --- octets to values -------------------------------------------------------------------


def decode_value(row: Field, octets: bytes) -> Value:
    """The value of a field, or Fault (WIRE-21)."""
    where = f"field {row.name}"
    if row.kind in INTEGERS:
        number = int.from_bytes(octets, "big")
        need(len(octets) == INTEGERS[row.kind] and row.min <= number <= row.max, "BAD_FRAME", "WIRE-21", where)
        return number
    need(row.min <= len(octets) <= row.max, "BAD_FRAME", "WIRE-21", where)
    if row.kind == "utf8":
        return decode_text(octets, where)
    if row.kind == "versions":
        ascending = all(a < b for a, b in zip((0, *octets), octets, strict=False))
        need(ascending, "BAD_FRAME", "WIRE-21", where)
        return tuple(octets)
    if row.kind in WORDS:
        need(is_word(row.kind, octets.decode("latin-1")), "BAD_FRAME", "WIRE-21", where)
        return octets.decode("ascii")
    return octets


def decode_text(octets: bytes, where: str) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("BAD_TEXT", "WIRE-21", where) from None
    need("\0" not in text, "BAD_TEXT", "WIRE-21", where)
    return text


def encode_value(kind: str, value: Value) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(INTEGERS[kind], "big")
    return value.encode() if isinstance(value, str) else bytes(value)


# --- octets to frames -------------------------------------------------------------------

Admit = Callable[[int, FrameType | None], None]


def decode(octets: bytes, sender: str, cap: int, admit: Admit) -> Frame | None:
    """The first frame of these octets; None while there is not enough of it (WIRE-11).

    `sender` is "client" or "server", `cap` the most that `length` may be, and `admit` raises Fault when a frame
    of this type may not come now.
    """
    # >>> framing WIRE-01 WIRE-05 WIRE-06 WIRE-10 WIRE-14 | judge the header (magic, version, length, type, in this
    # order), and return a Frame when all of its octets are here
    need(MAGIC.startswith(octets[:2]), "BAD_FRAME", "WIRE-02", "these octets are no frame")
    if len(octets) < HEADER:
        return None
    version, kind, length = octets[2], octets[3], int.from_bytes(octets[4:HEADER], "big")
    need(version == VERSION, "UNSUPPORTED", "WIRE-04", f"version {version}")
    need(length <= cap, "TOO_LARGE", "WIRE-06", f"length {length}")
    row = FRAMES_BY_TYPE.get(kind)
    admit(kind, row)
    need(row or kind % 2, "UNSUPPORTED", "WIRE-14", f"type {kind}")
    room_for_server = CONSTANTS["publish_headroom"] if row is FRAMES["PUBLISH"] else 0
    need(length <= cap - room_for_server, "TOO_LARGE", "MSG-10", f"length {length}")
    if len(octets) < HEADER + length:
        return None
    frame = Frame(row.name if row else "", kind, bytes(octets[: HEADER + length]))
    if row:
        decode_fields(frame, row)
        check_together(frame, row, sender)
    return frame
    # <<<


def decode_fields(frame: Frame, row: FrameType) -> None:
    """Fill in the fields of a frame (WIRE-16 to WIRE-25, MSG-09, MSG-14)."""
    # >>> framing WIRE-16 WIRE-19 WIRE-21 WIRE-22 WIRE-23 | go from field to field: tag and length in two octets each,
    # then the value (decode_value); fill in frame.fields and frame.starts
    at, last = HEADER, 0
    while at < len(frame.octets):
        need(len(frame.octets) - at >= 4, "BAD_FRAME", "WIRE-19", "octets are left over")
        tag = int.from_bytes(frame.octets[at : at + 2], "big")
        end = at + 4 + int.from_bytes(frame.octets[at + 2 : at + 4], "big")
        known = FIELDS_BY_TAG.get(tag)
        listed = known if known and known.name in row.fields else None
        check_tag(frame, row, tag, last)
        if not listed and tag % 2 == 0:
            need(frame.name == "DELIVER" and tag < AUTHOR_SIG, "UNSUPPORTED", "WIRE-23", hex_tag(tag))
            frame.is_displayable = False
        need(end <= len(frame.octets), "BAD_FRAME", "WIRE-19", "a field reaches beyond the end")
        value = frame.octets[at + 4 : end]
        frame.fields[listed.name if listed else hex_tag(tag)] = decode_value(listed, value) if listed else value
        frame.starts.append((tag, at))
        at, last = end, tag
    # <<<


def check_tag(frame: Frame, row: FrameType, tag: int, last: int) -> None:
    """Whether this tag may stand here at all, after the tag `last`."""
    is_publish = frame.name == "PUBLISH"
    most = CONSTANTS["max_publish_fields" if is_publish else "max_fields"]
    need(last != HANDSHAKE_SIG, "BAD_FRAME", "WIRE-25", "a field after handshake_sig")
    need(tag != 0, "BAD_FRAME", "WIRE-17", "tag 0")
    need(tag > last, "BAD_FRAME", "WIRE-16", "tags do not ascend")
    need(len(frame.starts) < most, "BAD_FRAME", "MSG-09" if is_publish else "WIRE-18", "too many fields")
    need(not is_publish or tag <= AUTHOR_SIG, "BAD_FRAME", "MSG-09", "a tag above 0x4000")
    in_zone = tag <= CONSTANTS["server_zone_last"] or "handshake_sig" in row.fields
    need(in_zone, "BAD_FRAME", "WIRE-24", "a tag above 0x7fff")


def check_together(frame: Frame, row: FrameType, sender: str) -> None:
    """The fields that a frame must have, and those that stand together or not at all (section 3.6)."""
    for name in row.fields:
        need(name in frame.fields or name in row.optional, "BAD_FRAME", "WIRE-20", f"{name} is missing")
    for rule in RULES:
        applies = rule.frame == frame.name and rule.sender in (None, sender)
        if not applies or not all(name in frame.fields for name in rule.if_present):
            continue
        if rule.when_field is not None and frame.get(rule.when_field) not in rule.when_values:
            continue
        kept = all(name in frame.fields for name in rule.required)
        kept = kept and not any(name in frame.fields for name in rule.forbidden)
        need(kept, "BAD_FRAME", "WIRE-20", f"these fields do not go together in {frame.name}")


# --- frames to octets -------------------------------------------------------------------


def encode_fields(fields: dict[str, Value | None]) -> bytes:
    """Fields by name, or as "0x1a1b" with octets, into their one sequence of octets (WIRE-16); None is left out."""
    # >>> framing WIRE-05 WIRE-16 | sort by tag; for each field the tag in two octets, the length in two, the value
    # (encode_value)
    known = {name: FIELDS[name] for name in fields if name in FIELDS}
    tags = {name: known[name].tag if name in known else int(name, 16) for name in fields}
    encoded = b""
    for name, value in sorted(fields.items(), key=lambda item: tags[item[0]]):
        if value is not None:
            octets = encode_value(known[name].kind if name in known else "opaque", value)
            encoded += tags[name].to_bytes(2, "big") + len(octets).to_bytes(2, "big") + octets
    return encoded
    # <<<


def encode(name: str, body: bytes | None = None, **fields: Value | None) -> bytes:
    """A whole frame, from its fields or from a body that is encoded already."""
    # >>> framing WIRE-01 WIRE-05 | the header of eight octets, then the fields
    body = encode_fields(fields) if body is None else body
    return MAGIC + bytes((VERSION, FRAMES[name].type)) + len(body).to_bytes(4, "big") + body
    # <<<


# --- codes ------------------------------------------------------------------------------


def code_name(number: int) -> str | int:
    """The name of a code, or the number of one that has none."""
    return next((code.name for code in CODES.values() if code.number == number), number)


def is_fatal(number: int) -> bool:
    """ERR-04, ERR-05: classes 04 and 05 leave the connection as it is, all others end it."""
    return number >> 8 not in (4, 5)
