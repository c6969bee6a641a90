# SPDX-License-Identifier: MIT
"""One connection of the small server: octets, turns, handshake, deadlines and its end; mini_session.py
is what happens in rooms.

Each check and each step is a method of its own, so that a faulty variant overrides one of them
(see faulty.py). Nothing here waits: the server calls when there is something to read, to decide or
to write, and when a deadline has come.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mini_rooms import Room, View, now_ms
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES, CONSTANTS, FEATURES, FRAMES

if TYPE_CHECKING:
    from mini_server import MiniServer

HEARD = 4096  # octets read at once
TURN = 16  # frames of one session that are decided before it is the next one's turn [FLOW-42]
COSTS_A_TOKEN = ("JOIN", "LEAVE", "PING")
IN_READY = ("JOIN", "LEAVE", "PUBLISH", "ACK", "PING", "PONG")
RESET = struct.pack("ii", 1, 0)


class Fatal(Exception):
    """A fault of the peer that ends the connection with this code."""

    def __init__(self, code: str, clause: str) -> None:
        super().__init__(code)
        self.code = code
        self.clause = clause


class Connection:
    """One connection, from accept to close. A step that fails raises Fatal."""

    def __init__(self, server: MiniServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.address = str(sock.getpeername()[0])
        self.state = "NEW"
        now = time.monotonic()
        self.deadline: float | None = now + server.seconds("handshake_ms")
        self.heard = self.progress = self.refilled = now
        self.has_pinged = False
        self.tokens = float(server.limits["token_burst"])
        self.buffer = b""  # read, not decided
        self.has_whole_frame = self.is_at_end = False
        self.out = bytearray()
        self.hello = self.challenge = b""
        self.features = 0
        self.client_key = b""
        self.nick = ""
        self.number = 0
        self.views: dict[bytes, View] = {}  # by room_id
        self.inherited: dict[bytes, Room] = {}  # where a session that this one replaced was a member
        self.heir: Connection | None = None  # the session that replaces this one
        self.current: Frame | None = None  # the frame that is being decided

    def has(self, feature: str) -> bool:
        """Whether both sides offered it [AUTH-11]."""
        return bool(self.features & FEATURES[feature])

    # --- octets ---

    def send(self, frame: Frame) -> None:
        self.out += codec.encode(frame)

    def write(self) -> None:
        """What the socket takes now; after the last frame the sending side is shut."""
        while self.out and self.state != "GONE":
            try:
                sent = self.sock.send(self.out)
            except BlockingIOError:
                return
            except OSError:
                self.vanish()
                return
            del self.out[:sent]
            self.progress = time.monotonic()
        if self.state == "CLOSING":
            self.shut()

    def shut(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.is_at_end = True
        if self.is_at_end:
            self.state = "GONE"

    def readable(self) -> None:
        try:
            octets = self.sock.recv(HEARD)
        except BlockingIOError:
            return
        except OSError:
            self.vanish()
            return
        self.heard, self.has_pinged = time.monotonic(), False
        self.is_at_end = not octets
        if self.state == "CLOSING":
            self.discard(octets)
        else:
            self.buffer += octets
            self.has_whole_frame = True  # until it is found to be none

    def discard(self, octets: bytes) -> None:
        """What comes after the last frame of ours has no answer [END-04, ERR-06]."""

    def wants_to_read(self) -> bool:
        """FLOW-36 and FLOW-37; an unfinished frame alone never stops the reading."""
        if self.state == "CLOSING" or self.is_at_end:
            return not self.is_at_end
        limits = self.server.limits
        undecided = len(self.buffer) if self.has_whole_frame else 0
        over = undecided > limits["undecided_limit"] or len(self.out) > limits["output_limit"]
        return not (over or self.waits_for_a_token())

    # --- one turn ---

    def take_turn(self) -> None:
        """Decide some of what was read."""
        for _ in range(self.frames_in_a_turn()):
            if not self.may_decide():
                return
            try:
                self.decide()
            except Fatal as fatal:
                self.refuse(fatal)

    def frames_in_a_turn(self) -> int:
        return min(TURN, self.server.limits["max_window"])

    def may_decide(self) -> bool:
        """Whether there is a frame, and everything before it has had its outcome [LIVE-02, LIVE-03]."""
        active = self.state not in ("CLOSING", "GONE") and self.has_whole_frame
        return active and self.has_space() and self.has_all() and not self.waits_for_a_token()

    def may_go_on(self) -> bool:
        """Whether the next turn has something to decide, or to tell."""
        return self.may_decide() or (self.has_space() and not self.has_all())

    def has_space(self) -> bool:
        return len(self.out) <= self.server.limits["output_limit"]

    def has_all(self) -> bool:
        return all(view.has_all for view in self.views.values())

    def decide(self) -> None:
        verdict = codec.decode(self.buffer, "client", self.cap())
        if isinstance(verdict, codec.Partial):
            self.has_whole_frame = False
            if self.is_at_end:
                self.finish(None)  # END-17
            return
        frame = verdict.frame if isinstance(verdict, codec.Decoded) else None
        if frame is None or frame.name != "PUBLISH":
            self.server.settle()
            if not (self.has_all() and self.pay(frame)):
                return
        if isinstance(verdict, codec.Rejected):
            self.malformed(verdict)
            return
        self.buffer = self.buffer[verdict.consumed :]
        self.current = frame
        if frame is not None:
            self.take(frame)
        elif self.state != "READY":
            raise Fatal("BAD_STATE", "WIRE-13")
        self.current = None

    def cap(self) -> int:
        return self.server.limits["max_frame"] if self.state == "READY" else CONSTANTS["max_frame_handshake"]

    def malformed(self, verdict: codec.Rejected) -> None:
        self.current = None
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

    # --- tokens ---

    def pay(self, frame: Frame | None) -> bool:
        """FLOW-37: False when there is no token for it now; then nothing is read until there is one."""
        if self.server.level < 4 or self.state != "READY" or frame is None or frame.name not in COSTS_A_TOKEN:
            return True
        self.refill()
        self.tokens -= 1
        if self.tokens >= 0:
            return True
        self.tokens += 1
        self.deadline = time.monotonic() + (1 - self.tokens) / self.server.limits["token_rate"]
        return False

    def refill(self) -> None:
        now, limits = time.monotonic(), self.server.limits
        fresh = (now - self.refilled) * limits["token_rate"]
        self.tokens, self.refilled = min(self.tokens + fresh, limits["token_burst"]), now

    def waits_for_a_token(self) -> bool:
        return self.state == "READY" and self.deadline is not None

    # --- the course of a session ---

    def take(self, frame: Frame) -> None:
        name = frame.name or ""
        if name == "BYE":
            self.take_bye()
        elif name == "ERROR":
            self.take_error(frame)
        elif self.state == "NEW" and name == "HELLO":
            self.take_hello(frame)
        elif self.state == "CHALLENGED" and name == "AUTH":
            self.take_auth(frame)
        elif self.state == "READY" and name in IN_READY:
            getattr(self, f"take_{name.lower()}")(frame)
        else:
            raise Fatal("BAD_STATE", "WIRE-13")

    def take_hello(self, hello: Frame) -> None:
        key = hello.need("client_key")
        if not self.has_common_version(hello):
            raise Fatal("UNSUPPORTED", "AUTH-05")
        if not self.key_is_good(key):
            raise Fatal("BAD_KEY", "AUTH-06")
        if not self.server.has_place(key):
            raise Fatal("BUSY", "AUTH-07")
        self.client_key = key
        self.hello = codec.encode(hello)
        challenge = self.make_challenge()
        self.challenge = codec.encode(challenge)
        self.features = challenge.number("features") & self.server.features & hello.number("features")
        self.send(challenge)
        self.state = "CHALLENGED"

    def has_common_version(self, hello: Frame) -> bool:
        return 1 in hello.need("versions")

    def key_is_good(self, key: bytes) -> bool:
        return crypto.key_is_acceptable(key) and key != self.server.key

    def make_challenge(self) -> Frame:
        challenge = codec.frame(
            "CHALLENGE",
            versions=(1,),
            nonce=self.make_nonce(),
            features=self.server.features,
            version=1,
            server_key=self.server.key,
            **self.server.limits,
        )
        return crypto.sign_challenge(self.server.seed, self.hello, challenge)

    def make_nonce(self) -> bytes:
        return secrets.token_bytes(32)

    def take_auth(self, auth: Frame) -> None:
        if not self.auth_is_good(auth):
            raise Fatal("BAD_SIG", "AUTH-16")
        nick = str(auth.value("nick"))
        self.check_nick(nick)
        self.nick, self.number = nick, self.server.next_number()
        self.replace_older()
        self.send(codec.frame("WELCOME", session=self.number, time=now_ms()))
        self.state = "READY"
        self.deadline = None

    def auth_is_good(self, auth: Frame) -> bool:
        return crypto.verify_auth(self.client_key, self.hello, self.challenge, auth)

    def check_nick(self, nick: str) -> None:
        if nick == "host":
            raise Fatal("NICK_TAKEN", "ID-09")
        if self.server.level < 3:
            return
        store = self.server.store
        if store.key_of(nick) not in (None, self.client_key):
            raise Fatal("NICK_TAKEN", "ID-07")
        if store.nick_of(self.client_key) not in (None, nick) or store.is_banned(self.client_key):
            raise Fatal("DENIED", "ID-08")
        store.bind(nick, self.client_key)

    def replace_older(self) -> None:
        """END-14: what the older one gave to the store counts, what it still has in its input does not."""
        older = self.server.session_of(self.client_key)
        if older is None:
            return
        older.buffer, older.heir = b"", self
        self.server.settle()
        rooms = [*older.inherited.values(), *(view.room for view in older.views.values())]
        self.inherited = {room.id: room for room in rooms if self.client_key in room.members}
        older.inherited = {}
        older.goodbye("REPLACED")

    # --- the end ---

    def refuse(self, fatal: Fatal) -> None:
        self.server.settle()  # the outcomes of earlier frames go first [ERR-01]
        self.finish(self.make_error(fatal))

    def make_error(self, fatal: Fatal) -> Frame:
        about = self.current
        named = {name: about.octets(name) for name in ("room", "room_id", "counter")} if about else {}
        ref_type = about.type if about else None
        reason = f"see {fatal.clause}"
        return codec.frame("ERROR", **named, code=fatal.code, reason=reason, ref_type=ref_type, clause=fatal.clause)

    def take_bye(self) -> None:
        if self.state == "READY":
            self.goodbye("NORMAL")
        else:
            self.finish(None)

    def take_error(self, error: Frame) -> None:
        if self.state != "READY" or self.closes(error.number("code")):
            self.finish(None)

    def closes(self, number: int) -> bool:
        """By its class, whether the code is known or not [ERR-05]."""
        return number >> 8 not in (CODES["NO_ROOM"].number >> 8, CODES["NO_ANSWER"].number >> 8)

    def goodbye(self, code: str) -> None:
        """BYE, behind a CHECKPOINT of each room; before READY nothing is said [END-06]."""
        if self.state in ("CLOSING", "GONE"):
            return
        self.server.settle()
        if self.has("audit"):
            self.state_heads()
        self.finish(self.make_bye(code) if self.state == "READY" else None)

    def state_heads(self) -> None:
        """AUD-04"""
        for view in self.views.values():
            self.send(view.room.make_checkpoint(view.room.head))

    def make_bye(self, code: str) -> Frame:
        return codec.frame("BYE", code=code)

    def finish(self, last: Frame | None) -> None:
        """The last frame, shutdown(SHUT_WR), then reading on until end of file or the linger."""
        if self.state in ("CLOSING", "GONE"):
            return
        self.server.settle()
        if last is not None:
            self.send(last)
        self.state = "CLOSING"
        self.buffer = b""
        self.deadline = time.monotonic() + self.server.seconds("linger_ms")
        self.leave_all()

    def vanish(self) -> None:
        """The peer is gone without a word, or after the last one [END-17]."""
        self.state = "GONE"
        self.leave_all()

    # --- time ---

    def deadlines(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """When what is due, if nothing happens before."""
        if self.deadline is not None:
            yield self.deadline, self.expire
        if self.state != "READY":
            return
        if not self.wants_to_read():
            self.heard = time.monotonic()  # it is we who do not listen
        if self.has("liveness"):
            if not self.has_pinged:
                yield self.heard + self.server.seconds("ping_after_ms"), self.ping
            yield self.heard + self.server.seconds("dead_after_ms"), self.die
        if self.server.level >= 3 and self.is_owed():
            yield self.progress + self.server.seconds("slow_ms"), self.evict

    def is_owed(self) -> bool:
        """Whether a DELIVER is owed or output is pending; when nothing is, the clock of FLOW-39 starts anew."""
        owed = bool(self.out) or any(view.is_owed for view in self.views.values())
        if not owed:
            self.progress = time.monotonic()
        return owed

    def expire(self) -> None:
        """The handshake's or the linger's deadline has come; in READY, there is a token again."""
        if self.state == "CHALLENGED":
            self.refuse(Fatal("TIMEOUT", "AUTH-20"))
        elif self.state == "READY":
            self.deadline = None
        else:
            if self.out:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.state = "GONE"

    def ping(self) -> None:
        self.has_pinged = True
        self.send(codec.frame("PING", opaque=b"alive?"))

    def die(self) -> None:
        self.goodbye("IDLE")

    def evict(self) -> None:
        self.goodbye("SLOW_CONSUMER")
