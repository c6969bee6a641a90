# SPDX-License-Identifier: MIT
"""The program `load`, and what it tells."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prosa_bench.child import CannotMeasure
from prosa_bench.machine import pinned

Event = dict[str, Any]

LONGEST_S = 90.0  # without a line of it
FAULTS = ("lost", "doubled", "reordered", "altered", "gaps", "gone")


@dataclass(frozen=True)
class Options:
    """What every start of it has in common."""

    program: Path
    dialect: str
    port: int
    entrance: int
    processors: tuple[int, ...]
    at_once: int
    watch: int = 0
    counters: int = 0  # the port where the server tells its own; 0: nowhere

    def words(self, course: str, **settings: object) -> list[str]:
        words = [str(self.program), "--dialect", self.dialect, "--server", f"127.0.0.1:{self.port}"]
        words += ["--entrance", f"127.0.0.1:{self.entrance}"]
        words += ["--counters", f"127.0.0.1:{self.counters}"] if self.counters else []
        for name, value in {"watch": self.watch, "at_once": self.at_once, **settings}.items():
            flag = f"--{name.replace('_', '-')}"
            words += [flag] if value is True else [flag, str(value)]
        return pinned(self.processors, [*words, course])


class Load:
    """One that runs: its events, and its stdin."""

    def __init__(self, words: list[str]) -> None:
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdout is not None
        self._fd = self._process.stdout.fileno()
        self._read = b""  # and not asked for yet
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._fd, selectors.EVENT_READ)

    def _line(self) -> bytes:
        """Its next line; empty at the end."""
        end = time.monotonic() + LONGEST_S
        while b"\n" not in self._read:
            if not self._selector.select(max(0.0, end - time.monotonic())):
                raise CannotMeasure(f"the generator said nothing for {LONGEST_S:g} s")
            octets = os.read(self._fd, 65536)
            if not octets:
                return b""
            self._read += octets
        line, _, self._read = self._read.partition(b"\n")
        return line

    def until(self, event: str) -> Event:
        """The next event of this name; what it says of a failure is an exception."""
        while line := self._line():
            told: Event = json.loads(line)
            if told["event"] == "failed":
                raise CannotMeasure(str(told["why"]))
            if told["event"] == event:
                return told
        raise CannotMeasure(self._last_words())

    def _last_words(self) -> str:
        assert self._process.stderr is not None
        code = self._process.wait()
        words = self._process.stderr.read().decode(errors="replace").split()
        return f"the generator ended with {code}: {' '.join(words)}"

    def has_said_more(self) -> bool:
        return bool(self._read) or bool(self._selector.select(0))

    def go_on(self) -> None:
        """The line that it waits for."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._selector.close()


@contextlib.contextmanager
def loading(words: list[str]) -> Iterator[Load]:
    load = Load(words)
    try:
        yield load
    finally:
        load.end()


def once(words: list[str], event: str = "done") -> Event:
    """From its start to its last event."""
    with loading(words) as load:
        return load.until(event)


def faults_of(event: Event) -> dict[str, int]:
    """Those that there are."""
    return {name: event["faults"][name] for name in FAULTS if event.get("faults", {}).get(name)}
