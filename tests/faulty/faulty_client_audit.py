# SPDX-License-Identifier: MIT
"""Faulty clients with `audit`."""

from __future__ import annotations

from fault import breaks
from mini_client import MiniClient
from mini_keeper import Room
from mini_link import Fatal
from prosa_conformance.codec import Frame

AUDIT = ("resume", "audit")


@breaks("AUD-05", level="L2", features=AUDIT)
class BelievesEveryHash(MiniClient):
    def check_chain(self, room: Room, deliver: Frame) -> None:
        room.chain = deliver.octets("prev_hash") or room.chain
        super().check_chain(room, deliver)


@breaks("AUD-05", level="L2", features=AUDIT)
class NeedsNoHash(MiniClient):
    def check_chain(self, room: Room, deliver: Frame) -> None:
        if deliver.has("prev_hash"):
            super().check_chain(room, deliver)


@breaks("AUD-05", level="L2", features=AUDIT)
class LeavesForgeriesOut(MiniClient):
    """What it does not show is no part of its chain."""

    def check_chain(self, room: Room, deliver: Frame) -> None:
        if self.signature_is_good(deliver):
            super().check_chain(room, deliver)


@breaks("AUD-05", level="L2", features=AUDIT)
class ReadsNoCheckpoint(MiniClient):
    def check_checkpoint(self, room: Room, checkpoint: Frame) -> None:
        """Its signature is good: that is enough."""


@breaks("AUD-05", level="L2", features=AUDIT)
class ForgetsWhatIsAhead(MiniClient):
    def check_checkpoint(self, room: Room, checkpoint: Frame) -> None:
        if checkpoint.number("seq") < room.next_seq:
            super().check_checkpoint(room, checkpoint)


@breaks("AUD-05", level="L2", features=AUDIT)
class BelievesAnySignature(MiniClient):
    def judge_checkpoint(self, room: Room, checkpoint: Frame) -> None:
        self.check_checkpoint(room, checkpoint)


@breaks("AUD-05", level="L2", features=AUDIT)
class KeepsNoEvidence(MiniClient):
    def fork(self, room: Room, *evidence: Frame) -> None:
        raise Fatal("FORK")


@breaks("AUD-06", level="L2", features=AUDIT)
class ForgetsAtTheAck(MiniClient):
    def settle(self, room: Room) -> None:
        super().settle(room)
        if self.spool is not None:
            self.forget(room, [counter for counter in room.kept if counter <= room.acked])
