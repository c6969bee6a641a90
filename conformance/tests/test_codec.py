# SPDX-License-Identifier: MIT
"""The codec against octets written by hand, against itself with random values, and against noise."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from conftest import ROOT
from prosa_conformance import codec, codec_program, crypto, kinds
from prosa_conformance.codec import Decoded, Frame, Ignored, Partial, Rejected, decode, encode, frame
from prosa_conformance.kinds import INTEGER_SIZE
from prosa_conformance.registry import CODES, FIELDS, GREASE_TAGS, Field
from vectors.samples import FORM, FORMS, Form

CAP = 16384
ROUNDS = 200
JOIN = bytes.fromhex("5052010a 00000019 00420005 40686f7374 00500004 00000001 00520004 00000040")
ALPHABET = {"nick": "abz09_-", "room": "abz09_-", "clause": "AZ09-", "utf8": "aé€\U0001f44b\u202e\x1b"}


def good(octets: bytes, sender: str = "client") -> Frame:
    verdict = decode(octets, sender, CAP)
    assert isinstance(verdict, Decoded), verdict
    return verdict.frame


def rejected(octets: bytes, sender: str = "client", cap: int = CAP) -> Rejected:
    verdict = decode(octets, sender, cap)
    assert isinstance(verdict, Rejected), verdict
    return verdict


# --- by hand ----------------------------------------------------------------------------


def test_builder_writes_the_octets_of_the_text() -> None:
    assert encode(frame("JOIN", room="@host", send_window=1, recv_window=64)) == JOIN


def test_decoder_reads_the_octets_of_the_text() -> None:
    join = good(JOIN)
    assert (join.name, join.type, join.version) == ("JOIN", 10, 1)
    assert [tag for tag, _ in join.fields] == [0x42, 0x50, 0x52]
    assert (join.value("room"), join.number("send_window"), join.number("recv_window")) == ("@host", 1, 64)
    assert not join.has("epoch")


def test_projection_of_each_kind() -> None:
    error = frame(
        "ERROR",
        room="lab",
        counter=2**64 - 1,
        code="BAD_TEXT",
        reason="a\u202eb",
        after_ms=7,
        extra=[(0x0A0B, b"\xff")],
    )
    assert list(codec.project(error).items()) == [
        ("frame", "ERROR"),
        ("type", 34),
        ("version", 1),
        ("length", 4 * 6 + 3 + 8 + 2 + 5 + 4 + 1),
        (
            "fields",
            {
                "room": "lab",
                "counter": "18446744073709551615",
                "code": "BAD_TEXT",
                "reason": "a\u202eb",
                "after_ms": 7,
                "0x0a0b": "ff",
            },
        ),
    ]
    member = frame("MEMBER", room_id=bytes(32), event=77, at_seq=0)
    assert codec.project(member)["fields"] == {"room_id": "00" * 32, "event": 77, "at_seq": "0"}
    hello = codec.project(FORM["hello"].minimal())["fields"]
    assert isinstance(hello, dict)
    assert (hello["versions"], hello["features"]) == ([1], 0)


def test_projection_keeps_wire_order() -> None:
    fields = codec.project(FORM["publish"].full())["fields"]
    assert isinstance(fields, dict)
    assert list(fields) == [
        "nick", "display", "room_id", "author_key", "counter", "sent_at", "text", "reply_to", "author_sig",
    ]  # fmt: skip


# --- where the fault is -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "code", "offset", "length", "field"),
    [
        (b"PX" + JOIN[2:], "BAD_FRAME", 1, 1, None),
        (JOIN[:2] + b"\x02", "UNSUPPORTED", 2, 1, None),
        (JOIN[:3] + b"\x10" + bytes(4), "UNSUPPORTED", 3, 1, None),
        (JOIN[:4] + b"\xff\xff\xff\xff", "TOO_LARGE", 4, 4, None),
        (JOIN.replace(b"\x00\x50", b"\x00\x42"), "BAD_FRAME", 17, 2, None),
        (JOIN.replace(b"@host", b"@HOST"), "BAD_FRAME", 12, 5, "room"),
        (JOIN.replace(b"\x00\x52\x00\x04", b"\x00\x52\x00\x05"), "BAD_FRAME", 27, 2, None),
        (JOIN[:-1] + b"\x01", "BAD_FRAME", 29, 4, "recv_window"),
        (JOIN.replace(b"\x00\x52\x00\x04", b"\x00\x53\x00\x04"), "BAD_FRAME", 33, 0, "recv_window"),
    ],
)
def test_the_guilty_octets_are_named(octets: bytes, code: str, offset: int, length: int, field: str | None) -> None:
    verdict = rejected(octets)
    assert (verdict.code, verdict.offset, verdict.length, verdict.field) == (code, offset, length, field)
    assert verdict.why


def test_bad_text_points_into_the_text() -> None:
    bye = encode(frame("BYE", code="NORMAL", reason=b"ok \xc3("))
    verdict = rejected(bye)
    assert (verdict.code, verdict.field, bye[verdict.offset]) == ("BAD_TEXT", "reason", 0xC3)


def test_a_bad_header_is_known_before_it_is_whole() -> None:
    assert rejected(b"G").code == "BAD_FRAME"
    assert rejected(b"PR\x00").code == "UNSUPPORTED"
    assert decode(b"", "client", CAP) == Partial(8)
    assert decode(JOIN[:8], "client", CAP) == Partial(len(JOIN))


def test_partial_says_how_much_is_needed_at_least() -> None:
    for at in range(len(JOIN)):
        verdict = decode(JOIN[:at], "client", CAP)
        assert isinstance(verdict, Partial) and at < verdict.needed <= len(JOIN)


# --- wrong frames can be written --------------------------------------------------------


def test_the_encoder_judges_nothing() -> None:
    backwards = Frame(30, ((0x00A0, b""), (0x0001, b""), (0x0000, b"")))
    assert encode(backwards).hex() == "5052011e0000000c00a000000001000000000000"
    lying = codec.raw_frame(30, codec.raw_field(0x00A0, b"ab", length=9), length=3, version=7, magic=0x4242)
    assert lying.hex() == "4242071e0000000300a000096162"
    assert encode(frame("PING", opaque=bytes(99)))[8:12].hex() == "00a00063"
    with pytest.raises(TypeError):
        frame("PING", opaque="text for octets")


def test_extra_fields_are_merged_in_order() -> None:
    ping = frame("PING", opaque=b"", extra=[(0x3A3B, b"z"), (0x0001, b"a")])
    assert [tag for tag, _ in ping.fields] == [0x0001, 0x00A0, 0x3A3B]
    assert frame("BYE", code="NORMAL", reason=None).fields == ((0x00B0, b"\x06\x01"),)


# --- random values ----------------------------------------------------------------------


def random_octets(dice: random.Random, field: Field) -> bytes:
    """A good value of the field."""
    if field.kind in INTEGER_SIZE:
        number = dice.choice([field.min, field.max, dice.randint(field.min, field.max)])
        return number.to_bytes(INTEGER_SIZE[field.kind], "big")
    if field.kind == "versions":
        return bytes(sorted(dice.sample(range(1, 256), dice.randint(1, 8))))
    if field.kind == "target":
        return f"{dice.choice(['a', 'chat.example', '[::1]', '10.0.0.1'])}:{dice.randint(1, 65535)}".encode()
    if field.kind in ALPHABET:
        return random_text(dice, field)
    return dice.randbytes(dice.randint(field.min, field.max))


def random_text(dice: random.Random, field: Field) -> bytes:
    prefix = "@" if field.kind == "room" and dice.random() < 0.5 else ""
    longest = min(field.max, 32 if field.kind == "room" else 300)
    text = "".join(dice.choices(ALPHABET[field.kind], k=dice.randint(field.min, longest)))
    octets = (prefix + text).encode()
    return octets if len(octets) <= field.max else b"a" * field.min


def random_frame(dice: random.Random, form: Form) -> Frame:
    optional = [name for name in form.most if name not in form.least and dice.random() < 0.5]
    if "epoch" in optional and "after_seq" not in optional:
        optional.append("after_seq")
    fields = [(FIELDS[name].tag, random_octets(dice, FIELDS[name])) for name in (*form.least, *optional)]
    tags = [tag for tag in GREASE_TAGS if tag <= (0x3FFF if form.frame == "PUBLISH" else 0x7FFF)]
    grease = [(tag, dice.randbytes(dice.randrange(20))) for tag in dice.sample(tags, dice.randrange(3))]
    made = Frame(codec.FRAMES_BY_TYPE[form.minimal().type].type).plus(*fields, *grease)
    if form.event is not None:
        made = made.without("event").plus(codec.field_value("event", form.event))
    return made


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_decode_gives_back_what_was_encoded(form: Form, dice: random.Random) -> None:
    for _ in range(ROUNDS):
        made = random_frame(dice, form)
        octets = encode(made)
        behind = dice.randbytes(dice.randrange(9))
        assert decode(octets + behind, form.sender, CAP) == Decoded(made, len(octets), True), octets.hex()
        assert isinstance(decode(octets[: dice.randrange(len(octets))], form.sender, CAP), Partial)


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_store_is_the_inverse_of_load(field: Field, dice: random.Random) -> None:
    for _ in range(ROUNDS):
        octets = random_octets(dice, field)
        assert kinds.fault(field, octets) is None
        assert kinds.store(field.kind, kinds.load(field.kind, octets)) == octets


def mutate(dice: random.Random, octets: bytes) -> bytes:
    changed = bytearray(octets)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(changed))
        match dice.randrange(4):
            case 0:
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                changed[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2 if len(changed) > 1:
                del changed[at]
            case _:
                changed.insert(at, dice.randrange(256))
    return bytes(changed)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_mutations_have_a_verdict_that_holds_together(form: Form, dice: random.Random) -> None:
    for _ in range(ROUNDS * 2):
        octets = mutate(dice, encode(random_frame(dice, form)))
        check_verdict(octets, decode(octets, form.sender, CAP))


def test_noise_has_a_verdict_that_holds_together(dice: random.Random) -> None:
    for _ in range(ROUNDS * 2):
        octets = b"PR\x01"[: dice.randrange(4)] + dice.randbytes(dice.randrange(40))
        check_verdict(octets, decode(octets, dice.choice(["client", "server"]), CAP))


def check_verdict(octets: bytes, verdict: codec.Verdict) -> None:
    match verdict:
        case Decoded(frame=made, consumed=consumed):
            assert encode(made) == octets[:consumed], octets.hex()
            codec.project(made)
        case Ignored(type=number, consumed=consumed, length=length):
            assert number % 2 == 1 and consumed == 8 + length <= len(octets), octets.hex()
        case Partial(needed=needed):
            assert needed > len(octets), octets.hex()
        case Rejected(code=code, offset=offset, length=length):
            assert CODES[code].number >> 8 == 1, octets.hex()
            assert 0 <= offset <= len(octets) and offset + length <= max(len(octets), 8), octets.hex()


# --- the codec program ------------------------------------------------------------------


def run_program(lines: bytes) -> tuple[int, list[bytes]]:
    command = [sys.executable, "-m", "prosa_conformance.codec_program"]
    done = subprocess.run(command, input=lines, capture_output=True, cwd=ROOT / "conformance", timeout=60, check=False)
    return done.returncode, done.stdout.splitlines()


def test_program_answers_line_by_line_and_ends_with_the_input() -> None:
    code, lines = run_program(b"key -\nnonsense\ndecode client 1024 50\nroom-id x\xff y\nkey 00")
    assert code == 0
    assert [json.loads(line)["verdict"] for line in lines] == [
        "invalid", "unsupported", "partial", "unsupported", "invalid",
    ]  # fmt: skip


def test_program_prints_nothing_raw_that_a_terminal_obeys() -> None:
    text = "\x07\x1b[2J\x7f\x9b\u061c\u200b\u202e\u2066\ufeff"
    bye = encode(frame("BYE", code="NORMAL", reason=text))
    code, lines = run_program(f"decode server 1024 {bye.hex()}\n".encode())
    assert code == 0
    assert all(0x20 <= octet < 0x7F for octet in lines[0])
    assert json.loads(lines[0])["frame"]["fields"]["reason"] == text


@pytest.mark.parametrize(
    "request_line",
    ["", " key 00", "key", "key ", "key 00\t00", "key 0", "key 0A", "key 00 00", "sign 00 -", "decode relay 1024 -",
     "decode client 65537 -", "decode client -1 -",
     "decode client x -", "chain 00 1 1 00", f"chain {'00' * 32} 18446744073709551616 1 {'00' * 32}", "message -",
     f"message {JOIN.hex()}", f"room-id {'00' * 32} {'00' * 16} Lab", "handshake - -", f"checkpoint {'00' * 32} -"],
)  # fmt: skip
def test_program_does_not_guess(request_line: str) -> None:
    assert codec_program.answer(request_line) == {"verdict": "unsupported"}


def test_program_refuses_a_cofactored_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "library_is_cofactorless", lambda: False)
    assert codec_program.main() == 1
