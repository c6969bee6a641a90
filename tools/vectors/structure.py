# SPDX-License-Identifier: MIT
"""The part of wire.json about the structure of fields: sections 3.3 and 3.4."""

from __future__ import annotations

from prosa_conformance import codec
from prosa_conformance.codec import raw_field, raw_frame
from prosa_conformance.registry import FRAMES, GREASE_TAGS
from vectors.collection import Collection
from vectors.samples import FORM, VALUES

PING = codec.encode(FORM["ping"].minimal())
PUBLISH = FORM["publish"].minimal()
UNKNOWN_ODD_TAGS = range(0x0101, 0x3000, 2)  # none of them registered


def add_to(made: Collection) -> None:
    _tags(made)
    _tag_zero(made)
    _field_lengths(made)
    _field_counts(made)
    _unknown_fields(made)
    _zones(made)
    _handshake_zone(made)


def _with_body(frame_type: str, *fields: bytes) -> bytes:
    """A frame of encoded fields as they are given."""
    return raw_frame(FRAMES[frame_type].type, b"".join(fields))


def _named(name: str) -> bytes:
    return raw_field(*VALUES[name])


def _tags(made: Collection) -> None:
    join = [_named("room"), _named("send_window"), _named("recv_window")]
    made.accept("tags-ascending", "WIRE-16", "ascending tags", _with_body("JOIN", *join), "client")
    swapped = _with_body("JOIN", join[0], join[2], join[1])
    made.refuse("tags-descending", "WIRE-16 WIRE-20", "two fields swapped", swapped, "client", "BAD_FRAME")
    last_first = _with_body("JOIN", join[2], join[0], join[1])
    made.refuse("tags-last-first", "WIRE-16 WIRE-20", "the last field in front", last_first, "client", "BAD_FRAME")
    for at in range(3):
        twice = _with_body("JOIN", *join[: at + 1], *join[at:])
        made.refuse(
            f"tags-duplicate-{at}",
            "WIRE-16 WIRE-20",
            f"field {at} twice, with the same value",
            twice,
            "client",
            "BAD_FRAME",
        )
    grease = raw_field(GREASE_TAGS[0], b"")
    made.refuse(
        "tags-duplicate-unknown",
        "WIRE-16 WIRE-20",
        "an unknown odd tag twice",
        _with_body("PING", _named("opaque"), grease, grease),
        "client",
        "BAD_FRAME",
    )
    made.refuse(
        "tags-unknown-descending",
        "WIRE-16 WIRE-20",
        "an unknown odd tag in front of a lower one",
        _with_body("PING", grease, _named("opaque")),
        "client",
        "BAD_FRAME",
    )


def _tag_zero(made: Collection) -> None:
    zero = raw_field(0, b"")
    made.refuse(
        "tag-0", "WIRE-17 WIRE-20", "tag 0 in front", _with_body("PING", zero, _named("opaque")), "client", "BAD_FRAME"
    )
    made.refuse(
        "tag-0-last",
        "WIRE-17 WIRE-20",
        "tag 0 at the end",
        _with_body("PING", _named("opaque"), zero),
        "client",
        "BAD_FRAME",
    )
    made.accept(
        "tag-1",
        "WIRE-17 WIRE-22",
        "1 is the lowest tag",
        _with_body("PING", raw_field(1, b""), _named("opaque")),
        "client",
    )


def _field_lengths(made: Collection) -> None:
    opaque = raw_field(VALUES["opaque"][0], b"abcd")
    for left in range(1, 4):
        made.refuse(
            f"left-over-{left}",
            "WIRE-19 WIRE-20",
            f"{left} octets left over are no field",
            _with_body("PING", opaque, b"\x0a\x0b\x00"[:left]),
            "client",
            "BAD_FRAME",
        )
    made.accept(
        "left-over-4",
        "WIRE-19 WIRE-22",
        "four octets are a field without a value",
        _with_body("PING", opaque, b"\x0a\x0b\x00\x00"),
        "client",
    )
    for over in (1, 2, 0xFF, 0xFFFB):
        beyond = raw_field(VALUES["opaque"][0], b"abcd", length=4 + over)
        made.refuse(
            f"value-beyond-{over}",
            "WIRE-19 WIRE-20",
            f"the value reaches {over} octets beyond the frame",
            _with_body("PING", beyond),
            "client",
            "BAD_FRAME",
        )
    into_next = _with_body("PING", raw_field(VALUES["opaque"][0], b"abcd", length=5))
    made.refuse(
        "value-into-next-frame",
        "WIRE-19 WIRE-20",
        "a value does not go on in the octets of the next frame",
        into_next + PING,
        "client",
        "BAD_FRAME",
    )
    unknown = raw_field(GREASE_TAGS[0], b"", length=1)
    made.refuse(
        "value-beyond-unknown",
        "WIRE-19 WIRE-20",
        "an unknown odd field reaches beyond the frame",
        _with_body("PING", opaque, unknown),
        "client",
        "BAD_FRAME",
    )
    short = raw_field(VALUES["opaque"][0], b"abcd", length=1)
    made.refuse(
        "value-shorter",
        "WIRE-19 WIRE-20",
        "a field's length that is too small leaves three octets",
        _with_body("PING", short),
        "client",
        "BAD_FRAME",
    )


def _padded(name: str, count: int) -> bytes:
    """A good frame with exactly this many fields, the rest unknown odd ones of the author zone."""
    frame = FORM[name].minimal()
    padding = [(tag, b"") for tag in UNKNOWN_ODD_TAGS[: count - len(frame.fields)]]
    return codec.encode(FORM[name].signed(frame.plus(*padding)))


def _field_counts(made: Collection) -> None:
    for name, sender, most in (("hello", "client", 32), ("challenge", "server", 32), ("deliver", "server", 32)):
        made.accept(f"fields-{most}-{name}", "WIRE-18", f"{most} fields", _padded(name, most), sender)
        made.refuse(
            f"fields-{most + 1}-{name}",
            "WIRE-18 WIRE-20",
            f"{most + 1} fields",
            _padded(name, most + 1),
            sender,
            "BAD_FRAME",
        )
    made.accept("fields-24-publish", "MSG-09", "24 fields", _padded("publish", 24), "client")
    made.refuse("fields-25-publish", "MSG-09", "25 fields in a PUBLISH", _padded("publish", 25), "client", "BAD_FRAME")


def _unknown_fields(made: Collection) -> None:
    ping = FORM["ping"].minimal()
    for tag in (0x0001, 0x0015, 0x0003, 0x3001, 0x3FFF, 0x4001, 0x7001, 0x7FFF):
        with_odd = codec.encode(ping.plus((tag, b"\x00\xff")))
        made.accept(
            f"unknown-odd-{tag:04x}", "WIRE-22 WIRE-29", f"unknown odd tag {tag:#06x}, kept", with_odd, "client"
        )
    for tag in (0x0102, 0x00A2, 0x3000, 0x3FFE, 0x7000, 0x7FFE):
        with_even = codec.encode(ping.plus((tag, b"")))
        made.refuse(
            f"unknown-even-{tag:04x}", "WIRE-23", f"unknown even tag {tag:#06x}", with_even, "client", "UNSUPPORTED"
        )
    for tag in (tag for tag in GREASE_TAGS if tag <= codec.SERVER_ZONE_LAST):
        with_grease = codec.encode(ping.plus((tag, b"grease")))
        made.accept(f"grease-{tag:04x}", "WIRE-22 WIRE-29", f"GREASE tag {tag:#06x}", with_grease, "client")
    for name, why in (("nick", "even, known elsewhere"), ("author_sig", "even, known elsewhere")):
        foreign = codec.encode(ping.plus(VALUES[name]))
        made.refuse(
            f"foreign-{name.replace('_', '-')}",
            "WIRE-23",
            f"{name}: {why}, not in PING's row",
            foreign,
            "client",
            "UNSUPPORTED",
        )
    for name in ("display", "prev_hash"):
        foreign = codec.encode(ping.plus(VALUES[name]))
        made.accept(
            f"foreign-{name.replace('_', '-')}",
            "WIRE-22 WIRE-29",
            f"{name}: odd, not in PING's row: ignored",
            foreign,
            "client",
        )
    odd_kind = codec.encode(ping.plus((VALUES["display"][0], b"\xff")))
    made.accept(
        "foreign-display-any-value",
        "WIRE-22",
        "a field that the row does not list has no kind there",
        odd_kind,
        "client",
    )
    _unknown_in_messages(made)


def _unknown_in_messages(made: Collection) -> None:
    deliver, publish = FORM["deliver"], FORM["publish"]
    for tag in (0x0088, 0x3000, 0x3FFE):
        author = codec.encode(deliver.signed(deliver.minimal().plus((tag, b"?"))))
        made.accept(
            f"deliver-unknown-even-{tag:04x}",
            "WIRE-23",
            "even, in the author zone: good, but not displayable",
            author,
            "server",
        )
        sent = codec.encode(publish.signed(publish.minimal().plus((tag, b"?"))))
        made.refuse(
            f"publish-unknown-even-{tag:04x}",
            "WIRE-23",
            "even, in the author zone of a PUBLISH",
            sent,
            "client",
            "UNSUPPORTED",
        )
    for tag in (0x4008, 0x7000, 0x7FFE):
        server = codec.encode(deliver.minimal().plus((tag, b"?")))
        made.refuse(
            f"deliver-unknown-even-{tag:04x}",
            "WIRE-23",
            "even, in the server zone of a DELIVER",
            server,
            "server",
            "UNSUPPORTED",
        )
    for tag in (0x0089, 0x3FFF, 0x4001, 0x7FFF):
        odd = codec.encode(deliver.signed(deliver.minimal().plus((tag, b"?"))))
        made.accept(f"deliver-unknown-odd-{tag:04x}", "WIRE-22 WIRE-29", "odd in a DELIVER: displayable", odd, "server")
    foreign = codec.encode(deliver.signed(deliver.minimal().plus(VALUES["count"])))
    made.accept(
        "deliver-foreign-even", "WIRE-23", "count is known, but not in DELIVER: not displayable", foreign, "server"
    )


def _zones(made: Collection) -> None:
    for tag in (0x8000, 0x8001, 0x8A8B, 0xFAFB, 0xFFFD, 0xFFFE, 0xFFFF):
        high = codec.encode(FORM["ping"].minimal().plus((tag, bytes(64))))
        made.refuse(
            f"high-tag-{tag:04x}-ping",
            "WIRE-24",
            f"tag {tag:#06x} outside of the handshake",
            high,
            "client",
            "BAD_FRAME",
        )
    for name, sender in (("hello", "client"), ("welcome", "server"), ("deliver", "server"), ("bye", "client")):
        high = codec.encode(FORM[name].minimal().plus((0x8A8B, b"")))
        made.refuse(
            f"high-tag-8a8b-{name}", "WIRE-24", f"a high GREASE tag in {name.upper()}", high, sender, "BAD_FRAME"
        )
    for tag in (0x4001, 0x4002, 0x4A4B, 0x5A5B, 0x7001, 0x7FFF):
        late = codec.encode(PUBLISH.plus((tag, bytes(8))))
        made.refuse(f"publish-tag-{tag:04x}", "MSG-09", f"tag {tag:#06x} in a PUBLISH", late, "client", "BAD_FRAME")


def _handshake_zone(made: Collection) -> None:
    for name, sender in (("challenge", "server"), ("auth", "client")):
        form = FORM[name]
        for tag in (0x8001, 0x8A8B, 0xFAFB, 0xFFFD):
            high = codec.encode(form.signed(form.minimal().plus((tag, b"x"))))
            made.accept(f"high-tag-{tag:04x}-{name}", "WIRE-22 WIRE-24", "odd, before handshake_sig", high, sender)
        even = codec.encode(form.signed(form.minimal().plus((0x8000, b"x"))))
        made.refuse(f"high-tag-8000-{name}", "WIRE-23", "even, before handshake_sig", even, sender, "UNSUPPORTED")
        after = codec.encode(form.minimal().plus((0xFFFF, b"")))
        made.refuse(f"after-signature-{name}", "WIRE-25", "a field after handshake_sig", after, sender, "BAD_FRAME")
