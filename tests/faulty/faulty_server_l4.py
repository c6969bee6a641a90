# SPDX-License-Identifier: MIT
"""Servers of level L4 that lose, starve, hoard or let everybody in."""

from __future__ import annotations

import time
from functools import partial

import fault
from mini_connection import Fatal
from mini_rooms import View
from mini_server import MiniServer
from mini_session import Session
from prosa_conformance.codec import Frame

breaks = partial(fault.breaks, level="L4")
MUCH = 1000  # octets that wait behind the frame at hand
A_MOMENT_S, A_LONG_TIME_S = 0.1, 0.4


# --- what is within the limit ---


@breaks("FLOW-35")
class DropsWhenBusy(Session):
    """What much waits behind is acknowledged, and has no place."""

    def accept(self, view: View, publish: Frame) -> None:
        if len(self.buffer) < MUCH:
            super().accept(view, publish)
            return
        view.last = publish.number("counter")
        view.limit_counter = view.last + view.granted
        self.ack(view)


@breaks("FLOW-35")
class ForgetsWhenBusy(Session):
    """The same without the acknowledgement: the author waits for ever."""

    def take_publish(self, publish: Frame) -> None:
        if len(self.buffer) < MUCH:
            super().take_publish(publish)


@breaks("FLOW-35")
class EndsWhoIsFast(Session):
    """A whole window at once is too much for it."""

    def accept(self, view: View, publish: Frame) -> None:
        if len(self.buffer) > MUCH:
            raise Fatal("FLOW_VIOLATION", "FLOW-35")
        super().accept(view, publish)


@breaks("FLOW-35")
class TakesTokensForMessages(Session):
    def take_publish(self, publish: Frame) -> None:
        super().take_publish(publish)
        self.refill()
        self.tokens -= 1
        if self.tokens < 0:
            self.deadline = time.monotonic() - self.tokens / self.server.limits["token_rate"]


@breaks("FLOW-42")
class ServesTheLoudest(MiniServer):
    """Whose input is longest has a turn, and nobody else."""

    def turn(self) -> bool:
        loudest = max(self.sessions, key=lambda session: len(session.buffer), default=None)
        for session in self.sessions:
            session.is_heard = session is loudest or not session.nick
        return super().turn()

    class Patient(Session):
        is_heard = True

        def may_decide(self) -> bool:
            return self.is_heard and super().may_decide()

    session_class = Patient


# --- when it stops reading ---


@breaks("FLOW-36")
class ReadsOnWhateverIsOwed(Session):
    def wants_to_read(self) -> bool:
        return not (self.is_at_end or self.waits_for_a_token())


@breaks("FLOW-36", "FLOW-37")
class ReadsOnWithoutAToken(Session):
    """It decides nothing without a token, and keeps all that comes meanwhile."""

    def wants_to_read(self) -> bool:
        return super().wants_to_read() or (self.waits_for_a_token() and not self.is_at_end)


@breaks("FLOW-36")
class CountsUnfinishedFrames(Session):
    """What is not whole yet is undecided to it, and so never gets whole."""

    def wants_to_read(self) -> bool:
        return super().wants_to_read() and len(self.buffer) <= self.server.limits["undecided_limit"]


@breaks("FLOW-37")
class ScoldsInsteadOfWaiting(Session):
    """It waits before a LEAVE, and has no patience with anything else."""

    def pay(self, frame: Frame | None) -> bool:
        has_paid = super().pay(frame)
        if not has_paid and frame is not None and frame.name != "LEAVE":
            raise Fatal("DENIED", "FLOW-37")
        return has_paid


@breaks("FLOW-37")
class HasABottomlessBucket(Session):
    def pay(self, frame: Frame | None) -> bool:
        return True


@breaks("FLOW-37")
class LetsJoinAndLeaveForNothing(Session):
    def pay(self, frame: Frame | None) -> bool:
        return (frame is not None and frame.name in ("JOIN", "LEAVE")) or super().pay(frame)


@breaks("FLOW-37")
class SavesTokensForEver(Session):
    """What a long silence brings goes beyond the brim, and stays."""

    def refill(self) -> None:
        limits, silence = self.server.limits, time.monotonic() - self.refilled
        saved = max(0.0, self.tokens - limits["token_burst"])
        super().refill()
        self.tokens += saved + (silence * limits["token_rate"] if silence > A_LONG_TIME_S else 0)


# --- strangers ---


@breaks("LIM-04", "LIM-05")
class LetsEveryStrangerIn(MiniServer):
    def make_place(self, address: str) -> bool:
        return True


@breaks("LIM-04")
class RefusesTheNewcomer(MiniServer):
    def who_goes(self, strangers: list[Session]) -> Session | None:
        return None


@breaks("LIM-04")
class ClosesTheYoungest(MiniServer):
    def who_goes(self, strangers: list[Session]) -> Session | None:
        return super().who_goes(strangers[::-1])


@breaks("LIM-04")
class ClosesWhoSaidHello(MiniServer):
    """The oldest goes, whatever it has said."""

    def who_goes(self, strangers: list[Session]) -> Session | None:
        return strangers[0]


@breaks("LIM-04")
class ForgetsWhomItRefused(MiniServer):
    """Who was sent an ERROR takes no place any more, and is there all the same."""

    def strangers(self) -> list[Session]:
        return [session for session in super().strangers() if session.state != "CLOSING"]


@breaks("LIM-05")
class WelcomesACrowd(MiniServer):
    def is_crowd(self, strangers: list[Session], address: str) -> bool:
        return False


@breaks("LIM-05")
class FearsEveryCrowd(MiniServer):
    """Eight of one address are enough for it, however many places there are."""

    def is_crowd(self, strangers: list[Session], address: str) -> bool:
        return sum(one.address == address for one in strangers) >= 8


@breaks("LIM-05")
class MakesRoomForACrowd(MiniServer):
    """With all places taken it looks for somebody who has to go before it counts."""

    def is_crowd(self, strangers: list[Session], address: str) -> bool:
        return len(strangers) < 64 and super().is_crowd(strangers, address)


# --- memory ---


@breaks("LIM-07")
class WritesAheadForWhoDoesNotRead(Session):
    """Output_limit is announced, and nothing follows from it."""

    def has_space(self) -> bool:
        return True


@breaks("LIM-08")
class KeepsAQueueForEach(Session):
    """A copy of every entry, until there is credit for it."""

    def flush(self, view: View) -> None:
        queue = self.__dict__.setdefault("queue", {})
        for seq in range(max(queue, default=view.cursor) + 1, view.room.head + 1):
            queue[seq] = bytearray(view.room.entry(seq))
        super().flush(view)
        for seq in [seq for seq in queue if seq <= view.cursor and seq < max(queue)]:
            del queue[seq]
