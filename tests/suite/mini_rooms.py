# SPDX-License-Identifier: MIT
"""Rooms of the small server: one log, one order, its members; and what one session may do and see in it.

Knows no socket. A room shows what is committed (`head`); what was appended since waits for `commit`.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from typing import TYPE_CHECKING

from mini_store import Store
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame

if TYPE_CHECKING:
    from mini_session import Session

RECENT = 256  # entries that are kept in memory beside the store
EVENTS = 128  # of members, beyond which a slow one is told anew who is there [MEM-04]
HOST = "@host"


def now_ms() -> int:
    return int(time.time() * 1000)


class Room:
    """One life of a room. `owner` is the client's key for @host, else empty."""

    def __init__(self, store: Store, seed: bytes, name: str, owner: bytes, audit: bool, member_limit: int) -> None:
        self.store, self.seed, self.name, self.owner, self.audit = store, seed, name, owner, audit
        self.server_key = crypto.public_key(seed)
        self.member_limit = member_limit
        self.number, self.epoch = store.find_room(name, owner) or (0, self.make_epoch())
        self.id = crypto.room_id(self.server_key, self.epoch, name, owner or None)
        head = store.head(self.number)
        self.last, self.time, self.hash = head or (0, 0, crypto.chain_start(self.id))
        self.head = self.last
        self.oldest = store.oldest(self.number) or self.head + 1
        self.recent: dict[int, bytes] = {}
        self.own_counter = store.last_of(self.number, self.server_key)[0]
        self.views: list[View] = []
        self.members: dict[bytes, str] = {}  # key -> nick; of @host nobody
        self.events: deque[Frame | None] = deque(maxlen=EVENTS)  # None stands for resync
        self.events_ever = 0
        self.checkpoint: Frame | None = None

    def make_epoch(self) -> bytes:
        return secrets.token_bytes(16)

    def keep(self) -> None:
        """From here on the store has the room; before that it is forgotten with its last session [MSG-27]."""
        if not self.number:
            self.number = self.store.add_room(self.name, self.owner, self.epoch)

    # --- the log ---

    def append(self, message: Frame) -> int:
        """The next entry, its room_seq; nobody sees it before `commit`."""
        self.keep()
        self.last += 1
        self.time = self.next_time()
        identity = crypto.message_id(message)
        deliver = self.make_deliver(message)
        self.hash = crypto.chain(self.hash, self.last, self.time, identity)
        octets = self.recent[self.last] = codec.encode(deliver)
        self.recent.pop(self.last - RECENT, None)
        author, counter = message.need("author_key"), message.number("counter")
        self.store.add_entry(self.number, self.last, self.time, author, counter, identity, self.hash, octets)
        return self.last

    def next_time(self) -> int:
        return max(self.time, now_ms())

    def make_deliver(self, message: Frame) -> Frame:
        """The author's octets, and the server's fields behind them."""
        fields = [codec.field_value("room_seq", self.last), codec.field_value("server_time", self.time)]
        if self.audit:
            fields.append(codec.field_value("prev_hash", self.hash))
        return Frame(codec.frame("DELIVER").type, message.fields).plus(*fields)

    def commit(self) -> None:
        """What was appended is in the store now."""
        self.head = self.last

    def prune(self, keep: int) -> None:
        """With `keep` only so many entries stay."""
        if keep and self.head - self.oldest >= keep:
            self.oldest = self.head - keep + 1
            self.store.prune(self.number, self.oldest)

    def entry(self, seq: int) -> bytes:
        octets = self.recent.get(seq) or self.store.deliver(self.number, seq)
        assert octets is not None, "entries between oldest and head are there"
        return octets

    def make_message(self, text: str, reply_to: bytes | None) -> Frame:
        """A message of the server's own [MSG-20]."""
        self.own_counter += 1
        message = codec.frame(
            "PUBLISH",
            nick="host",
            room_id=self.id,
            author_key=self.server_key,
            counter=self.own_counter,
            sent_at=now_ms(),
            text=text,
            reply_to=reply_to,
        )
        return crypto.sign_message(self.seed, message)

    # --- audit ---

    def make_checkpoint(self, seq: int) -> Frame:
        """Signed h_seq of an entry that is committed; that of the head is signed once for all."""
        if self.checkpoint is not None and self.checkpoint.number("seq") == seq:
            return self.checkpoint
        chain = self.store.hash(self.number, seq) if seq else crypto.chain_start(self.id)
        frame = codec.frame("CHECKPOINT", time=now_ms(), room_id=self.id, seq=seq, chain=chain)
        checkpoint = crypto.sign_checkpoint(self.seed, frame)
        if seq == self.head:
            self.checkpoint = checkpoint
        return checkpoint

    # --- members ---

    def enter(self, key: bytes, nick: str) -> None:
        """MEM-09: who is here already, by a session that was replaced, does not come in again."""
        if self.name != HOST and key not in self.members:
            self.members[key] = nick
            self.tell("joined", key, nick)

    def leave(self, key: bytes) -> None:
        nick = self.members.pop(key, None)
        if nick is not None:
            self.tell("left", key, nick)

    def tell(self, event: str, key: bytes, nick: str) -> None:
        """An event for all who are members now: above member_limit the count, back at it a new snapshot [MEM-05]."""
        back = event == "left" and len(self.members) == self.member_limit
        if len(self.members) > self.member_limit:
            self.events.append(self.make_count())
        else:
            self.events.append(None if back else self.make_member(event, key, nick))
        self.events_ever += 1

    def make_member(self, event: str, key: bytes, nick: str) -> Frame:
        return codec.frame("MEMBER", nick=nick, room_id=self.id, event=event, member_key=key, at_seq=self.head)

    def make_count(self) -> Frame:
        return codec.frame("MEMBER", room_id=self.id, event="count", at_seq=self.head, count=len(self.members))

    def make_resync(self) -> Frame:
        return codec.frame("MEMBER", room_id=self.id, event="resync", at_seq=self.head)

    def snapshot(self) -> list[Frame]:
        if len(self.members) > self.member_limit:
            return [self.make_count()]
        return [self.make_member("here", key, nick) for key, nick in self.members.items()]


class View:
    """What one session may do and see in one room. A cursor, never a queue [LIM-08]."""

    def __init__(self, session: Session, room: Room, start_seq: int, recv_window: int, granted: int) -> None:
        self.session, self.room = session, room
        self.start_seq = start_seq
        self.cursor = start_seq - 1  # the last entry that was delivered
        self.limit_seq = self.cursor + recv_window
        self.replay_end = room.head if start_seq <= room.head else 0
        self.granted = granted
        self.last, self.last_seq = room.store.last_of(room.number, session.client_key)
        self.limit_counter = self.last + granted
        self.event: int | None = None  # events that were told; None before the snapshot
        self.checkpoint_due = True
        self.ack_due = False
        self.answer_seq = 0  # of the answer after whose DELIVER the limit rises

    @property
    def is_sync(self) -> bool:
        """Question and answer, one at a time [FLOW-27]."""
        return self.room.name == HOST and self.granted == 1

    @property
    def is_owed(self) -> bool:
        return self.cursor < self.room.head

    @property
    def is_overtaken(self) -> bool:
        return self.cursor + 1 < self.room.oldest

    @property
    def has_all(self) -> bool:
        """Nothing that its credit permits is still to be told."""
        told = self.room.name == HOST or self.event == self.room.events_ever
        return told and self.cursor >= min(self.room.head, self.limit_seq)
