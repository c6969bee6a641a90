# SPDX-License-Identifier: MIT
"""Faulty clients: settings, handshake, frames and fields, what they sign."""

from __future__ import annotations

import os
from pathlib import Path

import mini_client
from fault import breaks
from mini_client import MiniClient
from mini_keeper import HOST, Room
from mini_link import NO_CONNECTION, Fatal, Over, emit
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CONSTANTS, FRAMES, GREASE_TAGS, GREASE_TYPES

# --- settings and exit codes ---


@breaks("CON-01")
class HasANickOfItsOwn(MiniClient):
    def __init__(self, folder: Path, host: str, port: int, nick: str, room: str, level: int = 1) -> None:
        super().__init__(folder, host, port, "somebody", room, level)


@breaks("CON-01")
class KnowsNoOtherRoom(MiniClient):
    def __init__(self, folder: Path, host: str, port: int, nick: str, room: str, level: int = 1) -> None:
        super().__init__(folder, host, port, nick, HOST, level)


@breaks("CON-03")
def claims_every_level() -> None:
    """A level that nobody has is its highest."""
    if os.environ.get("PROSA_LEVEL") not in mini_client.LEVELS:
        os.environ["PROSA_LEVEL"] = mini_client.LEVELS[-1]
    mini_client.main()


@breaks("CON-04")
class EndsLikeAShell(MiniClient):
    def end(self, over: Over) -> int:
        exit_code = super().end(over)
        return 127 if exit_code == NO_CONNECTION else exit_code


@breaks("CON-11")
class HidesForgeries(MiniClient):
    def show(self, room: Room, deliver: Frame) -> None:
        if self.signature_is_good(deliver):
            super().show(room, deliver)


# --- the handshake ---


@breaks("AUTH-01")
class SaysHelloAgain(MiniClient):
    def handshake(self) -> None:
        super().handshake()
        self.send(self.hello)

    def send(self, frame: Frame) -> bytes:
        if frame.name == "HELLO":
            self.hello = frame
        return super().send(frame)


@breaks("AUTH-11")
class TakesWhatTheServerOffers(MiniClient):
    def take_terms(self, challenge: Frame) -> None:
        super().take_terms(challenge)
        self.features = challenge.number("features")


@breaks("AUTH-15")
class SignsItsHelloAlone(MiniClient):
    def send(self, frame: Frame) -> bytes:
        if frame.name == "AUTH":
            frame = crypto.sign_auth(self.seed, self.hello, b"", frame.without("handshake_sig"))
        octets = super().send(frame)
        if frame.name == "HELLO":
            self.hello = octets
        return octets


@breaks("ID-03")
class WritesTheTargetAsTyped(MiniClient):
    def __init__(self, folder: Path, host: str, port: int, nick: str, room: str, level: int = 1) -> None:
        super().__init__(folder, host, port, nick, room, level)
        self.target = f"{host}:{port}"


# --- frames ---


@breaks("WIRE-03")
class AnswersAStranger(MiniClient):
    def malformed(self, verdict: codec.Rejected) -> None:
        if verdict.why.startswith("the magic"):
            raise Fatal("BAD_FRAME")
        super().malformed(verdict)


@breaks("WIRE-07")
class HasALargeCapFromTheStart(MiniClient):
    def begin(self) -> None:
        super().begin()
        self.cap = CONSTANTS["max_frame_ceiling"]


@breaks("WIRE-08")
class HasACapOfItsOwn(MiniClient):
    def take_terms(self, challenge: Frame) -> None:
        super().take_terms(challenge)
        self.cap = 16_384


@breaks("WIRE-10")
class DropsWhatFollowsAFrame(MiniClient):
    def next_frame(self) -> Frame | None:
        frame = super().next_frame()
        if frame is not None:
            self.buffer = b""
        return frame


@breaks("WIRE-13")
class PassesOverWhatIsOutOfPlace(MiniClient):
    """In the handshake it waits for the frame that is due, whatever else comes."""

    awaited = ""

    def await_frame(self, name: str) -> Frame:
        self.awaited = name
        frame = super().await_frame(name)
        self.awaited = ""
        return frame

    def next_frame(self) -> Frame | None:
        while (frame := super().next_frame()) is not None:
            if not self.awaited or frame.name in (self.awaited, "ERROR", "BYE"):
                break
        return frame


@breaks("WIRE-15")
class PassesOverFramesOfAClient(MiniClient):
    def take(self, frame: Frame) -> None:
        if FRAMES[frame.name or ""].sender == "client":
            return
        super().take(frame)


@breaks("WIRE-26")
class ReadsGrease(MiniClient):
    def show(self, room: Room, deliver: Frame) -> None:
        grease = next((octets for tag, octets in deliver.fields if tag in GREASE_TAGS), None)
        if grease is None:
            super().show(room, deliver)
        else:
            emit("message", own=deliver.need("author_key") == self.key, text=grease.decode())


@breaks("WIRE-27")
class SaysHelloWithoutGrease(MiniClient):
    def send(self, frame: Frame) -> bytes:
        if frame.name == "HELLO":
            fields = tuple(field for field in frame.fields if field[0] not in GREASE_TAGS)
            frame = Frame(frame.type, fields)
        return super().send(frame)


@breaks("WIRE-28")
class SendsAnUnknownTypeEarly(MiniClient):
    def send(self, frame: Frame) -> bytes:
        octets = super().send(frame)
        if frame.name == "HELLO":
            self.put(codec.raw_frame(GREASE_TYPES[0], b""))
        return octets


# --- what it signs ---


@breaks("MSG-01")
class SignsWithoutTheLabel(MiniClient):
    def send(self, frame: Frame) -> bytes:
        if frame.name == "PUBLISH":
            signature = crypto.sign(self.seed, codec.author_zone(frame))
            frame = frame.without("author_sig").plus(codec.field_value("author_sig", signature))
        return super().send(frame)


@breaks("RES-04")
class AsksWithoutAnEpoch(MiniClient):
    def send(self, frame: Frame) -> bytes:
        if frame.name == "JOIN":
            frame = frame.without("epoch", "after_seq").plus(codec.field_value("after_seq", 5))
        return super().send(frame)
