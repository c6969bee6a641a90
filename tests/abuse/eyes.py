# SPDX-License-Identifier: MIT
"""What can be seen of a server from outside: descriptors, memory, time on a processor, the lines of its log; and,
when it is the reference, its metrics."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

from calm import serve
from prosa_conformance.places import Ports
from prosa_conformance.registry import LIMITS
from scene import Scene
from server import Server
from stage import SERVER

METRICS_SECONDS = 60
# A machine that is busy, or a test that was stopped for a while, is nobody's fault: only what a test is about runs out.
PATIENCE = {"handshake_ms": 600_000, "ping_after_ms": 3_600_000, "dead_after_ms": 3_600_000, "slow_ms": 3_600_000}
SERIES = re.compile(r"^(prosa_[^ ]+) ([0-9.]+)$", re.MULTILINE)
LOG_LINE = re.compile(r"^\S+Z (?:debug|info|warn|error) (\S+) (.*)$", re.MULTILINE)
SUPPRESSED = re.compile(r"event=(\S+) lines=([0-9]+)")

# Section 9: what a server keeps of a stranger and of a session, in octets, whatever they do.
STRANGERS_MAX = 64
STRANGER_OCTETS = 2 * 1032 + 8192  # LIM-09, and what LIM-07 allows for the rest of a connection
WINDOW = LIMITS["max_window"].default


def session_octets(rooms: int = 1) -> int:
    """LIM-07, without @host."""
    undecided, output, frame = (LIMITS[name].default for name in ("undecided_limit", "output_limit", "max_frame"))
    return undecided + frame + output + frame + 8192 + rooms * (256 + 48 * WINDOW)


def check_growth(grown: int, bound: int, words: str) -> None:
    """A sanitizer keeps what was freed, and more: its programs are not judged."""
    assert os.environ.get("PROSA_SANITIZE") or grown <= bound, f"{words}: {grown} octets more, {bound} allowed"


class Eyes:
    """On one server."""

    def __init__(self, server: Server, metrics: tuple[str, int]) -> None:
        self.server = server
        self._metrics = metrics

    @property
    def _proc(self) -> Path:
        return Path(f"/proc/{self.server.program.pid}")

    def descriptors(self) -> int:
        return sum(1 for _ in (self._proc / "fd").iterdir())

    def private(self) -> int:
        """Octets of memory that are its own."""
        text = (self._proc / "smaps_rollup").read_text()
        return sum(int(number) * 1024 for number in re.findall(r"^Private_\w+: +([0-9]+) kB$", text, re.MULTILINE))

    def cpu_ms(self) -> int:
        """Time on processors, in user and in system mode."""
        words = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) * 1000 // os.sysconf("SC_CLK_TCK")

    def metrics(self) -> dict[str, float]:
        """By series, `prosa_sessions` and so on."""
        connection = HTTPConnection(*self._metrics, timeout=METRICS_SECONDS)
        try:
            connection.request("GET", "/metrics")
            return {name: float(number) for name, number in SERIES.findall(connection.getresponse().read().decode())}
        finally:
            connection.close()

    def log(self) -> tuple[Counter[str], Counter[str]]:
        """How many lines of each event were printed, and how many held back; all of them when it has ended."""
        printed: Counter[str] = Counter()
        held: Counter[str] = Counter()
        for event, rest in LOG_LINE.findall((self.server.scene.folder / "server.log").read_text(errors="replace")):
            printed[event] += 1
            if event == "suppressed" and (found := SUPPRESSED.search(rest)):
                held[found[1]] += int(found[2])
        return printed, held


async def serve_watched(scene: Scene, before: Sequence[str] = (), words: Sequence[str] = (), **numbers: int) -> Eyes:
    """The reference, READY, with metrics; `before` stands before its command, `words` behind; `numbers` are timers
    and limits."""
    host, port = Ports(scene.seed, 7).take()
    command = [*before, *SERVER, "--metrics", f"{host}:{port}", *words]
    timers = ",".join(f"{name}={number}" for name, number in {**PATIENCE, **numbers}.items())
    return Eyes(await serve(scene, timers, command), (host, port))
