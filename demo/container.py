# SPDX-License-Identifier: MIT
"""A program in a container: lines go in and come out, it is killed, it ends with a code."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from demo import engine

LAST_WORDS = 8  # lines of stderr that are kept
Hear = Callable[[str], None]


class Container:
    """Started by `Stage.run`. Each line of its stdout goes to `hear`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, hear: Hear, wake: Callable[[], None]) -> None:
        self.name = name
        self.code: int | None = None
        self.errors: deque[str] = deque(maxlen=LAST_WORDS)
        self._process = process
        self._hear, self._wake = hear, wake
        self.life = asyncio.create_task(self._live())

    async def _live(self) -> None:
        await asyncio.gather(self._read(self._process.stdout, self._hear), self._read(self._process.stderr, self._err))
        self.code = await self._process.wait()
        self._wake()

    async def _read(self, stream: asyncio.StreamReader | None, take: Hear) -> None:
        while stream is not None and (line := await stream.readline()):
            take(line.decode(errors="replace").rstrip("\n"))
            self._wake()

    def _err(self, line: str) -> None:
        self.errors.append(line)

    @property
    def last_words(self) -> str:
        return "; ".join(self.errors) or "it said nothing on stderr"

    def type(self, *lines: str) -> None:
        """What it does not take any more is lost."""
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.write("".join(f"{line}\n" for line in lines).encode())

    async def signal(self, name: str) -> None:
        """By the engine, at the program itself; and wait for its end when it is one."""
        await engine.call("kill", f"--signal={name}", self.name)
        if name in ("KILL", "TERM", "INT"):
            await asyncio.shield(self.life)

    async def dispose(self) -> None:
        """Let go of it; the engine removes it."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        with contextlib.suppress(Exception):
            await self.life


class Person:
    """A client that tells its events as JSON lines, under the nick of whoever types there."""

    def __init__(self, nick: str, room: str, note: Callable[[str, Mapping[str, Any]], None]) -> None:
        self.nick, self.room = nick, room
        self.container: Container | None = None
        self.events: list[dict[str, Any]] = []
        self.may_end = False  # its program's end is part of the story
        self._note = note

    def hear(self, line: str) -> None:
        event = json.loads(line)
        self.events.append(event)
        self._note(self.nick, event)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    @property
    def program(self) -> Container:
        assert self.container is not None, f"{self.nick} is not on the stage yet"
        return self.container

    @property
    def is_joined(self) -> bool:
        return self._last("joined") > self._last("disconnected")

    def _last(self, kind: str) -> int:
        return max((number for number, event in enumerate(self.events) if event["event"] == kind), default=-1)

    def say(self, *texts: str) -> None:
        for text in texts:
            self._note(self.nick, {"event": "said", "room": self.room, "text": text})
        self.program.type(*texts)

    @property
    def trouble(self) -> str:
        """Why its program ended, when it should not have."""
        closed = self.of("closed")
        return "" if self.may_end or not closed else f"{self.nick}'s program ended: {closed[-1]['reason']}"

    def leave(self) -> None:
        self.may_end = True
        self._note(self.nick, {"event": "left"})
        self.program.type("exit")
