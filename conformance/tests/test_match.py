# SPDX-License-Identifier: MIT
"""Matchers and the marks of faults: they decide what a test sees."""

from __future__ import annotations

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import flipped, marked, tag_span, truncated, with_extra, with_fields, with_header
from prosa_conformance.hexdump import hexdump
from prosa_conformance.match import ABSENT, Like, at_least, at_most, describe, other_than
from prosa_conformance.outcome import Guilty

ACK = codec.frame("ACK", room_id=bytes(32), limit_counter=2, acked_counter=1, acked_seq=1)
ERROR = codec.frame("ERROR", code="BAD_SIG", reason="no\nno")


def test_like_compares_named_fields_only() -> None:
    assert Like("ACK", limit_counter=2).mismatch(ACK) == "", "the named field is equal"
    assert Like("ACK", limit_counter=3).mismatch(ACK) == "limit_counter", "the first field that differs"
    assert Like("BYE").mismatch(ACK) == "type", "another frame"
    assert Like("ERROR", code="BAD_SIG").mismatch(ERROR) == "", "codes go by their names"


def test_rules() -> None:
    assert Like("ACK", limit_counter=at_least(2), seen_seq=ABSENT).mismatch(ACK) == "", "both rules hold"
    assert Like("ACK", limit_counter=at_most(1)).mismatch(ACK) == "limit_counter", "2 is above 1"
    assert Like("ACK", room_id=other_than(bytes(32))).mismatch(ACK) == "room_id", "it is that very value"
    assert Like("ACK", seen_seq=at_least(0)).mismatch(ACK) == "seen_seq", "an absent field is at least nothing"


def test_unknown_names_are_a_fault_of_the_test() -> None:
    with pytest.raises(ValueError, match="no such frame or field"):
        Like("ACK", limit=2)
    with pytest.raises(ValueError, match="no such frame or field"):
        Like("NACK")


def test_describe_prints_no_control_character() -> None:
    assert describe(ERROR) == "ERROR {code=BAD_SIG, reason='no\\nno'}", describe(ERROR)


def test_marked_points_at_the_value() -> None:
    faulty = marked(ACK, "acked_counter")
    at, length = faulty.guilty.offset, faulty.guilty.length
    assert faulty.octets[at : at + length] == (1).to_bytes(8, "big"), "the value of acked_counter"


def test_flipped_differs_in_one_bit() -> None:
    good, bad = codec.encode(ACK), flipped(ACK, "room_id", bit=9).octets
    assert [g ^ b for g, b in zip(good, bad, strict=True) if g != b] == [2], "bit 9 is bit 1 of the octet before"


def test_with_header_changes_that_part_only() -> None:
    good = codec.encode(ACK)
    for faulty, part in (
        (with_header(ACK, magic=0x5053), slice(0, 2)),
        (with_header(ACK, version=2), slice(2, 3)),
        (with_header(ACK, length=9), slice(4, 8)),
    ):
        restored = bytearray(faulty.octets)
        assert restored[part] != good[part], f"{faulty.what} is not changed"
        restored[part] = good[part]
        assert restored == good, f"{faulty.what} changes more than that"


def test_with_fields_keeps_the_order_given() -> None:
    faulty = with_fields(ACK, reversed(ACK.fields), "turned round")
    assert codec.decode(faulty.octets, "server", 1024) == codec.Rejected(
        "BAD_FRAME", "tag 0x005c after 0x005e", faulty.guilty.offset, 2
    ), "the mark is where the codec finds the fault"


def test_with_extra_stands_in_its_place() -> None:
    octets = with_extra(ACK, 0x51, b"??").octets
    assert tag_span(octets, 0x51)[1] == 2, "the field is there"
    assert isinstance(codec.decode(octets, "server", 1024), codec.Decoded), "and nothing else is wrong"


def test_truncated_is_partial() -> None:
    assert isinstance(codec.decode(truncated(ACK, 20).octets, "server", 1024), codec.Partial), "a good beginning"


def test_caret_under_the_octet() -> None:
    lines = hexdump(Guilty(bytes(range(40)), 17, 2, "name")).split("\n")
    row, carets = lines[1], lines[2]
    assert row[carets.index("^") :].startswith("11 12"), "the carets stand under octets 0x11 and 0x12"
    assert carets.endswith("^^ ^^ name"), carets


def test_far_rows_are_left_out() -> None:
    text = hexdump(Guilty(bytes(4096), 2048, 1, "x"))
    assert text.count("\n") < 15 and "...." in text, "only rows near the guilty octet are shown"
