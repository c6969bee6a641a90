# SPDX-License-Identifier: MIT
"""Servers that are wrong about frames on a connection (chapter 3), and about PING and PONG at L1 (section 6.6)."""

from __future__ import annotations

from typing import Any

from fault import breaks
from mini_connection import Fatal
from mini_rooms import View
from mini_server import MiniServer
from mini_session import Session
from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CONSTANTS, FRAMES_BY_TYPE, GREASE_TAGS, GREASE_TYPES

# --- headers and caps ---


@breaks("WIRE-03")
class TellsOtherProtocolsOff(Session):
    def malformed(self, verdict: codec.Rejected) -> None:
        if self.state == "NEW" and verdict.why.startswith("the magic"):
            raise Fatal(verdict.code, "WIRE-03")
        super().malformed(verdict)


@breaks("WIRE-03")
class WaitsForAWholeHeader(Session):
    """A single wrong octet is not enough to it."""

    def decide(self) -> None:
        if self.state == "NEW" and len(self.buffer) < codec.HEADER.size:
            self.has_whole_frame = False
        else:
            super().decide()


@breaks("WIRE-07")
class TakesLongFramesOfStrangers(Session):
    def cap(self) -> int:
        return self.server.limits["max_frame"]


@breaks("WIRE-07")
class TakesOnlyShortFramesOfStrangers(Session):
    def cap(self) -> int:
        return super().cap() if self.state == "READY" else CONSTANTS["max_frame_handshake"] // 2


@breaks("WIRE-08")
class KeepsTheCapOfStrangers(Session):
    def cap(self) -> int:
        return CONSTANTS["max_frame_handshake"]


@breaks("WIRE-08")
class KnowsNoCap(Session):
    def cap(self) -> int:
        return CONSTANTS["max_frame_ceiling"] if self.state == "READY" else super().cap()


@breaks("WIRE-09")
class HasTooSmallACap(MiniServer):
    def __init__(self, level: int, limits: dict[str, int], *rest: Any) -> None:
        super().__init__(level, {**limits, "max_frame": CONSTANTS["max_frame_floor"] - 1}, *rest)


@breaks("WIRE-09")
class HasTooLargeACap(MiniServer):
    def __init__(self, level: int, limits: dict[str, int], *rest: Any) -> None:
        super().__init__(level, {**limits, "max_frame": CONSTANTS["max_frame_ceiling"] + 1}, *rest)


# --- pieces ---


@breaks("WIRE-10")
class TakesOneFrameOfEachRead(Session):
    """What stands behind it in the same segment is lost."""

    def readable(self) -> None:
        super().readable()
        verdict = codec.decode(self.buffer, "client", self.cap())
        if isinstance(verdict, codec.Decoded):
            self.buffer = self.buffer[: verdict.consumed]


@breaks("WIRE-10")
class WantsEachFrameWhole(Session):
    """Half a frame is no frame to it."""

    def decide(self) -> None:
        if self.buffer and isinstance(codec.decode(self.buffer, "client", self.cap()), codec.Partial):
            raise Fatal("BAD_FRAME", "WIRE-10")
        super().decide()


@breaks("WIRE-10")
class ForgetsHalfAHeader(Session):
    def readable(self) -> None:
        if len(self.buffer) < codec.HEADER.size:
            self.buffer = b""
        super().readable()


# --- types ---


@breaks("WIRE-13")
class AnswersStrangers(Session):
    """PING before READY."""

    def take(self, frame: Frame) -> None:
        if frame.name == "PING":
            self.take_ping(frame)
        else:
            super().take(frame)


@breaks("WIRE-13")
class IgnoresUnknownTypesOfStrangers(Session):
    """Odd ones, as WIRE-12 has it from READY on."""

    def refuse(self, fatal: Fatal) -> None:
        if self.state == "READY" or fatal.clause != "WIRE-13" or self.current is not None:
            super().refuse(fatal)


@breaks("WIRE-15")
class IgnoresItsOwnFrames(Session):
    def take(self, frame: Frame) -> None:
        if FRAMES_BY_TYPE[frame.type].sender != "server":
            super().take(frame)


@breaks("WIRE-15")
class CallsItsOwnFramesMalformed(Session):
    def take(self, frame: Frame) -> None:
        if FRAMES_BY_TYPE[frame.type].sender == "server":
            raise Fatal("BAD_FRAME", "WIRE-15")
        super().take(frame)


@breaks("WIRE-26")
class TakesGreaseForAPing(Session):
    def readable(self) -> None:
        super().readable()
        if self.buffer[3:4] and self.buffer[3] in GREASE_TYPES:
            self.send(codec.frame("PONG", opaque=b""))


@breaks("WIRE-26")
class TripsOverGrease(Session):
    """A tag that nobody uses has a meaning in its JOIN."""

    def take_join(self, join: Frame) -> None:
        if any(tag in GREASE_TAGS for tag, _ in join.fields):
            raise Fatal("BAD_FRAME", "WIRE-26")
        super().take_join(join)


@breaks("WIRE-28")
class GreasesTheHandshake(Session):
    def send(self, frame: Frame) -> None:
        if frame.name == "CHALLENGE":
            self.out += codec.raw_frame(GREASE_TYPES[0], b"")
        super().send(frame)


# --- PING and PONG ---


@breaks("LIVE-01")
class AnswersPingsInAnyOrder(Session):
    """The last first."""

    def take_ping(self, ping: Frame) -> None:
        pong = codec.encode(codec.frame("PONG", opaque=ping.octets("opaque")))
        self.out[:0] = pong


@breaks("LIVE-01")
class CutsTheOpaque(Session):
    def take_ping(self, ping: Frame) -> None:
        self.send(codec.frame("PONG", opaque=ping.need("opaque")[:15]))


@breaks("LIVE-01")
class AnswersTheFirstPing(Session):
    has_answered = False

    def take_ping(self, ping: Frame) -> None:
        if not self.has_answered:
            super().take_ping(ping)
        self.has_answered = True


@breaks("LIVE-02")
class AnswersPingsFirst(Session):
    """A PING is answered as soon as it is there, whatever waits before it."""

    def readable(self) -> None:
        super().readable()
        at, kept = 0, b""
        while self.state == "READY" and at < len(self.buffer):
            verdict = codec.decode(self.buffer[at:], "client", self.cap())
            if isinstance(verdict, codec.Partial | codec.Rejected):
                break
            octets = self.buffer[at : at + verdict.consumed]
            if isinstance(verdict, codec.Decoded) and verdict.frame.name == "PING":
                self.take_ping(verdict.frame)
            else:
                kept += octets
            at += verdict.consumed
        self.buffer = kept + self.buffer[at:]


@breaks("LIVE-03")
class DeliversAtTheEndOfItsTurn(MiniServer):
    """A PONG overtakes the DELIVERs that are visible already."""

    class Hasty(Session):
        def has_all(self) -> bool:
            return True

    session_class = Hasty

    def tell(self, view: View) -> None:
        if view.ack_due:
            view.session.ack(view)


@breaks("LIVE-03")
class LetsPongsWaitForCredit(Session):
    def has_all(self) -> bool:
        return all(view.cursor >= view.room.head for view in self.views.values())


@breaks("LIVE-09")
class ChecksPongs(Session):
    """It has never asked."""

    def take_pong(self, pong: Frame) -> None:
        raise Fatal("BAD_STATE", "LIVE-09")


@breaks("FLOW-34")
class LetsAcksWaitForCredit(Session):
    """A message is acknowledged when its author may see it."""

    def ack(self, view: View) -> None:
        if view.room.head <= view.limit_seq:
            super().ack(view)


@breaks("FLOW-34")
class LetsErrorsWaitForCredit(Session):
    """Who has used up its credit is told nothing at all."""

    def send(self, frame: Frame) -> None:
        if frame.name != "ERROR" or all(view.room.head < view.limit_seq for view in self.views.values()):
            super().send(frame)
