# SPDX-License-Identifier: MIT
"""The reference client as a program: killed with -9 and started again with the same data folder.

What it prints with --json is its history. It refuses to help: coming back to a server that was killed is
the program's own business, once it has had a session with `resume`.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from typing import Any

from program import Program
from scene import Scene
from server import Server

# Ends that a client may come to by itself while it has never been in a session: the server was killed.
UNLUCKY_EXITS = frozenset({3, 5})


class Client:
    """One nick in one room; any number of lives."""

    def __init__(self, scene: Scene, command: Sequence[str], nick: str, room: str, server: Server) -> None:
        self.scene = scene
        self.nick, self.room = nick, room
        self.server = server
        self.command = list(command)
        self.has_joined = False  # in this life
        self.is_doomed = False  # it was killed, and its last words may still come
        self.exit_code: int | None = None
        self._goes_on = True
        self._closed: dict[str, Any] | None = None
        self._log = scene.folder / f"{nick}.log"
        self._lives: list[Program] = []
        data = scene.folder / nick
        data.mkdir()
        self._settings = {
            "PROSA_HOST": server.host,
            "PROSA_PORT": str(server.port),
            "PROSA_DATA": str(data),
            "PROSA_NICK": nick,
            "PROSA_ROOM": room,
        }

    @property
    def program(self) -> Program:
        """The one that runs now, or ran last."""
        return self._lives[-1]

    @property
    def is_joined(self) -> bool:
        return self.has_joined and not self.is_doomed

    async def live(self) -> None:
        """One life after the other, until one ends as it should or as it must not."""
        while self._goes_on:
            await self.server.up.wait()
            self.has_joined, self.is_doomed, self._closed = False, False, None
            self._lives.append(await Program.start(self.command, self._log, self._settings))
            self._note({"event": "started"})
            await self._hear()
            self._judge_end(await self.program.end())

    async def _hear(self) -> None:
        while (line := await self.program.line()).endswith(b"\n"):
            event = json.loads(line)
            if event["event"] == "closed":
                self._closed = event
                continue
            self.has_joined = self.has_joined or event["event"] == "joined"
            self._note(event)

    def _judge_end(self, code: int) -> None:
        """Killed, or without luck at its beginning: it is started again."""
        if code < 0 or (not self.has_joined and code in UNLUCKY_EXITS):
            self._note({"event": "killed"})
            return
        self._goes_on = False
        self.exit_code = code
        if code != 0:
            words = self._closed or {"event": "closed", "reason": self._log.read_text()[-300:]}
            self._note({**words, "exit": code})

    def _note(self, event: dict[str, Any]) -> None:
        self.scene.note(self.nick, event)

    # --- what is done to it ---

    def say(self, text: str) -> None:
        """Nothing, between two lives."""
        if self.program.exit_code is None and not self.is_doomed:
            self._note({"event": "said", "room": self.room, "text": text})
            self.program.type(text)

    def leave(self) -> None:
        self._note({"event": "left"})
        self.program.type("exit")

    def kill(self) -> bool:
        """kill -9; False when there is nobody to kill."""
        if self.is_doomed:
            return False
        self.is_doomed = self.program.signal(signal.SIGKILL)
        return self.is_doomed

    async def dispose(self) -> None:
        for program in self._lives:
            await program.dispose()
