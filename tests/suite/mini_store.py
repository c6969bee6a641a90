# SPDX-License-Identifier: MIT
"""What the small server keeps: rooms, entries, who is bound to which nick. In one SQLite file, or in none.

Nothing that was added is kept before `commit`. A pruned entry loses its octets; its id, its place and its
hash stay.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS rooms (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, owner BLOB NOT NULL, epoch BLOB NOT NULL, UNIQUE (name, owner));
CREATE TABLE IF NOT EXISTS entries (
    room INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, author BLOB NOT NULL,
    counter INTEGER NOT NULL, id BLOB NOT NULL, hash BLOB NOT NULL, deliver BLOB,
    PRIMARY KEY (room, seq), UNIQUE (room, author, counter)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nicks (nick TEXT PRIMARY KEY, key BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS banned (key BLOB PRIMARY KEY);
"""


class Store:
    def __init__(self, path: Path | None) -> None:
        """Opens or makes the file; without a path everything is forgotten at the end."""
        self.file = sqlite3.connect(path or ":memory:")
        if path:
            self.file.execute("PRAGMA journal_mode = WAL")
            self.file.execute("PRAGMA synchronous = FULL")
        self.file.executescript(SCHEMA)

    def one(self, query: str, *values: Any) -> Any:
        """The first row, a single value without its tuple; None when there is no row."""
        row = self.file.execute(query, values).fetchone()
        return row[0] if row and len(row) == 1 else row

    def commit(self) -> None:
        self.file.commit()

    # --- rooms ---

    def find_room(self, name: str, owner: bytes) -> tuple[int, bytes] | None:
        return self.one("SELECT number, epoch FROM rooms WHERE name = ? AND owner = ?", name, owner)

    def add_room(self, name: str, owner: bytes, epoch: bytes) -> int:
        made = self.file.execute("INSERT INTO rooms (name, owner, epoch) VALUES (?, ?, ?)", (name, owner, epoch))
        return int(made.lastrowid or 0)

    def forget_rooms(self) -> None:
        """The file is a copy: every room begins a new life [MSG-24]."""
        self.file.executescript("DELETE FROM rooms; DELETE FROM entries;")

    # --- entries ---

    def head(self, room: int) -> tuple[int, int, bytes] | None:
        """room_seq, server_time and hash of the last entry."""
        return self.one("SELECT seq, time, hash FROM entries WHERE room = ? ORDER BY seq DESC LIMIT 1", room)

    def oldest(self, room: int) -> int | None:
        return self.one("SELECT min(seq) FROM entries WHERE room = ? AND deliver IS NOT NULL", room)

    def add_entry(self, room: int, seq: int, time: int, author: bytes, counter: int, *octets: bytes) -> None:
        """`octets` are the id, the hash and the whole DELIVER."""
        values = (room, seq, time, author, counter, *octets)
        self.file.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def deliver(self, room: int, seq: int) -> bytes | None:
        return self.one("SELECT deliver FROM entries WHERE room = ? AND seq = ?", room, seq)

    def hash(self, room: int, seq: int) -> bytes:
        return self.one("SELECT hash FROM entries WHERE room = ? AND seq = ?", room, seq)

    def last_of(self, room: int, author: bytes) -> tuple[int, int]:
        """The author's last counter and its room_seq; 0, 0 for none."""
        query = "SELECT counter, seq FROM entries WHERE room = ? AND author = ? ORDER BY counter DESC LIMIT 1"
        return self.one(query, room, author) or (0, 0)

    def id_of(self, room: int, author: bytes, counter: int) -> bytes | None:
        query = "SELECT id FROM entries WHERE room = ? AND author = ? AND counter = ?"
        return self.one(query, room, author, counter)

    def prune(self, room: int, oldest: int) -> None:
        query = "UPDATE entries SET deliver = NULL WHERE room = ? AND seq < ? AND deliver IS NOT NULL"
        self.file.execute(query, (room, oldest))

    # --- nicks ---

    def key_of(self, nick: str) -> bytes | None:
        return self.one("SELECT key FROM nicks WHERE nick = ?", nick)

    def nick_of(self, key: bytes) -> str | None:
        return self.one("SELECT nick FROM nicks WHERE key = ?", key)

    def bind(self, nick: str, key: bytes) -> None:
        self.file.execute("INSERT OR IGNORE INTO nicks VALUES (?, ?)", (nick, key))
        self.commit()

    def unbind(self, nick: str) -> None:
        self.file.execute("DELETE FROM nicks WHERE nick = ?", (nick,))
        self.commit()

    def ban(self, key: bytes) -> None:
        self.file.execute("INSERT OR IGNORE INTO banned VALUES (?)", (key,))
        self.commit()

    def is_banned(self, key: bytes) -> bool:
        return self.one("SELECT 1 FROM banned WHERE key = ?", key) is not None


def lock(folder: Path) -> int:
    """The folder is ours while the descriptor is open; BlockingIOError when another process holds it [RES-14]."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor
