# SPDX-License-Identifier: MIT
"""Every frame of the vectors, each in a connection of its own: good ones show no violation and
all their values, bad ones exactly one violation, that of their clause."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from conversations import before, conversation, handshake, shown, under_cap
from tshark import Packet, Tshark

from prosa_conformance.codec import HEADER, Decoded, decode, encode, frame, raw_frame
from prosa_conformance.pcap import Conversation
from prosa_conformance.registry import CONSTANTS, FIELDS, FRAMES, FRAMES_BY_TYPE, GREASE_TYPES

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
INFO = "_ws.col.Info"
NAMES = ("tcp.stream", INFO, "prosa.violation", "prosa.not_displayable", "prosa.undecoded", "prosa.type",
         *(f"prosa.{name}" for name in FIELDS))
PING = encode(frame("PING", opaque=b""))

# One of each fault, by the id of its vector.
CLAUSES = {
    "magic-http": "WIRE-02",
    "version-2": "WIRE-04",
    "length-1025-of-1024": "WIRE-06",
    "length-ffffffff-ping": "WIRE-06",
    "type-76": "WIRE-14",
    "tags-descending": "WIRE-16",
    "tags-duplicate-0": "WIRE-16",
    "tag-0": "WIRE-17",
    "fields-33-hello": "WIRE-18",
    "left-over-1": "WIRE-19",
    "value-beyond-1": "WIRE-19",
    "length-zero": "WIRE-20",
    "frame-hello-lacks-nonce": "WIRE-20",
    "field-nick-upper-case": "WIRE-21",
    "field-text-overlong-2": "WIRE-21",
    "field-max-frame-below": "WIRE-21",
    "field-counter-long": "WIRE-21",
    "unknown-even-0102": "WIRE-23",
    "high-tag-8a8b-hello": "WIRE-24",
    "after-signature-auth": "WIRE-25",
    "ack-client-from-wrong-side": "WIRE-30",
    "ack-server-from-wrong-side": "WIRE-31",
    "join-epoch-alone": "WIRE-32",
    "member-count-with-nick": "WIRE-33",
    "fields-25-publish": "MSG-09",
    "publish-tag-4001": "MSG-09",
    "publish-length-above": "MSG-10",
}


@dataclass(frozen=True)
class Vector:
    """A frame to decode: who sends it under which cap, and what a decoder says."""

    id: str
    clauses: tuple[str, ...]
    sender: str
    cap: int
    octets: bytes
    reply: Mapping[str, object]

    @property
    def verdict(self) -> str:
        return str(self.reply["verdict"])

    @property
    def is_late_hello(self) -> bool:
        """A HELLO that needs the cap of READY: good for a decoder alone, and in no connection."""
        is_large = len(self.octets) > HEADER.size + CONSTANTS["max_frame_handshake"]
        return self.verdict == "frame" and self.octets[3] == FRAMES["HELLO"].type and is_large


@cache
def vectors() -> tuple[Vector, ...]:
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        for entry in json.loads(path.read_text()).get("vectors", []):
            words = entry["request"].split(" ")
            if words[0] == "decode" and words[3] != "-":
                octets = bytes.fromhex(words[3])[: entry["reply"].get("consumed")]
                found.append(
                    Vector(entry["id"], tuple(entry["clauses"]), words[1], int(words[2]), octets, entry["reply"])
                )
    return tuple(vector for vector in found if not vector.is_late_hello)


Seen = Mapping[str, list[Packet]]


def dissected(tshark: Tshark, made: Mapping[str, Conversation], *words: str) -> Seen:
    """The packets with frames or faults of each conversation; the handshake shows no fault."""
    streams: list[list[Packet]] = [[] for _ in made]
    for packet in tshark.packets(tshark.capture(made.values()), NAMES, *words):
        if packet["prosa.type"] or packet["prosa.violation"] or packet["prosa.undecoded"]:
            streams[int(packet["tcp.stream"][0])].append(packet)
    return dict(zip(made, streams, strict=True))


def violations(packets: list[Packet]) -> list[str]:
    return [clause for packet in packets for clause in packet["prosa.violation"]]


@pytest.fixture(scope="module")
def seen(tshark: Tshark) -> Seen:
    made = {v.id: under_cap(number, v.sender, v.cap, v.octets) for number, v in enumerate(vectors())}
    assert len(made) == len(vectors()) > 0, "each id once, and at least one"
    return dissected(tshark, made)


def beyond_handshake(seen: Seen, vector: Vector) -> list[Packet]:
    return seen[vector.id][len(before(vector.cap)) :]


def test_bad_frames_show_their_clause_and_no_other(seen: Seen) -> None:
    bad = [v for v in vectors() if v.verdict == "error"]
    shown_by = {v.id: (violations(seen[v.id]), v.clauses) for v in bad}
    wrong = {name: both for name, both in shown_by.items() if len(both[0]) != 1 or both[0][0] not in both[1]}
    assert wrong == {}
    assert len(bad) > len(CLAUSES)


@pytest.mark.parametrize(("identity", "clause"), CLAUSES.items())
def test_one_of_each_fault(seen: Seen, identity: str, clause: str) -> None:
    assert violations(seen[identity]) == [clause]


def test_good_and_ignored_frames_and_parts_of_frames_show_no_violation(seen: Seen) -> None:
    wrong = {v.id: violations(seen[v.id]) for v in vectors() if v.verdict != "error" and violations(seen[v.id])}
    assert wrong == {}


def test_good_frames_show_all_their_values(seen: Seen) -> None:
    wrong = {}
    for vector in (v for v in vectors() if v.verdict == "frame"):
        verdict = decode(vector.octets, vector.sender, vector.cap)
        assert isinstance(verdict, Decoded)
        names = [name for name in FRAMES_BY_TYPE[verdict.frame.type].fields if verdict.frame.has(name)]
        expected = {name: [shown(FIELDS[name], verdict.frame.value(name))] for name in names}
        [packet] = beyond_handshake(seen, vector)
        found = {name: packet[f"prosa.{name}"] for name in FIELDS if packet[f"prosa.{name}"]}
        if found != expected:
            wrong[vector.id] = [(found.get(n), expected.get(n)) for n in FIELDS if found.get(n) != expected.get(n)]
    assert wrong == {}


def test_parts_of_frames_are_no_frames(seen: Seen) -> None:
    parts = [v for v in vectors() if v.verdict == "partial"]
    assert parts and all(beyond_handshake(seen, v) == [] for v in parts)


def test_unknown_odd_types_are_shown_as_ignored(seen: Seen) -> None:
    ignored = [v for v in vectors() if v.verdict == "ignored"]
    assert ignored
    for vector in ignored:
        [packet] = beyond_handshake(seen, vector)
        assert packet["prosa.type"] == [str(vector.octets[3])]
        assert packet[INFO][0].endswith("ignored")


def test_messages_that_cannot_be_displayed_are_marked(seen: Seen) -> None:
    delivers = [v for v in vectors() if "displayable" in v.reply]
    assert {v.reply["displayable"] for v in delivers} == {True, False}
    for vector in delivers:
        [packet] = beyond_handshake(seen, vector)
        assert bool(packet["prosa.not_displayable"]) is not vector.reply["displayable"], vector.id


# --- states of a connection -------------------------------------------------------------------


@pytest.mark.parametrize("passes", [[], ["-2"]], ids=["one pass", "two passes"])
def test_the_cap_follows_the_state_and_challenge(tshark: Tshark, passes: list[str]) -> None:
    """The same frame of 10,000 octets: too large before WELCOME and under a low max_frame."""
    large = raw_frame(GREASE_TYPES[0], bytes(10_000))
    early = handshake(16384)
    made = {
        "before AUTH": conversation(0, [*early[:2], ("client", large)]),
        "after AUTH": conversation(1, [*early[:3], ("client", large)]),
        "before WELCOME": conversation(2, [*early[:3], ("server", large)]),
        "after WELCOME": conversation(3, [*early, ("server", large)]),
        "above a low max_frame": conversation(4, [*handshake(8192), ("server", large)]),
    }
    seen = {name: violations(packets) for name, packets in dissected(tshark, made, *passes).items()}
    assert seen == {
        "before AUTH": ["WIRE-06"],
        "after AUTH": [],  # AUTH-19: it waits, and counts against the limits of READY
        "before WELCOME": ["WIRE-06"],
        "after WELCOME": [],
        "above a low max_frame": ["WIRE-06"],
    }


@pytest.mark.parametrize("port", [65432, 7777])
def test_frames_of_the_wrong_side(tshark: Tshark, port: int) -> None:
    welcome, join = handshake(8192)[3][1], encode(frame("JOIN", room="@host", send_window=1, recv_window=2))
    made = {
        "server joins": conversation(0, [*handshake(8192), ("server", join)], port),
        "client welcomes": conversation(1, [*handshake(8192), ("client", welcome)], port),
        "client joins": conversation(2, [*handshake(8192), ("client", join)], port),
    }
    seen = {name: violations(packets) for name, packets in dissected(tshark, made).items()}
    assert seen == {"server joins": ["WIRE-15"], "client welcomes": ["WIRE-15"], "client joins": []}


def test_nothing_is_decoded_after_a_bad_header(tshark: Tshark) -> None:
    """The fault is named once, the other direction goes on, and so does a new connection."""
    garbage = [("client", b"\x50\x51" + PING), ("client", PING), ("server", PING)]
    again = conversation(0, [*handshake(8192), ("client", PING)])
    first = conversation(0, [*handshake(8192), *garbage])
    later = replace(again, steps=[(at + 1, sender, what) for at, sender, what in again.steps])
    seen = dissected(tshark, {"first": first, "later": later})
    assert violations(seen["first"]) == ["WIRE-02"]
    assert [packet["prosa.type"] for packet in seen["first"][4:]] == [[], [], ["30"]]
    assert violations(seen["later"]) == []
    assert [packet["prosa.type"] for packet in seen["later"]] == [["2"], ["4"], ["6"], ["8"], ["30"]]


def test_a_gap_in_the_capture_is_no_violation(tshark: Tshark) -> None:
    whole = conversation(0, [*handshake(8192), ("client", PING[:5]), ("client", PING[5:] + PING)])
    seen = dissected(tshark, {"gap": replace(whole, lost=frozenset({4}))})
    assert violations(seen["gap"]) == []
    assert seen["gap"][-1]["prosa.undecoded"]


def test_text_that_a_terminal_might_obey_is_not_printed_raw(tshark: Tshark) -> None:
    bye = encode(frame("BYE", code="NORMAL", reason="a\x1b[2Jb\u202ec\u200bd"))
    seen = dissected(tshark, {"bye": conversation(0, [*handshake(8192), ("server", bye)])})
    assert seen["bye"][-1][INFO] == [r"BYE NORMAL 'a\u001b[2Jb\u202ec\u200bd'"]
