# SPDX-License-Identifier: MIT
"""Faulty clients: goodbyes and errors."""

from __future__ import annotations

import socket

from fault import breaks
from mini_client import MiniClient
from mini_link import GOOD, PROTOCOL, Fatal, Over
from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CONSTANTS, FRAMES


def changed(over: Over, *, how: str = "", exit_code: int | None = None) -> Over:
    """The same end with another word for it, or another exit code."""
    return Over(how or over.how, over.exit_code if exit_code is None else exit_code, over.code, over.reason)


class StaysOpen(MiniClient):
    """Its sending side is open behind its BYE or ERROR, so that more can be sent."""

    def push(self) -> None:
        self.is_shut = True
        super().push()

    def shut(self) -> None:
        assert self.sock is not None, "it was open"
        self.sock.shutdown(socket.SHUT_WR)


@breaks("END-04")
class TalksBehindItsBye(StaysOpen):
    def say_bye(self) -> None:
        super().say_bye()
        self.send(codec.frame("PONG", opaque=b"by the way"))
        self.shut()


@breaks("END-05")
class AnswersTheAnswer(StaysOpen):
    def take_end(self, frame: Frame) -> None:
        if frame.name == "BYE":
            self.say_bye()
            self.shut()
        super().take_end(frame)


@breaks("END-06")
class WaitsOnAfterAGoodbye(MiniClient):
    def next_frame(self) -> Frame | None:
        frame = super().next_frame()
        is_early = self.cap == CONSTANTS["max_frame_handshake"]
        return super().next_frame() if is_early and frame is not None and frame.name == "BYE" else frame


@breaks("END-09")
class TakesGoodbyeForAFailure(MiniClient):
    def end(self, over: Over) -> int:
        is_theirs = over.code == "NORMAL" and not self.is_leaving
        return super().end(changed(over, exit_code=PROTOCOL) if is_theirs else over)


@breaks("END-11")
class TakesAShutdownForTheEnd(MiniClient):
    def end(self, over: Over) -> int:
        return super().end(changed(over, exit_code=GOOD) if over.code == "SHUTDOWN" else over)


@breaks("END-16", level="L2")
class CallsEveryEndSilence(MiniClient):
    def end(self, over: Over) -> int:
        return super().end(changed(over, how="silence") if over.how in ("eof", "reset") else over)


@breaks("ERR-03")
class SaysGoodbyeToErrors(MiniClient):
    def take_error(self, error: Frame) -> bool:
        stays = super().take_error(error)
        if not stays:
            self.say_bye()
        return stays


@breaks("ERR-05")
class ForgetsTheClass(MiniClient):
    def end(self, over: Over) -> int:
        is_unknown = over.code is not None and over.code.isdecimal()
        return super().end(changed(over, exit_code=PROTOCOL) if is_unknown else over)


@breaks("ERR-06")
class ReadsOnBehindItsError(StaysOpen):
    def refuse(self, code: str) -> Over:
        over = super().refuse(code)
        frame = self.next_frame()
        if frame is not None and frame.name == "PING":
            self.send(codec.frame("PONG", opaque=frame.octets("opaque")))
        self.shut()
        return over

    def malformed(self, verdict: codec.Rejected) -> None:
        """It goes on behind the faulty frame."""
        self.buffer = self.buffer[8 + int.from_bytes(self.buffer[4:8], "big") :]
        raise Fatal(verdict.code)


@breaks("ERR-09")
class HasOneCodeForErrors(MiniClient):
    def end(self, over: Over) -> int:
        return super().end(changed(over, exit_code=PROTOCOL) if over.how == "error" else over)


@breaks("ERR-10")
class RefusesMalformedGoodbyes(MiniClient):
    def malformed(self, verdict: codec.Rejected) -> None:
        if self.buffer[3] in (FRAMES["ERROR"].type, FRAMES["BYE"].type):
            raise Fatal(verdict.code)
        super().malformed(verdict)
