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

# How much each may grow over the plateau of one life of a server; `rss` is the goal "memory: flat over an hour".
BOUNDS = {
    "descriptors": Bound(0, 2),
    "threads": Bound(0, 0),
    "kernel": Bound(0.5, 262_144),
    "file_per_entry": Bound(0.05, 0),
    "wal": Bound(0.05, 262_144),
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
    entries: int  # that the log keeps

    @property
    def file_per_entry(self) -> float:
        return self.file / max(1, self.entries)


def read(server: Server) -> Vitals:
    of_process = Path(f"/proc/{server.program.pid}")
    return Vitals(
        server.rss(),
        sum(1 for _ in (of_process / "fd").iterdir()),
        sum(1 for _ in (of_process / "task").iterdir()),
        kernel_octets(server),
        (server.data / "log.db").stat().st_size,
        (server.data / "log.db-wal").stat().st_size,
        kept(server.data),
    )


def kernel_octets(server: Server) -> int:
    words = ["ss", "--no-header", "--tcp", "--numeric", "--memory", "src", f"{server.host}:{server.port}"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return sum(int(octets) for socket in SOCKET.finditer(text) for octets in socket.groups())


def kept(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder / 'log.db'}?mode=ro", uri=True)) as file:
        count: int = file.execute("SELECT count(*) FROM entries").fetchone()[0]
    return count
