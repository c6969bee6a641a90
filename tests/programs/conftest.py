# SPDX-License-Identifier: MIT
"""What the conformance suite cannot see of our programs: help, files, words, the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from console import COLUMNS, ROWS, Console

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
# The words that a server is started with, before those of the test.
SERVER = os.environ.get("PROSA_SERVER_COMMAND", str(PROGRAMS / "prosa-server")).split()
SHIM = os.environ.get("PROSA_SHIM_FILE", str(PROGRAMS.parent / "tests" / "programs" / "libprograms_shim.so"))
SUITE = ROOT / "tests" / "suite"
MINI_SERVER = SUITE / "mini_server.py"
FLOODING_SERVER = Path(__file__).parent / "flooding_server.py"
ODD_SERVER = Path(__file__).parent / "odd_server.py"
SILENT_SERVER = Path(__file__).parent / "silent_server.py"

Start = Callable[..., Console]


def shimmed(habit: str) -> dict[str, str]:
    """The environment of a program that has shim.c between itself and the system."""
    sanitizer = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": SHIM, "PROSA_SHIM": habit, "ASAN_OPTIONS": sanitizer}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start("prosa-client", "--json", ..., env={}, terminal=False) -> Console; it does not outlive the test.
    A terminal may be of another size: rows and columns."""
    consoles: list[Console] = []

    def run(
        program: str,
        *words: str,
        env: dict[str, str] | None = None,
        terminal: bool = False,
        size: tuple[int, int] = (ROWS, COLUMNS),
    ) -> Console:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROSA_")}
        settings = {"PROSA_DATA": str(tmp_path / "data"), "USER": "ada", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        environment = {**kept, **settings, **(env or {})}
        command = SERVER if program == "prosa-server" else [str(PROGRAMS / program)]
        console = Console([*command, *words], environment, terminal, size)
        consoles.append(console)
        return console

    yield run
    for console in reversed(consoles):
        console.dispose()


class Server:
    """A small server on the suite's own codec; its console is the operator's."""

    def __init__(
        self, data: Path, script: Path, words: Sequence[str], timers: str, level: str, port: int
    ) -> None:
        self.data = data
        data.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'conformance'}:{SUITE}",
            "PROSA_HOST": "127.0.0.1",
            "PROSA_PORT": str(port),
            "PROSA_DATA": str(data),
            "PROSA_LEVEL": level,
            "PROSA_TIMERS": timers,
        }
        self.console = Console([sys.executable, str(script), *words], env)
        ready = self.console.expect("\n").decode()
        self.address = ready.removeprefix("READY ").strip()
        self.port = int(self.address.rpartition(":")[2])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """serve() -> a server whose operator is the test; serve("echo") -> one that answers by itself. A second
    one of the same name has the key and the log of the first; `port` 0 is any."""
    servers: list[Server] = []

    def run(
        *words: str,
        name: str = "server",
        script: Path = MINI_SERVER,
        timers: str = "",
        level: str = "L1",
        port: int = 0,
    ) -> Server:
        servers.append(Server(tmp_path / name, script, words, timers, level, port))
        return servers[-1]

    yield run
    for server in reversed(servers):
        server.console.dispose()
