# SPDX-License-Identifier: MIT
"""Bridges that take messages for frames, or frames for their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import fault
from mini_bridge import Client, MiniBridge, is_frame
from prosa_conformance import codec
from prosa_conformance.registry import FRAMES_BY_TYPE

breaks = partial(fault.breaks, level="L3", features=("liveness", "resume", "audit"))
KNOWN = {"TYPE_AT": 3, "VERSION_AT": 2}


# --- ZMQ-01 ---


@breaks("ZMQ-01")
class SendsWhatItReads(Client):
    """What one recv returns is one message."""

    def pump(self) -> None:
        if self.stream and self.give(self.stream):
            self.stream = b""


@breaks("ZMQ-01")
class SendsADelimiter(MiniBridge):
    """As for a REQ socket."""

    def send(self, identity: bytes, frame: bytes) -> None:
        self.router.send_multipart([identity, b"", frame])


@breaks("ZMQ-01")
class SplitsHeaderAndBody(MiniBridge):
    def send(self, identity: bytes, frame: bytes) -> None:
        self.router.send_multipart([identity, frame[:8], frame[8:]])


# --- ZMQ-02 ---


@breaks("ZMQ-02")
class TakesTheLastPart(Client):
    """A delimiter before it, or another frame, is nothing to it."""

    def take(self, parts: Sequence[bytes]) -> None:
        super().take(parts[-1:])


@breaks("ZMQ-02")
class TakesPartsForFrames(Client):
    def take(self, parts: Sequence[bytes]) -> None:
        for part in parts:
            super().take([part])


@breaks("ZMQ-02")
class PassesOnWhatIsNoFrame(Client):
    """Octets are octets."""

    def is_one_frame(self, parts: Sequence[bytes]) -> bool:
        return len(parts) == 1 and len(parts[0]) > 3


@breaks("ZMQ-02")
class IsContentWithTheFirstFrame(Client):
    def is_one_frame(self, parts: Sequence[bytes]) -> bool:
        return len(parts) == 1 and (is_frame(parts[0]) or is_frame(parts[0][: len(parts[0]) // 2]))


@breaks("ZMQ-02")
class DropsWhatIsNoFrame(Client):
    """Without a word."""

    def take(self, parts: Sequence[bytes]) -> None:
        if self.is_one_frame(parts):
            super().take(parts)


@breaks("ZMQ-02")
class KeepsTheConnection(Client):
    """It says BAD_FRAME, and goes on."""

    def refuse(self, code: str) -> None:
        self.give(codec.encode(codec.frame("ERROR", code=code, reason="said by the bridge")))


@breaks("ZMQ-02")
class HasAnotherCode(Client):
    def refuse(self, code: str) -> None:
        super().refuse("BAD_STATE" if code == "BAD_FRAME" else code)


# --- ZMQ-03 ---


def encoded_anew(frame: bytes, sender: str) -> bytes:
    """Without the fields that nobody knows; as it is when that cannot be."""
    verdict = codec.decode(frame, sender, len(frame))
    if not isinstance(verdict, codec.Decoded):
        return frame
    known = [field for field in verdict.frame.fields if field[0] % 2 == 0]
    return codec.encode(codec.Frame(verdict.frame.type, tuple(known)))


@breaks("ZMQ-03")
class EncodesAnewForTheServer(Client):
    def pass_on(self, frame: bytes) -> None:
        super().pass_on(encoded_anew(frame, "client"))


@breaks("ZMQ-03")
class EncodesAnewForTheClient(Client):
    def give(self, frame: bytes) -> bool:
        return super().give(encoded_anew(frame, "server"))


@breaks("ZMQ-03")
class KnowsAllTypes(Client):
    """What it does not know it passes on to nobody."""

    def give(self, frame: bytes) -> bool:
        return frame[KNOWN["TYPE_AT"]] not in FRAMES_BY_TYPE or super().give(frame)


@breaks("ZMQ-03")
class JudgesFrames(Client):
    """It refuses what the server would refuse."""

    def pass_on(self, frame: bytes) -> None:
        verdict = codec.decode(frame, "client", len(frame))
        if isinstance(verdict, codec.Rejected):
            self.refuse(verdict.code)
        else:
            super().pass_on(frame)


@breaks("ZMQ-03")
class WritesItsOwnVersion(Client):
    def pass_on(self, frame: bytes) -> None:
        at = KNOWN["VERSION_AT"]
        super().pass_on(frame[:at] + b"\x01" + frame[at + 1 :])
