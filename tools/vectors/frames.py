# SPDX-License-Identifier: MIT
"""frames.json: every form of every frame, and every field at and beyond its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import INTEGER_SIZE, PATTERN
from prosa_conformance.registry import FIELDS, FRAMES, Field
from vectors.collection import Collection
from vectors.samples import FORM, FORMS, VALUES, Form

SIGNATURES = ("author_sig", "handshake_sig", "server_sig")
RULE_CLAUSE = {"ack-server": "WIRE-30", "ack-client": "WIRE-31"}


def make() -> Collection:
    made = Collection(
        "frames", "Every form of every frame, and every field at its bounds and beyond: sections 3.5 to 3.7."
    )
    for form in FORMS:
        _form(made, form)
    _rules(made)
    _numbers_without_names(made)
    for field in FIELDS.values():
        _field(made, field)
    return made


# --- forms ------------------------------------------------------------------------------


def _form(made: Collection, form: Form) -> None:
    clauses = f"WIRE-05 WIRE-29 WIRE-34 {_rule_clause(form)}".strip()
    least = form.minimal()
    made.accept(f"frame-{form.name}-minimal", clauses, "no optional field", codec.encode(least), form.sender)
    if form.most != form.least:
        full = codec.encode(form.full())
        made.accept(f"frame-{form.name}-full", clauses, "all optional fields", full, form.sender)
    greased = form.signed(form.full().plus(*_grease(form)))
    made.accept(
        f"frame-{form.name}-grease", f"WIRE-22 {clauses}", "all fields and GREASE", codec.encode(greased), form.sender
    )
    for name in form.least:
        _missing(made, form, name)


def _rule_clause(form: Form) -> str:
    return RULE_CLAUSE.get(form.name, "WIRE-33" if form.frame == "MEMBER" else "")


def _grease(form: Form) -> list[tuple[int, bytes]]:
    tags = [0x0A0B, 0x3A3B]
    if form.frame != "PUBLISH":
        tags.append(0x6A6B)
    if form.frame in codec.HANDSHAKE_SIGNED:
        tags.append(0xCACB)
    return [(tag, tag.to_bytes(2, "big") * (tag >> 12)) for tag in tags]


def _missing(made: Collection, form: Form, name: str) -> None:
    """Each required field in turn is left out; the signature is that of the frame without it."""
    lacking = form.minimal().without(name)
    if name not in SIGNATURES and name != "event":
        lacking = form.signed(lacking)
    optional = name in _row_optional(form)
    clauses = _rule_clause(form) if optional else "WIRE-20"
    made.refuse(
        f"frame-{form.name}-lacks-{name.replace('_', '-')}",
        clauses,
        f"{form.frame} without {name}",
        codec.encode(lacking),
        form.sender,
        "BAD_FRAME",
    )


def _row_optional(form: Form) -> frozenset[str]:
    return FRAMES[form.frame].optional


def _rules(made: Collection) -> None:
    for one, other in (("ack-server", "ack-client"), ("ack-client", "ack-server")):
        form = FORM[one]
        for name in (name for name in FORM[other].least if name != "room_id"):
            mixed = codec.encode(form.minimal().plus(VALUES[name]))
            made.refuse(
                f"{one}-with-{name.replace('_', '-')}",
                RULE_CLAUSE[one],
                f"{name} is of the other side's ACK",
                mixed,
                form.sender,
                "BAD_FRAME",
            )
        made.refuse(
            f"{one}-from-wrong-side",
            RULE_CLAUSE[other],
            f"the {one} form from the other side",
            codec.encode(form.minimal()),
            FORM[other].sender,
            "BAD_FRAME",
        )
    _join_rule(made)
    for event, names in (
        ("here", ["count"]),
        ("joined", ["count"]),
        ("left", ["count"]),
        ("resync", ["nick", "member_key", "count"]),
        ("count", ["nick", "member_key"]),
    ):
        for name in names:
            form = FORM[f"member-{event}"]
            surplus = codec.encode(form.minimal().plus(VALUES[name]))
            made.refuse(
                f"member-{event}-with-{name.replace('_', '-')}",
                "WIRE-33",
                f"{name} does not belong to {event}",
                surplus,
                "server",
                "BAD_FRAME",
            )


def _join_rule(made: Collection) -> None:
    join = FORM["join"].minimal()
    with_after = codec.encode(join.plus(VALUES["after_seq"]))
    made.accept("join-after-seq-alone", "WIRE-32", "after_seq needs no epoch", with_after, "client")
    with_epoch = codec.encode(join.plus(VALUES["epoch"]))
    made.refuse("join-epoch-alone", "WIRE-32", "epoch without after_seq", with_epoch, "client", "BAD_FRAME")


def _numbers_without_names(made: Collection) -> None:
    for event in (0, 6, 255):
        for form in ("member-resync", "member-here", "member-count"):
            unknown = FORM[form].minimal().without("event").plus(codec.field_value("event", event))
            made.accept(
                f"{form}-event-{event}",
                "WIRE-33 WIRE-34",
                "an event without a name obeys no rule: a good frame",
                codec.encode(unknown),
                "server",
            )
    for code in (0x0001, 0x0109, 0x04FF, 0x0700, 0xFFFF):
        for form in ("error", "bye"):
            unknown = FORM[form].minimal().without("code").plus(codec.field_value("code", code))
            made.accept(
                f"{form}-code-{code:04x}",
                "WIRE-34",
                "a code without a name is a number",
                codec.encode(unknown),
                "server",
            )
    for name in ("NORMAL", "FLOW_VIOLATION"):
        named = FORM["bye"].minimal().without("code").plus(codec.field_value("code", name))
        made.accept(
            f"bye-code-{name.lower().replace('_', '-')}", "WIRE-34", "a code by name", codec.encode(named), "client"
        )


# --- fields -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One value of a field: what is special about it, and the code that it earns, if any."""

    name: str
    why: str
    value: bytes
    code: str | None = None


def _field(made: Collection, field: Field) -> None:
    form = next(form for form in FORMS if field.name in form.most)
    clauses = "WIRE-21 ID-03" if field.kind == "target" else "WIRE-21"
    for case in _cases(field):
        identity = f"field-{field.name.replace('_', '-')}-{case.name}"
        octets = codec.encode(_with_value(form, field, case.value))
        comment = f"{field.name}: {case.why}"
        if case.code is None:
            made.accept(identity, f"{clauses} WIRE-29 WIRE-34", comment, octets, form.sender)
        else:
            made.refuse(identity, clauses, comment, octets, form.sender, case.code)


def _with_value(form: Form, field: Field, value: bytes) -> Frame:
    """A frame of the form with this value, signed anew over it."""
    names = (*form.least, *(name for name in _needed(field.name) if name not in form.least))
    frame = form.build(names).without(field.name).plus((field.tag, value))
    keeps_value = field.name in (*SIGNATURES, "event")
    return frame if keeps_value else form.signed(frame)


def _needed(name: str) -> tuple[str, ...]:
    return (name, "after_seq") if name == "epoch" else (name,)


def _cases(field: Field) -> Iterator[Case]:
    if field.kind in INTEGER_SIZE:
        yield from _integer_cases(field)
    elif field.kind in PATTERN:
        yield from _pattern_cases(field)
    elif field.kind == "utf8":
        yield from _utf8_cases(field)
    elif field.kind == "versions":
        yield from _versions_cases()
    else:
        yield from _octets_cases(field)


def _integer_cases(field: Field) -> Iterator[Case]:
    size = INTEGER_SIZE[field.kind]
    for name, number in (("minimum", field.min), ("maximum", field.max)):
        yield Case(name, f"{name} {number}", number.to_bytes(size, "big"))
    if field.min > 0:
        yield Case("below", f"{field.min - 1} is below the minimum", (field.min - 1).to_bytes(size, "big"), "BAD_FRAME")
    if field.max < 2 ** (8 * size) - 1:
        yield Case("above", f"{field.max + 1} is above the maximum", (field.max + 1).to_bytes(size, "big"), "BAD_FRAME")
    good = field.max.to_bytes(size, "big")
    yield Case("empty", "no octet", b"", "BAD_FRAME")
    if size > 1:
        yield Case("short", f"{size - 1} octets", good[1:], "BAD_FRAME")
    yield Case("long", f"{size + 1} octets", b"\0" + good, "BAD_FRAME")


def _octets_cases(field: Field) -> Iterator[Case]:
    yield Case("zeros", "all octets 00, as many as allowed", bytes(field.max))
    yield Case("ones", "all octets FF, as many as allowed", b"\xff" * field.max)
    if field.min > 0:
        yield Case("empty", "no octet", b"", "BAD_FRAME")
        yield Case("short", f"{field.min - 1} octets", b"\x01" * (field.min - 1), "BAD_FRAME")
    else:
        yield Case("empty", "no octet is allowed here", b"")
    yield Case("long", f"{field.max + 1} octets", b"\x01" * (field.max + 1), "BAD_FRAME")


def _versions_cases() -> Iterator[Case]:
    yield Case("minimum", "one version", b"\x01")
    yield Case("maximum", "eight versions", bytes(range(1, 9)))
    yield Case("unknown", "versions that nobody has yet", b"\x01\x02\xff")
    yield Case("without-1", "a list without 1 is well-formed", b"\x02")
    yield Case("empty", "no version", b"", "BAD_FRAME")
    yield Case("above", "nine versions", bytes(range(1, 10)), "BAD_FRAME")
    yield Case("zero", "version 0", b"\x00", "BAD_FRAME")
    yield Case("zero-first", "version 0 in front", b"\x00\x01", "BAD_FRAME")
    yield Case("twice", "a version twice", b"\x01\x01", "BAD_FRAME")
    yield Case("descending", "descending", b"\x02\x01", "BAD_FRAME")


PATTERN_GOOD: dict[str, list[tuple[str, bytes]]] = {
    "nick": [
        ("minimum", b"a"),
        ("maximum", b"n" * 32),
        ("alphabet-1", b"abcdefghijklmnopqrstuvwxyz"),
        ("alphabet-2", b"0123456789_-"),
        ("hyphen", b"-"),
        ("host", b"host"),
    ],
    "room": [
        ("minimum", b"a"),
        ("maximum-plain", b"r" * 32),
        ("maximum", b"@" + b"r" * 32),
        ("minimum-at", b"@a"),
        ("host", b"@host"),
        ("alphabet", b"lab_07-02"),
    ],
    "target": [
        ("minimum", b"a:1"),
        ("maximum", b"n" * 255 + b":65535"),
        ("port-65535", b"chat.example:65535"),
        ("ipv4", b"127.0.0.1:65432"),
        ("ipv6", b"[2001:db8::1]:65432"),
        ("ipv6-mapped", b"[::ffff:192.0.2.1]:7"),
        ("a-label", b"xn--caf-dma.example:80"),
        ("underscore", b"_chat._tcp.example:80"),
    ],
    "clause": [("minimum", b"ID-1"), ("maximum", b"ABCDEFGHIJKLM-99"), ("digits", b"0123456789-")],
}
PATTERN_BAD: dict[str, list[tuple[str, str, bytes]]] = {
    "nick": [
        ("upper-case", "capitals", b"Ada"),
        ("space", "a space", b"ada l"),
        ("dot", "a full stop", b"ada.l"),
        ("at", "an @", b"@ada"),
        ("utf8", "a letter beyond ASCII", "adá".encode()),
        ("nul", "an octet 00", b"ada\0"),
        ("newline", "a line feed at the end", b"ada\n"),
        ("not-utf8", "an octet FF", b"ada\xff"),
    ],
    "room": [
        ("at-alone", "@ and nothing", b"@"),
        ("at-twice", "@ twice", b"@@a"),
        ("at-inside", "@ inside", b"a@b"),
        ("plain-33", "33 octets without @", b"r" * 33),
        ("upper-case", "capitals", b"Lab"),
        ("space", "a space", b"the lab"),
        ("newline", "a line feed at the end", b"lab\n"),
        ("nul", "an octet 00", b"lab\0"),
    ],
    "target": [
        ("no-port", "no port", b"chat.example"),
        ("port-empty", "a colon and no port", b"chat.example:"),
        ("port-0", "port 0", b"chat.example:0"),
        ("port-65536", "port 65536", b"chat.example:65536"),
        ("port-leading-zero", "a leading zero", b"chat.example:080"),
        ("port-sign", "a sign", b"chat.example:+80"),
        ("port-name", "a name for the port", b"chat.example:http"),
        ("port-newline", "a line feed behind the port", b"chat.example:80\n"),
        ("name-empty", "no name", b":65432"),
        ("upper-case", "capitals", b"Chat.example:80"),
        ("space", "a space", b"chat example:80"),
        ("u-label", "a letter beyond ASCII", "café.example:80".encode()),
        ("ipv6-bare", "an IPv6 address without brackets", b"2001:db8::1:80"),
        ("ipv6-empty", "brackets around nothing", b"[]:80"),
        ("ipv6-open", "a bracket that does not close", b"[::1:80"),
        ("ipv6-upper-case", "capitals in brackets", b"[2001:DB8::1]:80"),
        ("ipv6-zone", "a zone", b"[fe80::1%eth0]:80"),
        ("nul", "an octet 00", b"chat\0example:80"),
    ],
    "clause": [
        ("lower-case", "small letters", b"wire-16"),
        ("underscore", "an underscore", b"WIRE_16"),
        ("space", "a space", b"WIRE 16"),
        ("newline", "a line feed at the end", b"WIRE-16\n"),
    ],
}


def _pattern_cases(field: Field) -> Iterator[Case]:
    for name, value in PATTERN_GOOD[field.kind]:
        yield Case(name, f"good, {len(value)} octets", value)
    for name, why, value in PATTERN_BAD[field.kind]:
        yield Case(name, why, value, "BAD_FRAME")
    yield Case("empty", "no octet", b"", "BAD_FRAME")
    fill = b"A" if field.kind == "clause" else b"n"
    ending = b":65535" if field.kind == "target" else b""
    prefix = b"@" if field.kind == "room" else b""
    long = prefix + fill * (field.max + 1 - len(ending) - len(prefix)) + ending
    yield Case("above", f"{field.max + 1} octets", long, "BAD_FRAME")
    if field.min > 1:
        short = b"a:" if field.kind == "target" else fill * (field.min - 1)
        yield Case("below", f"{field.min - 1} octets", short, "BAD_FRAME")


UTF8_GOOD = (
    ("two-octets", "U+0080 and U+07FF", b"\xc2\x80\xdf\xbf"),
    ("three-octets", "U+0800 and U+FFFD", b"\xe0\xa0\x80\xef\xbf\xbd"),
    ("four-octets", "U+10000 and U+10FFFF", b"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
    ("around-surrogates", "U+D7FF and U+E000", b"\xed\x9f\xbf\xee\x80\x80"),
    (
        "noncharacters",
        "U+FFFE, U+FFFF, U+FDD0 and U+1FFFE are well-formed",
        b"\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90\xf0\x9f\xbf\xbe",
    ),
    (
        "controls",
        "C0, DEL and C1 but for U+0000 are legal; a program does not print them raw",
        b"\x01\t\n\r\x1b[2J\x7f\xc2\x9b",
    ),
    ("bidi", "U+202E and U+2066 are legal; a program does not print them raw", b"a\xe2\x80\xaeb\xe2\x81\xa6c"),
    ("zero-width", "U+200B, U+2060 and U+FEFF are legal", b"a\xe2\x80\x8bb\xe2\x81\xa0c\xef\xbb\xbf"),
    ("combining", "no normalisation: e and U+0301", b"cafe\xcc\x81"),
    ("quotes", "a quotation mark, a backslash, a slash", b'"\\/'),
    ("emoji", "beyond the basic plane: two units in UTF-16, four octets here", "olá 👋🏽".encode()),
)
UTF8_BAD = (
    ("nul", "U+0000", b"a\x00b"),
    ("nul-alone", "U+0000 alone", b"\x00"),
    ("overlong-nul", "C0 80, an overlong U+0000", b"\xc0\x80"),
    ("overlong-2", "C1 BF, an overlong U+007F", b"\xc1\xbf"),
    ("overlong-3", "E0 9F BF, an overlong U+07FF", b"\xe0\x9f\xbf"),
    ("overlong-4", "F0 8F BF BF, an overlong U+FFFF", b"\xf0\x8f\xbf\xbf"),
    ("overlong-slash", "C0 AF, an overlong slash", b"\xc0\xaf"),
    ("surrogate-first", "ED A0 80, U+D800", b"\xed\xa0\x80"),
    ("surrogate-last", "ED BF BF, U+DFFF", b"\xed\xbf\xbf"),
    ("surrogate-pair", "a pair of surrogates (CESU-8)", b"\xed\xa0\xbd\xed\xb1\x8b"),
    ("above-10ffff", "F4 90 80 80, U+110000", b"\xf4\x90\x80\x80"),
    ("lead-f5", "F5 begins nothing", b"\xf5\x80\x80\x80"),
    ("five-octets", "F8 begins nothing", b"\xf8\x88\x80\x80\x80"),
    ("fe", "FE begins nothing", b"\xfe"),
    ("ff", "FF begins nothing", b"\xff"),
    ("continuation", "a continuation without a beginning", b"\x80"),
    ("continuation-late", "one continuation too many", b"\xc3\xa1\xa1"),
    ("truncated-2", "C3 and the end", b"ol\xc3"),
    ("truncated-3", "E2 82 and the end", b"5 \xe2\x82"),
    ("truncated-4", "F0 9F 91 and the end", b"hi \xf0\x9f\x91"),
    ("broken-2", "C3 and a letter", b"\xc3a"),
    ("broken-3", "E2 82 and a letter", b"\xe2\x82a"),
    ("latin-1", "ISO 8859-1", b"ol\xe1 mundo"),
)


def _utf8_cases(field: Field) -> Iterator[Case]:
    yield Case("minimum", "one octet", b"a")
    yield Case("maximum", f"{field.max} octets", b"x" * field.max)
    euros = "€" * (field.max // 3) + "x" * (field.max % 3)
    yield Case("maximum-octets", f"{field.max} octets, {len(euros)} characters", euros.encode())
    yield Case("empty", "no octet", b"", "BAD_FRAME")
    yield Case("above", f"{field.max + 1} octets", b"x" * (field.max + 1), "BAD_FRAME")
    above = "é" * (field.max // 2) + ("é" if field.max % 2 else "x")
    yield Case("above-octets", f"{len(above)} characters, {field.max + 1} octets", above.encode(), "BAD_FRAME")
    for name, why, value in UTF8_GOOD:
        yield Case(name, why, value)
    for name, why, value in UTF8_BAD:
        yield Case(name, why, value, "BAD_TEXT")
