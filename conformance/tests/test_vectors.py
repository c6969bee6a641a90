# SPDX-License-Identifier: MIT
"""The files of spec/vectors: current, true to the codec at every octet, and citing what there is.

The recorded sessions are judged by a reader that knows the flow rules of chapter 6 and not how
the sessions were made.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from conftest import ROOT
from prosa_conformance import codec, codec_program, crypto
from prosa_conformance.codec import Decoded, Frame, Partial, Rejected, decode
from prosa_conformance.registry import FIELDS, FRAMES

CAP = 16384
FOLDER = ROOT / "spec/vectors"
Json = dict[str, Any]


def load(name: str, member: str) -> list[Json]:
    entries: list[Json] = json.loads((FOLDER / name).read_text(encoding="utf-8"))[member]
    return entries


FILES = sorted(path.name for path in FOLDER.glob("*.json") if path.name != "sessions.json")
VECTORS: list[Json] = [vector for name in FILES for vector in load(name, "vectors")]
SESSIONS = load("sessions.json", "sessions")
BY_ID = {vector["id"]: vector for vector in VECTORS}


def test_all_files_are_there_and_current() -> None:
    names = {"wire", "frames", "keys", "handshake", "messages", "rooms", "chain"}
    assert {name.removesuffix(".json") for name in FILES} == names
    command = [sys.executable, str(ROOT / "tools/make_vectors.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_check_names_a_stale_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import make_vectors

    monkeypatch.setattr(make_vectors, "documents", lambda: {"rooms.json": {"vectors": []}})
    assert make_vectors.main(["--check"]) == 1
    assert "spec/vectors/rooms.json: stale" in capsys.readouterr().out


# --- vectors ----------------------------------------------------------------------------


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(VECTORS)
    assert all(re.fullmatch(r"[a-z0-9-]+", identity) for identity in BY_ID)


@pytest.mark.parametrize("name", FILES)
def test_the_program_gives_the_replies(name: str) -> None:
    for vector in load(name, "vectors"):
        reply = json.loads(codec_program.to_line(codec_program.answer(vector["request"])))
        for member, value in vector["reply"].items():
            assert reply.get(member) == value, f"{vector['id']}: {member}"


def decode_vectors() -> list[tuple[Json, str, int, bytes]]:
    split = [(vector, vector["request"].split(" ")) for vector in VECTORS]
    return [
        (vector, words[1], int(words[2]), codec_program.octets(words[3]))
        for vector, words in split
        if words[0] == "decode"
    ]


def test_every_prefix_is_partial_or_the_same_error() -> None:
    for vector, sender, cap, octets in decode_vectors():
        end = vector["reply"].get("consumed", len(octets))
        for at in range(end):
            verdict = decode(octets[:at], sender, cap)
            if isinstance(verdict, Partial):
                continue
            assert isinstance(verdict, Rejected), f"{vector['id']} cut at {at}: {verdict}"
            assert vector["reply"].get("error") == verdict.code, f"{vector['id']} cut at {at}: {verdict}"


def test_a_frame_does_not_depend_on_what_follows() -> None:
    for vector, sender, cap, octets in decode_vectors():
        if vector["reply"]["verdict"] != "partial":
            assert decode(octets + b"\x50\x00\xff", sender, cap) == decode(octets, sender, cap), vector["id"]


def test_every_vector_says_what_and_why() -> None:
    for vector in VECTORS:
        assert vector["level"] == "L0" and vector["clauses"] and vector["comment"], vector["id"]
        assert len(set(vector["clauses"])) == len(vector["clauses"]), vector["id"]


def clauses() -> dict[str, str]:
    """The testability of each requirement of the text."""
    pattern = re.compile(r"^\[([A-Z]+-\d+)\] \([^,]+, [^,]+, (\w+)", re.MULTILINE)
    texts = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "spec").glob("*.md")))
    return {match[1]: match[2] for text in texts for match in pattern.finditer(text)}


def test_every_cited_clause_exists() -> None:
    cited = {clause for vector in VECTORS for clause in vector["clauses"]}
    assert cited <= set(clauses()), cited - set(clauses())


def test_every_vector_clause_has_a_vector() -> None:
    cited = {clause for vector in VECTORS for clause in vector["clauses"]}
    due = {clause for clause, testability in clauses().items() if testability == "vector"}
    assert len(due) > 30 and due <= cited, due - cited


def test_the_edge_cases_of_keys_are_many_and_two_sided() -> None:
    verify = [vector for vector in VECTORS if vector["request"].startswith("verify ")]
    valid = [vector for vector in verify if vector["reply"]["verdict"] == "valid"]
    assert len(verify) >= 60 and len(valid) >= 12
    mixed = BY_ID["key-mixed-order"]
    words = [crypto.MIXED_ORDER_KEY, crypto.MIXED_ORDER_SIGNATURE, crypto.MIXED_ORDER_MESSAGE]
    assert mixed["request"] == "verify " + " ".join(word.hex() for word in words)
    assert mixed["reply"] == {"verdict": "invalid"}


def test_every_field_and_frame_has_vectors() -> None:
    for row in FRAMES.values():
        kinds_of = [identity for identity in BY_ID if identity.startswith(f"frame-{row.name.lower()}")]
        assert kinds_of, row.name
    for name in FIELDS:
        verdicts = {
            BY_ID[identity]["reply"]["verdict"]
            for identity in BY_ID
            if identity.startswith(f"field-{name.replace('_', '-')}-")
        }
        assert verdicts == {"frame", "error"}, name


# --- sessions ---------------------------------------------------------------------------


@dataclass
class Room:
    """What a client knows of a room while it reads a session."""

    limit_counter: int
    limit_seq: int
    next_seq: int
    sent: int
    acked: int = 0
    ids: dict[int, bytes] = field(default_factory=dict)
    chain: bytes | None = None
    last_time: int = 0


@dataclass
class Reader:
    """Reads a session as both sides would, and finds everything that chapters 4 to 7 forbid."""

    keys: dict[str, bytes]
    rooms: dict[bytes, Room] = field(default_factory=dict)
    ids: set[bytes] = field(default_factory=set)
    hello: bytes = b""
    challenge: bytes = b""
    joining: Frame | None = None
    pings: list[bytes] = field(default_factory=list)
    closing: set[str] = field(default_factory=set)
    refused: str | None = None

    def read(self, sender: str, octets: bytes, made: Frame) -> None:
        assert sender not in self.closing, "a frame after BYE or a fatal ERROR"
        handler = getattr(self, f"read_{(made.name or '').lower()}")
        handler(sender, octets, made)

    def read_hello(self, sender: str, octets: bytes, made: Frame) -> None:
        assert sender == "client" and made.octets("client_key") in self.keys.values()
        self.rooms.clear()
        self.hello = octets

    def read_challenge(self, sender: str, octets: bytes, made: Frame) -> None:
        assert sender == "server" and made.octets("server_key") == self.keys["server"]
        assert crypto.verify_challenge(self.keys["server"], self.hello, made)
        self.challenge = octets

    def read_auth(self, sender: str, octets: bytes, made: Frame) -> None:
        client_key = self.hello_frame().octets("client_key") or b""
        if not crypto.verify_auth(client_key, self.hello, self.challenge, made):
            self.refused = "BAD_SIG"

    def hello_frame(self) -> Frame:
        verdict = decode(self.hello, "client", 1024)
        assert isinstance(verdict, Decoded)
        return verdict.frame

    def read_welcome(self, sender: str, octets: bytes, made: Frame) -> None:
        assert sender == "server" and self.refused is None

    def read_join(self, sender: str, octets: bytes, made: Frame) -> None:
        assert sender == "client" and self.joining is None
        self.joining = made

    def read_joined(self, sender: str, octets: bytes, made: Frame) -> None:
        join, self.joining = self.joining, None
        assert join is not None and sender == "server"
        name, epoch, room_id = made.value("room"), made.octets("epoch"), made.octets("room_id")
        assert isinstance(name, str) and epoch is not None and room_id is not None
        client_key = self.hello_frame().octets("client_key") if name == "@host" else None
        assert name == join.value("room") and room_id == crypto.room_id(self.keys["server"], epoch, name, client_key)
        window, last, start = made.number("granted_window"), made.number("last_counter"), made.number("start_seq")
        assert 1 <= window <= join.number("send_window")
        assert made.number("limit_counter") == last + window
        resumed = join.has("after_seq")
        assert start == (join.number("after_seq") if resumed else made.number("head_seq")) + 1
        room = Room(last + window, start + join.number("recv_window") - 1, start, last)
        room.chain = crypto.chain_start(room_id) if start == 1 else None
        self.rooms[room_id] = room

    def room(self, made: Frame) -> Room:
        return self.rooms[made.octets("room_id") or b""]

    def read_publish(self, sender: str, octets: bytes, made: Frame) -> None:
        room = self.room(made)
        assert sender == "client" and crypto.verify_message(made)
        assert made.octets("author_key") == self.hello_frame().octets("client_key")
        room.sent += 1
        assert made.number("counter") == room.sent <= room.limit_counter
        room.ids[room.sent] = crypto.message_id(made)

    def read_deliver(self, sender: str, octets: bytes, made: Frame) -> None:
        room = self.room(made)
        assert sender == "server" and crypto.verify_message(made)
        assert made.octets("author_key") in self.keys.values()
        assert (made.octets("author_key") == self.keys["server"]) == (made.value("nick") == "host")
        assert made.number("room_seq") == room.next_seq <= room.limit_seq
        room.next_seq += 1
        assert made.number("server_time") >= room.last_time
        room.last_time = made.number("server_time")
        identity = crypto.message_id(made)
        if made.has("reply_to"):
            assert made.octets("reply_to") in self.ids
        self.ids.add(identity)
        previous = made.octets("prev_hash") or room.chain
        assert room.chain in (None, previous)
        if previous is not None:
            room.chain = crypto.chain(previous, made.number("room_seq"), room.last_time, identity)

    def read_ack(self, sender: str, octets: bytes, made: Frame) -> None:
        room = self.room(made)
        if sender == "client":
            assert made.number("seen_seq") == room.next_seq - 1
            room.limit_seq = max(room.limit_seq, made.number("limit_seq"))
            return
        assert room.acked <= made.number("acked_counter") <= room.sent
        room.acked = made.number("acked_counter")
        assert made.number("acked_seq") > 0
        room.limit_counter = max(room.limit_counter, made.number("limit_counter"))

    def read_checkpoint(self, sender: str, octets: bytes, made: Frame) -> None:
        room = self.room(made)
        assert crypto.verify_checkpoint(self.keys["server"], made)
        if room.chain is not None and made.number("seq") == room.next_seq - 1:
            assert made.octets("chain") == room.chain

    def read_member(self, sender: str, octets: bytes, made: Frame) -> None:
        assert sender == "server" and made.octets("room_id") in self.rooms
        assert made.octets("member_key") in self.keys.values()

    def read_leave(self, sender: str, octets: bytes, made: Frame) -> None:
        assert sender == "client" and made.octets("room_id") in self.rooms

    def read_ping(self, sender: str, octets: bytes, made: Frame) -> None:
        self.pings.append(made.octets("opaque") or b"")

    def read_pong(self, sender: str, octets: bytes, made: Frame) -> None:
        assert self.pings.pop(0) == made.octets("opaque")

    def read_error(self, sender: str, octets: bytes, made: Frame) -> None:
        if made.number("code") >> 8 not in (4, 5):
            assert codec.project(made)["fields"]["code"] == self.refused  # type: ignore[index]
            self.closing |= {"client", "server"}

    def read_bye(self, sender: str, octets: bytes, made: Frame) -> None:
        self.closing.add(sender)


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session["id"])
def test_a_session_is_what_the_text_allows(session: Json) -> None:
    seeds = {name: bytes.fromhex(value) for name, value in session["seeds"].items()}
    keys = {name.removesuffix("_seed"): crypto.public_key(value) for name, value in seeds.items() if "_seed" in name}
    reader = Reader(keys)
    for number, step in enumerate(session["steps"], start=1):
        octets = bytes.fromhex(step["hex"])
        verdict = decode(octets, step["from"], CAP)
        assert isinstance(verdict, Decoded) and verdict.consumed == len(octets), f"step {number}: {verdict}"
        assert codec.project(verdict.frame) == step["frame"], f"step {number}"
        assert step["comment"]
        reader.read(step["from"], octets, verdict.frame)
    assert reader.closing == {"client", "server"} and reader.pings == []


def test_the_sessions_are_those_that_the_text_needs() -> None:
    assert [session["id"] for session in SESSIONS] == [
        "sync", "sync-no-answer", "async-window", "group-resume", "refused",
    ]  # fmt: skip


def test_sync_raises_the_limit_only_behind_the_answer() -> None:
    steps = next(session for session in SESSIONS if session["id"] == "sync")["steps"]
    names = [step["frame"]["frame"] for step in steps]
    question = names.index("PUBLISH")
    assert names[question : question + 6] == ["PUBLISH", "ACK", "DELIVER", "DELIVER", "ACK", "ACK"]
    first, second = (steps[question + at]["frame"]["fields"] for at in (1, 4))
    assert (first["acked_counter"], first["limit_counter"]) == ("1", "1")
    assert (second["acked_counter"], second["limit_counter"]) == ("1", "2")


def play_sync(change: Callable[[list[Json], int], list[Json]], name: str) -> None:
    """Play `sync` with the first frame of that name changed."""
    session = next(session for session in SESSIONS if session["id"] == "sync")
    steps = session["steps"]
    at = next(at for at, step in enumerate(steps) if step["frame"]["frame"] == name)
    test_a_session_is_what_the_text_allows({**session, "steps": change(steps, at)})


@pytest.mark.parametrize("name", ["CHALLENGE", "JOIN", "JOINED", "PUBLISH", "DELIVER", "PING", "PONG", "BYE"])
def test_the_reader_of_sessions_notices_a_frame_left_out(name: str) -> None:
    with pytest.raises((AssertionError, IndexError, KeyError)):
        play_sync(lambda steps, at: steps[:at] + steps[at + 1 :], name)


@pytest.mark.parametrize("name", ["JOIN", "JOINED", "PUBLISH", "DELIVER", "PING", "PONG", "BYE"])
def test_the_reader_of_sessions_finds_a_frame_that_comes_twice(name: str) -> None:
    with pytest.raises((AssertionError, IndexError, KeyError)):
        play_sync(lambda steps, at: steps[: at + 1] + steps[at:], name)
