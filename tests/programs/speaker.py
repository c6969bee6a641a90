# SPDX-License-Identifier: MIT
"""A client on the suite's own codec that says one frame after the other, and hears whatever comes."""

from __future__ import annotations

import secrets
import socket
import sys
import time
from pathlib import Path

from console import DEADLINE_S
from served import Served

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value
from prosa_conformance.registry import CODES, CONSTANTS, FEATURES

READ_SIZE = 1 << 16
message_id = crypto.message_id
OFFERED = FEATURES["liveness"] | FEATURES["resume"]


class Refused(Exception):
    """The server does not let it in: the name of the code."""


class Speaker:
    """READY when it is made; `seed` is its key, `frames` all that came since then."""

    def __init__(self, server: Served, nick: str, seed: bytes | None = None, features: int = OFFERED) -> None:
        self.nick = nick
        self.seed = seed or secrets.token_bytes(32)
        self.key = crypto.public_key(self.seed)
        self.socket = socket.create_connection((server.host, server.port))
        self.socket.settimeout(DEADLINE_S)
        self.buffer = bytearray()
        self.frames: list[Frame] = []
        hello = codec.frame(
            "HELLO",
            versions=(1,),
            nonce=secrets.token_bytes(32),
            client_key=self.key,
            features=features,
            target=server.address,
        )
        self.send(hello)
        challenge = self.need("CHALLENGE")
        auth = codec.frame("AUTH", nick=nick)
        self.send(crypto.sign_auth(self.seed, codec.encode(hello), codec.encode(challenge), auth))
        self.need("WELCOME")

    def need(self, name: str) -> Frame:
        frame = self.next()
        assert frame is not None, f"end of file where {name} was due"
        if frame.name == "ERROR":
            self.close()
            raise Refused(next(code.name for code in CODES.values() if code.number == frame.number("code")))
        assert frame.name == name, frame
        return frame

    def close(self) -> None:
        self.socket.close()

    def send(self, *frames: Frame) -> None:
        self.socket.sendall(b"".join(codec.encode(frame) for frame in frames))

    def say(self, name: str, **values: Value | None) -> None:
        self.send(codec.frame(name, **values))

    def next(self) -> Frame | None:
        """The next frame, or None at the end of the stream."""
        while True:
            verdict = codec.decode(bytes(self.buffer), "server", CONSTANTS["max_frame_ceiling"])
            if isinstance(verdict, codec.Decoded):
                del self.buffer[: verdict.consumed]
                self.frames.append(verdict.frame)
                return verdict.frame
            assert isinstance(verdict, codec.Partial), verdict
            octets = self.socket.recv(READ_SIZE)
            if not octets:
                return None
            self.buffer += octets

    def expect(self, name: str, **values: int) -> Frame:
        """The next frame of this name with these numbers, whatever comes before it."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            frame = self.next()
            assert frame is not None, f"end of file where {name} {values} was due"
            if frame.name == name and all(frame.number(key) == value for key, value in values.items()):
                return frame
        raise AssertionError(f"no {name} {values}")

    def expect_code(self, name: str, code: str) -> Frame:
        return self.expect(name, code=CODES[code].number)

    def join(self, room: str, **values: Value | None) -> Frame:
        self.say("JOIN", **{"room": room, "send_window": 64, "recv_window": 64, **values})
        return self.expect("JOINED")

    def publish(self, room_id: bytes, counter: int, text: str) -> Frame:
        """A signed PUBLISH, not sent."""
        frame = codec.frame(
            "PUBLISH",
            nick=self.nick,
            room_id=room_id,
            author_key=self.key,
            counter=counter,
            sent_at=time.time_ns() // 1_000_000,
            text=text,
        )
        return crypto.sign_message(self.seed, frame)

    def ping(self) -> None:
        """A barrier: all that was to come before it has."""
        self.say("PING", opaque=b"barrier")
        self.expect("PONG")
