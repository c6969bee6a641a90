# SPDX-License-Identifier: MIT
"""Chapter 12: clients that take nothing, or send without an end, and the others who must not feel it.

That nothing moves any more is judged by somebody else's exchanges: when nothing was read during so many of them,
nothing will be.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.clauses import clause
from prosa_conformance.language import _
from prosa_conformance.match import Like
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.queues import octets_held
from prosa_conformance.relay import HELLO, Relay, check_came, see_relayed
from prosa_conformance.scripted_server import Session
from prosa_conformance.zmq_client import ZmqClient

PROCESS = ["process"]
STILL = 40  # exchanges of somebody else
MUTE = {"rcvhwm": 1, "rcvbuf": 4096}
LONG = 60_000
SAID = 96 * 2**20  # octets for somebody who takes none
KERNELS = 32 * 2**20  # what three sockets may keep of it
KEPT = 4 * 2**20  # ZMQ-14
BREATH = 8 * 2**20  # a program may take some more memory
WINDOW, WITHIN = 4096, 1500  # messages within credit, and their octets: all of it is 6 MB
HOSTILE = 64 * 2**20  # octets that no credit allows


def long_frame(number: int) -> bytes:
    return codec.raw_frame(0x21, number.to_bytes(4, "big") + bytes(LONG))


class Flow:
    """Long frames to a client, one after the other, as far as there is space."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sent = 0
        self._rest = b""

    @property
    def frames(self) -> int:
        """How many have begun."""
        return -(-self.sent // len(long_frame(0)))

    def push(self) -> bool:
        """As much as is taken now; whether that was anything."""
        before = self.sent
        while True:
            if not self._rest:
                self._rest = long_frame(self.frames)
            count = self.session.put_some(self._rest)
            self._rest = self._rest[count:]
            self.sent += count
            if self._rest:
                return self.sent > before

    def finish(self) -> None:
        """The rest of the last frame."""
        self.session.put(self._rest, "the rest of the last frame")
        self.sent += len(self._rest)


def push_until_still(flow: Flow, other: tuple[ZmqClient, Session], most: int) -> None:
    still = 0
    while still < STILL and flow.sent < most:
        still = 0 if flow.push() else still + 1
        see_relayed(*other)


@clause("ZMQ-07", quote="the relay MUST stop reading from its TCP connection", needs=PROCESS)
def test_reading_stops_for_who_takes_nothing(relay: Relay) -> None:
    """When it takes again, nothing is missing, and all is in order."""
    other = relay.pair("alice")
    mute, server = relay.pair("mute", **MUTE)
    flow = Flow(server)
    push_until_still(flow, other, SAID)
    if flow.sent > KERNELS + KEPT:
        raise Violation(
            _("the bridge reads on: it has taken {count} MB for {who}, who takes nothing").format(
                count=flow.sent >> 20, who=mute.name
            ),
            expected=_("at most {count} MB, the kernel's included").format(count=(KERNELS + KEPT) >> 20),
            actual=f"{flow.sent >> 20} MB",
        )
    total = flow.frames
    for number in range(total):
        if number == total // 2:
            flow.finish()
        assert mute.next_octets() == long_frame(number), f"frame {number} of {total} is missing or out of its place"
    see_relayed(mute, server)


@clause("ZMQ-14", quote="What a relay keeps for a client that takes nothing", needs=PROCESS)
@clause("ZMQ-10", quote="A relay keeps no more for one than it has room for", needs=PROCESS)
def test_memory_for_who_takes_nothing(relay: Relay) -> None:
    other = relay.pair("alice")
    see_relayed(*other)
    stalled = [relay.pair(f"mute-{number}", **MUTE) for number in range(4)]
    idle = held(relay)
    for _client, server in stalled:
        push_until_still(Flow(server), other, SAID // len(stalled))
    grown = held(relay) - idle
    most = len(stalled) * KEPT + BREATH
    if grown > most:
        raise Violation(
            _("the bridge grew by {grown} MB for {count} clients who take nothing").format(
                grown=grown >> 20, count=len(stalled)
            ),
            expected=_("at most {most} MB").format(most=most >> 20),
            actual=f"{grown >> 20} MB",
        )


def held(relay: Relay) -> int:
    octets = octets_held(relay.bridge.program.pid)
    if octets is None:
        raise NotApplicable("this system does not tell how much memory a program holds")
    return octets


@clause("ZMQ-09", quote="MUST be high enough never to be reached by a client within credit", needs=PROCESS)
def test_whole_window_of_a_client_within_credit(relay: Relay) -> None:
    """The server reads nothing meanwhile, and its kernel keeps little; when it reads on, each is there."""
    relay.server.stop_listening()
    relay.server.narrow = True
    relay.server.listen()
    other = relay.pair("bob")
    alice, server = relay.pair("alice", sndhwm=WINDOW)
    row = [codec.raw_frame(0x21, number.to_bytes(4, "big") + bytes(WITHIN)) for number in range(WINDOW)]
    for frame in row:
        alice.send_parts(frame, what="a frame of 1508 octets")
    see_relayed(*other)
    check_came(server, b"".join(row))
    see_relayed(alice, server)


# --- ZMQ-10 ---


@clause("ZMQ-10", quote="is ended with ERROR FLOW_VIOLATION", needs=PROCESS)
def test_client_that_floods(relay: Relay) -> None:
    """It sends far more than its server takes, which takes nothing."""
    with relay.bracket():
        other = relay.pair("alice")
        mallory, server = relay.pair("mallory", sndhwm=0)
        sent = 0
        while sent < HOSTILE:
            mallory.send_parts(long_frame(0), what="a long frame")
            sent += LONG
            if sent % (16 * LONG) == 0:
                see_relayed(*other)
        mallory.expect("ERROR", code="FLOW_VIOLATION")
        see_relayed(*other)
        server.may_be_cut = True
        server.close()


def takes_nothing(relay: Relay, mallory: ZmqClient, server: Session) -> None:
    Flow(server).push()


def sends_an_oversized_part(relay: Relay, mallory: ZmqClient, server: Session) -> None:
    mallory.send_parts(codec.raw_frame(0x21, bytes(2**20)), what="a frame of 1 MB")


def is_no_zeromq(relay: Relay, mallory: ZmqClient, server: Session) -> None:
    """Octets that are no ZMTP, and nothing more."""
    for octets in (b"GET / HTTP/1.1\r\n\r\n", b"PS\x01\x01", b"\xff"):
        with socket.create_connection(relay.bridge.address) as sock:
            sock.sendall(octets)


def breaks_off(relay: Relay, mallory: ZmqClient, server: Session) -> None:
    """One after the other says HELLO, and is gone."""
    for number in range(20):
        client = relay.connect(f"passer-by-{number}")
        client.send(HELLO)
        client.close()
    for number in range(20):
        session = relay.accept(f"passer-by-{number}")
        session.send(codec.frame("PING", opaque=b"are you there?"))  # who has gone is not found
        session.expect_until_end()


def says_no_hello(relay: Relay, mallory: ZmqClient, server: Session) -> None:
    for number in range(200):
        relay.connect(f"stranger-{number}").send(codec.frame("PING", opaque=b"?"))


WAYS: list[Callable[[Relay, ZmqClient, Session], None]] = [
    takes_nothing, sends_an_oversized_part, is_no_zeromq, breaks_off, says_no_hello,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@clause("ZMQ-10", quote="A slow or hostile ZeroMQ client MUST NOT harm another one", needs=PROCESS)
def test_others_are_served(relay: Relay, way: Callable[[Relay, ZmqClient, Session], None]) -> None:
    with relay.bracket():
        others = [relay.pair("alice"), relay.pair("bob")]
        mallory, server = relay.pair("mallory", **MUTE)
        way(relay, mallory, server)
        for _round in range(10):
            for other in others:
                see_relayed(*other)


@clause("ZMQ-10", quote="one for whom there is no place is told ERROR BUSY", needs=PROCESS)
def test_no_place_is_told(relay: Relay) -> None:
    """Who gets no connection to the server is told so, however many there are."""
    busy = Like("ERROR", code="BUSY")
    clients = [relay.pair(f"guest-{number}") for number in range(20)]
    for number in range(600):
        client = relay.connect(f"crowd-{number}")
        client.send(HELLO)
        if not served(relay, client):
            assert not busy.mismatch(client.next_frame("ERROR BUSY")), "there is no place, and the word is not BUSY"
            break
    for client, session in clients:
        see_relayed(client, session)


def served(relay: Relay, client: ZmqClient) -> bool:
    """Whether the bridge connects for this one; else it says something."""
    deadline = relay.case.deadline()
    while relay.case.left(deadline):
        if relay.server.has_caller:
            relay.accept(client.name)
            return True
        if client.has_message(0.01):
            return False
    raise Violation("a client that says HELLO is neither connected nor told BUSY", symptom="silence")
