# SPDX-License-Identifier: MIT
"""sessions.json: whole sessions, frame by frame, in one order that chapters 3 to 7 allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Decoded, Frame, frame
from prosa_conformance.registry import FEATURES, FRAMES, LIMITS, TIMERS
from vectors.collection import CAP, seed
from vectors.samples import START_MS

TARGET = "chat.example:65432"
GREASE = (0x1A1B, b"grease")
RESUME_AUDIT = FEATURES["resume"] | FEATURES["audit"]


@dataclass
class Room:
    """What the server knows of one life of a room."""

    name: str
    epoch: bytes
    room_id: bytes
    head: int = 0
    chain: bytes = b""
    audit: bool = False


@dataclass
class Session:
    """A session as it grows: every frame is made, decoded again and written down."""

    identity: str
    comment: str
    client: str = "ada"
    server: str = "server"
    connection: int = 0
    clock: int = START_MS
    secrets: dict[str, bytes] = field(default_factory=dict)
    steps: list[dict[str, object]] = field(default_factory=list)
    counters: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        seeds = {name: octets.hex() for name, octets in self.secrets.items()}
        return {"id": self.identity, "comment": self.comment, "seeds": seeds, "steps": self.steps}

    def secret(self, name: str, size: int = 32) -> bytes:
        """A fixed seed, noted in the session."""
        return self.secrets.setdefault(name, seed(name)[:size])

    def key(self, who: str) -> bytes:
        return crypto.public_key(self.secret(f"{who}_seed"))

    def tick(self, milliseconds: int = 20) -> int:
        self.clock += milliseconds
        return self.clock

    def send(self, sender: str, comment: str, made: Frame) -> bytes:
        octets = codec.encode(made)
        verdict = codec.decode(octets, sender, CAP)
        assert isinstance(verdict, Decoded), (self.identity, comment, verdict)
        self.steps.append(
            {
                "connection": self.connection,
                "from": sender,
                "comment": comment,
                "hex": octets.hex(),
                "frame": codec.project(made),
            }
        )
        return octets

    # --- handshake ---

    def handshake(self, features: int = 0, *, tampered: bool = False) -> None:
        """A new connection and its first frames."""
        self.connection += 1
        nonces = [self.secret(f"{side}_nonce_{self.connection}") for side in ("client", "server")]
        hello = self.send("client", "the client speaks first", self._hello(nonces[0], features))
        unsigned = self._challenge(nonces[1], features)
        challenge = crypto.sign_challenge(self.secret(f"{self.server}_seed"), hello, unsigned)
        challenged = self.send("server", "the server signs th1", challenge)
        auth = frame("AUTH", nick=self.client)
        auth = crypto.sign_auth(self.secret(f"{self.client}_seed"), hello, challenged, auth)
        if tampered:
            signature = bytearray(auth.octets("handshake_sig") or b"")
            signature[40] ^= 0x01
            self.send("client", "the signature has one bit flipped", crypto.complete(auth, bytes(signature)))
            return
        self.send("client", "the client signs th2 and its nick", auth)
        self.send("server", "READY", frame("WELCOME", session=self.connection, time=self.tick()))

    def _hello(self, nonce: bytes, features: int) -> Frame:
        return frame(
            "HELLO",
            versions=(1,),
            nonce=nonce,
            client_key=self.key(self.client),
            features=features,
            target=TARGET,
            extra=[GREASE],
        )

    def _challenge(self, nonce: bytes, features: int) -> Frame:
        announced: dict[str, Any] = {name: limit.default for name, limit in (LIMITS | TIMERS).items()}
        return frame(
            "CHALLENGE",
            versions=(1,),
            nonce=nonce,
            features=features,
            version=1,
            server_key=self.key(self.server),
            **announced,
        )

    # --- rooms ---

    def room(self, name: str, *, audit: bool = False) -> Room:
        epoch = self.secret(f"epoch_{name.lstrip('@')}", 16)
        client = self.key(self.client) if name == "@host" else None
        room_id = crypto.room_id(self.key(self.server), epoch, name, client)
        return Room(name, epoch, room_id, chain=crypto.chain_start(room_id), audit=audit)

    def join(self, room: Room, window: int, comment: str, after: int | None = None) -> None:
        resume: dict[str, Any] = {} if after is None else {"epoch": room.epoch, "after_seq": after}
        self.send("client", comment, frame("JOIN", room=room.name, send_window=window, recv_window=64, **resume))
        last = self.counters.get((self.client, room.room_id), 0)
        start = room.head + 1 if after is None else after + 1
        joined = frame(
            "JOINED",
            room=room.name,
            room_id=room.room_id,
            epoch=room.epoch,
            granted_window=window,
            last_counter=last,
            limit_counter=last + window,
            head_seq=room.head,
            oldest_seq=1,
            start_seq=start,
        )
        self.send("server", f"counters up to {last + window} may be sent; room_seq goes on with {start}", joined)

    def write(self, who: str, room: Room, text: str, reply_to: bytes | None = None) -> Frame:
        """A signed message with its author's next counter."""
        counter = self.counters[who, room.room_id] = self.counters.get((who, room.room_id), 0) + 1
        message = frame(
            "PUBLISH",
            nick="host" if who == self.server else who,
            room_id=room.room_id,
            author_key=self.key(who),
            counter=counter,
            sent_at=self.tick(),
            text=text,
            reply_to=reply_to,
            extra=[] if who == self.server else [GREASE],
        )
        return crypto.sign_message(self.secret(f"{who}_seed"), message)

    def commit(self, room: Room, message: Frame) -> Frame:
        """The DELIVER of a message that the server appends to the room."""
        room.head += 1
        time = self.tick(3)
        server_fields = [codec.field_value("room_seq", room.head), codec.field_value("server_time", time)]
        if room.audit:
            server_fields.append(codec.field_value("prev_hash", room.chain))
        room.chain = crypto.chain(room.chain, room.head, time, crypto.message_id(message))
        return Frame(FRAMES["DELIVER"].type, message.fields).plus(*server_fields)

    def ack(self, room: Room, acked: int, limit: int, seq: int, comment: str) -> None:
        made = frame("ACK", room_id=room.room_id, acked_counter=acked, limit_counter=limit, acked_seq=seq)
        self.send("server", comment, made)

    def seen(self, room: Room, seq: int, comment: str) -> None:
        self.send("client", comment, frame("ACK", room_id=room.room_id, seen_seq=seq, limit_seq=seq + 64))

    def checkpoint(self, room: Room, comment: str) -> None:
        made = frame("CHECKPOINT", time=self.tick(1), room_id=room.room_id, seq=room.head, chain=room.chain)
        self.send("server", comment, crypto.sign_checkpoint(self.secret(f"{self.server}_seed"), made))

    def member(self, room: Room, event: str, who: str, at: int, comment: str) -> None:
        made = frame("MEMBER", nick=who, room_id=room.room_id, event=event, member_key=self.key(who), at_seq=at)
        self.send("server", comment, made)

    def goodbye(self, first: str = "client") -> None:
        other = "server" if first == "client" else "client"
        self.send(
            first, "goodbye, then shutdown(SHUT_WR)", frame("BYE", code="NORMAL", reason="the conversation is over")
        )
        self.send(other, "the answer to BYE", frame("BYE", code="NORMAL"))


# --- the sessions -----------------------------------------------------------------------


def _question(session: Session, room: Room, text: str, answer: str) -> None:
    """One question in stop-and-wait, in the order of section 6.4."""
    question = session.write("ada", room, text)
    counter = question.number("counter")
    session.send("client", f"question {counter}, signed by ada", question)
    own = session.commit(room, question)
    asked = room.head
    session.ack(room, counter, counter, asked, "the server has the question; the limit stays")
    session.send("server", "the question itself, as every member sees it", own)
    session.tick(1500)
    reply = session.write("server", room, answer, crypto.message_id(question))
    session.send("server", "the answer, signed by the server, reply_to the question", session.commit(room, reply))
    session.ack(room, counter, counter + 1, asked, "only now the limit rises")
    session.seen(room, room.head, "the client has seen both")


def sync() -> Session:
    session = Session("sync", "Level L1: two questions to @host in stop-and-wait, a PING, and goodbye.")
    session.handshake()
    room = session.room("@host")
    session.join(room, 1, "the private room, a window of one")
    _question(session, room, "What time is it?", "Time to write a server.")
    _question(session, room, "olá, and then?", "Then a client. 👋")
    session.send("client", "a barrier", frame("PING", opaque=b"ada-1"))
    session.send("server", "every outcome before the PING is out", frame("PONG", opaque=b"ada-1"))
    session.goodbye()
    return session


def sync_no_answer() -> Session:
    session = Session("sync-no-answer", "Level L1: nobody answers; NO_ANSWER, and the limit rises all the same.")
    session.handshake()
    room = session.room("@host")
    session.join(room, 1, "the private room, a window of one")
    question = session.write("ada", room, "Is anybody there?")
    session.send("client", "question 1", question)
    own = session.commit(room, question)
    session.ack(room, 1, 1, 1, "the server has the question; the limit stays")
    session.send("server", "the question itself", own)
    session.tick(900)
    error = frame(
        "ERROR",
        code="NO_ANSWER",
        reason="there is no operator",
        room_id=room.room_id,
        counter=1,
        ref_type=FRAMES["PUBLISH"].type,
        clause="FLOW-29",
    )
    session.send("server", "class 05: the connection stays", error)
    session.ack(room, 1, 2, 1, "the limit rises after the ERROR")
    session.seen(room, 1, "the client has seen its own words")
    _question(session, room, "And now?", "Now there is.")
    session.goodbye()
    return session


def async_window() -> Session:
    session = Session("async-window", "Level L2: a window of four in @host, an unsolicited message, coalesced ACKs.")
    session.handshake(features=FEATURES["liveness"])
    room = session.room("@host")
    session.join(room, 4, "a window of four")
    texts = ("one", "two", "three", "four")
    messages = [session.write("ada", room, text) for text in texts]
    for number, message in enumerate(messages[:3], start=1):
        session.send("client", f"message {number} of 4, nobody waits", message)
    hello = session.write("server", room, "Good morning, by the way.")
    session.send("server", "the operator speaks unasked, before the questions are read", session.commit(room, hello))
    session.send("client", "message 4 uses up the window", messages[3])
    delivered = [session.commit(room, message) for message in messages]
    session.ack(room, 3, 7, 4, "one ACK for three messages; limit = last accepted + 4")
    for made in delivered[:3]:
        session.send("server", "as committed", made)
    session.ack(room, 4, 8, 5, "the last message is acknowledged too")
    session.send("server", "as committed", delivered[3])
    session.seen(room, 5, "one ACK for five DELIVERs")
    session.send("server", "the server asks for a sign of life", frame("PING", opaque=b"\x00\x01"))
    session.send("client", "and gets it", frame("PONG", opaque=b"\x00\x01"))
    session.goodbye("server")
    return session


def group_resume() -> Session:
    session = Session(
        "group-resume", "Level L3 with resume and audit: a named room, a lost connection, resume by JOIN, replay."
    )
    session.handshake(features=RESUME_AUDIT)
    room = session.room("lab", audit=True)
    session.join(room, 4, "a named room")
    session.member(room, "here", "ada", 0, "the snapshot: ada herself")
    session.member(room, "here", "bob", 0, "and bob")
    session.checkpoint(room, "the durable head of an empty room: h_0")
    first = session.write("ada", room, "Hello, bob.")
    session.send("client", "message 1", first)
    own = session.commit(room, first)
    session.ack(room, 1, 5, 1, "committed")
    session.send("server", "to all members, with prev_hash = h_0", own)
    from_bob = session.commit(room, session.write("bob", room, "Hello, ada.", crypto.message_id(first)))
    session.send("server", "bob's answer, signed by bob", from_bob)
    session.seen(room, 2, "seen up to 2")
    second = session.write("ada", room, "I am in a tunn")
    session.send("client", "message 2; then the connection is lost, no ACK comes", second)
    committed = session.commit(room, second)
    missed = session.commit(room, session.write("bob", room, "Lost you."))
    session.handshake(features=RESUME_AUDIT)
    session.join(room, 4, "the same room and epoch, after room_seq 2", after=2)
    session.member(room, "here", "ada", 4, "the snapshot again")
    session.member(room, "here", "bob", 4, "bob is still there")
    session.checkpoint(room, "the durable head")
    session.send("server", "replay: message 2 had arrived, last_counter said so", committed)
    session.send("server", "replay: what ada missed", missed)
    session.checkpoint(room, "the replay has ended")
    session.seen(room, 4, "seen up to 4")
    session.send("client", "the last frame about the room is MEMBER left", frame("LEAVE", room_id=room.room_id))
    session.member(room, "left", "ada", 4, "ada has left")
    session.goodbye()
    return session


def refused() -> Session:
    session = Session("refused", "Level L1: an AUTH whose signature does not verify.")
    session.handshake(tampered=True)
    error = frame(
        "ERROR",
        code="BAD_SIG",
        reason="the signature of AUTH does not verify",
        ref_type=FRAMES["AUTH"].type,
        clause="AUTH-16",
    )
    session.send("server", "class 02: fatal, and in the place of a BYE; the client closes", error)
    return session


def make() -> dict[str, object]:
    made = [make_one() for make_one in (sync, sync_no_answer, async_window, group_resume, refused)]
    description = (
        "Whole sessions from fixed seeds. The key of NAME is the Ed25519 key of NAME_seed. Where `connection` rises "
        "the one before was lost."
    )
    return {"description": description, "sessions": [session.document() for session in made]}
