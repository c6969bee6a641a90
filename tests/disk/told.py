# SPDX-License-Identifier: MIT
"""What a server has told the network, from the record of shim.c: so what it promised, and when."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from disk import Did
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES

CODE_NAMES = {code.number: name for name, code in CODES.items()}
CAP = 1 << 20


def sent(deeds: Sequence[Did]) -> Iterator[tuple[int, int, bytes]]:
    """When, on which socket, which octets; what a server was killed in may have gone out."""
    offered: dict[int, tuple[int, bytes]] = {}
    for number, deed in enumerate(deeds):
        if deed.kind == ">":
            offered[deed.socket] = (number, deed.content)
        elif deed.kind == "<":
            since, content = offered.pop(deed.socket)
            yield since, deed.socket, content[: deed.offset]
    for socket, (since, content) in offered.items():
        yield since, socket, content


def frames(deeds: Sequence[Did]) -> Iterator[tuple[int, Frame]]:
    """Each frame that went out, with the number of deeds that were done before."""
    pending: dict[int, bytes] = {}
    for since, socket, content in sent(deeds):
        octets = pending.get(socket, b"") + content
        while not isinstance(verdict := codec.decode(octets, "server", CAP), codec.Partial):
            assert isinstance(verdict, codec.Decoded | codec.Ignored), verdict
            if isinstance(verdict, codec.Decoded):
                yield since, verdict.frame
            octets = octets[verdict.consumed :]
        pending[socket] = octets


@dataclass
class History:
    """What a room is: its entries, and the chain behind each."""

    entries: dict[int, Frame] = field(default_factory=dict)
    chain: dict[int, bytes] = field(default_factory=dict)


class Told:
    """All that was told of rooms. A contradiction within it is a failure of the server."""

    def __init__(self, deeds: Sequence[Did], before: Told | None = None) -> None:
        self.rooms: dict[bytes, History] = copy.deepcopy(before.rooms) if before else {}
        self.heads: list[tuple[int, bytes, int]] = []  # when, room_id, an entry that is there for good
        self.codes: list[str] = []  # of ERRORs
        self.last_counters: list[int] = []  # of JOINEDs
        self.acked = 0
        self._promised: dict[bytes, int] = {}
        self._told_of = 0
        for number, frame in frames(deeds):
            self._take(number, frame)
        self.heads.sort(key=lambda head: head[0])

    def chain(self, room_id: bytes, seq: int, chain: bytes) -> None:
        known = self.rooms.setdefault(room_id, History({}, {0: crypto.chain_start(room_id)})).chain
        assert known.setdefault(seq, chain) == chain, f"two histories of entry {seq}"

    def _take(self, number: int, frame: Frame) -> None:
        if frame.name == "DELIVER":
            room_id, seq = frame.need("room_id"), frame.number("room_seq")
            assert crypto.verify_message(frame), f"entry {seq} is forged"
            self.chain(room_id, seq - 1, frame.need("prev_hash"))
            identity = crypto.message_id(frame)
            self.chain(room_id, seq, crypto.chain(frame.need("prev_hash"), seq, frame.number("server_time"), identity))
            assert self.rooms[room_id].entries.setdefault(seq, frame) == frame, f"two entries {seq}"
            self.heads.append((number, room_id, seq))
        elif frame.name == "CHECKPOINT":
            self.chain(frame.need("room_id"), frame.number("seq"), frame.need("chain"))
            self.heads.append((number, frame.need("room_id"), frame.number("seq")))
        elif frame.name == "ACK" and frame.has("acked_seq"):
            self.acked += 1
            self.heads.append((number, frame.need("room_id"), frame.number("acked_seq")))
        elif frame.name == "JOINED":
            self.last_counters.append(frame.number("last_counter"))
            self.heads.append((number, frame.need("room_id"), frame.number("head_seq")))
        elif frame.name == "ERROR":
            self.codes.append(CODE_NAMES[frame.number("code")])

    def promised(self, number: int) -> dict[bytes, int]:
        """The head that each room has at least, after so many deeds; asked for from the first to the last."""
        while self._told_of < len(self.heads) and self.heads[self._told_of][0] < number:
            _, room_id, seq = self.heads[self._told_of]
            self._promised[room_id] = max(seq, self._promised.get(room_id, 0))
            self._told_of += 1
        return self._promised
