# SPDX-License-Identifier: MIT
"""What the small client keeps on its disk: messages that may have to be sent again, and how far it has read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    target TEXT, room TEXT, epoch BLOB, counter INTEGER, publish BLOB NOT NULL, acked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (target, room, epoch, counter));
CREATE TABLE IF NOT EXISTS places (
    target TEXT, room TEXT, epoch BLOB NOT NULL, seq INTEGER NOT NULL, hash BLOB, PRIMARY KEY (target, room));
"""


class Spool:
    """Of one server, by its target."""

    def __init__(self, folder: Path, target: str) -> None:
        self.file = sqlite3.connect(folder / "spool.sqlite", isolation_level=None)
        self.file.execute("PRAGMA synchronous = FULL")
        self.file.executescript(SCHEMA)
        self.target = target

    def keep(self, room: str, epoch: bytes, counter: int, publish: bytes) -> None:
        """On the disk when this returns [RES-07]."""
        values = (self.target, room, epoch, counter, publish)
        self.file.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, 0)", values)

    def kept(self, room: str, epoch: bytes) -> dict[int, bytes]:
        """The messages of this life of the room, by counter."""
        query = "SELECT counter, publish FROM messages WHERE target = ? AND room = ? AND epoch = ? ORDER BY counter"
        return dict(self.file.execute(query, (self.target, room, epoch)))

    def acknowledge(self, room: str, epoch: bytes, counter: int) -> None:
        query = "UPDATE messages SET acked = 1 WHERE target = ? AND room = ? AND epoch = ? AND counter <= ?"
        self.file.execute(query, (self.target, room, epoch, counter))

    def forget(self, room: str, epoch: bytes, first: int, last: int) -> None:
        query = "DELETE FROM messages WHERE target = ? AND room = ? AND epoch = ? AND counter BETWEEN ? AND ?"
        self.file.execute(query, (self.target, room, epoch, first, last))

    def bury(self, room: str, epoch: bytes) -> list[int]:
        """Forget the messages of all other lives of the room; the counters of those without an ACK [RES-08]."""
        others = "FROM messages WHERE target = ? AND room = ? AND epoch <> ?"
        values = (self.target, room, epoch)
        lost = [row[0] for row in self.file.execute(f"SELECT counter {others} AND acked = 0", values)]
        self.file.execute(f"DELETE {others}", values)
        return lost

    def place(self, room: str) -> tuple[bytes, int, bytes | None] | None:
        """Epoch, room_seq and hash of the last entry that was taken."""
        query = "SELECT epoch, seq, hash FROM places WHERE target = ? AND room = ?"
        return self.file.execute(query, (self.target, room)).fetchone()

    def keep_place(self, room: str, epoch: bytes, seq: int, chain: bytes | None) -> None:
        values = (self.target, room, epoch, seq, chain)
        self.file.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)", values)
