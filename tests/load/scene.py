# SPDX-License-Identifier: MIT
"""One play: a history that fills, and whoever waits for something in it. Nothing here sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from prosa_conformance.client_history import Event, History


class Disposable(Protocol):
    async def dispose(self) -> None: ...


class Scene:
    """Shared by the server, the members and the test of one play; `folder` is theirs.

    Programs that are put into `cast`, and tasks, do not outlive it; a task that fails ends the play.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.history = History()
        self.server_key: bytes | None = None  # pinned by whoever meets the server first
        self.waits_for = "its beginning"
        self.cast: list[Disposable] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    def spawn(self, life: Coroutine[Any, Any, None]) -> None:
        """A life that goes on beside the play."""
        task = asyncio.create_task(life)
        task.add_done_callback(lambda _: self.wake())
        self._tasks.append(task)

    async def end(self) -> None:
        """Whatever still runs is ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for program in reversed(self.cast):
            await program.dispose()

    def note(self, member: str, event: Event) -> None:
        self.history.note(member, event)
        self._changed.set()

    def wake(self) -> None:
        """Something changed that is not in the history."""
        self._changed.set()

    async def until(self, holds: Callable[[], bool], words: str) -> None:
        """Wait until it holds; `words` say what was missing when the play's deadline comes first."""
        self.waits_for = words
        while not holds():
            self._changed.clear()
            await self._changed.wait()
            assert not self.history.errors, self.history.errors
            for task in self._tasks:
                if task.done() and not task.cancelled():
                    task.result()
            self._tasks = [task for task in self._tasks if not task.done()]
