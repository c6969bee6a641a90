# SPDX-License-Identifier: MIT
"""A server under load: started, killed and started again on one port and one data folder."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from program import Program
from scene import Scene

READY = re.compile(rb"READY \S+:[0-9]+")


class Server:
    """Spoken to as chapter 13 says, so that any server can be put under this load."""

    def __init__(
        self,
        scene: Scene,
        command: Sequence[str],
        address: tuple[str, int],
        timers: str,
        level: str = "L4",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.scene = scene
        self.command = list(command)
        self.host, self.port = address
        self.data = scene.folder / "server"
        self.data.mkdir()
        self.up = asyncio.Event()
        self._log = scene.folder / "server.log"
        self._lives: list[Program] = []
        self._settings = {
            "PROSA_HOST": self.host,
            "PROSA_PORT": str(self.port),
            "PROSA_DATA": str(self.data),
            "PROSA_LEVEL": level,
            "PROSA_TIMERS": timers,
            **(env or {}),
        }

    @property
    def program(self) -> Program:
        """The one that runs now, or ran last."""
        return self._lives[-1]

    async def start(self) -> None:
        """Returns at once; `up` is set when it is READY."""
        self._lives.append(await Program.start(self.command, self._log, self._settings, has_stdin=False))
        self.scene.spawn(self._listen(self.program))

    async def _listen(self, program: Program) -> None:
        while line := await program.line():
            if READY.fullmatch(line.strip()) and program is self.program:
                self.up.set()
                self.scene.wake()
        if program is self.program:
            self.up.clear()

    async def ready(self) -> None:
        """Wait until it serves; an end before that is an error in its own words."""
        ended = asyncio.create_task(self.program.end())
        up = asyncio.create_task(self.up.wait())
        await asyncio.wait((ended, up), return_when=asyncio.FIRST_COMPLETED)
        assert self.up.is_set(), f"the server ended with {self.program.exit_code}: {self.last_words()}"
        for task in (ended, up):
            task.cancel()

    async def kill(self) -> None:
        """kill -9, and its end."""
        self.up.clear()
        assert self.program.signal(signal.SIGKILL), f"the server ended by itself: {self.last_words()}"
        await self.program.end()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.up.clear()
        self.program.signal(signal.SIGTERM)
        return await self.program.end()

    async def dispose(self) -> None:
        for program in self._lives:
            await program.dispose()

    def last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    # --- memory ---

    def rss(self) -> int:
        """Octets of it that are in memory now."""
        return self._status("VmRSS")

    def rss_peak(self) -> int:
        """Most octets that were in memory since its start or `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.program.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.program.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+([0-9]+) kB$", text, re.MULTILINE)
        assert found, f"no {name} in /proc"
        return int(found[1]) * 1024
