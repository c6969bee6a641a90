# SPDX-License-Identifier: MIT
"""What a server keeps: rooms, their members, and the journal that outlives it."""
from __future__ import annotations

import fcntl
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import crypto

import wire
from link import note
from wire import EVENT, Frame

if TYPE_CHECKING:
    from server import Server, Session

HOST = "@host"


class Journal:
    """All that must outlive the server (RES-09), a line each: nicks, rooms, entries.

    What is written is safe from kill -9, since the kernel has it; against a power cut one would fsync.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            note(f"another server is using {path}; give each a PROSA_DATA of its own")
            sys.exit(1)  # RES-14

    def read(self) -> list[list[str]]:
        self.file.seek(0)
        text = self.file.read()
        whole = text.rfind(b"\n") + 1
        self.file.truncate(whole)  # a line that was cut off was never acknowledged
        return [line.split() for line in text[:whole].decode().splitlines()]

    def write(self, *words: bytes | str) -> None:
        """A line; octets are written in hexadecimal, and none as "-"."""
        line = " ".join(word.hex() or "-" if isinstance(word, bytes) else word for word in words)
        self.file.write(line.encode() + b"\n")


@dataclass(eq=False)
class Seat:
    """A room on one connection: how far it was delivered, and how far both sides may go."""

    session: Session
    room: Room
    window: int
    seen: int  # the last room_seq delivered
    limit_seq: int
    limit_counter: int
    raise_after: int | None = None  # room_seq of the answer behind which the limit rises (FLOW-28)
    questions: deque[tuple[bytes, int]] = field(default_factory=deque)  # id and counter, oldest first
    stale: bool = False  # missed a MEMBER while it did not read (MEM-04)

    @property
    def is_sync(self) -> bool:
        return self.room.is_host and self.window == 1


class Room:
    """A log and its members. Members are known by their keys, and may have no seat for a while (MEM-09)."""

    def __init__(self, server: Server, name: str, owner: bytes, epoch: bytes) -> None:
        self.server, self.name, self.owner, self.epoch = server, name, owner, epoch
        self.id = crypto.room_id(server.keys.key, epoch, name, owner)
        self.is_host = name == HOST
        self.entries: list[bytes] = []  # the fields of each DELIVER: entry n is at n - 1
        self.placed: dict[bytes, list[tuple[bytes, int]]] = {}  # of each author: id and room_seq, by counter
        self.last_time = 0
        self.seats: list[Seat] = []
        self.members: dict[bytes, str] = {}  # nicks by key
        self.crowded = False  # above member_limit

    @property
    def head(self) -> int:
        return len(self.entries)

    def placed_by(self, key: bytes) -> list[tuple[bytes, int]]:
        return self.placed.setdefault(key, [])

    def add(self, body: bytes) -> None:
        frame: Frame = wire.decode(wire.encode("DELIVER", body), 65536, "server")
        self.entries.append(body)
        self.placed_by(frame["author_key"]).append((crypto.message_id(frame), self.head))
        self.last_time = frame["server_time"]

    def commit(self, authored: bytes) -> None:
        """The next place for the author's octets and our two fields (MSG-11 to MSG-13)."""
        now = max(int(time.time() * 1000), self.last_time)
        body = authored + wire.encode_fields({"room_seq": self.head + 1, "server_time": now})
        if self.is_host and not self.entries:
            self.introduce()  # MSG-27
        self.server.journal.write("entry", self.id, body)  # from here on it may be shown (FLOW-26)
        self.add(body)

    def introduce(self) -> None:
        self.server.journal.write("room", self.name, self.owner, self.epoch)

    def show(self) -> None:
        for seat in list(self.seats):
            seat.session.flush()

    # ---- members [6.7]
    @property
    def is_crowd(self) -> bool:
        return len(self.members) > self.server.announced["member_limit"]

    def announce(self, event: str, key: bytes, nick: str, besides: Session | None = None) -> None:
        """MEM-03 and MEM-05: tells all seats of a change, by its name or by the number of members."""
        was_crowded, self.crowded = self.crowded, self.is_crowd
        for seat in self.seats:
            if seat.session.blocked:
                seat.stale = True
            elif self.crowded or was_crowded:
                self.snapshot(seat, resync=not self.crowded)
            elif seat.session is not besides:
                self.tell(seat.session, event, nick=nick, member_key=key)

    def snapshot(self, seat: Seat, resync: bool = False) -> None:
        """MEM-01: all members, or how many they are."""
        seat.stale = False
        if resync:
            self.tell(seat.session, "resync")
        if self.crowded:
            self.tell(seat.session, "count", count=len(self.members))
        else:
            for key, nick in self.members.items():
                self.tell(seat.session, "here", nick=nick, member_key=key)

    def tell(self, session: Session, event: str, **about: object) -> None:
        session.send("MEMBER", room_id=self.id, event=EVENT[event], at_seq=self.head, **about)

    def enter(self, seat: Seat, key: bytes, nick: str) -> None:
        self.members[key] = nick
        if not self.is_crowd:
            self.snapshot(seat)
        self.announce("joined", key, nick, besides=seat.session)

    def depart(self, key: bytes) -> None:
        self.announce("left", key, self.members.pop(key))
