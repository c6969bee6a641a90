# SPDX-License-Identifier: MIT
"""What a running server takes: read from /proc, from the kernel's sockets, and from the files of its log."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from growth import Bound
from server import Server

# ss(8): octets that the kernel has allocated for what is received, sent, forwarded, queued and set aside.
SOCKET = re.compile(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+),o(\d+)")

PRUNED_AT_ONCE = 524_288  # octets: a log has up to so many more than it must keep, and trembles by as much

# How much each may grow over the plateau of one life of a server; `rss` is the goal "memory: flat over an hour".
BOUNDS = {
    "descriptors": Bound(0, 2),
    "threads": Bound(0, 0),
    "kernel": Bound(0.5, 262_144),
    "file": Bound(0.05, PRUNED_AT_ONCE),
    "wal": Bound(0.05, 1 << 20),  # it begins anew at 1,000 pages, and by what is one commit goes beyond that
    "used": Bound(0.05, PRUNED_AT_ONCE),
}
RSS_LEAST = 262_144  # octets: what the allocator's rounding may come to


@dataclass(frozen=True)
class Vitals:
    """At one moment; octets, except for what is counted."""

    rss: int
    descriptors: int
    threads: int
    kernel: int  # of its sockets
    file: int  # log.db
    wal: int  # log.db-wal
    used: int  # of the log, wherever it lies, without what is free
    entries: int  # that the log keeps

    @property
    def octets_per_entry(self) -> float:
        return self.used / max(1, self.entries)


def read(server: Server) -> Vitals:
    of_process = Path(f"/proc/{server.program.pid}")
    return Vitals(
        server.rss(),
        sum(1 for _ in (of_process / "fd").iterdir()),
        sum(1 for _ in (of_process / "task").iterdir()),
        kernel_octets(server),
        size_of(server.data / "log.db"),
        size_of(server.data / "log.db-wal"),
        *log_size(server.data),
    )


def kernel_octets(server: Server) -> int:
    words = ["ss", "--no-header", "--tcp", "--numeric", "--memory", "src", f"{server.host}:{server.port}"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return sum(int(octets) for socket in SOCKET.finditer(text) for octets in socket.groups())


def size_of(path: Path) -> int:
    """0 where a server has no such file."""
    return path.stat().st_size if path.exists() else 0


def log_size(folder: Path) -> tuple[int, int]:
    """Octets in use, and entries, at one moment; of the reference's log."""
    if not (folder / "log.db").exists():
        return 0, 0
    with closing(sqlite3.connect(f"file:{folder / 'log.db'}?mode=ro", uri=True)) as file:
        file.execute("BEGIN")
        pages, free, octets, entries = (
            file.execute(words).fetchone()[0]
            for words in (
                "PRAGMA page_count",
                "PRAGMA freelist_count",
                "PRAGMA page_size",
                "SELECT count(*) FROM entries",
            )
        )
    return (pages - free) * octets, entries
