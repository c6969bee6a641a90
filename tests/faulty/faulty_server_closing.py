# SPDX-License-Identifier: MIT
"""Servers that are wrong about goodbyes, errors and vanished clients (chapter 7)."""

from __future__ import annotations

import os
import socket

from fault import breaks
from mini_connection import Fatal
from mini_rooms import View
from mini_server import MiniServer
from mini_session import Session
from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES, FRAMES

GOODBYE = codec.encode(codec.frame("BYE", code="NORMAL"))


# --- goodbyes of the client ---


@breaks("END-01")
class ClosesAtOnceAfterItsGoodbye(Session):
    """What its client still says is answered with a reset."""

    def shut(self) -> None:
        super().shut()
        if self.server.over:
            self.state = "GONE"


@breaks("END-02")
class ClosesWithoutAGoodbye(Session):
    def take_bye(self) -> None:
        self.finish(None)


@breaks("END-02")
class AnswersWithShutdown(Session):
    def take_bye(self) -> None:
        self.goodbye("SHUTDOWN")


@breaks("END-03")
class SkipsWhatStandsBeforeABye(Session):
    def take_publish(self, publish: Frame) -> None:
        if GOODBYE not in self.buffer:
            super().take_publish(publish)


@breaks("END-06")
class KeepsStrangersWhoSayGoodbye(Session):
    def take_bye(self) -> None:
        if self.state == "READY":
            super().take_bye()


# --- goodbyes of the server ---


class TalksOn(Session):
    """Shuts its sending side only when the client has: it can say more behind its last frame."""

    def shut(self) -> None:
        if self.is_at_end:
            super().shut()


@breaks("END-04")
class ScoldsBehindItsGoodbye(TalksOn):
    def discard(self, octets: bytes) -> None:
        if octets:
            self.send(self.make_error(Fatal("BAD_STATE", "END-04")))


@breaks("END-05")
class AnswersTheByeThatCrossedIts(TalksOn):
    def discard(self, octets: bytes) -> None:
        if GOODBYE in octets:
            self.send(self.make_bye("NORMAL"))


@breaks("END-08")
class CallsExitAShutdown(MiniServer):
    def end(self, code: str) -> None:
        super().end("SHUTDOWN")


@breaks("END-08", "END-10", level="L3")
class SaysGoodbyeToOneClient(MiniServer):
    def end(self, code: str) -> None:
        first, *others = self.sessions or [None]
        for session in others:
            session.finish(None)
        if first is not None:
            first.goodbye(code)
        self.over = True


@breaks("END-08")
class EndsWithOneAfterExit(MiniServer):
    is_over_by_exit = False

    def typed(self, line: bytes) -> None:
        self.is_over_by_exit = self.is_over_by_exit or line == b"exit"
        super().typed(line)

    def serve(self, listener: socket.socket, wake: int) -> None:
        super().serve(listener, wake)
        if self.is_over_by_exit:
            raise SystemExit(1)


@breaks("END-10")
class EndsWithoutAWord(MiniServer):
    def end(self, code: str) -> None:
        if code == "SHUTDOWN":
            os._exit(0)
        super().end(code)


@breaks("END-10")
class CallsSigtermNormal(MiniServer):
    def end(self, code: str) -> None:
        super().end("NORMAL")


@breaks("END-10")
class WaitsForItsClients(MiniServer):
    """It ends when the last client has closed, however long that takes."""

    class Patient(Session):
        def expire(self) -> None:
            if self.state != "CLOSING":
                super().expire()
            self.deadline = None

    session_class = Patient


# --- the operator's console ---


@breaks("END-12")
class ServesNobodyWithoutItsOperator(MiniServer):
    """The end of its console is to it the end of its service; who knocks now is left at the door."""

    def accepts(self) -> bool:
        return super().accepts() and self.operator is not None


@breaks("END-19", level="L3")
class AnswersTheNewestQuestion(MiniServer):
    def ask(self, view: View, question: Frame) -> None:
        super().ask(view, question)
        self.questions = self.questions[-1:] + self.questions[:-1]


@breaks("END-19", level="L3")
class TakesEveryLineAsItIs(MiniServer):
    """With several clients, too."""

    def typed(self, line: bytes) -> None:
        nick, _, text = line.partition(b" ")
        super().typed(text if nick.startswith(b"@") else line)


@breaks("END-19", level="L3")
class SaysItToEverybody(MiniServer):
    """A line for nobody goes to all instead of back to the operator."""

    def say_to(self, view: View | None, text: bytes) -> None:
        views = [one for session in self.sessions for one in session.views.values()] if view is None else [view]
        for one in views:
            super().say_to(one, text)


# --- clients that vanish ---


@breaks("END-17", falls=True)
class DiesWithItsClient(Session):
    def vanish(self) -> None:
        os._exit(1)


@breaks("END-17")
class WaitsForTheRestOfTheFrame(Session):
    """End of file in mid-frame is to it a client that takes its time."""

    def decide(self) -> None:
        if isinstance(codec.decode(self.buffer, "client", self.cap()), codec.Partial):
            self.has_whole_frame = False
        else:
            super().decide()


@breaks("END-17")
class HoldsThePlaceOfWhoWasReset(Session):
    def vanish(self) -> None:
        self.leave_all()
        self.state, self.is_at_end, self.has_whole_frame, self.deadline = "LOST", True, False, None


# --- errors ---


@breaks("ERR-01")
class ThrowsAwayWhatItHasToSay(Session):
    """The ERROR overtakes the outcomes of the frames before the fault, and they are lost."""

    def refuse(self, fatal: Fatal) -> None:
        self.out.clear()
        super().refuse(fatal)


@breaks("ERR-02")
class AnswersAnError(Session):
    def take_error(self, error: Frame) -> None:
        if self.closes(error.number("code")):
            raise Fatal("BAD_STATE", "ERR-02")


@breaks("ERR-03")
class SaysGoodbyeAfterAnError(Session):
    def take_error(self, error: Frame) -> None:
        if self.closes(error.number("code")):
            self.goodbye("NORMAL")


@breaks("ERR-03")
class StaysAfterAnError(Session):
    def take_error(self, error: Frame) -> None:
        pass


@breaks("ERR-03")
class StaysAfterAnErrorOfAStranger(Session):
    def take_error(self, error: Frame) -> None:
        if self.state == "READY":
            super().take_error(error)


@breaks("ERR-04")
class EndsWithARefusal(Session):
    """An ERROR of class 04 is the end to it."""

    def send(self, frame: Frame) -> None:
        if frame.name == "ERROR" and frame.number("code") >> 8 == 4:
            self.finish(None)
        super().send(frame)


@breaks("ERR-05")
class DespairsOfUnknownCodes(Session):
    def closes(self, number: int) -> bool:
        return super().closes(number) or number not in {code.number for code in CODES.values()}


@breaks("ERR-05")
class IgnoresUnknownCodes(Session):
    def closes(self, number: int) -> bool:
        return super().closes(number) and number in {code.number for code in CODES.values()}


@breaks("ERR-05")
class IgnoresUnknownClasses(Session):
    def closes(self, number: int) -> bool:
        return super().closes(number) and number >> 8 in {code.number >> 8 for code in CODES.values()}


@breaks("ERR-06")
class AnswersBehindItsError(TalksOn):
    def discard(self, octets: bytes) -> None:
        if octets[3:4] == bytes([FRAMES["PING"].type]):
            self.send(codec.frame("PONG", opaque=b"still there!"))


@breaks("ERR-07", "ERR-08")
class SaysNothingButTheCode(Session):
    def make_error(self, fatal: Fatal) -> Frame:
        return codec.frame("ERROR", code=fatal.code, reason="no")


@breaks("ERR-07")
class NamesTheCounterBefore(Session):
    def make_error(self, fatal: Fatal) -> Frame:
        error = super().make_error(fatal)
        if not error.has("counter"):
            return error
        return error.without("counter").plus(codec.field_value("counter", error.number("counter") - 1))


@breaks("ERR-10")
class AnswersMalformedGoodbyes(Session):
    def is_goodbye(self) -> bool:
        return False


@breaks("ERR-10")
class IgnoresMalformedGoodbyes(Session):
    def malformed(self, verdict: codec.Rejected) -> None:
        if self.is_goodbye():
            self.buffer = b""
        else:
            super().malformed(verdict)
