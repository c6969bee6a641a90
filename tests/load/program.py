# SPDX-License-Identifier: MIT
"""A program as a child of ours: signalled through a descriptor of its own, so that nobody else is ever hit and
whoever waits for its end learns how it ended. (A `kill` of asyncio's collects the end itself now and then.)"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path

LINE_CAP = 1 << 20  # octets


class Program:
    """Started with `start`; its stdout is a pipe, its stderr goes to the end of the file `log`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pidfd: int | None = None  # of one that has ended already
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(process.pid)

    @classmethod
    async def start(
        cls, command: Sequence[str], log: Path, settings: Mapping[str, str], has_stdin: bool = True
    ) -> Program:
        """`settings` are all of its environment that concerns us."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("PROSA_")}
        with log.open("ab") as stderr:
            return cls(
                await asyncio.create_subprocess_exec(
                    *command,
                    stdin=PIPE if has_stdin else DEVNULL,
                    stdout=PIPE,
                    stderr=stderr,
                    env={**env, **settings},
                    limit=LINE_CAP,
                )
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it is not known to have ended."""
        return self._process.returncode

    async def line(self) -> bytes:
        """The next line of its stdout; without a line feed at the end of it."""
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    def type(self, line: str) -> None:
        """What it does not take is lost."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(line.encode() + b"\n")

    def signal(self, number: signal.Signals) -> bool:
        """False when it has ended."""
        if self._pidfd is None or self.exit_code is not None:
            return False
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return False
        return True

    async def end(self) -> int:
        """Wait for its end; its exit code."""
        code = await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
            with contextlib.suppress(OSError):
                await self._process.stdin.wait_closed()
        return code

    async def dispose(self) -> None:
        self.signal(signal.SIGKILL)
        await self.end()
        if self._pidfd is not None:
            os.close(self._pidfd)
