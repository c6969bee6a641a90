# SPDX-License-Identifier: MIT
"""A program under test as a child process: its own process group, its pipes always drained.

Refuses to judge: it tells what the program printed and how it ended, and never leaves one behind.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prosa_conformance.interruption import held_back
from prosa_conformance.language import _

STDERR_KEPT = 400  # lines
LINE_CAP = 1 << 20  # octets; a longer line comes in pieces
KILL_GRACE_S = 10.0
LAST_WORDS_S = 2.0

SANITIZER = re.compile(
    r"ERROR: (?:Address|Leak|Memory|Thread)Sanitizer|WARNING: (?:Thread|Memory)Sanitizer|runtime error:"
)


@dataclass(frozen=True)
class Ended:
    """How a program ended: `code` as the operating system gives it, negative for a signal."""

    code: int

    @property
    def signal_name(self) -> str:
        """SIGSEGV and the like, also when a shell or a container passed it on as 128 + n."""
        number = -self.code if self.code < 0 else self.code - 128
        try:
            return signal.Signals(number).name if number > 0 else ""
        except ValueError:
            return ""

    def __str__(self) -> str:
        name = self.signal_name
        words = _("killed by {signal}") if name else _("exit code {code}")
        return words.format(signal=name, code=self.code)


def still_running(seconds: float) -> str:
    """The words for a program that has not ended in time."""
    return _("still running after {seconds:g} s").format(seconds=seconds)


def end_symptom(ended: Ended | None) -> str:
    """Which hint fits an end that is not the one that was due."""
    if ended is None:
        return "hangs"
    return "crash" if ended.signal_name else "exit-code"


class Program:
    """Started at once, with `env` as its whole environment; `end` must be called (the fixtures see to it)."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], directory: Path, name: str = "program"
    ) -> None:
        self.command = list(command)
        self.name = name
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self._stdout_open = True
        self._stderr: deque[str] = deque(maxlen=STDERR_KEPT)
        self._stderr_seen = 0
        self._ended: Ended | None = None
        self._killed = False
        try:
            with held_back():
                self._start(env, directory)
        except KeyboardInterrupt:
            self.end()
            raise

    def _start(self, env: Mapping[str, str], directory: Path) -> None:
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            env=env,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin: IO[bytes] | None = self._process.stdin
        os.set_blocking(self._stdin.fileno(), False)
        self._threads = [
            threading.Thread(target=self._drain, args=(self._process.stdout, self._take_stdout), daemon=True),
            threading.Thread(target=self._drain, args=(self._process.stderr, self._take_stderr), daemon=True),
            threading.Thread(target=self._wait, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # --- threads ---

    def _drain(self, pipe: IO[bytes], take: Callable[[str | None], None]) -> None:
        with pipe:
            while line := pipe.readline(LINE_CAP):
                take(line.decode("utf-8", errors="replace").rstrip("\r\n"))
        take(None)

    def _take_stdout(self, line: str | None) -> None:
        with self._changed:
            if line is None:
                self._stdout_open = False
            else:
                self._lines.append(line)
            self._changed.notify_all()

    def _take_stderr(self, line: str | None) -> None:
        with self._changed:
            if line is not None:
                self._stderr.append(line)
                self._stderr_seen += 1
            self._changed.notify_all()

    def _wait(self) -> None:
        """Its end is told when its last words are in, unless a child of its own keeps the pipes open."""
        code = self._process.wait()
        for thread in self._threads[:2]:
            thread.join(LAST_WORDS_S)
        with self._changed:
            self._ended = Ended(code)
            self._changed.notify_all()

    # --- what it says ---

    def next_line(self, seconds: float) -> str | None:
        """The next line of stdout; None at its end or when `seconds` have passed."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._lines and self._stdout_open:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return self._lines.popleft() if self._lines else None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr_mark(self) -> int:
        """A place in stderr, to ask later for what came after it."""
        with self._changed:
            return self._stderr_seen

    def stderr_since(self, mark: int = 0) -> list[str]:
        with self._changed:
            fresh = min(self._stderr_seen - mark, len(self._stderr))
            return list(self._stderr)[len(self._stderr) - fresh :]

    def sanitizer_words(self, mark: int = 0) -> str:
        """The first line in which a sanitizer complains, or nothing."""
        return next((line for line in self.stderr_since(mark) if SANITIZER.search(line)), "")

    # --- what is done to it ---

    def type_line(self, line: str, seconds: float) -> bool:
        """Write a line to its stdin; False when it does not take it (ended, or never reads)."""
        data = (line + "\n").encode()
        deadline = time.monotonic() + seconds
        while data and self._stdin is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([], [self._stdin], [], left)[1]:
                return False
            try:
                data = data[os.write(self._stdin.fileno(), data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return not data

    def close_stdin(self) -> None:
        if self._stdin is not None:
            self._stdin.close()
            self._stdin = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing happens when it is gone."""
        self._killed = self._killed or (number == signal.SIGKILL and self.ended is None)
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    # --- its end ---

    @property
    def ended(self) -> Ended | None:
        with self._changed:
            return self._ended

    @property
    def killed_by_us(self) -> bool:
        return self._killed

    def wait_end(self, seconds: float) -> Ended | None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._ended is None:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return self._ended

    def end(self) -> None:
        """Kill what is left of the group and collect it."""
        self.signal(signal.SIGKILL)
        self.close_stdin()
        self.wait_end(KILL_GRACE_S)
        for thread in self._threads:
            thread.join(KILL_GRACE_S)
