# SPDX-License-Identifier: MIT
"""The small client's connection: octets, the handshake, the pin, liveness, and the ways in which it ends.

What is said on it is mini_client.py's. As with the server, each check is a method of its own.
"""

from __future__ import annotations

import json
import secrets
import select
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES_BY_NUMBER, CONSTANTS, FEATURES, FRAMES

HEARD = 4096
GOOD, PROTOCOL, BAD_SETTINGS, NO_CONNECTION, AUTHENTICATION, VANISHED, AWAY, NOT_THERE = 0, 1, 2, 3, 4, 5, 6, 89
CONNECT_S, HANDSHAKE_S, LINGER_S = 10.0, 5.0, 1.0
GONE = {
    "eof": "the server vanished: the stream ended without a goodbye",
    "reset": "the server vanished: reset",
    "silence": "the server fell silent",
}


class Fatal(Exception):
    """A fault of the server that ends the connection with this code."""


class Over(Exception):
    """The session has ended: how, the exit code, and the code that the server or we gave."""

    def __init__(self, how: str, exit_code: int, code: str | None, reason: str, after_ms: int = 0) -> None:
        super().__init__(reason)
        self.how, self.exit_code, self.code, self.reason, self.after_ms = how, exit_code, code, reason, after_ms


def gone(how: str) -> Over:
    return Over(how, VANISHED, None, GONE[how])


def fingerprint(key: bytes) -> str:
    digits = crypto.sha256(key)[:16].hex()
    return " ".join(digits[at : at + 4] for at in range(0, 32, 4))


def emit(event: str, **members: object) -> None:
    print(json.dumps({"event": event, **members}), flush=True)


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def code_name(number: int) -> str:
    return CODES_BY_NUMBER[number].name if number in CODES_BY_NUMBER else str(number)


def exit_code_of(number: int) -> int:
    """ERR-09 and CON-12."""
    return {2: AUTHENTICATION, 6: AWAY}.get(number >> 8, PROTOCOL)


def end_of(frame: Frame) -> Over:
    """What the server's ERROR or BYE makes of the session."""
    number = frame.number("code")
    name, after = code_name(number), frame.number("after_ms") if frame.has("after_ms") else 0
    if frame.name == "ERROR":
        return Over("error", exit_code_of(number), name, f"the server says {name}", after)
    exit_code = GOOD if name == "NORMAL" else AWAY
    return Over("goodbye", exit_code, name, f"the server says goodbye: {name}", after)


class Link:
    def __init__(self, folder: Path, host: str, port: int, nick: str, level: int) -> None:
        self.folder = folder
        self.target = f"[{host.lower()}]:{port}" if ":" in host else f"{host.lower()}:{port}"
        self.address = (host, port)
        self.nick = nick
        self.level = level
        self.seed = self.own_seed()
        self.key = crypto.public_key(self.seed)
        self.sock: socket.socket | None = None
        self.begin()

    def begin(self) -> None:
        """Nothing is known of the next connection yet."""
        self.buffer, self.out = b"", b""
        self.cap = CONSTANTS["max_frame_handshake"]
        self.features = 0
        self.linger = LINGER_S
        self.heard_a_frame = self.sent_bye = self.is_shut = self.has_pinged = False
        self.heard = time.monotonic()
        self.handshake_end: float | None = None
        self.ping_after = self.dead_after = 0.0

    def own_seed(self) -> bytes:
        path = self.folder / "key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(secrets.token_bytes(32))
        return path.read_bytes()

    def offered_features(self) -> int:
        """LIVE-08, and all else that is there from L2 on."""
        return sum(FEATURES.values()) if self.level >= 2 else 0

    def has(self, feature: str) -> bool:
        """Whether both sides offered it [AUTH-11]."""
        return bool(self.features & FEATURES[feature])

    # --- octets ---

    def connect(self) -> None:
        """The name is looked up anew, every address is tried [RES-12]."""
        self.begin()
        self.sock = None
        try:
            self.sock = socket.create_connection(self.address, CONNECT_S)
        except OSError as error:
            how = "unresolved" if isinstance(error, socket.gaierror) else "refused"
            raise Over(how, NO_CONNECTION, None, f"cannot connect to {self.target}: {error}") from None
        self.sock.setblocking(False)
        self.heard = time.monotonic()

    def send(self, frame: Frame) -> bytes:
        octets = codec.encode(frame)
        self.put(octets)
        return octets

    def put(self, octets: bytes) -> None:
        self.out += octets
        self.push()

    def push(self) -> None:
        """What the socket takes now; behind our goodbye the sending side is shut."""
        assert self.sock is not None
        try:
            while self.out:
                self.out = self.out[self.sock.send(self.out) :]
            if self.sent_bye and not self.is_shut:
                self.is_shut = True
                self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            raise gone("reset") from None

    def read(self) -> None:
        assert self.sock is not None
        try:
            octets = self.sock.recv(HEARD)
        except BlockingIOError:
            return
        except OSError:
            raise gone("reset") from None
        if not octets:
            raise Over("goodbye", GOOD, "NORMAL", "goodbye") if self.sent_bye else gone("eof")
        self.heard, self.has_pinged = time.monotonic(), False
        self.buffer += octets

    def wait(self, *others: int) -> bool:
        """Until something can be read, from the server or from `others`; True when it is from them [FLOW-41]."""
        assert self.sock is not None
        deadline = self.next_deadline()
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        readable, writable, _ = select.select([self.sock, *others], [self.sock] if self.out else [], [], left)
        if self.sock in readable:
            self.read()
        if writable:
            self.push()
        self.check_time()
        return any(other in readable for other in others)

    # --- time ---

    def next_deadline(self) -> float | None:
        if self.handshake_end is not None:
            return self.handshake_end
        if self.sent_bye:
            return self.bye_end
        if not self.has("liveness"):
            return None
        return self.heard + (self.dead_after if self.has_pinged else min(self.ping_after, self.dead_after))

    def check_time(self) -> None:
        """Whether a deadline has come, now that everything is read that was there."""
        now = time.monotonic()
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if self.sent_bye:
            raise Over("goodbye", GOOD, "NORMAL", "goodbye")
        if self.handshake_end is not None or now >= self.heard + self.dead_after:
            raise gone("silence")
        self.has_pinged = True
        self.ping()

    def ping(self) -> None:
        self.send(codec.frame("PING", opaque=b"alive?"))

    # --- frames ---

    def next_frame(self) -> Frame | None:
        """The next frame that is here already; ignorable ones are passed over."""
        while True:
            verdict = codec.decode(self.buffer, "server", self.cap)
            if isinstance(verdict, codec.Partial):
                return None
            if isinstance(verdict, codec.Rejected):
                self.malformed(verdict)
            self.heard_a_frame = True
            self.buffer = self.buffer[verdict.consumed :]
            if isinstance(verdict, codec.Decoded):
                self.displayable = verdict.displayable
                return verdict.frame
            if self.cap == CONSTANTS["max_frame_handshake"]:
                raise Fatal("BAD_STATE")

    def malformed(self, verdict: codec.Rejected) -> NoReturn:
        """WIRE-03 and ERR-10: without a word; WIRE-13: an unknown type is out of place first; else its code."""
        if verdict.why.startswith("the magic"):
            if not self.heard_a_frame:
                emit("error", **{"from": "client"}, code="BAD_FRAME", reason="octets that are no frame")
                raise Over("error", PROTOCOL, None, "what answers there does not speak PROSA/1")
        elif self.buffer[3] in (FRAMES["ERROR"].type, FRAMES["BYE"].type):
            raise Over("error", PROTOCOL, verdict.code, "the server ends the session in words that are none")
        elif verdict.why.startswith("unknown even frame type") and self.cap == CONSTANTS["max_frame_handshake"]:
            raise Fatal("BAD_STATE")
        raise Fatal(verdict.code)

    # --- the handshake ---

    def await_frame(self, name: str) -> Frame:
        """The one frame that the handshake allows now."""
        while (frame := self.next_frame()) is None:
            self.wait()
        if frame.name == "ERROR":
            self.tell_error(frame)
        if frame.name in ("ERROR", "BYE"):
            raise end_of(frame)
        if frame.name != name:
            raise Fatal("BAD_STATE")
        return frame

    def tell_error(self, error: Frame) -> None:
        counter = {"counter": str(error.number("counter"))} if error.has("counter") else {}
        room = {"room": error.value("room")} if error.has("room") else {}
        code, reason = code_name(error.number("code")), error.value("reason")
        emit("error", **{"from": "server"}, code=code, reason=reason, **room, **counter)

    def handshake(self) -> None:
        self.limit_handshake(HANDSHAKE_S)
        hello = self.send(
            codec.frame(
                "HELLO",
                extra=[(0x1A1B, b"grease")],
                versions=(1,),
                nonce=secrets.token_bytes(32),
                client_key=self.key,
                features=self.offered_features(),
                target=self.target,
            )
        )
        challenge = self.await_frame("CHALLENGE")
        self.check_challenge(hello, challenge)
        self.limit_handshake(challenge.number("handshake_ms") / 1000)
        auth = codec.frame("AUTH", nick=self.nick)
        self.send(crypto.sign_auth(self.seed, hello, codec.encode(challenge), auth))
        self.await_frame("WELCOME")
        self.take_terms(challenge)

    def limit_handshake(self, seconds: float) -> None:
        """AUTH-23"""
        if self.level >= 2:
            self.handshake_end = time.monotonic() + seconds

    def take_terms(self, challenge: Frame) -> None:
        """READY: from here on by the limits, timers and features that both know."""
        self.handshake_end = None
        self.cap = challenge.number("max_frame")
        self.features = challenge.number("features") & self.offered_features()
        self.linger = challenge.number("linger_ms") / 1000
        self.ping_after = challenge.number("ping_after_ms") / 1000
        self.dead_after = challenge.number("dead_after_ms") / 1000

    def check_challenge(self, hello: bytes, challenge: Frame) -> None:
        key = challenge.need("server_key")
        if not crypto.key_is_acceptable(key) or key == self.key:
            raise Fatal("BAD_KEY")
        self.check_pin(key)
        if not crypto.verify_challenge(key, hello, challenge):
            raise Fatal("BAD_SIG")
        if challenge.value("version") != 1 or 1 not in challenge.need("versions"):
            raise Fatal("DOWNGRADE")
        self.server_key = key
        self.keep_pin(key)

    def check_pin(self, key: bytes) -> None:
        pinned = self.pins().get(self.target)
        if pinned is not None and pinned != key.hex():
            say(f"THE SERVER'S KEY HAS CHANGED: {fingerprint(key)}, not {fingerprint(bytes.fromhex(pinned))}")
            raise Fatal("PIN_MISMATCH")

    def pins(self) -> dict[str, str]:
        path = self.folder / "pins"
        return json.loads(path.read_text()) if path.exists() else {}

    def keep_pin(self, key: bytes) -> None:
        if self.target not in self.pins():
            say(f"first contact with {self.target}: {fingerprint(key)}")
            (self.folder / "pins").write_text(json.dumps({**self.pins(), self.target: key.hex()}))

    # --- the end ---

    def say_bye(self) -> None:
        self.sent_bye = True
        self.bye_end = time.monotonic() + self.linger
        self.send(codec.frame("BYE", code="NORMAL"))

    def refuse(self, code: str) -> Over:
        """ERROR in the place of a BYE; none after our own BYE [END-04]."""
        reason = "the server broke the protocol"
        if not self.sent_bye:
            self.sent_bye = True
            try:
                self.send(codec.frame("ERROR", code=code, reason=reason))
            except Over:
                say("the server is gone already")
        emit("error", **{"from": "client"}, code=code, reason=reason)
        return Over("error", exit_code_of(codec.NAMED_NUMBERS["code"][code]), code, reason)

    def drain(self) -> None:
        """END-01: write what is left, shut down, read on until end of file or the linger, close."""
        assert self.sock is not None
        deadline = time.monotonic() + self.linger
        self.sent_bye = True
        try:
            self.push()
            while (left := deadline - time.monotonic()) > 0:
                ready = select.select([self.sock], [self.sock] if self.out else [], [], left)
                if ready[0] and not self.sock.recv(HEARD):
                    break
                if ready[1]:
                    self.push()
        except (OSError, Over):
            say("the connection was reset")
        self.sock.close()
        self.sock = None
