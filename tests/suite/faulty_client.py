# SPDX-License-Identifier: MIT
"""Faulty clients: each variant of the small client breaks the clause that its words begin with.

    PYTHONPATH=conformance python3 tests/suite/faulty_client.py NAME
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from mini_client import MiniClient, main
from mini_keeper import Room
from mini_link import AUTHENTICATION, GOOD, Fatal, Over, emit, say
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame


class KeepsItsNonce(MiniClient):
    """AUTH-02"""

    def send(self, frame: Frame) -> bytes:
        if frame.name == "HELLO":
            frame = frame.without("nonce").plus(codec.field_value("nonce", crypto.sha256(b"random enough")))
        return super().send(frame)


class NamesTheAddress(MiniClient):
    """AUTH-03"""

    def send(self, frame: Frame) -> bytes:
        if frame.name == "HELLO":
            assert self.sock is not None, "HELLO is sent on a connection"
            target = "{}:{}".format(*self.sock.getpeername()[:2])
            frame = frame.without("target").plus(codec.field_value("target", target))
        return super().send(frame)


class TrustsAnyServer(MiniClient):
    """AUTH-13"""

    def check_challenge(self, hello: bytes, challenge: Frame) -> None:
        self.server_key = challenge.need("server_key")
        self.check_pin(self.server_key)
        self.keep_pin(self.server_key)


class TalksTooEarly(MiniClient):
    """AUTH-22"""

    def send(self, frame: Frame) -> bytes:
        octets = super().send(frame)
        if frame.name == "HELLO":
            super().send(codec.frame("PING", opaque=b"hurry"))
        return octets


class ShowsItsKey(MiniClient):
    """ID-01"""

    def own_seed(self) -> bytes:
        seed = super().own_seed()
        (self.folder / "key").chmod(0o644)
        return seed


class PinsBeforeItLooks(MiniClient):
    """ID-02"""

    def check_challenge(self, hello: bytes, challenge: Frame) -> None:
        self.keep_pin(challenge.need("server_key"))
        super().check_challenge(hello, challenge)


class ForgetsThePin(MiniClient):
    """ID-05"""

    def check_pin(self, key: bytes) -> None:
        pass


class TriesAgainWithAnotherKey(MiniClient):
    """ID-05"""

    def end(self, over: Over) -> int:
        if over.exit_code == AUTHENTICATION:
            socket.create_connection(self.address)
        return super().end(over)


class BeginsAtOne(MiniClient):
    """MSG-06"""

    def take_joined(self, joined: Frame) -> None:
        super().take_joined(joined)
        self.current.counter = 0


class GivesUpOnNewFields(MiniClient):
    """MSG-14"""

    def show(self, room: Room, deliver: Frame) -> None:
        if not self.displayable:
            raise Fatal("UNSUPPORTED")
        super().show(room, deliver)


class ShowsForgeries(MiniClient):
    """MSG-16"""

    def signature_is_good(self, deliver: Frame) -> bool:
        return True


class IgnoresGaps(MiniClient):
    """MSG-17"""

    def check_place(self, room: Room, seq: int) -> None:
        room.next_seq = seq
        super().check_place(room, seq)


class TakesEveryRoom(MiniClient):
    """MSG-18"""

    def room_of(self, frame: Frame) -> Room:
        return self.current


class LogsWhatItReads(MiniClient):
    """MSG-19"""

    def show(self, room: Room, deliver: Frame) -> None:
        say(str(deliver.value("text")))
        super().show(room, deliver)


class BelievesTheRoomId(MiniClient):
    """MSG-23"""

    def check_room_id(self, room: Room, joined: Frame) -> None:
        pass


class TakesTheLastAck(MiniClient):
    """FLOW-12"""

    def take_ack(self, ack: Frame) -> None:
        super().take_ack(ack)
        self.current.limit_counter = ack.number("limit_counter")


class BelievesEveryAck(MiniClient):
    """FLOW-14"""

    def check_ack(self, room: Room, acked: int) -> None:
        pass


class GivesNoCredit(MiniClient):
    """FLOW-17"""

    def send(self, frame: Frame) -> bytes:
        return b"" if frame.name == "ACK" else super().send(frame)


class AsksAtOnce(MiniClient):
    """FLOW-20"""

    def speak(self) -> None:
        self.current.limit_counter = self.current.counter + 1
        super().speak()


class AnswersThePingsOnce(MiniClient):
    """LIVE-01"""

    def take_ping(self, ping: Frame) -> None:
        if not getattr(self, "has_answered", False):
            super().take_ping(ping)
        self.has_answered = True


class AnswersPongs(MiniClient):
    """LIVE-09"""

    def take_pong(self, pong: Frame) -> None:
        self.take_ping(pong)


class ClosesAfterItsBye(MiniClient):
    """END-01"""

    def say_bye(self) -> None:
        super().say_bye()
        raise Over("goodbye", GOOD, "NORMAL", "goodbye")

    def drain(self) -> None:
        assert self.sock is not None, "it was open"
        self.sock.close()


class LeavesTheByeUnanswered(MiniClient):
    """END-02"""

    def take_end(self, frame: Frame) -> None:
        self.sent_bye = True
        super().take_end(frame)


class LeavesWithoutGoodbye(MiniClient):
    """END-07"""

    def say_bye(self) -> None:
        raise Over("goodbye", GOOD, "NORMAL", "goodbye")


class LeavesAtEndOfFile(MiniClient):
    """END-13"""

    def speak(self) -> None:
        if self.typed is None and not self.sent_bye:
            self.say_bye()
        super().speak()


class CallsItAGoodbye(MiniClient):
    """END-15"""

    def end(self, over: Over) -> int:
        return super().end(Over("goodbye", GOOD, "NORMAL", "goodbye") if over.how in ("eof", "reset") else over)


class RefusesWithoutAWord(MiniClient):
    """ERR-01"""

    def refuse(self, code: str) -> Over:
        self.sent_bye = True
        return super().refuse(code)


class AnswersErrors(MiniClient):
    """ERR-02"""

    def take_error(self, error: Frame) -> bool:
        self.send(codec.frame("ERROR", code="INTERNAL", reason="what do you mean?"))
        return super().take_error(error)


class DespairsOfEveryError(MiniClient):
    """ERR-04"""

    def take_error(self, error: Frame) -> bool:
        super().take_error(error)
        return False


class CrashesOnAFault(MiniClient):
    """SEC-04"""

    def refuse(self, code: str) -> Over:
        os.kill(os.getpid(), signal.SIGSEGV)
        return super().refuse(code)


class KeepsOneLine(MiniClient):
    """CON-08"""

    def listen_to_person(self) -> None:
        super().listen_to_person()
        del self.current.lines[1:]


class ChattersOnStdout(MiniClient):
    """CON-09"""

    def handshake(self) -> None:
        print("hello, I am connecting", flush=True)
        super().handshake()


class CutsLongTexts(MiniClient):
    """CON-10"""

    def show(self, room: Room, deliver: Frame) -> None:
        text = str(deliver.value("text"))[:1000].strip()
        emit("message", own=deliver.need("author_key") == self.key, text=text)


class AlwaysEndsWell(MiniClient):
    """CON-12"""

    def end(self, over: Over) -> int:
        super().end(over)
        return GOOD


VARIANTS = {kind.__name__: kind for kind in MiniClient.__subclasses__()}


if __name__ == "__main__":
    main(VARIANTS[sys.argv[1]])
