# SPDX-License-Identifier: MIT
"""What a test can ask for by naming it as a parameter.

server            a running server, shared with other tests of the same timers
fresh_server      one of its own, for tests that end or kill it
scripted_server   a scripted server for the client under test
start_client      starts the client under test: start_client(scripted_server, nick="bob")
newcomer          a client under test that has said HELLO to the scripted server
chat              one that has joined @host there, and has had one question answered
codec_program     the codec under test
relay             a bridge under test between ZeroMQ clients and a server in the test's hand
case              the test itself: transcript, random numbers, deadlines
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prosa_conformance.case import Case
from prosa_conformance.chat import Chat
from prosa_conformance.client import Client
from prosa_conformance.codec_subject import Codec, CodecProcess
from prosa_conformance.language import _
from prosa_conformance.peer import Peer
from prosa_conformance.places import discard
from prosa_conformance.plugin import CARD, CASE, ERRORS
from prosa_conformance.relay import Relay
from prosa_conformance.scripted_server import ScriptedServer
from prosa_conformance.server import Server, ServerProcess, need_timers

DYING_S = 1.0  # with a core dump it takes its time

StartClient = Callable[..., Client]


class Pool:
    """The processes that tests share; each one retires when a test has spoilt it."""

    def __init__(self) -> None:
        self._servers: dict[tuple[tuple[str, int], ...], ServerProcess] = {}
        self._codec: CodecProcess | None = None

    def server(self, case: Case, timers: dict[str, int]) -> ServerProcess:
        key = tuple(sorted(timers.items()))
        process = self._servers.get(key)
        if process is None or not process.usable:
            if process is not None:
                process.stop()
            process = self._servers[key] = ServerProcess(case.settings, timers)
        return process

    def codec(self, case: Case) -> CodecProcess:
        if self._codec is None or not self._codec.usable:
            if self._codec is not None:
                self._codec.stop()
            self._codec = CodecProcess(case.settings)
        return self._codec

    def stop(self) -> None:
        for process in self._servers.values():
            process.stop()
        if self._codec is not None:
            self._codec.stop()


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.stop()


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """The running test. At its end every socket is closed and every program looked at."""
    case: Case = request.node.stash[CASE]
    yield case
    case.close_wires()
    for watched in case.watched:
        watched.check(case.subject)


@pytest.fixture
def server(request: pytest.FixtureRequest, case: Case, pool: Pool) -> Iterator[Server]:
    timers = request.node.stash[CARD].timers
    process = pool.server(case, timers)
    handle = Server(case, process)
    need_timers(handle, timers)
    yield handle
    _let_die(request, case)
    process.pass_on(spoilt=bool(request.node.stash[ERRORS]) or _leaves_a_question(case))


@pytest.fixture
def fresh_server(request: pytest.FixtureRequest, case: Case) -> Iterator[Server]:
    timers = request.node.stash[CARD].timers
    process = ServerProcess(case.settings, timers)
    try:
        handle = Server(case, process)
        need_timers(handle, timers)
        yield handle
        case.close_wires()
        _let_die(request, case)
        handle.check_alive()
    finally:
        process.stop()


@pytest.fixture
def scripted_server(case: Case) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(case)
    yield scripted
    scripted.stop_listening()


@pytest.fixture
def start_client(request: pytest.FixtureRequest, case: Case) -> Iterator[StartClient]:
    clients: list[Client] = []

    def start(
        server: ScriptedServer,
        *,
        nick: str = "alice",
        room: str = "@host",
        data: Path | None = None,
        **changes: str,
    ) -> Client:
        clients.append(Client(case, server.host, server.port, nick=nick, room=room, data=data, **changes))
        return clients[-1]

    yield start
    _let_die(request, case)
    for client in clients:
        if request.node.stash[ERRORS]:
            client.excuse_end()
        client.program.end()
    for client in clients:
        discard(client.data)


@pytest.fixture
def newcomer(scripted_server: ScriptedServer, start_client: StartClient) -> Chat:
    """A client that has connected and sent HELLO; another life of it was served well before."""
    start = len(scripted_server.case.transcript.events)
    Chat.begin(scripted_server, start_client(scripted_server)).leave()
    scripted_server.case.transcript.fold(start, _("another life of the client deals well with a good server"))
    return Chat.meet(scripted_server, start_client(scripted_server))


@pytest.fixture
def chat(scripted_server: ScriptedServer, start_client: StartClient) -> Chat:
    """A client that has joined @host, asked one question and shown its answer."""
    chat = Chat.begin(scripted_server, start_client(scripted_server))
    chat.exchange()
    return chat


@pytest.fixture
def codec_program(case: Case, pool: Pool) -> Codec:
    return Codec(case, pool.codec(case))


@pytest.fixture
def relay(case: Case) -> Iterator[Relay]:
    made = Relay(case)
    try:
        yield made
        case.close_wires()
    finally:
        made.stop()


def _let_die(request: pytest.FixtureRequest, case: Case) -> None:
    """A program that has hung up on a test that failed may be about to end: a crash says more than what it left."""
    if request.node.stash[ERRORS] and any(wire.end is not None for wire in case.wires):
        for watched in case.watched:
            watched.program.wait_end(max(case.seconds(DYING_S), DYING_S))


def _leaves_a_question(case: Case) -> bool:
    """A question that nobody has answered could take the next test's answer."""
    peers = [wire for wire in case.wires if isinstance(wire, Peer) and wire.end is None]
    return any(room.name == "@host" and room.is_waiting(peer.server_key) for peer in peers for room in peer.joins)
