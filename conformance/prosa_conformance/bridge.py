# SPDX-License-Identifier: MIT
"""The bridge under test, or before the server under test: a process that relays for ZeroMQ clients (chapter 12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from prosa_conformance.case import Settings
from prosa_conformance.launch import await_ready, spawn
from prosa_conformance.process import Program


@dataclass(frozen=True)
class Feed:
    """Where the PUB socket is to listen, and what of it is published."""

    endpoint: str = ""
    rooms: tuple[str, ...] = ()


@dataclass
class Bridge:
    """A running one; `address` is its ROUTER's. `end` must be called."""

    settings: Settings
    server: tuple[str, int]
    feed: Feed = field(default_factory=Feed)
    data: Path | None = None

    def __post_init__(self) -> None:
        host, port = self.settings.ports.take()
        values = bridge_values(self.settings, host, port, self.server, self.feed, self.data)
        self.program: Program = spawn(self.settings, "relay", values)
        try:
            self.address = await_ready(self.settings, self.program)
        except BaseException:
            self.program.end()
            raise

    def end(self) -> None:
        self.program.end()


def bridge_values(
    settings: Settings, host: str, port: int, server: tuple[str, int], feed: Feed, data: Path | None = None
) -> dict[str, str]:
    """The settings of section 13.6."""
    name, number = server
    return {
        "host": host,
        "port": str(port),
        "server": f"[{name}]:{number}" if ":" in name else f"{name}:{number}",
        "data": str(data or settings.folder("bridge")),
        "feed": feed.endpoint,
        "feed_rooms": ",".join(feed.rooms),
    }
