# SPDX-License-Identifier: MIT
"""Codecs that are wrong about frames and fields (chapter 3, and what chapter 5 says of a PUBLISH's form)."""

from __future__ import annotations

import re
import struct
import sys
import unicodedata
from dataclasses import replace

from fault import breaks
from instead import Step, instead
from prosa_conformance import codec, codec_program, kinds
from prosa_conformance.codec import Frame, Ignored, Partial, RawField, Rejected, Verdict
from prosa_conformance.registry import CONSTANTS, FIELDS_BY_TAG, FRAMES, FRAMES_BY_TYPE, Field, FrameType, Rule

# --- headers ---


@instead(codec, "encode", "WIRE-01")
def swaps_the_magic(encode: Step, frame: Frame) -> bytes:
    octets: bytes = encode(frame)
    return octets[1::-1] + octets[2:]


@instead(codec, "_check_header", "WIRE-02")
def looks_at_half_the_magic(check: Step, octets: bytes, cap: int) -> None:
    check(octets[:1] + b"\x52" + octets[2:] if len(octets) > 1 else octets, cap)


@instead(codec, "_decode", "WIRE-02")
def calls_a_wrong_magic_unsupported(decode: Step, octets: bytes, sender: str, cap: int) -> Verdict:
    if not b"PR".startswith(octets[:2]):
        return Rejected("UNSUPPORTED", "another protocol", 0, 2)
    return decode(octets, sender, cap)


@instead(codec, "_check_header", "WIRE-04")
def takes_any_version(check: Step, octets: bytes, cap: int) -> None:
    check(octets[:2] + b"\x01" + octets[3:] if len(octets) > 2 else octets, cap)


@instead(codec, "_decode", "WIRE-05")
def counts_the_header(decode: Step, octets: bytes, sender: str, cap: int) -> Verdict:
    """`length` is that of the whole frame to it, when it reads."""
    if len(octets) < codec.HEADER.size or octets[3] % 2:
        return decode(octets, sender, cap)
    shorter = max(0, int.from_bytes(octets[4:8], "big") - codec.HEADER.size)
    return decode(octets[:4] + shorter.to_bytes(4, "big") + octets[8:], sender, cap)


@instead(codec, "encode", "WIRE-05")
def writes_length_little_endian(encode: Step, frame: Frame) -> bytes:
    octets: bytes = encode(frame)
    return octets[:4] + octets[7:3:-1] + octets[8:]


@instead(codec, "_check_header", "WIRE-06")
def waits_for_what_is_too_large(check: Step, octets: bytes, cap: int) -> None:
    """The cap is judged when the frame is whole."""
    length = int.from_bytes(octets[4:8], "big")
    check(octets, cap if len(octets) >= codec.HEADER.size + length else 2**32)


@instead(codec, "_check_header", "WIRE-06")
def reads_a_signed_length(check: Step, octets: bytes, cap: int) -> None:
    """What is negative is below every cap."""
    check(octets, 2**32 if octets[4:5] >= b"\x80" else cap)


@instead(codec, "decode", "WIRE-11")
def calls_a_part_malformed(decode: Step, octets: bytes, sender: str, cap: int) -> Verdict:
    """Each read is a frame to it, as long as the header is whole."""
    verdict: Verdict = decode(octets, sender, cap)
    if isinstance(verdict, Partial) and len(octets) >= codec.HEADER.size:
        return Rejected("BAD_FRAME", "too short", 0, len(octets))
    return verdict


# --- types ---


@instead(codec, "decode", "WIRE-12")
def refuses_odd_types(decode: Step, octets: bytes, sender: str, cap: int) -> Verdict:
    verdict: Verdict = decode(octets, sender, cap)
    return Rejected("UNSUPPORTED", "an unknown type", 3, 1) if isinstance(verdict, Ignored) else verdict


@instead(codec, "decode", "WIRE-12")
def reads_what_it_ignores(decode: Step, octets: bytes, sender: str, cap: int) -> Verdict:
    """The body of a frame of an unknown type has to be fields, too."""
    verdict: Verdict = decode(octets, sender, cap)
    if isinstance(verdict, Ignored):
        unknown = replace(FRAMES["PING"], fields=(), optional=())
        try:
            codec._decode_fields(octets[: verdict.consumed], unknown)
        except codec._Fault as fault:
            return fault.rejected
    return verdict


@instead(codec, "decode", "WIRE-14")
def ignores_even_types(decode: Step, octets: bytes, sender: str, cap: int) -> Verdict:
    verdict: Verdict = decode(octets, sender, cap)
    if isinstance(verdict, Rejected) and len(octets) >= codec.HEADER.size and octets[3] not in FRAMES_BY_TYPE:
        length = int.from_bytes(octets[4:8], "big")
        return Ignored(octets[3], length, codec.HEADER.size + length)
    return verdict


# --- fields ---


@instead(codec, "_check_tag", "WIRE-16")
def takes_any_order(check: Step, row: FrameType, tag: int, previous: int, *rest: int) -> None:
    """That a field comes twice is seen when it comes twice in a row."""
    check(row, tag, previous if tag == previous else min(previous, tag - 1), *rest)


@instead(codec, "_check_tag", "WIRE-16")
def takes_fields_twice(check: Step, row: FrameType, tag: int, previous: int, *rest: int) -> None:
    check(row, tag, previous - (tag == previous), *rest)


@instead(codec, "_check_tag", "WIRE-17")
def knows_no_tag_zero(check: Step, row: FrameType, tag: int, previous: int, *rest: int) -> None:
    """0 is an unknown even tag to it."""
    if tag:
        check(row, tag, previous, *rest)


@instead(codec, "_check_tag", "WIRE-18")
def takes_one_field_more(check: Step, row: FrameType, tag: int, previous: int, before: int, at: int) -> None:
    check(row, tag, previous, before if row.name == "PUBLISH" else before - 1, at)


@instead(codec, "_decode_fields", "WIRE-19")
def forgives_what_is_left_over(decode_fields: Step, octets: bytes, row: FrameType) -> tuple[list[RawField], bool]:
    """It goes on while there is a whole field's header."""
    at = codec.HEADER.size
    while len(octets) - at >= codec.FIELD_HEADER.size:
        at += codec.FIELD_HEADER.size + struct.unpack_from(">H", octets, at + 2)[0]
    return decode_fields(octets[:at], row)


@instead(codec, "_split_field", "WIRE-19")
def takes_what_is_there(split: Step, octets: bytes, at: int) -> RawField:
    """A value that reaches beyond the frame ends where the frame ends."""
    if len(octets) - at < codec.FIELD_HEADER.size:
        return split(octets, at)
    tag, length = codec.FIELD_HEADER.unpack_from(octets, at)
    return tag, octets[at + codec.FIELD_HEADER.size :][:length]


@instead(codec, "_check_presence", "WIRE-20")
def misses_nothing(check: Step, decoded: Frame, row: FrameType, sender: str, end: int) -> None:
    """What is not there is not asked for, but where section 3.6 has a rule of its own."""
    check(decoded, replace(row, optional=row.fields), sender, end)


@instead(codec, "_split_field", "WIRE-20")
def calls_cut_fields_unsupported(split: Step, octets: bytes, at: int) -> RawField:
    try:
        return split(octets, at)
    except codec._Fault as fault:
        raise codec._Fault(replace(fault.rejected, code="UNSUPPORTED")) from None


@instead(codec, "_known_field", "WIRE-22")
def refuses_odd_tags(known: Step, row: FrameType, tag: int) -> Field | None:
    field: Field | None = known(row, tag)
    if field is None and tag % 2:
        raise codec._fail("UNSUPPORTED", f"unknown tag {tag}", 0, 0)
    return field


@instead(codec, "_decode_fields", "WIRE-22", "WIRE-29")
def drops_unknown_fields(decode_fields: Step, octets: bytes, row: FrameType) -> tuple[list[RawField], bool]:
    """What is ignored is gone when the frame is written again."""
    fields, displayable = decode_fields(octets, row)
    return [field for field in fields if codec._known_field(row, field[0])], displayable


@instead(codec, "_known_field", "WIRE-22", "WIRE-23")
def knows_fields_everywhere(known: Step, row: FrameType, tag: int) -> Field | None:
    """A field that some frame has is known in all."""
    return known(row, tag) or FIELDS_BY_TAG.get(tag)


@instead(codec, "_check_unknown_even", "WIRE-23")
def ignores_even_tags(check: Step, row: FrameType, tag: int, at: int) -> None:
    pass


@instead(codec, "_check_unknown_even", "WIRE-23")
def refuses_them_in_deliver(check: Step, row: FrameType, tag: int, at: int) -> None:
    """MSG-14 is no exception to it."""
    check(FRAMES["PUBLISH"], tag, at)


@instead(codec, "_check_tag", "WIRE-24")
def knows_no_zones(check: Step, row: FrameType, tag: int, *rest: int) -> None:
    """High tags are like any other to it, in every frame."""
    check(FRAMES["CHALLENGE"] if tag > codec.SERVER_ZONE_LAST else row, tag, *rest)


@instead(codec, "_check_tag", "WIRE-25")
def goes_on_behind_the_signature(check: Step, row: FrameType, tag: int, previous: int, *rest: int) -> None:
    check(row, tag, previous - (tag > previous == codec.HANDSHAKE_SIG_TAG), *rest)


@instead(codec, "encode", "WIRE-29")
def writes_known_fields_first(encode: Step, frame: Frame) -> bytes:
    row = FRAMES_BY_TYPE[frame.type]
    ordered = sorted(frame.fields, key=lambda field: codec._known_field(row, field[0]) is None)
    return encode(replace(frame, fields=tuple(ordered)))


@instead(codec, "encode", "WIRE-29")
def normalizes_text(encode: Step, frame: Frame) -> bytes:
    """Text goes out in the form that Unicode calls composed."""
    row = FRAMES_BY_TYPE[frame.type]
    fields = [
        (tag, composed(value) if (field := codec._known_field(row, tag)) and field.kind == "utf8" else value)
        for tag, value in frame.fields
    ]
    return encode(replace(frame, fields=tuple(fields)))


def composed(text: bytes) -> bytes:
    return unicodedata.normalize("NFC", text.decode()).encode()


# --- values ---


@instead(kinds, "_size_fault", "WIRE-21")
def takes_any_length(size_fault: Step, value: bytes, low: int, high: int) -> kinds.Fault | None:
    """Unless there is nothing at all."""
    return None if value else size_fault(value, low, high)


@instead(kinds, "_integer_fault", "WIRE-21")
def takes_any_number(integer_fault: Step, field: Field, value: bytes) -> kinds.Fault | None:
    return integer_fault(replace(field, min=0, max=2**64), value)


@instead(kinds, "_pattern_fault", "WIRE-21")
def takes_large_letters(pattern_fault: Step, kind: str, value: bytes) -> kinds.Fault | None:
    return pattern_fault(kind, value.upper() if kind == "clause" else value.lower())


@breaks("WIRE-21", level="L0")
def takes_surrogates() -> None:
    """Halves of a character are characters to it."""
    strict, load = kinds._utf8_fault, kinds.load
    kinds._utf8_fault = lambda value: strict(without_halves(value))
    kinds.load = lambda kind, value: load(kind, without_halves(value) if kind == "utf8" else value)
    sys.exit(codec_program.main())


def without_halves(text: bytes) -> bytes:
    """The same with three letters where a surrogate is encoded."""
    return re.sub(rb"\xed[\xa0-\xbf][\x80-\xbf]", b"???", text)


@instead(kinds, "_utf8_fault", "WIRE-21")
def takes_nul(utf8_fault: Step, value: bytes) -> kinds.Fault | None:
    return utf8_fault(value.replace(b"\0", b" "))


@instead(kinds, "_utf8_fault", "WIRE-21")
def calls_bad_text_a_bad_frame(utf8_fault: Step, value: bytes) -> kinds.Fault | None:
    fault: kinds.Fault | None = utf8_fault(value)
    return fault and replace(fault, code="BAD_FRAME")


@instead(kinds, "_versions_fault", "WIRE-21")
def takes_any_list_of_versions(versions_fault: Step, value: bytes) -> None:
    pass


# --- rules of section 3.6 ---


@instead(codec, "_rule_applies", "WIRE-30")
def knows_no_ack_of_servers(applies: Step, rule: Rule, decoded: Frame, sender: str) -> bool:
    return rule.sender != "server" and applies(rule, decoded, sender)


@instead(codec, "_rule_applies", "WIRE-31")
def knows_no_ack_of_clients(applies: Step, rule: Rule, decoded: Frame, sender: str) -> bool:
    return rule.sender != "client" and applies(rule, decoded, sender)


@instead(codec, "_rule_applies", "WIRE-32")
def takes_an_epoch_alone(applies: Step, rule: Rule, decoded: Frame, sender: str) -> bool:
    return rule.frame != "JOIN" and applies(rule, decoded, sender)


@instead(codec, "_check_rule", "WIRE-33")
def takes_members_without_names(check: Step, rule: Rule, decoded: Frame, end: int) -> None:
    check(replace(rule, required=()) if rule.frame == "MEMBER" else rule, decoded, end)


@instead(codec, "_check_rule", "WIRE-33")
def takes_members_with_a_count(check: Step, rule: Rule, decoded: Frame, end: int) -> None:
    check(replace(rule, forbidden=()) if rule.frame == "MEMBER" else rule, decoded, end)


# --- a PUBLISH ---


@instead(codec, "_check_tag", "MSG-09")
def counts_publish_like_others(check: Step, row: FrameType, tag: int, previous: int, before: int, at: int) -> None:
    """32 fields, as in every frame."""
    spare = CONSTANTS["max_fields"] - CONSTANTS["max_publish_fields"]
    check(row, tag, previous, before - spare if row.name == "PUBLISH" else before, at)


@instead(codec, "_check_tag", "MSG-09")
def takes_fields_of_the_server(check: Step, row: FrameType, tag: int, *rest: int) -> None:
    """A PUBLISH may have tags of the server's zone."""
    check(FRAMES["DELIVER"] if tag > codec.AUTHOR_SIG_TAG else row, tag, *rest)


@instead(codec, "_check_header", "MSG-10")
def leaves_no_headroom(check: Step, octets: bytes, cap: int) -> None:
    """A PUBLISH may fill max_frame."""
    publish = octets[3:4] == bytes([FRAMES["PUBLISH"].type])
    check(octets[:3] + bytes([FRAMES["DELIVER"].type]) + octets[4:] if publish else octets, cap)


@instead(codec, "_decode", "MSG-10")
def sees_late_that_there_is_no_room(decode: Step, octets: bytes, sender: str, cap: int) -> Verdict:
    """The length of a PUBLISH is judged when all of it is there."""
    try:
        return decode(octets, sender, cap)
    except codec._Fault as fault:
        length = int.from_bytes(octets[4:8], "big")
        if octets[3] == FRAMES["PUBLISH"].type and len(octets) < codec.HEADER.size + length <= codec.HEADER.size + cap:
            return Partial(codec.HEADER.size + length)
        raise fault
