# SPDX-License-Identifier: MIT
"""Commands with a deadline, which an interruption of the whole reaches wherever they were started."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE_S = 60  # to come to an end after a polite signal
Kill = Callable[[int], None]
TEXT = 4000  # octets of the last words that are kept


class Interrupted(Exception):
    """The whole is at its end."""


@dataclass(frozen=True)
class Done:
    code: int
    text: str  # the last words
    seconds: float
    is_late: bool = False  # its deadline ended it


class Watch:
    """Knows what runs. `stop` may come from any thread, and once."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._lock = threading.Lock()
        self._running: dict[subprocess.Popen[bytes], Kill] = {}
        self._is_over = False
        self._grace_s = grace_s

    def stop(self) -> None:
        """Nothing begins any more; what runs comes to its end, by force if it has to."""
        with self._lock:
            self._is_over = True
            running = dict(self._running)
        for process in running:
            process.send_signal(signal.SIGINT)
        for process, kill in running.items():
            self._end(process, kill)

    def run(
        self,
        command: Sequence[str],
        *,
        seconds: float,
        log: Path | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        kill: Kill = lambda _process: None,
    ) -> Done:
        """Run it to its end or its deadline: then SIGINT, later `kill` with its process id, then SIGKILL to its group.
        What it prints goes behind what is in the log. OSError when it cannot be started."""
        started = time.monotonic()
        with tempfile.TemporaryFile() if log is None else log.open("a+b") as output:
            process = self._begin(command, folder, environment, output.fileno(), kill)
            is_late = False
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                is_late = True
                process.send_signal(signal.SIGINT)
                self._end(process, kill)
            with self._lock:
                del self._running[process]
            with suppress(ProcessLookupError):  # what it has left of itself
                os.killpg(process.pid, signal.SIGKILL)
            output.seek(max(output.seek(0, os.SEEK_END) - TEXT, 0))
            text = output.read().decode("utf-8", errors="replace")
        if self._is_over:
            raise Interrupted
        return Done(process.returncode, text, time.monotonic() - started, is_late)

    def _begin(
        self,
        command: Sequence[str],
        folder: Path | None,
        environment: Mapping[str, str] | None,
        output: int,
        kill: Kill,
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_over:
                raise Interrupted
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's signals are ours alone
            )
            self._running[process] = kill
        return process

    def _end(self, process: subprocess.Popen[bytes], kill: Kill) -> None:
        """After a polite signal."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._grace_s)
            return
        kill(process.pid)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._grace_s)
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
