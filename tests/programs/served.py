# SPDX-License-Identifier: MIT
"""The reference server that is READY, and a client of ours that asks it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import Start
from console import Console


class Served:
    """A server of ours that is READY."""

    def __init__(self, console: Console) -> None:
        self.console = console
        console.expect("READY ")
        self.address = console.expect("\n").decode().strip()
        host, _, port = self.address.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)

    def stop(self) -> None:
        """SIGTERM ends it with 0, and under a sanitizer that also means: without a leak."""
        self.console.signal(signal.SIGTERM)
        assert self.console.ended() == 0, self.console.err


class Asker:
    """A client of ours, its events read one by one."""

    def __init__(self, start: Start, server: Served, nick: str, tmp_path: Path) -> None:
        self.console = start(
            "prosa-client", "--json", "--nick", nick, "--data", str(tmp_path / nick), server.address
        )
        self.event("joined")

    def event(self, name: str, **members: object) -> dict[str, Any]:
        """The next event of this name and these members."""
        while True:
            event: dict[str, Any] = json.loads(self.console.expect("\n"))
            if event["event"] == name and members.items() <= event.items():
                return event

    def ask(self, text: str) -> str | None:
        """The answer to a question, or None when nobody has one."""
        self.console.line(text)
        return self.answer()

    def answer(self) -> str | None:
        while True:
            event = json.loads(self.console.expect("\n"))
            if event["event"] == "message" and not event["own"]:
                return str(event["text"])
            if event["event"] == "error":
                assert event["code"] == "NO_ANSWER"
                return None


Serve = Callable[..., Served]
Ask = Callable[..., Asker]


def serving(start: Start, tmp_path: Path) -> Serve:
    """serve("--answer", "echo", terminal=False) -> a server that is READY."""

    def run(*words: str, **settings: Any) -> Served:
        data = str(tmp_path / "server")
        return Served(start("prosa-server", "--port", "0", "--data", data, *words, **settings))

    return run


def asking(start: Start, tmp_path: Path) -> Ask:
    """ask(server, "ada") -> a client that has joined `@host`."""

    def run(server: Served, nick: str = "ada") -> Asker:
        return Asker(start, server, nick, tmp_path)

    return run
