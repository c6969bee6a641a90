# SPDX-License-Identifier: MIT
"""A reference server, a bridge before it, and the suite's own peers on DEALER sockets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
sys.path.insert(0, str(ROOT / "conformance"))

from dealer import Dealer  # noqa: E402

from prosa_conformance.case import Case, Settings  # noqa: E402
from prosa_conformance.contract import Implementation  # noqa: E402
from prosa_conformance.peer import Peer  # noqa: E402
from prosa_conformance.places import Ports  # noqa: E402
from prosa_conformance.process import Program  # noqa: E402
from prosa_conformance.server import Server, ServerProcess  # noqa: E402

WAIT_S = 20.0
Start = Callable[..., "Bridge"]
Connect = Callable[..., "DealerPeer"]


class DealerPeer(Peer):
    dealer: Dealer


class Bridge:
    """A running bridge; `endpoint` is its ROUTER's."""

    def __init__(self, case: Case, program: Program) -> None:
        self.program = program
        self.watched = case.watch(program, 0)
        line = program.next_line(WAIT_S) or ""
        assert line.startswith("READY "), f"it says where it listens: {line!r}, {program.stderr_since(0)}"
        self.endpoint = f"tcp://{line.removeprefix('READY ')}"


@pytest.fixture
def context() -> Iterator[zmq.Context]:
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


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
def server(case: Case, request: pytest.FixtureRequest) -> Iterator[Server]:
    limits = getattr(request, "param", {})
    process = ServerProcess(case.settings, limits)
    yield Server(case, process)
    case.close_wires()
    process.stop()


@pytest.fixture
def start(case: Case, server: Server, tmp_path: Path) -> Iterator[Start]:
    """start("--feed", ...) -> a bridge before `server`."""
    programs: list[Program] = []

    def run(*words: str) -> Bridge:
        command = [str(PROGRAMS / "prosa-bridge"), "--port", "0", "--server", server.target, *words]
        programs.append(Program(command, {**os.environ, "PROSA_DATA": str(tmp_path / "feed")}, tmp_path))
        return Bridge(case, programs[-1])

    yield run
    case.close_wires()
    for program in programs:
        program.end()


@pytest.fixture
def connect(case: Case, server: Server, context: zmq.Context) -> Iterator[Connect]:
    """connect(bridge, "alice") -> a peer that speaks over ZeroMQ."""
    dealers: list[Dealer] = []

    def dial(bridge: Bridge, name: str = "alice", **options: int | bytes) -> Peer:
        dealers.append(Dealer(context, bridge.endpoint, **options))
        peer = DealerPeer(case, dealers[-1].socket, name, server.target, case.seed(name))
        peer.dealer = dealers[-1]
        return peer

    yield dial
    case.close_wires()
    for dealer in dealers:
        dealer.join()
