# SPDX-License-Identifier: MIT
"""What the conformance suite cannot see of our programs: help, files, words, the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from console import Console

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
SUITE = ROOT / "tests" / "suite"
MINI_SERVER = SUITE / "mini_server.py"
FLOODING_SERVER = Path(__file__).parent / "flooding_server.py"
SILENT_SERVER = Path(__file__).parent / "silent_server.py"

Start = Callable[..., Console]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start("prosa-client", "--json", ..., env={}, terminal=False) -> Console; it does not outlive the test."""
    consoles: list[Console] = []

    def run(program: str, *words: str, env: dict[str, str] | None = None, terminal: bool = False) -> Console:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROSA_")}
        settings = {"PROSA_DATA": str(tmp_path / "data"), "USER": "ada", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        console = Console([str(PROGRAMS / program), *words], {**kept, **settings, **(env or {})}, terminal)
        consoles.append(console)
        return console

    yield run
    for console in reversed(consoles):
        console.dispose()


class Server:
    """A small server on the suite's own codec; its console is the operator's."""

    def __init__(self, data: Path, script: Path, words: Sequence[str], timers: str) -> None:
        data.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'conformance'}:{SUITE}",
            "PROSA_HOST": "127.0.0.1",
            "PROSA_PORT": "0",
            "PROSA_DATA": str(data),
            "PROSA_LEVEL": "L1",
            "PROSA_TIMERS": timers,
        }
        self.console = Console([sys.executable, str(script), *words], env)
        ready = self.console.expect("\n").decode()
        self.address = ready.removeprefix("READY ").strip()
        self.port = int(self.address.rpartition(":")[2])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """serve() -> a server whose operator is the test; serve("echo") -> one that answers by itself."""
    servers: list[Server] = []

    def run(*words: str, name: str = "server", script: Path = MINI_SERVER, timers: str = "") -> Server:
        servers.append(Server(tmp_path / name, script, words, timers))
        return servers[-1]

    yield run
    for server in reversed(servers):
        server.console.dispose()
