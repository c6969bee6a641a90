# SPDX-License-Identifier: MIT
"""A scripted client: speaks to the server under test, in single steps or many at once.

It keeps books (rooms, counters, limits) so that a test need not, and judges only the steps that
a test asks it to take.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from prosa_conformance import codec, crypto
from prosa_conformance.bugs import Faulty, marked
from prosa_conformance.case import Case
from prosa_conformance.codec import Frame, RawField
from prosa_conformance.endpoint import Endpoint
from prosa_conformance.kinds import Value
from prosa_conformance.language import _
from prosa_conformance.match import Like, at_least
from prosa_conformance.outcome import Violation
from prosa_conformance.registry import GREASE_TAGS

AUTHOR_GREASE = [tag for tag in GREASE_TAGS if tag <= codec.AUTHOR_ZONE_LAST]


@dataclass
class Room:
    """A joined room as its client sees it."""

    name: str
    id: bytes
    epoch: bytes
    granted: int
    last_counter: int
    limit_counter: int
    start_seq: int
    limit_seq: int
    joined: Frame
    acked_counter: int = 0
    frames: list[Frame] = field(default_factory=list)  # all that came about this room, since JOINED

    @property
    def delivered(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.name == "DELIVER"]

    @property
    def base_counter(self) -> int:
        """Where the counters of this JOIN begin."""
        return self.joined.number("last_counter")

    def is_waiting(self, server_key: bytes) -> bool:
        """Whether something that was said here has no answer of the server yet."""
        answers = sum(frame.octets("author_key") == server_key for frame in self.delivered)
        return self.last_counter - self.base_counter > answers

    @property
    def seen_seq(self) -> int:
        """The room_seq up to which entries came."""
        return max((frame.number("room_seq") for frame in self.delivered), default=self.start_seq - 1)

    @property
    def members(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.name == "MEMBER"]


class Peer(Endpoint):
    def __init__(self, case: Case, sock: socket.socket, name: str, target: str, seed: bytes) -> None:
        super().__init__(case, sock, name, "server")
        self.target = target
        self.seed = seed
        self.key = crypto.public_key(seed)
        self.nick = case.nick(name)
        self.grease = True
        self.rooms: dict[bytes, Room] = {}
        self.joins: list[Room] = []  # also those that were left
        self.hello_octets = b""
        self._challenge: Frame | None = None

    # --- handshake, step by step ---

    def make_hello(self, *, extra: Iterable[RawField] = (), **changes: Any) -> Frame:
        """A good HELLO; `changes` by field name, None leaves one out."""
        values: dict[str, Any] = {
            "versions": (1,),
            "nonce": self.case.rng.randbytes(32),
            "client_key": self.key,
            "features": 0,
            "target": self.target,
            **changes,
        }
        return codec.frame("HELLO", extra=[*extra, *self._grease()], **values)

    def hello(self, hello: Frame | Faulty | None = None, **changes: Any) -> None:
        """Send a HELLO and remember it for the signatures."""
        frame = self.make_hello(**changes) if hello is None else hello
        self.hello_octets = frame.octets if isinstance(frame, Faulty) else codec.encode(frame)
        self.send(frame)

    def expect_challenge(self, **fields: Any) -> Frame:
        """Wait for CHALLENGE, and check that the server signed this HELLO."""
        return self._take_challenge(self.expect("CHALLENGE", **fields))

    def expect_challenge_or_busy(self) -> bool:
        """The same; False when the server says that it has no place for another session [AUTH-07]."""
        frame = self.next_frame()
        if not Like("ERROR", code="BUSY").mismatch(frame):
            self.expect_closed()
            return False
        if frame.name != "CHALLENGE":
            raise self._wrong_frame(frame, [Like("CHALLENGE")], _("CHALLENGE or ERROR BUSY"))
        self._take_challenge(frame)
        return True

    def _take_challenge(self, challenge: Frame) -> Frame:
        if not crypto.verify_challenge(challenge.need("server_key"), self.hello_octets, challenge):
            faulty = marked(challenge, "handshake_sig")
            raise Violation(
                _("the server's signature in CHALLENGE does not verify at {who}").format(who=self.name),
                expected=_('a signature of "PROSA/1 server-auth\\0" || th1 [AUTH-12]'),
                actual=_("a signature of something else"),
                guilty=faulty.guilty,
            )
        self._challenge = challenge
        return challenge

    def make_auth(self, *, extra: Iterable[RawField] = (), seed: bytes | None = None, **changes: Any) -> Frame:
        """A good AUTH for the CHALLENGE that came; `seed` signs with another key."""
        auth = codec.frame("AUTH", extra=extra, **{"nick": self.nick, **changes})
        if "handshake_sig" in changes:
            return auth
        return crypto.sign_auth(seed or self.seed, self.hello_octets, codec.encode(self.challenge), auth)

    def auth(self, auth: Frame | Faulty | None = None, **changes: Any) -> None:
        self.send(self.make_auth(**changes) if auth is None else auth)

    def expect_welcome(self) -> Frame:
        return self.expect("WELCOME")

    def login(self, *, features: int = 0) -> Peer:
        """HELLO to WELCOME."""
        self.hello(features=features)
        self.expect_challenge()
        self.auth()
        self.expect_welcome()
        return self

    # --- rooms ---

    def make_join(self, room: str = "@host", **changes: Any) -> Frame:
        values: dict[str, Any] = {"room": room, "send_window": 1, "recv_window": 64, **changes}
        return codec.frame("JOIN", **values)

    def join(self, room: str = "@host", **changes: Any) -> Room:
        """JOIN and JOINED, whose room_id is checked."""
        join = self.make_join(room, **changes)
        self.send(join)
        return self.expect_joined(join)

    def expect_joined(self, join: Frame) -> Room:
        name = str(join.value("room"))
        joined = self.expect("JOINED", room=name)
        own = self.key if name == "@host" else None
        wanted = crypto.room_id(self.server_key, joined.need("epoch"), name, own)
        if joined.octets("room_id") != wanted:
            raise Violation(
                _("the room_id in JOINED of {room} is not the one that follows from its epoch").format(room=name),
                expected=wanted.hex(),
                actual=joined.need("room_id").hex(),
                guilty=marked(joined, "room_id").guilty,
            )
        room = Room(
            name=name,
            id=wanted,
            epoch=joined.need("epoch"),
            granted=joined.number("granted_window"),
            last_counter=joined.number("last_counter"),
            joined=joined,
            limit_counter=joined.number("limit_counter"),
            start_seq=joined.number("start_seq"),
            limit_seq=joined.number("start_seq") + join.number("recv_window") - 1,
        )
        self.rooms[room.id] = room
        self.joins.append(room)
        return room

    def leave(self, room: Room) -> Frame:
        """LEAVE of a named room, and its answer; what came before that, whatever it was, is in `room.frames`."""
        self.send(codec.frame("LEAVE", room_id=room.id))
        return self.expect_left(room)

    def expect_left(self, room: Room) -> Frame:
        """The answer to a LEAVE that was sent."""
        left = self.expect_until("MEMBER", room_id=room.id, event="left", member_key=self.key, nick=self.nick)
        del self.rooms[room.id]
        return left

    def make_publish(
        self,
        room: Room,
        text: Value = "hello",
        *,
        extra: Iterable[RawField] = (),
        seed: bytes | None = None,
        **changes: Any,
    ) -> Frame:
        """A good PUBLISH with the next counter, signed; `changes` come before the signature."""
        values: dict[str, Any] = {
            "nick": self.nick,
            "room_id": room.id,
            "author_key": self.key,
            "counter": room.last_counter + 1,
            "sent_at": int(time.time() * 1000),
            "text": text,
            **changes,
        }
        publish = codec.frame("PUBLISH", extra=[*extra, *self._grease()], **values)
        return publish if "author_sig" in changes else crypto.sign_message(seed or self.seed, publish)

    def publish(self, room: Room, text: Value = "hello", **changes: Any) -> Frame:
        """Sign and send the next message of this room; the frame is returned."""
        publish = self.make_publish(room, text, **changes)
        self.send(publish)
        room.last_counter = max(room.last_counter, publish.number("counter"))
        return publish

    def say(self, room: Room, text: Value = "hello", **changes: Any) -> Frame:
        """The same as soon as the limit allows it, whatever comes meanwhile."""
        if room.last_counter >= room.limit_counter:
            self.expect_until("ACK", room_id=room.id, limit_counter=at_least(room.last_counter + 1))
        return self.publish(room, text, **changes)

    def expect_own(self, publish: Frame, **fields: Any) -> Frame:
        """Wait for the ACK and the DELIVER of one's own message, in either order; the DELIVER."""
        room = publish.need("room_id")
        counter = publish.number("counter")
        return self.expect_in_any_order(
            Like("DELIVER", room_id=room, author_key=self.key, counter=counter, **fields),
            Like("ACK", room_id=room, acked_counter=at_least(counter)),
        )[0]

    def expect_answer(self, publish: Frame, text: str | None = None) -> Frame:
        """Wait for the server's signed answer to a question, then for the ACK that raises the limit."""
        fields: dict[str, Any] = {} if text is None else {"text": text}
        answer = self.expect("DELIVER", author_key=self.server_key, nick="host", **fields)
        if not crypto.verify_message(answer):
            raise Violation(
                _("the server's answer is not signed by the server's key"),
                expected=_("author_sig of the author zone [MSG-20]"),
                actual=_("a signature that does not verify"),
                guilty=marked(answer, "author_sig").guilty,
            )
        self.expect("ACK", limit_counter=at_least(publish.number("counter") + 1))
        return answer

    def ack(self, room: Room, seen_seq: int, limit_seq: int | None = None) -> None:
        """Tell the server what was taken; the limit moves along unless one is given."""
        room.limit_seq = seen_seq + 64 if limit_seq is None else limit_seq
        self.send(codec.frame("ACK", room_id=room.id, seen_seq=seen_seq, limit_seq=room.limit_seq))

    def leave_politely(self) -> None:
        """BYE NORMAL, its answer, end of stream."""
        self.bye()
        self.half_close()
        self.expect("BYE", code="NORMAL")
        self.expect_closed()
        self.close()

    # --- books ---

    @property
    def challenge(self) -> Frame:
        """The CHALLENGE that came; it is there after expect_challenge."""
        if self._challenge is None:
            raise LookupError("challenge comes after expect_challenge")
        return self._challenge

    @property
    def server_key(self) -> bytes:
        return self.challenge.need("server_key")

    def observe(self, frame: Frame) -> None:
        if frame.name == "WELCOME" and self._challenge is not None:
            self.cap = self._challenge.number("max_frame")
        room = self.rooms.get(frame.octets("room_id") or b"")
        if room is None:
            return
        room.frames.append(frame)
        if frame.name == "ACK":
            room.acked_counter = max(room.acked_counter, frame.number("acked_counter"))
            room.limit_counter = max(room.limit_counter, frame.number("limit_counter"))

    def _grease(self) -> list[RawField]:
        if not self.grease:
            return []
        return [(self.case.rng.choice(AUTHOR_GREASE), self.case.rng.randbytes(self.case.rng.randrange(8)))]


def settle(*peers: Peer) -> None:
    """A barrier on each, and another: after the first all of everybody's is committed, after the second it is there.

    What credit withholds from a peer is not.
    """
    for _round in range(2):
        for peer in peers:
            peer.barrier()
