# SPDX-License-Identifier: MIT
"""A scripted server: serves the client under test, in single steps or many at once.

`ScriptedServer` listens and accepts; a `Session` is one accepted connection. Each step that
receives checks what a server would check; each step that sends can be told to lie.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from prosa_conformance import codec, crypto
from prosa_conformance.bugs import Faulty, marked
from prosa_conformance.case import START_S, SUBJECTS, Case
from prosa_conformance.codec import Frame, RawField
from prosa_conformance.endpoint import Endpoint
from prosa_conformance.kinds import Value
from prosa_conformance.language import _, pgettext
from prosa_conformance.match import describe
from prosa_conformance.outcome import Inconclusive, Violation
from prosa_conformance.process import Program
from prosa_conformance.registry import FEATURES, GREASE_TAGS, LIMITS, TIMERS
from prosa_conformance.scripted_room import ScriptedRoom
from prosa_conformance.transcript import Kind

CHALLENGE_GREASE = [tag for tag in GREASE_TAGS if tag <= codec.SERVER_ZONE_LAST]
ACCEPT_POLL_S = 0.05
# Of a narrow server: so small a segment and a buffer that a client's few messages fill its own.
NARROW_SEGMENT, NARROW_BUFFER = 536, 2048


class ScriptedServer:
    """Listens from the start; `host`, `port`, `seed`, `limits`, `features` can be changed before `accept`.

    With `resume` it keeps its rooms from one session to the next. `narrow`: what is sent to it and not read
    soon fills the buffers on the way.
    """

    def __init__(
        self,
        case: Case,
        seed: bytes | None = None,
        address: tuple[str, int] | None = None,
        *,
        narrow: bool = False,
    ) -> None:
        self.case = case
        self.narrow = narrow
        self.seed = seed or case.seed("server")
        self.limits: dict[str, int] = {name: limit.default for name, limit in {**LIMITS, **TIMERS}.items()}
        self.features = 0
        self.sessions: list[Session] = []
        self.rooms: dict[str, ScriptedRoom] = {}
        self.host, self.port = address or case.settings.ports.take()
        self._listener: socket.socket | None = None
        self.listen()

    @property
    def key(self) -> bytes:
        return crypto.public_key(self.seed)

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"

    def listen(self) -> None:
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.narrow:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BUFFER)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, NARROW_SEGMENT)
        try:
            listener.bind((self.host, self.port))
            listener.listen(16)
        except OSError as error:
            listener.close()
            words = _("the suite cannot listen on {address}: {error}")
            raise Inconclusive(words.format(address=self.target, error=error.strerror)) from None
        self._listener = listener

    def stop_listening(self) -> None:
        """From here on a connection is refused."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    @property
    def has_caller(self) -> bool:
        """Whether somebody has connected whom nobody has accepted yet."""
        return self._listener is not None and bool(select.select([self._listener], [], [], 0)[0])

    def accept(self, program: Program | None = None, name: str = "", seconds: float = START_S) -> Session:
        """Wait for a connection; fails at once when the program that should come has ended."""
        if self._listener is None:
            raise LookupError("accept comes after listen")
        deadline = self.case.deadline(seconds)
        self._listener.settimeout(ACCEPT_POLL_S)
        while time.monotonic() < deadline:
            try:
                sock = self._listener.accept()[0]
            except TimeoutError:
                if program is not None and program.ended is not None:
                    break
                continue
            sock.settimeout(None)
            words = _("to {address}").format(address=self.target)
            self.case.transcript.add(SUBJECTS[self.case.role], Kind.CONNECT, words)
            self.sessions.append(Session(self, sock, name or pgettext("who acts", "server")))
            return self.sessions[-1]
        ended = program.ended if program is not None else None
        raise Violation(
            _("{subject} did not connect to the server it was told").format(subject=self.case.subject),
            expected=_("a connection to {address}").format(address=self.target),
            actual=_("it ended: {how}").format(how=ended) if ended else _("no connection"),
            symptom="early-end" if ended else "silence",
        )

    def serve(self, program: Program | None = None) -> Session:
        """Accept, shake hands, and let the client join its room."""
        session = self.accept(program)
        session.handshake()
        session.accept_join()
        return session


class Session(Endpoint):
    def __init__(self, server: ScriptedServer, sock: socket.socket, name: str) -> None:
        super().__init__(server.case, sock, name, "client")
        self.server = server
        self.answers_pings = False  # before READY a PONG is out of place
        self.grease = True
        self.piecewise = False
        self._hello: Frame | None = None
        self.challenge_octets = b""
        self.nick = ""
        self._room: ScriptedRoom | None = None

    @property
    def hello(self) -> Frame:
        """The HELLO that came; it is there after expect_hello."""
        if self._hello is None:
            raise LookupError("hello comes after expect_hello")
        return self._hello

    @property
    def room(self) -> ScriptedRoom:
        """The room of this session; it is there after accept_join."""
        if self._room is None:
            raise LookupError("room comes after accept_join")
        return self._room

    def has(self, feature: str) -> bool:
        """Whether both sides offered it [AUTH-11]."""
        return bool(self.server.features & self.hello.number("features") & FEATURES[feature])

    def send(self, frame: Frame | Faulty) -> None:
        """As an endpoint sends it; `piecewise`: every octet in a segment of its own."""
        if self.piecewise and isinstance(frame, Frame):
            self.put_piecewise(codec.encode(frame), describe(frame))
        else:
            super().send(frame)

    # --- handshake, step by step ---

    @property
    def client_key(self) -> bytes:
        return self.hello.need("client_key")

    def expect_hello(self, **fields: Any) -> Frame:
        self._hello = self.expect("HELLO", seconds=START_S, **fields)
        return self._hello

    def make_challenge(self, *, extra: Iterable[RawField] = (), seed: bytes | None = None, **changes: Any) -> Frame:
        """A good CHALLENGE; `changes` come before the signature, `seed` signs with another key."""
        values: dict[str, Any] = {
            "versions": (1,),
            "nonce": self.case.rng.randbytes(32),
            "features": self.server.features,
            "version": 1,
            "server_key": self.server.key,
            **self.server.limits,
            **changes,
        }
        grease = [(self.case.rng.choice(CHALLENGE_GREASE), b"grease")] if self.grease else []
        challenge = codec.frame("CHALLENGE", extra=[*extra, *grease], **values)
        if "handshake_sig" in changes:
            return challenge
        return crypto.sign_challenge(seed or self.server.seed, codec.encode(self.hello), challenge)

    def challenge(self, challenge: Frame | Faulty | None = None, **changes: Any) -> None:
        frame = self.make_challenge(**changes) if challenge is None else challenge
        self.challenge_octets = frame.octets if isinstance(frame, Faulty) else codec.encode(frame)
        self.send(frame)

    def expect_auth(self, **fields: Any) -> Frame:
        """Wait for AUTH and check the client's signature."""
        auth = self.expect("AUTH", **fields)
        if not crypto.verify_auth(self.client_key, codec.encode(self.hello), self.challenge_octets, auth):
            raise Violation(
                _("the client's signature in AUTH does not verify"),
                expected=_('a signature of "PROSA/1 client-auth\\0" || th2 || the fields before it [AUTH-15]'),
                actual=_("a signature of something else"),
                guilty=marked(auth, "handshake_sig").guilty,
            )
        self.nick = str(auth.value("nick"))
        return auth

    def welcome(self, *, extra: Iterable[RawField] = ()) -> None:
        self.send(codec.frame("WELCOME", extra=extra, session=len(self.server.sessions), time=_now_ms()))
        self.cap = self.server.limits["max_frame"]
        self.answers_pings = True

    def handshake(self) -> Session:
        """HELLO to WELCOME."""
        self.expect_hello()
        self.challenge()
        self.expect_auth()
        self.welcome()
        return self

    # --- the room ---

    def make_joined(self, join: Frame, *, granted: int = 1, **changes: Any) -> Frame:
        """A good JOINED: of the room as it is kept, else of an empty one; `changes` by field name.

        `granted` is the most: a client that asks for less gets less.
        """
        name = str(join.value("room"))
        epoch: bytes = changes.get("epoch", self.case.seed(f"epoch of {name}")[:16])
        own = self.client_key if name == "@host" else None
        known = self._kept_room(name, epoch)
        told = {"last_counter": 0, "head_seq": 0, "start_seq": 1, **(known.told(join) if known else {}), **changes}
        granted = min(granted, join.number("send_window"))
        values: dict[str, Any] = {
            "room": name,
            "room_id": crypto.room_id(self.server.key, epoch, name, own),
            "epoch": epoch,
            "granted_window": granted,
            "limit_counter": told["last_counter"] + granted,
            "oldest_seq": 1,
            **told,
        }
        return codec.frame("JOINED", **values)

    def _kept_room(self, name: str, epoch: bytes) -> ScriptedRoom | None:
        known = self.server.rooms.get(name) if self.has("resume") else None
        return known if known is not None and known.epoch == epoch else None

    def accept_join(self, room: str | None = None, *, granted: int = 1, **changes: Any) -> ScriptedRoom:
        """Wait for JOIN and answer it with JOINED; see make_joined."""
        join = self.expect("JOIN") if room is None else self.expect("JOIN", room=room)
        joined = self.make_joined(join, granted=granted, **changes)
        self.send(joined)
        name, epoch, start = str(join.value("room")), joined.need("epoch"), joined.number("start_seq")
        current: dict[str, Any] = {
            "id": joined.need("room_id"),
            "granted": joined.number("granted_window"),
            "limit_seq": start + join.number("recv_window") - 1,
            "head_seq": start - 1,
            "last_counter": joined.number("last_counter"),
        }
        known = self._kept_room(name, epoch)
        self._room = replace(known, **current) if known else ScriptedRoom(name, epoch=epoch, **current)
        self.server.rooms[name] = self._room
        return self._room

    def replay(self) -> list[Frame]:
        """Send what the room has from start_seq on, as it was."""
        room = self.room
        due = [room.entries[seq] for seq in sorted(room.entries) if seq > room.head_seq]
        for entry in due:
            self.send(entry)
        room.head_seq = max(room.head_seq, room.newest_seq)
        return due

    def expect_publish(self, **fields: Any) -> Frame:
        """Wait for the next PUBLISH: its number, room, author and signature are checked."""
        room = self.room
        publish = self.expect(
            "PUBLISH",
            room_id=room.id,
            author_key=self.client_key,
            nick=self.nick,
            counter=room.last_counter + 1,
            **fields,
        )
        if not crypto.verify_message(publish):
            raise Violation(
                _("the signature of the client's PUBLISH does not verify"),
                expected=_("author_sig of the author zone [MSG-01]"),
                actual=_("a signature of something else"),
                guilty=marked(publish, "author_sig").guilty,
            )
        room.last_counter += 1
        return publish

    def make_deliver(self, message: Frame, *, extra: Iterable[RawField] = (), **changes: Any) -> Frame:
        """The DELIVER of a message with the next room_seq; `changes` in the server's zone."""
        room = self.room
        chain = {"prev_hash": room.chain_at(room.head_seq)} if self.has("audit") else {}
        values: dict[str, Any] = {"room_seq": room.head_seq + 1, "server_time": _now_ms(), **chain, **changes}
        fields = [codec.field_value(name, value) for name, value in values.items() if value is not None]
        deliver = Frame(codec.frame("DELIVER").type, message.fields).plus(*fields, *extra)
        room.take(deliver, self.client_key)
        return deliver

    def deliver(self, message: Frame, *, extra: Iterable[RawField] = (), **changes: Any) -> Frame:
        """Send a message as DELIVER; see make_deliver."""
        frame = self.make_deliver(message, extra=extra, **changes)
        self.send(frame)
        return frame

    def make_message(
        self,
        text: Value,
        *,
        reply_to: bytes | None = None,
        seed: bytes | None = None,
        extra: Iterable[RawField] = (),
        **changes: Any,
    ) -> Frame:
        """A message of the server itself, signed; `seed` signs with another key."""
        room = self.room
        room.own_counter += 1
        values: dict[str, Any] = {
            "nick": "host",
            "room_id": room.id,
            "author_key": self.server.key,
            "counter": room.own_counter,
            "sent_at": _now_ms(),
            "text": text,
            "reply_to": reply_to,
            **changes,
        }
        message = codec.frame("PUBLISH", extra=extra, **values)
        return message if "author_sig" in changes else crypto.sign_message(seed or self.server.seed, message)

    def make_ack(self, acked: int | None = None, limit: int | None = None) -> Frame:
        """An ACK of what was published so far; in question and answer the limit stays unless one is given."""
        room = self.room
        acked = room.last_counter if acked is None else acked
        follows = acked if room.is_sync else acked + room.granted
        return codec.frame(
            "ACK",
            room_id=room.id,
            limit_counter=follows if limit is None else limit,
            acked_counter=acked,
            acked_seq=room.seq_of.get(acked, 0),
        )

    def ack(self, acked: int | None = None, limit: int | None = None) -> None:
        """Send an ACK; see make_ack."""
        self.send(self.make_ack(acked, limit))

    def take_question(self, **fields: Any) -> Frame:
        """Wait for a PUBLISH, deliver it back and acknowledge it; the limit is not raised."""
        publish = self.expect_publish(**fields)
        self.deliver(publish)
        self.ack()
        return publish

    def make_answer(self, question: Frame, text: Value, **changes: Any) -> Frame:
        """A signed answer to the question; see make_message."""
        return self.make_message(text, reply_to=crypto.message_id(question), **changes)

    def give_answer(self, question: Frame, text: str) -> Frame:
        """The signed answer's DELIVER, then the ACK that raises the limit by one."""
        answer = self.deliver(self.make_answer(question, text))
        self.ack(limit=question.number("counter") + 1)
        return answer

    def refuse_answer(self, question: Frame, reason: str = "nobody is there") -> None:
        """ERROR NO_ANSWER, then the ACK that raises the limit by one."""
        counter = question.number("counter")
        self.send(codec.frame("ERROR", room_id=self.room.id, counter=counter, code="NO_ANSWER", reason=reason))
        self.ack(limit=counter + 1)

    def make_checkpoint(self, seq: int | None = None, *, seed: bytes | None = None, **changes: Any) -> Frame:
        """A CHECKPOINT of this entry, by default the last; `changes` come before the signature."""
        room = self.room
        seq = room.head_seq if seq is None else seq
        values = {"time": _now_ms(), "room_id": room.id, "seq": seq, "chain": room.chain_at(seq), **changes}
        return crypto.sign_checkpoint(seed or self.server.seed, codec.frame("CHECKPOINT", **values))

    def checkpoint(self, seq: int | None = None) -> None:
        """Send a CHECKPOINT; see make_checkpoint."""
        self.send(self.make_checkpoint(seq))

    def make_member(self, event: str | int, nick: str = "", **changes: Any) -> Frame:
        """A MEMBER of the room: with a nick, of the person with this name."""
        who = {"nick": nick, "member_key": self.key_of(nick)} if nick else {}
        values: dict[str, Any] = {"room_id": self.room.id, "event": event, "at_seq": self.room.head_seq, **who}
        return codec.frame("MEMBER", **{**values, **changes})

    def key_of(self, nick: str) -> bytes:
        """The key of the client, or of another person of this name."""
        return self.client_key if nick == self.nick else crypto.public_key(self.case.seed(nick))

    def answer_bye(self) -> Frame:
        """Wait for the client's BYE NORMAL, answer it, and see it close."""
        bye = self.expect("BYE", code="NORMAL")
        self.bye()
        self.half_close()
        self.expect_closed()
        self.close()
        return bye

    # --- books ---

    def observe(self, frame: Frame) -> None:
        if frame.name == "ACK" and self._room is not None:
            self._room.limit_seq = max(self._room.limit_seq, frame.number("limit_seq"))


def _now_ms() -> int:
    return int(time.time() * 1000)
