# SPDX-License-Identifier: MIT
"""Faulty clients of level L1."""

from __future__ import annotations

import os
import signal
import socket

from fault import breaks
from mini_client import MiniClient
from mini_keeper import Room
from mini_link import AUTHENTICATION, GOOD, Fatal, Over, emit, say
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame


@breaks("AUTH-02")
class KeepsItsNonce(MiniClient):
    def send(self, frame: Frame) -> bytes:
        if frame.name == "HELLO":
            frame = frame.without("nonce").plus(codec.field_value("nonce", crypto.sha256(b"random enough")))
        return super().send(frame)


@breaks("AUTH-03")
class NamesTheAddress(MiniClient):
    def send(self, frame: Frame) -> bytes:
        if frame.name == "HELLO":
            assert self.sock is not None, "HELLO is sent on a connection"
            target = "{}:{}".format(*self.sock.getpeername()[:2])
            frame = frame.without("target").plus(codec.field_value("target", target))
        return super().send(frame)


@breaks("AUTH-13")
class TrustsAnyServer(MiniClient):
    def check_challenge(self, hello: bytes, challenge: Frame) -> None:
        self.server_key = challenge.need("server_key")
        self.check_pin(self.server_key)
        self.keep_pin(self.server_key)


@breaks("AUTH-22")
class TalksTooEarly(MiniClient):
    def send(self, frame: Frame) -> bytes:
        octets = super().send(frame)
        if frame.name == "HELLO":
            super().send(codec.frame("PING", opaque=b"hurry"))
        return octets


@breaks("ID-01")
class ShowsItsKey(MiniClient):
    def own_seed(self) -> bytes:
        seed = super().own_seed()
        (self.folder / "key").chmod(0o644)
        return seed


@breaks("ID-02")
class PinsBeforeItLooks(MiniClient):
    def check_challenge(self, hello: bytes, challenge: Frame) -> None:
        self.keep_pin(challenge.need("server_key"))
        super().check_challenge(hello, challenge)


@breaks("ID-05")
class ForgetsThePin(MiniClient):
    def check_pin(self, key: bytes) -> None:
        pass


@breaks("ID-05")
class TriesAgainWithAnotherKey(MiniClient):
    def end(self, over: Over) -> int:
        if over.exit_code == AUTHENTICATION:
            socket.create_connection(self.address)
        return super().end(over)


@breaks("MSG-06")
class BeginsAtOne(MiniClient):
    def take_joined(self, joined: Frame) -> None:
        super().take_joined(joined)
        self.current.counter = 0


@breaks("MSG-14")
class GivesUpOnNewFields(MiniClient):
    def show(self, room: Room, deliver: Frame) -> None:
        if not self.displayable:
            raise Fatal("UNSUPPORTED")
        super().show(room, deliver)


@breaks("MSG-16")
class ShowsForgeries(MiniClient):
    def signature_is_good(self, deliver: Frame) -> bool:
        return True


@breaks("MSG-17")
class IgnoresGaps(MiniClient):
    def check_place(self, room: Room, seq: int) -> None:
        room.next_seq = seq
        super().check_place(room, seq)


@breaks("MSG-18")
class TakesEveryRoom(MiniClient):
    def room_of(self, frame: Frame) -> Room:
        return self.current


@breaks("MSG-19")
class LogsWhatItReads(MiniClient):
    def show(self, room: Room, deliver: Frame) -> None:
        say(str(deliver.value("text")))
        super().show(room, deliver)


@breaks("MSG-23")
class BelievesTheRoomId(MiniClient):
    def check_room_id(self, room: Room, joined: Frame) -> None:
        pass


@breaks("FLOW-12")
class TakesTheLastAck(MiniClient):
    def take_ack(self, ack: Frame) -> None:
        super().take_ack(ack)
        self.current.limit_counter = ack.number("limit_counter")


@breaks("FLOW-14")
class BelievesEveryAck(MiniClient):
    def check_ack(self, room: Room, acked: int) -> None:
        pass


@breaks("FLOW-17")
class GivesNoCredit(MiniClient):
    def send(self, frame: Frame) -> bytes:
        return b"" if frame.name == "ACK" else super().send(frame)


@breaks("FLOW-20")
class AsksAtOnce(MiniClient):
    def speak(self) -> None:
        self.current.limit_counter = self.current.counter + 1
        super().speak()


@breaks("LIVE-01")
class AnswersThePingsOnce(MiniClient):
    def take_ping(self, ping: Frame) -> None:
        if not getattr(self, "has_answered", False):
            super().take_ping(ping)
        self.has_answered = True


@breaks("LIVE-09")
class AnswersPongs(MiniClient):
    def take_pong(self, pong: Frame) -> None:
        self.take_ping(pong)


@breaks("END-01")
class ClosesAfterItsBye(MiniClient):
    def say_bye(self) -> None:
        super().say_bye()
        raise Over("goodbye", GOOD, "NORMAL", "goodbye")

    def drain(self) -> None:
        assert self.sock is not None, "it was open"
        self.sock.close()


@breaks("END-02")
class LeavesTheByeUnanswered(MiniClient):
    def take_end(self, frame: Frame) -> None:
        self.sent_bye = True
        super().take_end(frame)


@breaks("END-07")
class LeavesWithoutGoodbye(MiniClient):
    def say_bye(self) -> None:
        raise Over("goodbye", GOOD, "NORMAL", "goodbye")


@breaks("END-13")
class LeavesAtEndOfFile(MiniClient):
    def speak(self) -> None:
        if self.typed is None and not self.sent_bye:
            self.say_bye()
        super().speak()


@breaks("END-15")
class CallsItAGoodbye(MiniClient):
    def end(self, over: Over) -> int:
        return super().end(Over("goodbye", GOOD, "NORMAL", "goodbye") if over.how in ("eof", "reset") else over)


@breaks("ERR-01")
class RefusesWithoutAWord(MiniClient):
    def refuse(self, code: str) -> Over:
        self.sent_bye = True
        return super().refuse(code)


@breaks("ERR-02")
class AnswersErrors(MiniClient):
    def take_error(self, error: Frame) -> bool:
        self.send(codec.frame("ERROR", code="INTERNAL", reason="what do you mean?"))
        return super().take_error(error)


@breaks("ERR-04")
class DespairsOfEveryError(MiniClient):
    def take_error(self, error: Frame) -> bool:
        super().take_error(error)
        return False


@breaks("SEC-04", falls=True)
class DiesOnAFault(MiniClient):
    def refuse(self, code: str) -> Over:
        os.kill(os.getpid(), signal.SIGSEGV)
        return super().refuse(code)


@breaks("CON-08")
class KeepsOneLine(MiniClient):
    def listen_to_person(self) -> None:
        super().listen_to_person()
        del self.current.lines[1:]


@breaks("CON-09")
class ChattersOnStdout(MiniClient):
    def handshake(self) -> None:
        print("hello, I am connecting", flush=True)
        super().handshake()


@breaks("CON-10")
class CutsLongTexts(MiniClient):
    def show(self, room: Room, deliver: Frame) -> None:
        text = str(deliver.value("text"))[:1000].strip()
        emit("message", own=deliver.need("author_key") == self.key, text=text)


@breaks("CON-12")
class AlwaysEndsWell(MiniClient):
    def end(self, over: Over) -> int:
        super().end(over)
        return GOOD
