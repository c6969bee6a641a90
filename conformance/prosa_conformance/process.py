# SPDX-License-Identifier: MIT
"""A program under test, wherever it runs; and one that is a child process with a process group of its own.

What it prints is always drained, and what is kept of that is bounded. Refuses to judge: it tells what the
program printed and how it ended, and never leaves one behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prosa_conformance.interruption import held_back
from prosa_conformance.language import _
from prosa_conformance.queues import octets_held, open_descriptors

STDERR_KEPT = 400  # lines
STDERR_LINE_CAP = 1 << 14  # octets; a longer line comes in pieces
LINE_CAP = 1 << 20
STDOUT_KEPT = 1 << 24  # octets of lines that nobody has read yet; what comes beyond them is thrown away
LINE_COST = 64  # what the shortest takes
READ = 1 << 16
KILL_GRACE_S = 10.0
LAST_WORDS_S = 2.0

SANITIZER = re.compile(
    r"ERROR: (?:Address|Leak|Memory|Thread)Sanitizer|WARNING: (?:Thread|Memory)Sanitizer|runtime error:"
)


@dataclass(frozen=True)
class Ended:
    """How a program ended: `code` as the operating system gives it, negative for a signal."""

    code: int
    memory_mb: int = 0  # it wanted more than these, and was killed for it

    @property
    def signal_name(self) -> str:
        """SIGSEGV and the like, also when a shell or a container passed it on as 128 + n."""
        number = -self.code if self.code < 0 else self.code - 128
        try:
            return signal.Signals(number).name if number > 0 else ""
        except ValueError:
            return ""

    def __str__(self) -> str:
        if self.memory_mb:
            words = _("killed by the engine: it wanted more than {limit} MB of memory")
            return words.format(limit=self.memory_mb)
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
    return ended_symptom(ended) or "exit-code"


def ended_symptom(ended: Ended) -> str:
    """Which hint fits a program that did not choose its end; empty when it did."""
    if ended.memory_mb:
        return "memory"
    if ended.signal_name == "SIGXFSZ":
        return "no-space"
    return "crash" if ended.signal_name else ""


_begun: list[tuple[int, Program]] = []  # by whom, and what has not been ended yet


def end_all() -> None:
    """End what this process has begun and nobody has ended: an interruption may come between a program's start and
    whoever was to end it."""
    for program in [program for pid, program in _begun if pid == os.getpid()]:
        program.end()


class Lines:
    """Cuts what comes in pieces into lines, and hands them on as text."""

    def __init__(self, take: Callable[[list[str]], None], cap: int) -> None:
        self._take = take
        self._cap = cap
        self._begun = bytearray()

    def feed(self, octets: bytes) -> None:
        self._begun += octets
        if b"\n" not in octets and len(self._begun) < self._cap:
            return
        *whole, rest = bytes(self._begun).split(b"\n")
        pieces = [piece for line in whole for piece in self._pieces(line)]
        full = len(rest) - len(rest) % self._cap
        pieces += self._pieces(rest[:full]) if full else []
        self._begun = bytearray(rest[full:])
        self._take([piece.decode("utf-8", errors="replace").rstrip("\r") for piece in pieces])

    def finish(self) -> None:
        if self._begun:
            self._take([bytes(self._begun).decode("utf-8", errors="replace")])
            self._begun.clear()

    def _pieces(self, line: bytes) -> list[bytes]:
        return [line[start : start + self._cap] for start in range(0, max(len(line), 1), self._cap)]


class Program(ABC):
    """Started at once, with nothing but what it is given; `end` must be called (the fixtures see to it)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self._waiting = 0  # octets that those take
        self._stdout_open = True
        self._stderr: deque[str] = deque(maxlen=STDERR_KEPT)
        self._stderr_seen = 0
        self._ended: Ended | None = None
        self._killed = False
        self._threads: list[threading.Thread] = []
        self._stdout = Lines(self._take_stdout, LINE_CAP)
        self._words = Lines(self._take_stderr, STDERR_LINE_CAP)
        try:
            with held_back():
                self._start()
                _begun.append((os.getpid(), self))
        except KeyboardInterrupt:
            self.end()
            raise

    # --- what differs from one place to run to another ---

    @abstractmethod
    def _start(self) -> None:
        """Start it, and the threads that drain and await it."""

    @property
    @abstractmethod
    def _stdin(self) -> int | None:
        """The descriptor, not blocking, to write its stdin to; None when that is closed."""

    @abstractmethod
    def close_stdin(self) -> None: ...

    @abstractmethod
    def _send(self, number: signal.Signals) -> None:
        """Send a signal to all of it; nothing happens when it is gone."""

    @abstractmethod
    def octets_held(self) -> int | None:
        """The memory of all its processes, but for files that are mapped into it; None where nobody tells."""

    @abstractmethod
    def open_descriptors(self) -> int:
        """How many its processes have open; 0 where nobody tells."""

    # --- threads ---

    def _run(self, *bodies: Callable[[], None]) -> None:
        self._threads = [threading.Thread(target=body, daemon=True) for body in bodies]
        for thread in self._threads:
            thread.start()

    def _take_stdout(self, lines: list[str]) -> None:
        with self._changed:
            for line in lines:
                if self._waiting > STDOUT_KEPT:
                    break
                self._lines.append(line)
                self._waiting += len(line) + LINE_COST
            self._changed.notify_all()

    def _close_stdout(self) -> None:
        with self._changed:
            self._stdout_open = False
            self._changed.notify_all()

    def _take_stderr(self, lines: list[str]) -> None:
        with self._changed:
            self._stderr.extend(lines)
            self._stderr_seen += len(lines)

    def _tell_end(self, ended: Ended) -> None:
        with self._changed:
            self._ended = ended
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
            if not self._lines:
                return None
            self._waiting -= len(self._lines[0]) + LINE_COST
            return self._lines.popleft()

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
        while data and (stdin := self._stdin) is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([], [stdin], [], left)[1]:
                return False
            try:
                data = data[os.write(stdin, data) :]
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return False
        return not data

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of it; nothing happens when it is gone."""
        self._killed = self._killed or (number == signal.SIGKILL and self.ended is None)
        self._send(number)

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
        """Kill what is left of it and collect it."""
        self.signal(signal.SIGKILL)
        self.close_stdin()
        self.wait_end(KILL_GRACE_S)
        for thread in self._threads:
            thread.join(KILL_GRACE_S)
        _begun[:] = [one for one in _begun if one[1] is not self]


class Process(Program):
    """A child process and its group, with `env` as its whole environment."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], directory: Path, name: str = "program"
    ) -> None:
        self.command = list(command)
        self._env = env
        self._directory = directory
        super().__init__(name)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._directory,
            env=self._env,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._pipe: IO[bytes] | None = self._process.stdin
        os.set_blocking(self._pipe.fileno(), False)
        self._run(self._drain_stdout, self._drain_stderr, self._wait)

    def _drain_stdout(self) -> None:
        assert self._process.stdout
        drain(os.dup(self._process.stdout.fileno()), self._stdout)
        self._close_stdout()

    def _drain_stderr(self) -> None:
        assert self._process.stderr
        drain(os.dup(self._process.stderr.fileno()), self._words)

    def _wait(self) -> None:
        """Its end is told when its last words are in, unless a child of its own keeps the pipes open."""
        code = self._process.wait()
        for thread in self._threads[:2]:
            thread.join(LAST_WORDS_S)
        self._tell_end(Ended(code))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def _stdin(self) -> int | None:
        return None if self._pipe is None else self._pipe.fileno()

    def close_stdin(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def octets_held(self) -> int | None:
        return octets_held(self._process.pid)

    def open_descriptors(self) -> int:
        return open_descriptors(self._process.pid)


def drain(pipe: int, lines: Lines) -> None:
    """Take all that comes out of a pipe, and close it."""
    with open(pipe, "rb", buffering=0) as stream:
        while octets := stream.read(READ):
            lines.feed(octets)
    lines.finish()
