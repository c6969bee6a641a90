# SPDX-License-Identifier: MIT
"""A reference server, a bridge of ours before it, and the suite's own peers: for what is ours alone.

What any bridge has to do is in the suite itself (`./run conform --transport zmq`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
sys.path.insert(0, str(ROOT / "conformance"))

from prosa_conformance.case import Case, Settings  # noqa: E402
from prosa_conformance.contract import Implementation  # noqa: E402
from prosa_conformance.dealer import Dealer  # noqa: E402
from prosa_conformance.launch import await_ready  # noqa: E402
from prosa_conformance.peer import Peer  # noqa: E402
from prosa_conformance.places import Ports  # noqa: E402
from prosa_conformance.process import Process, Program  # noqa: E402
from prosa_conformance.server import Server, ServerProcess  # noqa: E402

WAIT_S = 30.0  # for a program of ours
Start = Callable[..., "Bridge"]
Connect = Callable[..., Peer]


class Bridge:
    """A running bridge; `address` is its ROUTER's."""

    def __init__(self, case: Case, program: Program) -> None:
        self.program = program
        self.watched = case.watch(program, 0)
        self.address = await_ready(case.settings, program)

    @property
    def target(self) -> str:
        host, port = self.address
        return f"{host}:{port}"


@pytest.fixture
def case(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Case]:
    subject = Implementation("prosa", ROOT, {"server": str(PROGRAMS / "prosa-server")})
    scale = float(os.environ.get("PROSA_TIME_SCALE", "2"))
    settings = Settings(subject, tmp_path, level="L4", time_scale=scale, ports=Ports(os.getpid() * 64))
    case = Case(settings, request.node.name, "server")
    yield case
    case.close_wires()
    for watched in case.watched:
        watched.check("the program")


@pytest.fixture
def server(case: Case) -> Iterator[Server]:
    process = ServerProcess(case.settings, {})
    yield Server(case, process)
    case.close_wires()
    process.stop()


@pytest.fixture
def start(case: Case, server: Server, tmp_path: Path) -> Iterator[Start]:
    """start("--feed", ...) -> a bridge before `server`."""
    programs: list[Program] = []

    def run(*words: str, port: int = 0) -> Bridge:
        command = [str(PROGRAMS / "prosa-bridge"), "--port", str(port), "--server", server.target, *words]
        environment = {**os.environ, "PROSA_DATA": str(tmp_path / "feed")}
        programs.append(Process(command, environment, tmp_path, "relay"))
        return Bridge(case, programs[-1])

    yield run
    case.close_wires()
    for program in programs:
        program.end()


@pytest.fixture
def connect(case: Case, server: Server) -> Connect:
    """connect(bridge, "alice") -> a peer that speaks over ZeroMQ."""

    def dial(bridge: Bridge, name: str = "alice", **options: int | bytes) -> Peer:
        dealer = Dealer(bridge.address, **options)
        return Peer(case, dealer.socket, name, server.target, case.seed(name))

    return dial
