# SPDX-License-Identifier: MIT
"""What the conformance suite cannot see of our programs: help, files, words, the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console import Console

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
MINI_SERVER = ROOT / "tests" / "suite" / "mini_server.py"

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

    def __init__(self, data: Path, host: str, *words: str) -> None:
        data.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "conformance"),
            "PROSA_HOST": host,
            "PROSA_PORT": "0",
            "PROSA_DATA": str(data),
            "PROSA_LEVEL": "L1",
            "PROSA_TIMERS": "",
        }
        self.console = Console([sys.executable, str(MINI_SERVER), *words], env)
        ready = self.console.expect("\n").decode()
        self.address = ready.removeprefix("READY ").strip()
        self.port = int(self.address.rpartition(":")[2])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """serve() -> a server whose operator is the test; serve("echo") -> one that answers by itself."""
    servers: list[Server] = []

    def run(*words: str, name: str = "server", host: str = "127.0.0.1") -> Server:
        servers.append(Server(tmp_path / name, host, *words))
        return servers[-1]

    yield run
    for server in reversed(servers):
        server.console.dispose()
