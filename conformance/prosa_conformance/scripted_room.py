# SPDX-License-Identifier: MIT
"""A room as the scripted server keeps it: who said what, and what a client that joins is told of that."""

from __future__ import annotations

from dataclasses import dataclass, field

from prosa_conformance import crypto
from prosa_conformance.codec import Frame


@dataclass
class ScriptedRoom:
    """`head_seq` is the last place that was given in this JOIN; `entries` are the DELIVERs of all."""

    name: str
    id: bytes
    epoch: bytes
    granted: int
    limit_seq: int
    head_seq: int = 0
    last_counter: int = 0
    own_counter: int = 0
    seq_of: dict[int, int] = field(default_factory=dict)
    entries: dict[int, Frame] = field(default_factory=dict)
    hashes: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_sync(self) -> bool:
        """Whether an answer raises the limit, and not acceptance [FLOW-27]."""
        return self.name == "@host" and self.granted == 1

    @property
    def newest_seq(self) -> int:
        return max(self.entries, default=0)

    def chain_at(self, seq: int) -> bytes:
        """h of this entry; h_0 where there is none before."""
        return self.hashes.get(seq) or crypto.chain_start(self.id)

    def take(self, deliver: Frame, author: bytes) -> None:
        """Enter what is delivered at its place."""
        seq = self.head_seq = deliver.number("room_seq")
        self.entries[seq] = deliver
        at, identity = deliver.number("server_time"), crypto.message_id(deliver)
        self.hashes[seq] = crypto.chain(self.chain_at(seq - 1), seq, at, identity)
        if deliver.value("author_key") == author:
            self.seq_of[deliver.number("counter")] = seq

    def told(self, join: Frame) -> dict[str, int]:
        """What JOINED says of it to a server's own client with `resume` [RES-01, RES-02]."""
        start = self.newest_seq + 1
        if join.has("after_seq"):
            after = join.number("after_seq")
            goes_on = join.octets("epoch") == self.epoch and after <= self.newest_seq
            start = after + 1 if goes_on else 1
        return {"last_counter": self.last_counter, "head_seq": self.newest_seq, "start_seq": start}
