# SPDX-License-Identifier: MIT
"""A small client at L1 on the suite's own codec: one room, one question at a time.

As with mini_server.py, its use is to be broken: each check is a method of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from prosa_conformance import codec, crypto, kinds
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES_BY_NUMBER, CONSTANTS, FIELDS, FRAMES

HEARD = 4096
RECV_WINDOW = 16
GOOD, PROTOCOL, BAD_SETTINGS, NO_CONNECTION, AUTHENTICATION, VANISHED, AWAY, NOT_THERE = 0, 1, 2, 3, 4, 5, 6, 89
GONE = {"eof": "the server vanished: the stream ended without a goodbye", "reset": "the server vanished: reset"}


class Fatal(Exception):
    """A fault of the server that ends the connection with this code."""


class Over(Exception):
    """The session has ended: how, the exit code, and the code that the server or we gave."""

    def __init__(self, how: str, exit_code: int, code: str | None, reason: str) -> None:
        super().__init__(reason)
        self.how, self.exit_code, self.code, self.reason = how, exit_code, code, reason


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


class MiniClient:
    def __init__(self, folder: Path, host: str, port: int, nick: str, room: str) -> None:
        self.folder = folder
        self.target = f"[{host.lower()}]:{port}" if ":" in host else f"{host.lower()}:{port}"
        self.address = (host, port)
        self.nick = nick
        self.room = room
        self.seed = self.own_seed()
        self.key = crypto.public_key(self.seed)
        self.buffer = b""
        self.cap = CONSTANTS["max_frame_handshake"]
        self.lines: list[str] = []
        self.typed: bytes | None = b""
        self.unanswered = False
        self.counter = self.acked = self.limit_counter = self.highest_sent = 0
        self.sent_bye = False
        self.leaving = self.heard_a_frame = False

    def own_seed(self) -> bytes:
        path = self.folder / "key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(secrets.token_bytes(32))
        return path.read_bytes()

    # --- octets ---

    def send(self, frame: Frame) -> bytes:
        octets = codec.encode(frame)
        try:
            self.sock.sendall(octets)
        except OSError:
            raise Over("reset", VANISHED, None, GONE["reset"]) from None
        return octets

    def read(self) -> None:
        try:
            octets = self.sock.recv(HEARD)
        except OSError:
            raise Over("reset", VANISHED, None, GONE["reset"]) from None
        if not octets:
            if self.sent_bye:
                raise Over("goodbye", GOOD, "NORMAL", "goodbye")
            raise Over("eof", VANISHED, None, GONE["eof"])
        self.buffer += octets

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
                raise Over("error", PROTOCOL, None, "what answers there does not speak PROSA/1")
        elif self.buffer[3] in (FRAMES["ERROR"].type, FRAMES["BYE"].type):
            raise Over("error", PROTOCOL, verdict.code, "the server ends the session in words that are none")
        elif verdict.why.startswith("unknown even frame type") and self.cap == CONSTANTS["max_frame_handshake"]:
            raise Fatal("BAD_STATE")
        raise Fatal(verdict.code)

    def await_frame(self, name: str) -> Frame:
        """The one frame that the handshake allows now."""
        while (frame := self.next_frame()) is None:
            self.read()
        if frame.name in ("ERROR", "BYE"):
            self.take_end(frame)
            raise Over("error", PROTOCOL, code_name(frame.number("code")), "the server ended the handshake")
        if frame.name != name:
            raise Fatal("BAD_STATE")
        return frame

    # --- the course ---

    def run(self) -> int:
        try:
            self.sock = socket.create_connection(self.address, 10)
            self.sock.settimeout(None)
        except OSError as error:
            how = "unresolved" if isinstance(error, socket.gaierror) else "refused"
            return self.end(Over(how, NO_CONNECTION, None, f"cannot connect to {self.target}: {error}"))
        try:
            self.handshake()
            self.join()
            self.talk()
        except Over as over:
            return self.end(over)
        except Fatal as fatal:
            return self.refuse(str(fatal))

    def handshake(self) -> None:
        hello = self.send(
            codec.frame(
                "HELLO",
                extra=[(0x1A1B, b"grease")],
                versions=(1,),
                nonce=secrets.token_bytes(32),
                client_key=self.key,
                features=0,
                target=self.target,
            )
        )
        challenge = self.await_frame("CHALLENGE")
        self.check_challenge(hello, challenge)
        auth = codec.frame("AUTH", nick=self.nick)
        self.send(crypto.sign_auth(self.seed, hello, codec.encode(challenge), auth))
        self.await_frame("WELCOME")
        self.cap = challenge.number("max_frame")
        self.linger = challenge.number("linger_ms") / 1000

    def check_challenge(self, hello: bytes, challenge: Frame) -> None:
        key = challenge.octets("server_key") or b""
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

    def join(self) -> None:
        self.send(codec.frame("JOIN", room=self.room, send_window=1, recv_window=RECV_WINDOW))
        while True:
            while (frame := self.next_frame()) is None:
                self.read()
            if frame.name == "JOINED":
                return self.take_joined(frame)
            if frame.name == "ERROR" and self.take_error(frame):
                self.send(codec.frame("BYE", code="NORMAL"))
                raise Over("goodbye", PROTOCOL, code_name(frame.number("code")), "the room was refused")
            self.take(frame)

    def take_joined(self, joined: Frame) -> None:
        epoch = joined.octets("epoch") or b""
        own = self.key if self.room == "@host" else None
        self.room_id = crypto.room_id(self.server_key, epoch, self.room, own)
        if joined.octets("room_id") != self.room_id:
            raise Fatal("WRONG_ROOM")
        self.counter = self.acked = joined.number("last_counter")
        self.highest_sent = self.counter
        self.limit_counter = joined.number("limit_counter")
        self.next_seq = joined.number("start_seq")
        self.limit_seq = self.next_seq + RECV_WINDOW - 1
        emit(
            "joined",
            room=self.room,
            room_id=self.room_id.hex(),
            epoch=epoch.hex(),
            server_key=self.server_key.hex(),
            last_counter=str(self.counter),
            start_seq=str(self.next_seq),
            lost_history=False,
        )

    def talk(self) -> None:
        """Lines out, frames in, until one side says goodbye."""
        while True:
            while (frame := self.next_frame()) is not None:
                self.take(frame)
            self.speak()
            reads: list[socket.socket | int] = [self.sock]
            if self.typed is not None and not self.leaving:
                reads.append(0)
            ready = select.select(reads, [], [], self.linger if self.sent_bye else None)[0]
            if not ready:
                raise Over("goodbye", GOOD, "NORMAL", "goodbye")
            if 0 in ready:
                self.listen_to_person()
            if self.sock in ready:
                self.read()

    def listen_to_person(self) -> None:
        octets = os.read(0, HEARD)
        if not octets:
            self.typed = None
            return
        assert self.typed is not None
        *lines, self.typed = (self.typed + octets).split(b"\n")
        self.lines += [line.decode() for line in lines]

    def speak(self) -> None:
        """Send what the limit allows; goodbye on `exit`, or at end of file when all is answered."""
        if self.sent_bye:
            return
        if "exit" in self.lines[:1]:
            self.say_bye()
        elif self.lines and self.counter < self.limit_counter:
            self.publish(self.lines.pop(0))
        elif self.typed is None and not self.lines and self.limit_counter > self.counter:
            self.say_bye()

    def publish(self, text: str) -> None:
        self.counter += 1
        message = codec.frame(
            "PUBLISH",
            extra=[(0x2A2B, b"")],
            nick=self.nick,
            room_id=self.room_id,
            author_key=self.key,
            counter=self.counter,
            sent_at=int(time.time() * 1000),
            text=text,
        )
        self.send(crypto.sign_message(self.seed, message))

    def say_bye(self) -> None:
        self.send(codec.frame("BYE", code="NORMAL"))
        self.sent_bye = self.leaving = True
        self.sock.shutdown(socket.SHUT_WR)

    # --- frames ---

    def take(self, frame: Frame) -> None:
        name = frame.name or ""
        if name in ("DELIVER", "ACK", "PING", "PONG", "MEMBER", "CHECKPOINT"):
            getattr(self, f"take_{name.lower()}", lambda _: None)(frame)
        elif name in ("ERROR", "BYE"):
            self.take_end(frame)
        else:
            raise Fatal("BAD_STATE")

    def take_deliver(self, deliver: Frame) -> None:
        if deliver.octets("room_id") != self.room_id:
            raise Fatal("WRONG_ROOM")
        seq = deliver.number("room_seq")
        if seq > self.limit_seq:
            raise Fatal("FLOW_VIOLATION")
        if seq != self.next_seq:
            raise Fatal("SEQ_GAP")
        self.next_seq += 1
        self.show(deliver)
        if self.limit_seq - seq <= RECV_WINDOW // 2 and not self.sent_bye:
            self.limit_seq = seq + RECV_WINDOW
            self.send(codec.frame("ACK", room_id=self.room_id, seen_seq=seq, limit_seq=self.limit_seq))

    def show(self, deliver: Frame) -> None:
        counter = str(deliver.number("counter"))
        if not self.signature_is_good(deliver):
            emit("error", **{"from": "client"}, code="BAD_SIG", reason="forged", room=self.room, counter=counter)
            return
        if not self.displayable:
            emit("error", **{"from": "client"}, code="UNSUPPORTED", reason="cannot display", room=self.room)
            return
        members = {name: deliver.value(name) for name in ("nick", "text", "display") if deliver.has(name)}
        numbers = {name: str(deliver.number(name)) for name in ("room_seq", "counter", "sent_at", "server_time")}
        reply_to = deliver.octets("reply_to")
        emit(
            "message",
            room=self.room,
            **numbers,
            **members,
            author_key=(deliver.octets("author_key") or b"").hex(),
            id=crypto.message_id(deliver).hex(),
            own=deliver.octets("author_key") == self.key,
            **({"reply_to": reply_to.hex()} if reply_to else {}),
        )

    def signature_is_good(self, deliver: Frame) -> bool:
        return crypto.verify_message(deliver)

    def take_ack(self, ack: Frame) -> None:
        if ack.octets("room_id") != self.room_id:
            raise Fatal("WRONG_ROOM")
        if ack.number("acked_counter") > self.counter:
            raise Fatal("ACK_TOO_HIGH")
        self.limit_counter = max(self.limit_counter, ack.number("limit_counter"))
        if ack.number("acked_counter") > self.acked:
            self.acked = ack.number("acked_counter")
            emit("acked", room=self.room, counter=str(self.acked), room_seq=str(ack.number("acked_seq")))

    def take_ping(self, ping: Frame) -> None:
        if not self.sent_bye:
            self.send(codec.frame("PONG", opaque=ping.octets("opaque")))

    def take_error(self, error: Frame) -> bool:
        """Tell about an ERROR; True when it refuses or only delays something."""
        number = error.number("code")
        extra = {"counter": str(error.number("counter"))} if error.has("counter") else {}
        emit("error", **{"from": "server"}, code=code_name(number), reason=error.value("reason"), **extra)
        return number >> 8 in (4, 5)

    def take_end(self, frame: Frame) -> None:
        number = frame.number("code")
        name = code_name(number)
        if frame.name == "ERROR":
            if self.take_error(frame):
                return
            raise Over("error", exit_code_of(number), name, f"the server says {name}")
        if not self.sent_bye:
            self.send(codec.frame("BYE", code="NORMAL"))
        raise Over("goodbye", GOOD if name == "NORMAL" else AWAY, name, f"the server says goodbye: {name}")

    # --- the end ---

    def refuse(self, code: str) -> int:
        number = codec.NAMED_NUMBERS["code"][code]
        if not self.sent_bye:
            try:
                self.sock.sendall(codec.encode(codec.frame("ERROR", code=code, reason="the server broke the protocol")))
            except OSError:
                say("the server is gone already")
        emit("error", **{"from": "client"}, code=code, reason="the server broke the protocol")
        return self.end(Over("error", exit_code_of(number), code, "the server broke the protocol"))

    def end(self, over: Over) -> int:
        say(over.reason)
        if hasattr(self, "sock"):
            self.drain()
        emit("disconnected", how=over.how, again=False)
        emit("closed", exit=over.exit_code, code=over.code, reason=over.reason)
        return over.exit_code

    def drain(self) -> None:
        """END-01: shut down, read on until end of file or the linger, close."""
        deadline = time.monotonic() + getattr(self, "linger", 1.0)
        try:
            self.sock.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0 and select.select([self.sock], [], [], left)[0]:
                if not self.sock.recv(HEARD):
                    break
        except OSError:
            say("the connection was reset")
        self.sock.close()


def main(client_class: type[MiniClient] = MiniClient) -> None:
    env = os.environ
    if env["PROSA_LEVEL"] not in ("L0", "L1"):
        sys.exit(NOT_THERE)
    folder = Path(env["PROSA_DATA"])
    nick, room, port = env["PROSA_NICK"], env.get("PROSA_ROOM", "@host"), env["PROSA_PORT"]
    fits = not kinds.fault(FIELDS["nick"], nick.encode()) and not kinds.fault(FIELDS["room"], room.encode())
    if not (fits and port.isdecimal() and 0 < int(port) < 65536):
        say(f"bad settings: nick {nick!r}, room {room!r}, port {port!r}")
        sys.exit(BAD_SETTINGS)
    sys.exit(client_class(folder, env["PROSA_HOST"], int(port), nick, room).run())


if __name__ == "__main__":
    main()
