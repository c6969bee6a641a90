# SPDX-License-Identifier: MIT
"""The machine that a run is on, and which of its processors belong to whom."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS_FD = 1_000  # descriptors that a server needs beside its connections


@dataclass(frozen=True)
class Processors:
    """The server's is never the generator's, if there are two."""

    all: tuple[int, ...]

    @classmethod
    def of_this_process(cls) -> Processors:
        return cls(tuple(sorted(os.sched_getaffinity(0))))

    @property
    def is_shared(self) -> bool:
        """One processor for both sides: whatever one takes, the other lacks."""
        return len(self.all) < 2

    def server(self, count: int = 1) -> tuple[int, ...]:
        """So many, from the first on; above what is left of the generator's, its one, too."""
        return self.all[:count]

    @property
    def load(self) -> tuple[int, ...]:
        return self.all[-1:]


def pinned(processors: tuple[int, ...], command: list[str]) -> list[str]:
    return ["taskset", "--cpu-list", ",".join(map(str, processors)), *command]


def slab_octets() -> int:
    """What the kernel holds for itself, the memory of sockets among it."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("Slab:"):
            return int(line.split()[1]) * 1024
    return 0


def describe(processors: Processors) -> dict[str, object]:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "processors": len(processors.all),
        "shared": processors.is_shared,
        "kernel": platform.release(),
        "busy_before": round(os.getloadavg()[0], 2),
    }
