# SPDX-License-Identifier: MIT
"""Faulty clients with `resume`: what they keep, when they come back, and with what."""

from __future__ import annotations

import time

from fault import breaks
from mini_client import MiniClient
from mini_keeper import Room
from mini_link import Over
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame

RESUME = ("resume",)


@breaks("RES-03", level="L2", features=RESUME)
class NoticesNoLoss(MiniClient):
    def history_is_lost(self, room: Room, joined: Frame) -> bool:
        return False


@breaks("RES-03", level="L2", features=RESUME)
class LooksAtTheEpochAlone(MiniClient):
    def history_is_lost(self, room: Room, joined: Frame) -> bool:
        return room.asked is not None and room.asked[0] not in (None, joined.octets("epoch"))


@breaks("RES-07", level="L2", features=RESUME)
class KeepsItsMessagesInMind(MiniClient):
    """They live as long as the program does."""

    def keep_message(self, room: Room, publish: Frame) -> None:
        room.kept[room.counter] = codec.encode(publish)


@breaks("RES-08", level="L2", features=RESUME)
class SignsAgain(MiniClient):
    def send_again(self, room: Room) -> None:
        while room.state == "IN" and room.sent < min(room.counter, room.limit_counter):
            room.sent += 1
            verdict = codec.decode(room.kept[room.sent], "client", 1 << 16)
            assert isinstance(verdict, codec.Decoded), "it has kept a good frame"
            now = codec.field_value("sent_at", int(time.time() * 1000))
            self.send(crypto.sign_message(self.seed, verdict.frame.without("sent_at", "author_sig").plus(now)))


@breaks("RES-08", level="L2", features=RESUME)
class SendsAllOfItAgain(MiniClient):
    """From the first that it keeps on, whatever the server has."""

    is_joining = False

    def take_stock(self, room: Room, epoch: bytes, last_counter: int) -> None:
        self.is_joining = True
        super().take_stock(room, epoch, last_counter)
        self.is_joining = False
        if room.kept:
            room.sent = min(room.kept) - 1

    def settle(self, room: Room) -> None:
        if not self.is_joining:
            super().settle(room)


@breaks("RES-08", level="L2", features=RESUME)
class ForgetsWhatWasNotSent(MiniClient):
    def tell_unsent(self, room: Room, counter: int) -> None:
        """Not a word."""


@breaks("RES-08", level="L2", features=("resume", "audit"))
class BelievesItsAcks(MiniClient):
    """What was acknowledged once is sent no more."""

    def take_stock(self, room: Room, epoch: bytes, last_counter: int) -> None:
        known = room.acked if epoch == room.epoch else 0
        super().take_stock(room, epoch, max(last_counter, known))


@breaks("RES-11", level="L2", features=RESUME)
class TriesWithoutAPause(MiniClient):
    def pause(self) -> float:
        return 0.0


@breaks("RES-11", level="L2", features=RESUME)
class DoesNotWaitAsAsked(MiniClient):
    def back_off(self, over: Over) -> Over | None:
        over.after_ms = 0
        return super().back_off(over)


@breaks("RES-13", level="L2", features=RESUME)
class AlwaysComesBack(MiniClient):
    def may_come_back(self, over: Over) -> bool:
        return self.is_resuming and not self.is_leaving


@breaks("RES-13", level="L2", features=RESUME)
class ComesBackWithoutResume(MiniClient):
    def may_come_back(self, over: Over) -> bool:
        self.is_resuming = True
        return super().may_come_back(over)


@breaks("RES-15", level="L2", features=RESUME)
class BeginsLive(MiniClient):
    """Where a former life was does not matter to it."""

    def place(self, room: Room) -> tuple[bytes | None, int] | None:
        super().place(room)
        return None
