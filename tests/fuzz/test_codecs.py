# SPDX-License-Identifier: MIT
"""The suite's codec against itself, and against prosa-codec, which was written apart from the same text: both give the
same reply to frames that nobody thought of. They come from the registry, from the vectors and from noise.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from prosa_conformance import codec, codec_program, kinds
from prosa_conformance.codec import Decoded, Frame, Ignored, Partial, Rejected
from prosa_conformance.printed import json_object
from prosa_conformance.registry import CODES, FIELDS, FRAMES, GREASE_TAGS, RULES, Field, FrameType
from prosa_conformance.visible import visible

VECTORS = ROOT / "spec" / "vectors"
CAPS = (1, 8, 100, 1024, 8192, 16384, 65536)
LARGEST = 80  # octets of a made value
BATCH = 8  # requests of one example
DEADLINE = 30 * float(os.environ.get("PROSA_TIME_SCALE", "1"))
NAMES = ("@host", "lab", "ada", "@", "@admin", "Lab", "a" * 32, "a" * 33, "ção")
Raw = tuple[int, bytes]
T = TypeVar("T")


def mostly(good: st.SearchStrategy[T], other: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    return st.integers(0, 29).flatmap(lambda number: other if number == 29 else good)


# --- what frames are made of --------------------------------------------------------------


def numbers(field: Field) -> st.SearchStrategy[bytes]:
    size = kinds.INTEGER_SIZE[field.kind]
    edges = [field.min, field.max, max(field.min - 1, 0), min(field.max + 1, 256**size - 1)]
    known = list(codec.NAMED_NUMBERS.get(field.name, {}).values())
    good = st.one_of(st.integers(field.min, field.max), st.sampled_from(known or [field.min]))
    return mostly(good, st.sampled_from(edges)).map(lambda number: number.to_bytes(size, "big"))


def texts(field: Field) -> st.SearchStrategy[bytes]:
    made = st.text(min_size=field.min, max_size=min(field.max, LARGEST)).map(str.encode)
    if field.kind in kinds.PATTERN:
        names = st.sampled_from([name.encode() for name in NAMES])
        return mostly(st.from_regex(kinds.PATTERN[field.kind], fullmatch=True), st.one_of(names, made))
    return mostly(made, st.binary(max_size=8))


def values(field: Field) -> st.SearchStrategy[bytes]:
    """Octets for a field, mostly good ones."""
    if field.kind in kinds.INTEGER_SIZE:
        return numbers(field)
    if field.kind in kinds.TEXT_KINDS:
        return texts(field)
    if field.kind == "versions":
        good = st.sets(st.integers(1, 255), min_size=1, max_size=8).map(sorted).map(bytes)
        return mostly(good, st.binary(max_size=9))
    low, high = min(field.min, LARGEST), min(field.max, LARGEST)
    return mostly(st.binary(min_size=low, max_size=high), st.binary(max_size=high + 1))


ODD_FIELDS = st.lists(
    st.tuples(st.one_of(st.sampled_from(sorted(GREASE_TAGS)), st.integers(0, 0xFFFF)), st.binary(max_size=20)),
    max_size=2,
)


def optional_fields(row: FrameType) -> st.SearchStrategy[frozenset[str]]:
    """Those that a rule wants together, or any."""
    together = [frozenset(rule.required) for rule in RULES if rule.frame == row.name]
    some = st.sets(st.sampled_from(sorted(row.optional))) if row.optional else st.just(set())
    return st.one_of(st.sampled_from([frozenset[str](), *together]), some.map(frozenset))


@st.composite
def frames_of(draw: st.DrawFn, row: FrameType) -> Frame:
    """A frame with most of its fields, in order, and sometimes with others."""
    chosen = draw(optional_fields(row))
    present = [FIELDS[name] for name in row.fields if name not in row.optional or name in chosen]
    fields: list[Raw] = [(field.tag, draw(values(field))) for field in present]
    extra = draw(st.one_of(st.just([]), ODD_FIELDS))
    return Frame(row.type, tuple(fields)).plus(*extra)


ROWS = sorted(FRAMES.values(), key=lambda row: row.type)
FRAMES_MADE = st.one_of([frames_of(row) for row in ROWS]).map(codec.encode)


def recorded() -> list[tuple[str, bytes]]:
    """Sender and octets of the frames of the vectors that are not huge."""
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        for vector in json.loads(path.read_text(encoding="utf-8")).get("vectors", []):
            words = vector["request"].split(" ")
            if words[0] == "decode" and words[3] != "-" and len(words[3]) < 4096:
                found.append((words[1], bytes.fromhex(words[3])))
    return found


RECORDED = recorded()


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A recorded frame or a made one with octets changed, cut out or put in; the header is true or not."""
    octets = bytearray(draw(st.one_of(st.sampled_from([octets for _, octets in RECORDED]), FRAMES_MADE)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(octets)))
        match draw(st.integers(0, 3)):
            case 0:
                octets[at : at + draw(st.integers(1, 4))] = b""
            case 1:
                octets[at:at] = draw(st.binary(max_size=4))
            case _ if at < len(octets):
                octets[at] = draw(st.sampled_from([0, 1, octets[at] ^ 1, octets[at] ^ 0x80, 0x7F, 0xFF]))
    if len(octets) >= 8 and draw(st.booleans()):
        octets[4:8] = (len(octets) - 8).to_bytes(4, "big")
    return bytes(octets)


BEGINNINGS = [b"", b"P", b"PR", b"PR\x01", b"PR\x01\x1e", b"PR\x01\x0b\0\0\0\0"]
NOISE = st.tuples(st.sampled_from(BEGINNINGS), st.binary(max_size=40)).map(b"".join)
OCTETS = st.one_of(FRAMES_MADE, spoilt(), NOISE)
SENDERS = st.sampled_from(["client", "server"])

# --- the suite's codec --------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_encoded_is_decoded_again(row: FrameType) -> None:
    """All of the frame, and nothing of what stands behind it; a prefix is no frame."""
    verdicts = Counter[str]()

    @given(frames_of(row), SENDERS, st.binary(max_size=9), st.data())
    @settings(max_examples=settings().max_examples // 4)
    def round_trip(frame: Frame, sender: str, behind: bytes, data: st.DataObject) -> None:
        octets = codec.encode(frame)
        verdict = codec.decode(octets + behind, sender, 65536)
        verdicts[type(verdict).__name__] += 1
        if isinstance(verdict, Decoded):
            assert verdict.frame == frame and verdict.consumed == len(octets)
            assert json.loads(json.dumps(codec.project(frame))) == codec.project(frame)
            cut = data.draw(st.integers(0, len(octets) - 1))
            assert isinstance(codec.decode(octets[:cut], sender, 65536), Partial)

    round_trip()
    assert verdicts["Decoded"] > 0, verdicts


@given(OCTETS, SENDERS, st.sampled_from(CAPS))
def test_every_verdict_holds_together(octets: bytes, sender: str, cap: int) -> None:
    match codec.decode(octets, sender, cap):
        case Decoded(frame=made, consumed=consumed):
            assert codec.encode(made) == octets[:consumed] and consumed <= cap + 8
        case Ignored(type=number, consumed=consumed, length=length):
            assert number % 2 == 1 and consumed == 8 + length <= len(octets)
        case Partial(needed=needed):
            assert needed > len(octets)
        case Rejected(code=code, offset=offset, length=length, why=why):
            assert CODES[code].number >> 8 == 1 and why
            assert 0 <= offset <= len(octets) and offset + length <= max(len(octets), 8)


@given(st.sampled_from(sorted(FIELDS.values(), key=lambda field: field.tag)), st.data())
def test_a_value_is_good_and_comes_back_or_has_a_fault(field: Field, data: st.DataObject) -> None:
    octets = data.draw(values(field))
    fault = kinds.fault(field, octets)
    if fault is None:
        assert kinds.store(field.kind, kinds.load(field.kind, octets)) == octets
    else:
        assert CODES[fault.code].number >> 8 == 1 and fault.why
        assert 0 <= fault.offset <= fault.offset + fault.length <= len(octets)


@given(st.text())
def test_names_are_of_their_alphabet_and_length(name: str) -> None:
    alphabet = set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    is_nick = 1 <= len(name) <= 32 and set(name) <= alphabet
    is_room = is_nick or (name[:1] == "@" and 1 <= len(name[1:]) <= 32 and set(name[1:]) <= alphabet)
    assert (kinds.fault(FIELDS["nick"], name.encode()) is None) == is_nick
    assert (kinds.fault(FIELDS["room"], name.encode()) is None) == is_room


@given(st.text(alphabet=st.characters(blacklist_categories=())))
def test_words_are_made_visible_and_can_be_written(words: str) -> None:
    shown = visible(words)
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]", shown)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(st.one_of(st.text(), JSON.map(json.dumps)))
def test_a_printed_line_is_a_json_object_or_none(line: str) -> None:
    found = json_object(line)
    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize("line", ["1" * 5000, '{"a":' + "9" * 5000 + "}", "[" * 100_000, '{"a":' * 100_000, "\ud800"])
def test_a_line_that_nobody_can_read_is_none(line: str) -> None:
    assert json_object(line) is None


@given(st.one_of(st.text(), st.tuples(st.sampled_from(sorted(codec_program.REQUESTS)), st.text()).map(" ".join)))
def test_the_codec_program_answers_any_line(line: str) -> None:
    assert isinstance(codec_program.to_line(codec_program.answer(line)), str)


# --- two codecs ---------------------------------------------------------------------------


class Program:
    """prosa-codec, asked a batch at a time: one that a pipe holds, so that nobody waits for the other."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [os.environ["PROSA_CODEC"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, requests: list[str]) -> list[object]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("".join(f"{request}\n" for request in requests))
        self.process.stdin.flush()
        replies = []
        for request in requests:
            line = self.process.stdout.readline()
            assert line, f"it ended with {self.process.wait(DEADLINE)}: {request}"
            replies.append(json.loads(line))
        return replies


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    with contextlib.ExitStack() as stack:
        stack.callback(program.process.kill)
        yield program
        assert program.process.stdin is not None
        program.process.stdin.close()
        assert program.process.wait(DEADLINE) == 0, "sanitizers and the program itself have no complaint"


HEX = st.one_of(st.binary(max_size=70).map(bytes.hex), st.just("-"), st.sampled_from(["0", "0A", "zz", ""]))
KEYS = st.one_of(st.binary(min_size=32, max_size=32).map(bytes.hex), HEX)
U64 = st.one_of(st.integers(0, 2**64 + 1).map(str), st.sampled_from(["", "-1", "+1", "01", "1e3", "٣"]))
FRAME_WORDS = OCTETS.map(bytes.hex).map(lambda word: word or "-")
ROOMS = st.one_of(st.sampled_from(NAMES), st.from_regex(kinds.PATTERN["room"], fullmatch=True).map(bytes.decode))


def request(name: str, *words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.just(name), *words).map(" ".join)


def decode_requests() -> st.SearchStrategy[str]:
    return request("decode", SENDERS, st.sampled_from(CAPS).map(str), FRAME_WORDS)


OTHER_REQUESTS = st.one_of(
    request("key", KEYS),
    request("verify", KEYS, st.binary(min_size=64, max_size=64).map(bytes.hex), HEX),
    request("sign", KEYS, HEX),
    request("message", FRAME_WORDS),
    request("room-id", KEYS, st.binary(min_size=16, max_size=16).map(bytes.hex), ROOMS),
    request("room-id", KEYS, HEX, ROOMS, KEYS),
    request("handshake", FRAME_WORDS, FRAME_WORDS),
    request("chain-start", KEYS),
    request("chain", KEYS, U64, U64, KEYS),
    request("checkpoint", KEYS, FRAME_WORDS),
    request("decode", SENDERS, U64, HEX),
    st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"))),
)


def compare(program: Program, requests: st.SearchStrategy[str]) -> Counter[str]:
    """Every example is a batch; what the verdicts were."""
    seen = Counter[str]()

    @given(st.lists(requests, min_size=1, max_size=BATCH))
    @settings(max_examples=settings().max_examples * 3)
    def agree(batch: list[str]) -> None:
        for line, reply in zip(batch, program.ask(batch), strict=True):
            wanted = codec_program.answer(line)
            seen[str(wanted.get("error", wanted.get("verdict", "hash")))] += 1
            assert reply == wanted, line
            assert json.dumps(reply) == json.dumps(wanted), f"in another order: {line}"

    agree()
    return seen


def test_both_codecs_decode_alike(program: Program) -> None:
    seen = compare(program, decode_requests())
    assert len(seen) >= 5, f"the requests are too much alike: {seen}"


def test_both_codecs_answer_alike(program: Program) -> None:
    seen = compare(program, OTHER_REQUESTS)
    assert len(seen) >= 4, f"the requests are too much alike: {seen}"
