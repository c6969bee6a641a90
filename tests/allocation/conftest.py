# SPDX-License-Identifier: MIT
"""Programs for which there is no memory, at any allocation that a test names."""

from __future__ import annotations

import mmap
import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tests" / "programs")]  # the codec, and a speaker of it

from console import Console  # noqa: E402

PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
SHIM = os.environ.get("PROSA_SCARCE_SHIM", str(PROGRAMS.parent / "tests" / "allocation" / "libscarce_shim.so"))
IS_FULL = os.environ.get("PROSA_ALLOCATIONS", "") == "all"
NEVER = (1 << 64) - 1

Start = Callable[..., Console]
FIGURES: list[str] = []


def sample(count: int, small: int) -> range:
    """Which of the allocations from 1 to `count` fail: all of them in a full run, else about `small`, of which every
    region has its share."""
    return range(1, count + 1, 1 if IS_FULL else max(1, count // small))


class Scarce:
    """The memory of one program, which runs out when it is told to."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(struct.pack("QQQ", 0, NEVER, NEVER))
        sanitizer = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
        self.env = {"LD_PRELOAD": SHIM, "PROSA_SCARCE": str(path), "ASAN_OPTIONS": sanitizer}
        with path.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 24)

    def begin(self, first: int = NEVER, last: int | None = None) -> None:
        """Counts from 1 anew: allocations number `first` to `last`, `first` alone when that is not given, fail."""
        struct.pack_into("QQQ", self._control, 0, 0, first, first if last is None else last)

    def end(self) -> int:
        """From here on there is memory; how many allocations there were."""
        (count,) = struct.unpack_from("Q", self._control, 0)
        struct.pack_into("Q", self._control, 8, NEVER)
        return int(count)


@pytest.fixture
def scarce(tmp_path: Path) -> Callable[[str], Scarce]:
    """scarce("server") -> the memory of the program that is started with its `env`."""
    return lambda name: Scarce(tmp_path / f"{name}.memory")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start("prosa-server", "--port", "0", env={}) -> Console; it does not outlive the test."""
    consoles: list[Console] = []

    def run(program: str, *words: str, env: dict[str, str] | None = None, **settings: Any) -> Console:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROSA_")}
        environment = {**kept, "USER": "ada", "TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})}
        path = PROGRAMS / program
        consoles.append(Console([str(path) if path.exists() else program, *words], environment, **settings))
        return consoles[-1]

    yield run
    for console in reversed(consoles):
        console.dispose()


def tell(**figures: object) -> None:
    """Told at the end of the run."""
    FIGURES.append(" ".join(f"{name}={value}" for name, value in figures.items()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in FIGURES:
        terminalreporter.write_line(line)
