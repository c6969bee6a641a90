# SPDX-License-Identifier: MIT
"""Faulty clients: windows and credit, both sides at any time, silence, counters of others."""

from __future__ import annotations

import select
import time

from fault import breaks
from mini_client import MiniClient
from mini_keeper import Room
from mini_link import gone
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FEATURES

VERY_LONG_S = 600.0


@breaks("FLOW-19")
class TakesMoreThanItsCredit(MiniClient):
    def check_place(self, room: Room, seq: int) -> None:
        if seq > room.limit_seq:
            room.next_seq = seq
        else:
            super().check_place(room, seq)


@breaks("FLOW-33", level="L2")
class ShowsAnswersOnly(MiniClient):
    def show(self, room: Room, deliver: Frame) -> None:
        if deliver.has("reply_to") or deliver.octets("author_key") == self.key:
            super().show(room, deliver)


@breaks("FLOW-33", level="L2")
class HearsWhenThePersonSpeaks(MiniClient):
    """It waits for the person first, as a client of L1 may."""

    def wait(self, *others: int) -> bool:
        room = self.current
        if not others or room.state != "IN" or room.has_unsent:
            return super().wait(*others)
        select.select(others, [], [])
        return True


@breaks("FLOW-34")
class NeedsCreditForItsGoodbye(MiniClient):
    def exit(self) -> None:
        room = self.current
        if room.state != "IN" or room.counter < room.limit_counter:
            super().exit()


@breaks("FLOW-41", level="L2")
class WritesAndDoesNotRead(MiniClient):
    """A write that blocks."""

    def push(self) -> None:
        assert self.sock is not None, "it writes on a connection"
        self.sock.setblocking(True)
        try:
            self.sock.sendall(self.out)
        except OSError:
            raise gone("reset") from None
        self.out = b""
        self.sock.setblocking(False)
        super().push()


@breaks("CON-08", level="L2")
class HasAWindowOfOne(MiniClient):
    """It asks for a window, and does not use it."""

    def speak(self) -> None:
        for room in self.rooms:
            if room.granted > 1:
                room.limit_counter = min(room.limit_counter, room.acked + 1)
        super().speak()


# --- silence ---


@breaks("AUTH-23", level="L2")
class WaitsForReadyForEver(MiniClient):
    def limit_handshake(self, seconds: float) -> None:
        """No limit at all."""


@breaks("LIVE-04", level="L2")
class NeverAsks(MiniClient):
    def ping(self) -> None:
        """It waits on, and says nothing."""


@breaks("LIVE-05", level="L2")
class WaitsForASilentServer(MiniClient):
    def take_terms(self, challenge: Frame) -> None:
        super().take_terms(challenge)
        self.dead_after = VERY_LONG_S


@breaks("LIVE-06", level="L2")
class CountsWholeFramesOnly(MiniClient):
    def read(self) -> None:
        before = self.heard, self.has_pinged
        super().read()
        self.heard, self.has_pinged = before

    def next_frame(self) -> Frame | None:
        frame = super().next_frame()
        if frame is not None:
            self.heard, self.has_pinged = time.monotonic(), False
        return frame


@breaks("LIVE-08", level="L2")
class HasNoLiveness(MiniClient):
    def offered_features(self) -> int:
        return super().offered_features() & ~FEATURES["liveness"]


# --- counters of others ---


@breaks("MSG-28", level="L3")
class SeesNoGaps(MiniClient):
    def note_counter(self, room: Room, deliver: Frame) -> None:
        room.counters.clear()
        super().note_counter(room, deliver)


@breaks("MSG-28", level="L3")
class MixesAuthorsUp(MiniClient):
    """One counter for all."""

    def note_counter(self, room: Room, deliver: Frame) -> None:
        last = max(room.counters.values(), default=None)
        if last is not None:
            room.counters[deliver.need("author_key")] = last
        super().note_counter(room, deliver)
