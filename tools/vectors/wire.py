# SPDX-License-Identifier: MIT
"""wire.json: headers, types, the structure of fields (chapter 3)."""

from __future__ import annotations

from prosa_conformance import codec
from prosa_conformance.codec import raw_frame
from prosa_conformance.registry import CONSTANTS, FRAMES, FRAMES_BY_TYPE, GREASE_TAGS, GREASE_TYPES
from vectors import structure
from vectors.collection import CAP, Collection
from vectors.samples import FORM

HANDSHAKE_CAP = CONSTANTS["max_frame_handshake"]
PING = codec.encode(FORM["ping"].minimal())
WELCOME = codec.encode(FORM["welcome"].minimal())


def make() -> Collection:
    made = Collection("wire", "Headers, types and the structure of fields: chapter 3.")
    _magic(made)
    _version(made)
    _length(made)
    _split(made)
    _behind(made)
    _types(made)
    structure.add_to(made)
    return made


def _filled(name: str, length: int) -> bytes:
    """A good frame of exactly this length: unknown odd fields fill it up."""
    frame = FORM[name].minimal()
    missing = length - len(codec.encode_fields(frame.fields))
    padding = b"\xa5" * (missing - CONSTANTS["field_header_size"])
    return codec.encode(FORM[name].signed(frame.plus((GREASE_TAGS[0], padding))))


def _magic(made: Collection) -> None:
    made.accept("magic-good", "WIRE-01", "50 52 begins a frame", PING, "client")
    for at in range(2):
        for bit in range(8):
            wrong = bytearray(PING)
            wrong[at] ^= 1 << bit
            made.refuse(
                f"magic-octet-{at}-bit-{bit}",
                "WIRE-02",
                f"octet {at} of the magic has bit {bit} flipped",
                bytes(wrong),
                "client",
                "BAD_FRAME",
            )
    swapped = PING[1::-1] + PING[2:]
    made.refuse("magic-little-endian", "WIRE-02", "the magic with its octets swapped", swapped, "client", "BAD_FRAME")
    http = b"GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n"
    made.refuse("magic-http", "WIRE-02", "a web browser", http, "client", "BAD_FRAME")
    tls = bytes.fromhex("160301020001")
    made.refuse("magic-tls", "WIRE-02", "the beginning of a TLS ClientHello", tls + bytes(10), "client", "BAD_FRAME")
    for at in range(1, 3):
        shifted = bytes(at) + PING
        made.refuse(
            f"magic-shifted-{at}", "WIRE-02", f"{at} zero octets in front of the frame", shifted, "client", "BAD_FRAME"
        )


def _version(made: Collection) -> None:
    for version in (0, 2, 3, 0x7F, 0x80, 255):
        wrong = PING[:2] + bytes([version]) + PING[3:]
        made.refuse(
            f"version-{version}", "WIRE-04", f"version octet {version}, 1 is due", wrong, "client", "UNSUPPORTED"
        )
    header = raw_frame(FRAMES["PING"].type, b"", length=4, version=2)
    made.refuse(
        "version-2-header-only",
        "WIRE-04",
        "the header says enough, no octet of the body is due",
        header,
        "client",
        "UNSUPPORTED",
    )
    unknown = raw_frame(GREASE_TYPES[0], b"", version=2)
    made.refuse(
        "version-2-unknown-odd-type",
        "WIRE-04 WIRE-12",
        "the version is judged before the type",
        unknown,
        "client",
        "UNSUPPORTED",
    )


def _length(made: Collection) -> None:
    for cap in (HANDSHAKE_CAP, CONSTANTS["max_frame_floor"]):
        for length in (cap - 1, cap):
            made.accept(
                f"length-{length}-of-{cap}",
                "WIRE-05 WIRE-06",
                f"length {length} under a cap of {cap}",
                _filled("hello", length),
                "client",
                cap,
            )
        over = _filled("hello", cap + 1)
        made.refuse(
            f"length-{cap + 1}-of-{cap}",
            "WIRE-06",
            f"length one above a cap of {cap}, the body is there",
            over,
            "client",
            "TOO_LARGE",
            cap,
        )
        made.refuse(
            f"length-{cap + 1}-of-{cap}-header-only",
            "WIRE-06",
            "judged from the header alone",
            over[:8],
            "client",
            "TOO_LARGE",
            cap,
        )
    _length_far_beyond(made)
    _length_wrong(made)
    _publish_length(made)


def _length_far_beyond(made: Collection) -> None:
    ceiling = CONSTANTS["max_frame_ceiling"]
    at_ceiling = raw_frame(FRAMES["DELIVER"].type, b"", length=ceiling)
    made.partial("length-65536-of-65536", "WIRE-06 WIRE-11", "length at the ceiling", at_ceiling, "server", ceiling)
    for length in (0xFFFFFFFF, 0xFFFFFFF8, 0x80000000, 0x7FFFFFFF, 0x01000000, 0x00010001):
        for name, frame_type in (("ping", FRAMES["PING"].type), ("unknown-odd", GREASE_TYPES[0])):
            header = raw_frame(frame_type, b"", length=length)
            made.refuse(
                f"length-{length:08x}-{name}",
                "WIRE-06",
                f"length {length} is refused before a body is waited for",
                header,
                "client",
                "TOO_LARGE",
                ceiling,
            )


def _length_wrong(made: Collection) -> None:
    little = PING[:4] + PING[7:3:-1] + PING[8:]
    made.refuse(
        "length-little-endian",
        "WIRE-05 WIRE-06",
        "the octets of length swapped: 4 becomes 67,108,864",
        little,
        "client",
        "TOO_LARGE",
    )
    counts_header = raw_frame(FRAMES["PING"].type, PING[8:], length=12)
    made.partial(
        "length-counts-header",
        "WIRE-05",
        "a length that counts the header too leaves the receiver waiting",
        counts_header,
        "client",
    )
    short = raw_frame(FRAMES["PING"].type, PING[8:], length=3)
    made.refuse(
        "length-one-too-few", "WIRE-05 WIRE-19", "length ends inside of a field's header", short, "client", "BAD_FRAME"
    )
    empty = raw_frame(FRAMES["PING"].type, b"")
    made.refuse("length-zero", "WIRE-05 WIRE-20", "no field, but opaque is required", empty, "client", "BAD_FRAME")


def _publish_length(made: Collection) -> None:
    most = CAP - CONSTANTS["publish_headroom"]
    made.accept("publish-length-most", "MSG-10", "length max_frame - 256", _filled("publish", most), "client")
    made.refuse(
        "publish-length-above", "MSG-10", "length max_frame - 255", _filled("publish", most + 1), "client", "TOO_LARGE"
    )
    header = _filled("publish", most + 1)[: codec.HEADER.size]
    made.refuse(
        "publish-length-above-header-only", "MSG-10", "judged from the header alone", header, "client", "TOO_LARGE"
    )
    made.accept("deliver-length-most", "MSG-10", "a DELIVER has the whole max_frame", _filled("deliver", CAP), "server")


def _split(made: Collection) -> None:
    made.partial("split-nothing", "WIRE-11", "nothing has come yet", b"", "client")
    for at in range(1, len(WELCOME)):
        part = "header" if at < codec.HEADER.size else "fields"
        made.partial(
            f"split-{at}", "WIRE-11", f"{at} of {len(WELCOME)} octets, cut in the {part}", WELCOME[:at], "server"
        )
    whole_cap = raw_frame(FRAMES["HELLO"].type, b"", length=HANDSHAKE_CAP)
    made.partial(
        "split-length-at-cap",
        "WIRE-11 WIRE-06",
        "a header alone with length at the cap",
        whole_cap,
        "client",
        HANDSHAKE_CAP,
    )
    unknown = raw_frame(76, b"", length=4)
    made.refuse(
        "split-unknown-even", "WIRE-14", "an unknown even type, whole", unknown + bytes(4), "client", "UNSUPPORTED"
    )
    odd = raw_frame(GREASE_TYPES[0], b"", length=4)
    made.partial("split-unknown-odd", "WIRE-11 WIRE-12", "a frame to ignore has to be whole too", odd, "client")


def _behind(made: Collection) -> None:
    """What stands behind a frame is none of its business."""
    made.accept("behind-one-octet", "WIRE-05", "one octet of the next frame behind", PING, "client", after=b"\x50")
    made.accept(
        "behind-a-frame", "WIRE-05", "a second frame behind: consumed ends at the first", PING, "client", after=PING
    )
    made.accept(
        "behind-garbage", "WIRE-05", "what follows is judged by itself, later", PING, "client", after=b"\xff" * 9
    )


def _types(made: Collection) -> None:
    known = set(FRAMES_BY_TYPE)
    for number in (1, 3, 23, 39, 99, 127, 129, 253, 255, *GREASE_TYPES):
        assert number not in known
        made.ignore(
            f"type-{number}-empty", "WIRE-12 WIRE-34", f"odd type {number}, no body", raw_frame(number, b""), "client"
        )
        body = b"\x00\x00 no fields at all \xff"
        made.ignore(
            f"type-{number}-any-body",
            "WIRE-12",
            f"odd type {number}: the body is not looked at",
            raw_frame(number, body),
            "server",
        )
    made.ignore(
        "type-75-then-frame", "WIRE-12", "consumed ends at the ignored frame", raw_frame(75, b"x"), "client", after=PING
    )
    made.ignore(
        "type-75-at-cap", "WIRE-12 WIRE-06", "an ignored frame may fill the cap", raw_frame(75, bytes(CAP)), "client"
    )
    for number in (0, 16, 26, 28, 38, 76, 100, 128, 140, 204, 254):
        assert number not in known
        made.refuse(
            f"type-{number}",
            "WIRE-14",
            f"even type {number} is not known",
            raw_frame(number, b""),
            "client",
            "UNSUPPORTED",
        )
