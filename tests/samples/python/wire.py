# SPDX-License-Identifier: MIT
"""Frames and fields of PROSA/1: the tables of the registry, and the codec made of them (chapter 3).

Nothing here knows of sockets or keys. Requirements are named by their ids in brackets.
"""
from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

VERSION, HEADER, HANDSHAKE_CAP = 1, 8, 1024
AUTHOR_SIG, SERVER_ZONE_LAST, SERVER_SIG, HANDSHAKE_SIG = 0x4000, 0x7FFF, 0x4006, 0xFFFE


class Field(NamedTuple):
    tag: int
    name: str
    kind: str
    least: int = 0
    most: int | None = None


def _entries(table: str) -> list[list[str]]:
    return [entry.split() for line in table.strip().splitlines() for entry in line.split("|")]


# What CHALLENGE announces: tag, name, default, least, most [9.1].
ANNOUNCED = {name: (int(tag, 16), *map(int, numbers)) for tag, name, *numbers in _entries("""
    0020 max_frame 16384 8192 65536         | 0022 max_rooms 8 1 65535
    0024 max_window 64 1 65535              | 0026 token_rate 32 1 1000000
    0028 token_burst 64 1 1000000           | 002A member_limit 256 0 400
    002C undecided_limit 65536 16384 16777216
    002E output_limit 262144 65536 67108864
    0030 handshake_ms 5000 50 600000        | 0032 ping_after_ms 15000 50 3600000
    0034 dead_after_ms 45000 100 3600000    | 0036 slow_ms 10000 50 3600000
    0038 linger_ms 2000 50 600000""")}

# Fields: tag, name, kind, and the range of an integer's value or of the number of octets [3.5].
FIELDS = [Field(int(tag, 16), name, kind, *map(int, bounds)) for tag, name, kind, *bounds in _entries("""
    0002 versions versions 1 8   | 0004 nonce nonce          | 0006 client_key key      | 0008 features u32
    000A target target 3 261     | 000C version u8 1         | 000E server_key key      | 0010 session u64
    0012 time u64                | 0040 nick nick 1 32       | 0041 display utf8 1 64   | 0042 room room 1 33
    0044 room_id hash            | 0046 epoch epoch          | 0050 send_window u32 1   | 0052 recv_window u32 2
    0054 after_seq u64           | 0056 granted_window u32 1 | 0058 last_counter u64    | 005A limit_counter u64
    005C acked_counter u64       | 005E acked_seq u64        | 0060 head_seq u64        | 0062 oldest_seq u64 1
    0064 start_seq u64 1         | 0066 seen_seq u64         | 0068 limit_seq u64       | 0070 event u8
    0072 member_key key          | 0074 at_seq u64           | 0076 count u32           | 0080 author_key key
    0082 counter u64 1           | 0084 sent_at u64          | 0086 text utf8 1 4096    | 0087 reply_to hash
    0090 seq u64                 | 0092 chain hash           | 00A0 opaque opaque 0 16  | 00B0 code u16 1
    00B2 reason utf8 1 255       | 00B3 after_ms u32         | 00B5 ref_type u8         | 00B7 clause clause 4 16
    4000 author_sig sig          | 4002 room_seq u64 1       | 4004 server_time u64     | 4005 prev_hash hash
    4006 server_sig sig          | FFFE handshake_sig sig""")]
FIELDS += [Field(tag, name, "u32", least, most) for name, (tag, _, least, most) in ANNOUNCED.items()]
FIELD = {f.name: f for f in FIELDS}


class Layout:
    """One row of the table of frames [3.6]: who sends it, and its fields; `?` marks an optional one."""

    def __init__(self, number: str, name: str, sender: str, *fields: str) -> None:
        self.type, self.name, self.sender = int(number), name, sender
        self.required = [f for f in fields if not f.endswith("?")]
        self.fields = {FIELD[f.rstrip("?")].tag: FIELD[f.rstrip("?")] for f in fields}


LAYOUTS = [Layout(*words) for words in _entries(f"""
    2  HELLO      client versions nonce client_key features target
    4  CHALLENGE  server versions nonce features version server_key {" ".join(ANNOUNCED)} handshake_sig
    6  AUTH       client nick display? handshake_sig
    8  WELCOME    server session time
    10 JOIN       client room epoch? send_window recv_window after_seq?
    12 JOINED     server room room_id epoch granted_window last_counter limit_counter head_seq oldest_seq start_seq
    14 LEAVE      client room_id
    17 MEMBER     server nick? room_id event member_key? at_seq count?
    20 PUBLISH    client nick display? room_id author_key counter sent_at text reply_to? author_sig
    22 DELIVER    server nick display? room_id author_key counter sent_at text reply_to? author_sig room_seq server_time prev_hash?
    24 ACK        both   room_id limit_counter? acked_counter? acked_seq? seen_seq? limit_seq?
    27 CHECKPOINT server time room_id seq chain server_sig
    30 PING       both   opaque
    32 PONG       both   opaque
    34 ERROR      both   room? room_id? counter? code reason after_ms? ref_type? clause?
    36 BYE        both   code reason? after_ms?""")]  # noqa: E501
LAYOUT = {layout.type: layout for layout in LAYOUTS}
TYPE = {layout.name: layout.type for layout in LAYOUTS}

# Which fields stand together: WIRE-30 and WIRE-31 by sender, WIRE-33 by event.
ACK_FIELDS = {"server": "room_id limit_counter acked_counter acked_seq", "client": "room_id seen_seq limit_seq"}
EVENTS = {1: "here", 2: "joined", 3: "left", 4: "resync", 5: "count"}
EVENT = {name: number for number, name in EVENTS.items()}
MEMBER_FIELDS = dict.fromkeys((1, 2, 3), "nick room_id event member_key at_seq") | {
    4: "room_id event at_seq", 5: "room_id event at_seq count"}

# Codes: a line for each class, numbered from 1 [7.2].
CODES = {(kind << 8) + place: name for kind, names in enumerate(_entries("""
    BAD_FRAME UNSUPPORTED TOO_LARGE BAD_TEXT
    BAD_KEY BAD_SIG NICK_TAKEN DENIED WRONG_AUTHOR PIN_MISMATCH DOWNGRADE FORK
    BAD_STATE FLOW_VIOLATION COUNTER_GAP COUNTER_REUSE WRONG_ROOM ACK_TOO_HIGH SEQ_GAP TIMEOUT
    NO_ROOM TOO_MANY_ROOMS NOT_SUPPORTED
    NO_ANSWER
    NORMAL SHUTDOWN REPLACED SLOW_CONSUMER IDLE KICKED GATEWAY_LOST BUSY INTERNAL"""), 1)
    for place, name in enumerate(names, 1)}
CODE = {name: number for number, name in CODES.items()}


class Fault(Exception):
    """Something wrong: the code for the ERROR, the clause, and the fields that name the culprit."""

    def __init__(self, name: str, clause: str | None = None, reason: str = "", **about: object) -> None:
        super().__init__(reason or name.lower().replace("_", " "))
        self.name, self.code, self.clause, self.about = name, CODE[name], clause, about


def need(good: object, name: str, clause: str | None = None, reason: str = "") -> None:
    if not good:
        raise Fault(name, clause, reason)


@dataclass
class Frame:
    """A decoded frame; `frame["text"]` is the value of a field, or None where the field is absent."""

    name: str | None  # None: of an unknown odd type, to be ignored (WIRE-12)
    type: int
    octets: bytes
    fields: dict[str, object] = field(default_factory=dict)
    starts: list[tuple[int, int]] = field(default_factory=list)  # of each field: its tag, where it begins
    displayable: bool = True  # MSG-14

    def __getitem__(self, name: str) -> object:
        return self.fields.get(name)

    def before(self, tag: int) -> bytes:
        """The octets of the fields with tags below `tag`, as they came."""
        return self.octets[HEADER : next((start for t, start in self.starts if t >= tag), None)]


# ---------------------------------------------------------------- values [3.5]
SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "key": 32, "hash": 32, "nonce": 32, "epoch": 16, "sig": 64}
WORDS = {"nick": r"[a-z0-9_-]{1,32}", "room": r"@?[a-z0-9_-]{1,32}", "clause": r"[A-Z0-9-]{4,16}",
         "target": r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):([1-9][0-9]{0,4})"}


def is_word(kind: str, text: str) -> bool:
    """Whether `text` is a nick, room, clause or target."""
    match = re.fullmatch(WORDS[kind], text)
    return bool(match) and (kind != "target" or (len(text) <= 261 and int(match[1]) <= 65535))


def _decode_value(row: Field, octets: bytes) -> object:
    def check(good: object, code: str = "BAD_FRAME") -> None:
        need(good, code, "WIRE-21", f"field {row.name}")

    if row.kind in SIZES:
        check(len(octets) == SIZES[row.kind])
        if row.kind[0] != "u":
            return octets
        value = int.from_bytes(octets)
        check(row.least <= value and (row.most is None or value <= row.most))
        return value
    check(row.least <= len(octets) <= (row.most or 0))
    if row.kind == "versions":
        check(octets[0] > 0 and all(a < b for a, b in itertools.pairwise(octets)))
        return list(octets)
    if row.kind == "utf8":
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            text = "\0"
        check("\0" not in text, "BAD_TEXT")
        return text
    if row.kind != "opaque":
        check(is_word(row.kind, octets.decode("latin-1")))
        return octets.decode()
    return octets


def encode_fields(fields: dict[str, object]) -> bytes:
    """Fields by name, or as "0x1a1b" with octets, in the one order there is (WIRE-16)."""
    parts = []
    for name, value in fields.items():
        row = FIELD.get(name) or Field(int(name, 16), name, "opaque")
        if isinstance(value, int):
            value = value.to_bytes(SIZES[row.kind])
        octets = value.encode() if isinstance(value, str) else bytes(value if value is not None else b"")
        if value is not None:
            parts.append(row.tag.to_bytes(2) + len(octets).to_bytes(2) + octets)
    return b"".join(sorted(parts))  # each begins with its tag


def encode(name: str, body: bytes | dict[str, object]) -> bytes:
    octets = body if isinstance(body, bytes) else encode_fields(body)
    return b"PR" + bytes([VERSION, TYPE[name]]) + len(octets).to_bytes(4) + octets


# ---------------------------------------------------------------- frames [3.1 to 3.6]
def decode(data: bytes, cap: int, sender: str,
           admit: Callable[[int, Layout | None], None] = lambda *_: None) -> Frame | None:
    """The first frame in `data`, or None while it is not whole (WIRE-11).

    `cap` bounds its length. `admit` may refuse a type as soon as its header is there.
    """
    need(b"PR".startswith(data[:2]), "BAD_FRAME", "WIRE-02", "this is no frame")
    if len(data) < HEADER:
        return None
    number, length = data[3], int.from_bytes(data[4:HEADER])
    layout = LAYOUT.get(number)
    need(data[2] == VERSION, "UNSUPPORTED", "WIRE-04", f"version {data[2]}")
    need(length <= cap, "TOO_LARGE", "WIRE-06", f"length {length}")
    admit(number, layout)
    need(layout or number % 2, "UNSUPPORTED", "WIRE-14", f"type {number}")
    need(number != TYPE["PUBLISH"] or length <= cap - 256, "TOO_LARGE", "MSG-10", f"length {length}")
    if len(data) < HEADER + length:
        return None
    frame = Frame(layout and layout.name, number, bytes(data[: HEADER + length]))
    if layout:
        _decode_fields(frame, layout)
        _check_together(frame, layout, sender)
    return frame


def _decode_fields(frame: Frame, layout: Layout) -> None:
    octets, at, last = frame.octets, HEADER, 0
    is_publish, is_deliver = frame.name == "PUBLISH", frame.name == "DELIVER"
    while at < len(octets):
        need(len(octets) - at >= 4, "BAD_FRAME", "WIRE-19", "octets are left over")
        tag, start = int.from_bytes(octets[at : at + 2]), at + 4
        end, row = start + int.from_bytes(octets[at + 2 : start]), layout.fields.get(tag)
        need(last != HANDSHAKE_SIG, "BAD_FRAME", "WIRE-25", "a field after handshake_sig")
        need(tag, "BAD_FRAME", "WIRE-17", "tag 0")
        need(tag > last, "BAD_FRAME", "WIRE-16", "tags do not ascend")
        need(len(frame.starts) < 32, "BAD_FRAME", "WIRE-18", "too many fields")
        if is_publish:
            need(len(frame.starts) < 24 and tag <= AUTHOR_SIG, "BAD_FRAME", "MSG-09", "too many fields or a high tag")
        need(tag <= SERVER_ZONE_LAST or HANDSHAKE_SIG in layout.fields, "BAD_FRAME", "WIRE-24", "a tag above 0x7FFF")
        if not row and tag % 2 == 0:  # only a DELIVER may hold what we do not know (MSG-14)
            need(is_deliver and tag < AUTHOR_SIG, "UNSUPPORTED", "MSG-15" if is_publish else "WIRE-23", f"0x{tag:04x}")
            frame.displayable = False
        need(end <= len(octets), "BAD_FRAME", "WIRE-19", "a field reaches beyond the end")
        value = octets[start:end]
        frame.fields[row.name if row else f"0x{tag:04x}"] = _decode_value(row, value) if row else value
        frame.starts.append((tag, at))
        at, last = end, tag


def _check_together(frame: Frame, layout: Layout, sender: str) -> None:
    for name in layout.required:
        need(name in frame.fields, "BAD_FRAME", "WIRE-20", f"{name} is missing")
    known = " ".join(row.name for row in layout.fields.values() if row.name in frame.fields)
    if frame.name == "ACK":
        need(known == ACK_FIELDS[sender], "BAD_FRAME", "WIRE-30" if sender == "server" else "WIRE-31")
    elif frame.name == "JOIN":
        need(frame["epoch"] is None or frame["after_seq"] is not None, "BAD_FRAME", "WIRE-32")
    elif frame.name == "MEMBER":
        need(known == MEMBER_FIELDS.get(frame["event"], known), "BAD_FRAME", "WIRE-33")


# ---------------------------------------------------------------- text for people and programs [3.7, MSG-19]
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def visible(text: object) -> str:
    """Text for people, with a visible stand-in for each character that must not be printed."""
    return UNPRINTABLE.sub(lambda match: f"<u{ord(match[0]):04x}>", str(text))


def to_json(value: object) -> str:
    """One line of JSON in ASCII; octets are written in hexadecimal."""
    return json.dumps(value, default=bytes.hex).replace("\x7f", "\\u007f")


def plain(fields: dict[str, object]) -> dict[str, object]:
    """Fields as JSON has them: a u64 as digits, a code or event by its name (WIRE-34)."""
    def picture(name: str, value: object) -> object:
        if name in FIELD and FIELD[name].kind == "u64":
            return str(value)
        return CODES.get(value, value) if name == "code" else EVENTS.get(value, value) if name == "event" else value

    return {name: picture(name, value) for name, value in fields.items() if value is not None}


def project(frame: Frame) -> dict[str, object]:
    picture = {"frame": frame.name, "type": frame.type, "version": VERSION, "length": len(frame.octets) - HEADER}
    return picture | {"fields": plain(frame.fields)} if frame.name else picture
