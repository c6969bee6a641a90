# SPDX-License-Identifier: MIT
"""One connection of the small server: the whole text of level L1, seen from the server's side.

Each check and each step is a method of its own, so that a faulty variant overrides one of them
(see faulty.py).
"""

from __future__ import annotations

import secrets
import socket
import time
from typing import TYPE_CHECKING

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES, CONSTANTS, FRAMES

if TYPE_CHECKING:
    from mini_server import MiniServer

HEARD = 4096  # octets read at once


class Fatal(Exception):
    """A fault of the peer that ends the connection with this code."""

    def __init__(self, code: str, clause: str) -> None:
        super().__init__(code)
        self.code = code
        self.clause = clause


class Room:
    """@host of one client: its log, and what the client may do and see."""

    def __init__(self, server_key: bytes, client_key: bytes, join: Frame) -> None:
        self.epoch = secrets.token_bytes(16)
        self.id = crypto.room_id(server_key, self.epoch, "@host", client_key)
        self.limit_seq = join.number("recv_window")
        self.limit_counter = 1
        self.ids: list[bytes] = []  # of the client's messages, by counter
        self.own_counter = 0
        self.log: list[Frame] = []
        self.sent = 0  # entries of the log that were delivered
        self.answer_seq = 0  # of the answer after which the limit rises, 0 for none


class Session:
    """One connection, from accept to close. A step that fails raises Fatal."""

    def __init__(self, server: MiniServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.state = "NEW"
        self.deadline: float | None = time.monotonic() + server.limits["handshake_ms"] / 1000
        self.buffer = b""
        self.hello = self.challenge = b""
        self.client_key = b""
        self.nick = ""
        self.room: Room | None = None
        self.pending: Frame | None = None

    # --- octets ---

    def send(self, frame: Frame) -> None:
        try:
            self.sock.sendall(codec.encode(frame))
        except OSError:
            self.state = "GONE"

    def readable(self) -> None:
        try:
            octets = self.sock.recv(HEARD)
        except OSError:
            octets = b""
        if not octets:
            self.state = "GONE"
        elif self.state != "CLOSING":
            self.buffer += octets
            try:
                self.take_frames()
            except Fatal as fatal:
                self.refuse(fatal)

    def take_frames(self) -> None:
        while self.state not in ("CLOSING", "GONE"):
            verdict = codec.decode(self.buffer, "client", self.cap())
            if isinstance(verdict, codec.Partial):
                return
            if isinstance(verdict, codec.Rejected):
                self.malformed(verdict)
                return
            self.buffer = self.buffer[verdict.consumed :]
            if isinstance(verdict, codec.Decoded):
                self.take(verdict.frame)
            elif self.state != "READY":
                raise Fatal("BAD_STATE", "WIRE-13")

    def cap(self) -> int:
        return self.server.limits["max_frame"] if self.state == "READY" else CONSTANTS["max_frame_handshake"]

    def malformed(self, verdict: codec.Rejected) -> None:
        if self.state == "NEW" and verdict.why.startswith("the magic"):
            self.state = "GONE"  # WIRE-03: silently
        elif self.is_goodbye():
            self.finish(None)  # ERR-10
        elif self.state != "READY" and verdict.why.startswith("unknown even frame type"):
            raise Fatal("BAD_STATE", "WIRE-13")
        else:
            raise Fatal(verdict.code, "WIRE-20")

    def is_goodbye(self) -> bool:
        """Whether the malformed frame at hand is an ERROR or a BYE."""
        types = (FRAMES["ERROR"].type, FRAMES["BYE"].type)
        return len(self.buffer) >= codec.HEADER.size and self.buffer[3] in types

    # --- the course of a session ---

    def take(self, frame: Frame) -> None:
        name = frame.name or ""
        if name == "BYE":
            self.take_bye()
        elif name == "ERROR":
            if closes(frame.number("code")):
                self.finish(None)
        elif self.state == "NEW" and name == "HELLO":
            self.take_hello(frame)
        elif self.state == "CHALLENGED" and name == "AUTH":
            self.take_auth(frame)
        elif self.state == "READY" and name in ("JOIN", "LEAVE", "PUBLISH", "ACK", "PING", "PONG"):
            getattr(self, f"take_{name.lower()}")(frame)
        else:
            raise Fatal("BAD_STATE", "WIRE-13")

    def take_hello(self, hello: Frame) -> None:
        key = hello.octets("client_key") or b""
        if 1 not in (hello.octets("versions") or b""):
            raise Fatal("UNSUPPORTED", "AUTH-05")
        if not self.key_is_good(key):
            raise Fatal("BAD_KEY", "AUTH-06")
        self.client_key = key
        self.hello = codec.encode(hello)
        self.challenge = codec.encode(self.make_challenge())
        self.sock.sendall(self.challenge)
        self.state = "CHALLENGED"

    def key_is_good(self, key: bytes) -> bool:
        return crypto.key_is_acceptable(key) and key != self.server.key

    def make_challenge(self) -> Frame:
        challenge = codec.frame(
            "CHALLENGE",
            versions=(1,),
            nonce=secrets.token_bytes(32),
            features=0,
            version=1,
            server_key=self.server.key,
            **self.server.limits,
        )
        return crypto.sign_challenge(self.server.seed, self.hello, challenge)

    def take_auth(self, auth: Frame) -> None:
        if not self.auth_is_good(auth):
            raise Fatal("BAD_SIG", "AUTH-16")
        self.nick = str(auth.value("nick"))
        if self.nick == "host":
            raise Fatal("NICK_TAKEN", "ID-09")
        self.send(codec.frame("WELCOME", session=self.server.sessions, time=now_ms()))
        self.state = "READY"
        self.deadline = None

    def auth_is_good(self, auth: Frame) -> bool:
        return crypto.verify_auth(self.client_key, self.hello, self.challenge, auth)

    def take_join(self, join: Frame) -> None:
        name = str(join.value("room"))
        if join.has("after_seq") and join.number("after_seq") and not join.has("epoch"):
            raise Fatal("BAD_FRAME", "RES-05")
        if name == "@host" and self.room is not None:
            raise Fatal("BAD_STATE", "FLOW-02")
        code = self.join_refusal(name)
        if code:
            self.send(codec.frame("ERROR", room=name, code=code, reason="only @host is here", ref_type=join.type))
            return
        self.room = Room(self.server.key, self.client_key, join)
        self.send(
            codec.frame(
                "JOINED",
                room=name,
                room_id=self.room.id,
                epoch=self.room.epoch,
                granted_window=1,
                last_counter=0,
                limit_counter=1,
                head_seq=0,
                oldest_seq=1,
                start_seq=1,
            )
        )

    def join_refusal(self, name: str) -> str:
        """The code that answers a JOIN of any room but @host; empty for that one."""
        if self.room is not None and self.server.limits["max_rooms"] == 1:
            return "TOO_MANY_ROOMS"
        if name == "@host":
            return ""
        return "NO_ROOM" if name.startswith("@") else "NOT_SUPPORTED"

    def take_leave(self, leave: Frame) -> None:
        if self.room is None or leave.octets("room_id") != self.room.id:
            raise Fatal("BAD_STATE", "MEM-08")
        self.room = self.pending = None

    def take_publish(self, publish: Frame) -> None:
        self.check_room(publish)
        self.check_author(publish)
        if not self.is_next(publish):
            return
        self.check_signature(publish)
        assert self.room is not None
        self.room.ids.append(crypto.message_id(publish))
        self.pending = publish
        self.append(publish)
        self.ack()
        self.server.ask(self)

    def check_room(self, frame: Frame) -> None:
        if self.room is None or frame.octets("room_id") != self.room.id:
            raise Fatal("WRONG_ROOM", "MSG-05")

    def check_author(self, publish: Frame) -> None:
        if publish.octets("author_key") != self.client_key or publish.value("nick") != self.nick:
            raise Fatal("WRONG_AUTHOR", "MSG-04")

    def is_next(self, publish: Frame) -> bool:
        """Section 6.3: False for a message that is here already, and was acknowledged again."""
        assert self.room is not None
        counter, last = publish.number("counter"), len(self.room.ids)
        if counter > self.room.limit_counter:
            raise Fatal("FLOW_VIOLATION", "FLOW-21")
        if counter <= last:
            if self.room.ids[counter - 1] != crypto.message_id(publish):
                raise Fatal("COUNTER_REUSE", "FLOW-23")
            self.ack()
            return False
        if counter > last + 1:
            raise Fatal("COUNTER_GAP", "FLOW-24")
        return True

    def check_signature(self, publish: Frame) -> None:
        if not crypto.verify_message(publish):
            raise Fatal("BAD_SIG", "MSG-03")

    def append(self, message: Frame) -> None:
        """Commit a message and deliver what credit permits."""
        assert self.room is not None
        fields = (("room_seq", len(self.room.log) + 1), ("server_time", now_ms()))
        raw = [codec.field_value(name, value) for name, value in fields]
        self.room.log.append(Frame(codec.frame("DELIVER").type, message.fields).plus(*raw))
        self.flush()

    def flush(self) -> None:
        """DELIVER within limit_seq; the limit rises when the answer is out (FLOW-28)."""
        room = self.room
        assert room is not None
        while room.sent < min(len(room.log), room.limit_seq):
            room.sent += 1
            self.send(room.log[room.sent - 1])
        if room.answer_seq and room.sent >= room.answer_seq:
            room.answer_seq = 0
            self.raise_limit()

    def raise_limit(self) -> None:
        assert self.room is not None
        self.room.limit_counter = len(self.room.ids) + 1
        self.ack()

    def ack(self) -> None:
        room = self.room
        assert room is not None
        last = len(room.ids)
        keys = [entry.octets("author_key") for entry in room.log]
        seqs = [seq for seq, key in enumerate(keys, 1) if key == self.client_key]
        self.send(
            codec.frame(
                "ACK",
                room_id=room.id,
                limit_counter=room.limit_counter,
                acked_counter=last,
                acked_seq=seqs[-1] if seqs else 0,
            )
        )

    def take_ack(self, ack: Frame) -> None:
        self.check_room(ack)
        assert self.room is not None
        if ack.number("seen_seq") > self.room.sent:
            raise Fatal("ACK_TOO_HIGH", "FLOW-13")
        self.room.limit_seq = max(self.room.limit_seq, ack.number("limit_seq"))
        self.flush()

    def take_ping(self, ping: Frame) -> None:
        self.send(codec.frame("PONG", opaque=ping.octets("opaque")))

    def take_pong(self, pong: Frame) -> None:
        """LIVE-09: nobody asked for it."""

    # --- answers ---

    def answer(self, text: str) -> None:
        assert self.room is not None
        assert self.pending is not None
        question, self.pending = self.pending, None
        self.room.own_counter += 1
        self.room.answer_seq = len(self.room.log) + 1
        self.append(self.make_answer(question, text))

    def say(self, text: str) -> None:
        """The operator's line: the answer, when a question is pending [END-19]."""
        if self.pending is not None:
            self.answer(text)
        elif self.room is not None:
            self.room.own_counter += 1
            self.append(self.make_answer(None, text))

    def make_answer(self, question: Frame | None, text: str) -> Frame:
        assert self.room is not None
        answer = codec.frame(
            "PUBLISH",
            nick="host",
            room_id=self.room.id,
            author_key=self.server.key,
            counter=self.room.own_counter,
            sent_at=now_ms(),
            text=text,
            reply_to=None if question is None else crypto.message_id(question),
        )
        return crypto.sign_message(self.server.seed, answer)

    def no_answer(self) -> None:
        assert self.room is not None
        assert self.pending is not None
        counter = self.pending.number("counter")
        self.pending = None
        self.send(
            codec.frame(
                "ERROR", room_id=self.room.id, counter=counter, code="NO_ANSWER", reason="nobody answers", ref_type=20
            )
        )
        self.raise_limit()

    # --- the end ---

    def refuse(self, fatal: Fatal) -> None:
        self.finish(codec.frame("ERROR", code=fatal.code, reason=f"see {fatal.clause}", clause=fatal.clause))

    def take_bye(self) -> None:
        self.finish(codec.frame("BYE", code="NORMAL") if self.state == "READY" else None)

    def finish(self, last: Frame | None) -> None:
        """The last frame, shutdown(SHUT_WR), then read on until end of file or the linger."""
        if last is not None:
            self.send(last)
        if self.state == "GONE":
            return
        self.state = "CLOSING"
        self.pending = None
        self.deadline = time.monotonic() + self.server.limits["linger_ms"] / 1000
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.state = "GONE"

    def expire(self) -> None:
        """The handshake's or the linger's deadline has come."""
        if self.state == "CHALLENGED":
            self.refuse(Fatal("TIMEOUT", "AUTH-20"))
        else:
            self.state = "GONE"


def closes(number: int) -> bool:
    return number >> 8 not in (CODES["NO_ROOM"].number >> 8, CODES["NO_ANSWER"].number >> 8)


def now_ms() -> int:
    return int(time.time() * 1000)
