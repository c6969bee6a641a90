# SPDX-License-Identifier: MIT
"""The bridge between DEALER sockets and a server over TCP [ZMQ-01 to ZMQ-10]."""

from __future__ import annotations

import signal
import subprocess

import pytest
import zmq
from dealer import parse

from conftest import PROGRAMS, Bridge, Connect, Start
from prosa_conformance import codec
from prosa_conformance.match import Like, at_least
from prosa_conformance.registry import CODES, EVENTS
from prosa_conformance.server import Server

WAIT_MS = 20_000


def ask(context: zmq.Context, bridge: Bridge, *parts: bytes) -> codec.Frame:
    """The answer to one message of a client of its own."""
    with context.socket(zmq.DEALER) as dealer:
        dealer.rcvtimeo = WAIT_MS
        dealer.connect(bridge.endpoint)
        dealer.send_multipart(list(parts))
        answer = dealer.recv_multipart()
        assert len(answer) == 1, "one message is one part"
        return parse(answer[0])


def test_two_clients_talk_in_a_room(start: Start, connect: Connect) -> None:
    """Handshake, signatures, windows: all end to end, and each client has a connection of its own."""
    bridge = start()
    alice, bob = connect(bridge, "alice").login(), connect(bridge, "bob").login()
    rooms = [peer.join("lobby", send_window=64) for peer in (alice, bob)]
    for number in range(50):
        alice.publish(rooms[0], f"number {number}")
    alice.expect_until("ACK", acked_counter=50)
    bob.barrier()
    assert [frame.value("text") for frame in rooms[1].delivered] == [f"number {n}" for n in range(50)], "in order"
    bob.bye()
    bob.expect("BYE", code="NORMAL")
    alice.barrier()
    assert rooms[0].members[-1].value("nick") == bob.nick, "one leaves, the other stays"


def test_client_and_relay_are_told_apart(start: Start, connect: Connect, server: Server) -> None:
    """What a client over ZeroMQ says reaches one over TCP, octet by octet."""
    alice = connect(start(), "alice").login()
    bob, room = server.joined("bob", "lobby")
    alice.publish(alice.join("lobby"), "over the bridge")
    assert bob.expect("DELIVER").value("text") == "over the bridge", room.name


def test_first_frame_is_hello(start: Start, context: zmq.Context) -> None:
    ping = codec.encode(codec.frame("PING", opaque=b"?"))
    answer = ask(context, start(), ping)
    assert not Like("ERROR", code="BAD_STATE").mismatch(answer), "so that the client shakes hands again"


@pytest.mark.parametrize(
    "parts",
    [
        [b"", codec.encode(codec.frame("PING", opaque=b"?"))],
        [codec.encode(codec.frame("PING", opaque=b"?"))] * 2,
        [b""],
        [b"PR\x01"],
        [codec.encode(codec.frame("PING", opaque=b"?")) + b"!"],
        [2 * codec.encode(codec.frame("PING", opaque=b"?"))],
    ],
    ids=["delimiter", "two parts", "empty", "torn header", "one octet more", "two frames"],
)
def test_a_part_is_one_frame(start: Start, context: zmq.Context, parts: list[bytes]) -> None:
    answer = ask(context, start(), *parts)
    assert not Like("ERROR", code="BAD_FRAME").mismatch(answer), "what is not one frame is refused"


def test_faults_of_frames_are_the_servers_to_judge(start: Start, connect: Connect) -> None:
    alice = connect(start()).login()
    room = alice.join("lobby")
    publish = alice.make_publish(room, "forged")
    signature = bytes(64)
    alice.send(publish.without("author_sig").plus(codec.field_value("author_sig", signature)))
    alice.expect_error("BAD_SIG")
    alice.expect_closed()


def test_goodbye_of_the_server_is_no_loss(start: Start, connect: Connect, server: Server) -> None:
    alice = connect(start()).login()
    assert server.process.program is not None, "it is ours"
    server.expect_end()
    server.process.program.signal(signal.SIGTERM)
    alice.expect_until("BYE", code="SHUTDOWN")
    alice.expect_closed()


def test_killed_server_is_told(start: Start, connect: Connect, server: Server) -> None:
    bridge = start()
    alice = connect(bridge).login()
    assert server.process.program is not None, "it is ours"
    server.process.program.signal(signal.SIGKILL)
    alice.expect_until("BYE", code="GATEWAY_LOST")
    server.process.program.wait_end(20)
    server.process.start()
    connect(bridge, "bob").login()


def test_nobody_listens(start: Start, connect: Connect, server: Server) -> None:
    bridge = start()
    assert server.process.program is not None, "it is ours"
    server.process.program.end()
    alice = connect(bridge)
    alice.hello()
    alice.expect("BYE", code="GATEWAY_LOST")


def test_bridge_that_ends_says_goodbye(start: Start, connect: Connect) -> None:
    bridge = start()
    alice = connect(bridge).login()
    bridge.watched.end_expected = True
    bridge.program.signal(signal.SIGTERM)
    alice.expect_until("BYE", code="GATEWAY_LOST")
    ended = bridge.program.wait_end(20)
    assert ended is not None and ended.code == 0, "it ended as asked"


def test_no_place_is_told(start: Start, connect: Connect) -> None:
    bridge = start("--max-clients", "1")
    connect(bridge, "alice").login()
    bob = connect(bridge, "bob")
    bob.hello()
    bob.expect_error("BUSY")


@pytest.mark.parametrize("server", [{"slow_ms": 1000}], indirect=True)
def test_who_takes_nothing_harms_nobody(start: Start, connect: Connect) -> None:
    """What one does not take waits where it is, until the server ends that session [ZMQ-07] [ZMQ-10]."""
    bridge = start("--high-water-mark", "8")
    wide = {"send_window": 64, "recv_window": 4096}
    mute = connect(bridge, "mute", rcvhwm=1, rcvbuf=4096).login()
    mute.join("lobby", **wide)
    alice = connect(bridge, "alice").login()
    room = alice.join("lobby", **wide)
    mute.dealer.pause()
    for _ in range(3000):
        if room.last_counter == room.limit_counter:
            alice.expect_until("ACK", limit_counter=at_least(room.limit_counter + 1))
        alice.publish(room, 4000 * "x")
    alice.expect_until("MEMBER", nick=mute.nick)
    assert room.members[-1].value("event") == EVENTS["left"], "the server has ended the mute one's session"
    mute.dealer.go_on()
    last = mute.expect_until("BYE").number("code")
    assert last in {CODES[name].number for name in ("SLOW_CONSUMER", "GATEWAY_LOST")}, "a reset may overtake the BYE"


def test_neither_server_nor_client_links_zeromq() -> None:
    for program in ("prosa-server", "prosa-client", "prosa-audit"):
        libraries = subprocess.run(["ldd", PROGRAMS / program], capture_output=True, text=True, check=True).stdout
        assert "libsodium" in libraries, f"{program} is one of ours"
        assert "zmq" not in libraries, f"{program} speaks TCP alone"
