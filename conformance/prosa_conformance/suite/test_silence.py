# SPDX-License-Identifier: MIT
"""Section 6.6: silence, at a server with `liveness`. The clock of these tests is a second client's PINGs."""

from collections.abc import Iterator

import pytest

from prosa_conformance import codec
from prosa_conformance.clauses import clause, tcp_only, timers
from prosa_conformance.match import Like
from prosa_conformance.peer import Peer
from prosa_conformance.registry import FEATURES
from prosa_conformance.server import Server

LIVENESS = FEATURES["liveness"]
PING_MS, DEAD_MS = 50, 800  # far apart: a busy machine must not kill who is alive
BEYOND_DEAD = 2 * DEAD_MS // PING_MS  # PINGs of the clock after which a silent client is surely dead


def ticks(server: Server) -> Iterator[Peer]:
    """A client that answers its PINGs, each time that it got one."""
    clock = server.login_beside("clock", features=LIVENESS)
    while True:
        clock.expect("PING")
        yield clock


@clause("LIVE-08", quote="A peer at L2 or above MUST offer `liveness`", role="server")
def test_liveness_is_offered(server: Server) -> None:
    alice = server.login("alice")
    assert alice.challenge.number("features") & LIVENESS, "CHALLENGE does not offer liveness"


@clause("LIVE-10", quote="The announced dead_after_ms SHOULD be at least twice ping_after_ms")
def test_there_is_time_to_answer_a_ping(server: Server) -> None:
    alice = server.login("alice")
    ping, dead = (alice.challenge.number(name) for name in ("ping_after_ms", "dead_after_ms"))
    assert ping and dead, "a timer is 0"
    if dead < 2 * ping:
        server.case.not_strict(f"dead_after_ms is {dead}, less than twice ping_after_ms, which is {ping}")


@timers(ping_after_ms=PING_MS, dead_after_ms=DEAD_MS)
@clause("LIVE-04", quote="MUST send a PING after ping_after_ms in which it received no octet", role="server")
def test_each_silence_brings_a_ping(server: Server) -> None:
    """Who answers them is not given up, however long it says nothing else."""
    alice = server.login("alice", features=LIVENESS)
    for _ in range(BEYOND_DEAD):
        alice.expect("PING")
    alice.barrier()


@timers(ping_after_ms=PING_MS, dead_after_ms=DEAD_MS)
@clause("LIVE-05", quote="MUST give the connection up after dead_after_ms in which it received no octet", role="server")
@clause("LIVE-04", quote="With `liveness` a peer MUST send a PING after ping_after_ms", role="server")
def test_silent_client_is_given_up(server: Server) -> None:
    alice = server.login("alice", features=LIVENESS)
    alice.answers_pings = False
    alice.expect("BYE", code="IDLE")
    alice.expect_closed()
    assert any(frame.name == "PING" for frame in alice.received), "alice was given up without a PING"
    server.good_session("bob")


@timers(ping_after_ms=PING_MS, dead_after_ms=DEAD_MS)
@clause("LIVE-05", quote="after dead_after_ms in which it received no octet", role="server", needs=["operator"])
def test_what_the_server_sends_is_no_sign_of_life(server: Server) -> None:
    alice = server.login("alice", features=LIVENESS)
    alice.answers_pings = False
    room = alice.join(recv_window=4096)
    idle = Like("BYE", code="IDLE")
    for number, _ in zip(range(BEYOND_DEAD), ticks(server), strict=False):
        server.type_line(f"@{alice.nick} are you there? {number}")
        frame = alice.next_frame()
        while frame.name in ("PING", "ACK"):
            frame = alice.next_frame()
        if not idle.mismatch(frame):
            alice.expect_closed()
            return
        assert frame.name == "DELIVER", f"{frame.name} came to a client that says nothing"
    raise AssertionError(f"a client that said nothing got {len(room.delivered)} messages, and is not given up")


@tcp_only
@timers(ping_after_ms=PING_MS, dead_after_ms=DEAD_MS)
@clause("LIVE-06", quote="Any octet that arrives MUST count as a sign of life", role="server")
def test_single_octets_are_signs_of_life(server: Server) -> None:
    """One octet of a long frame at each tick: it is not whole before a silent client would be dead."""
    alice = server.login("alice", features=LIVENESS)
    alice.answers_pings = False
    room = alice.join()
    publish = alice.make_publish(room, "one octet at a time")
    octets = codec.encode(publish)
    for place, _ in zip(range(BEYOND_DEAD), ticks(server), strict=False):
        alice.put(octets[place : place + 1], "one octet of a PUBLISH")
    alice.answers_pings = True
    alice.put(octets[BEYOND_DEAD:], "the rest of it")
    room.last_counter = 1
    alice.expect_own(publish)


@timers(ping_after_ms=PING_MS, dead_after_ms=DEAD_MS)
@clause("AUTH-11", quote="The active features of a session MUST be those that both sides offered", level="L2")
def test_no_liveness_without_the_clients_offer(server: Server) -> None:
    alice = server.login("alice")
    bob = server.login_beside("bob", features=LIVENESS)
    bob.answers_pings = False
    bob.expect("BYE", code="IDLE")
    assert not alice.barrier(), "something came to a client that was silent and did not offer liveness"


@pytest.mark.parametrize("window", [1, 4])
@timers(ping_after_ms=PING_MS, dead_after_ms=DEAD_MS)
@clause("LIVE-07", quote="so that a waiting client sees that it lives", needs=["operator"])
@clause("LIVE-04", quote="MUST send a PING after ping_after_ms in which it received no octet", role="server")
def test_client_that_waits_for_an_answer(server: Server, window: int) -> None:
    alice = server.login("alice", features=LIVENESS)
    room = alice.join(send_window=window)
    question = alice.publish(room, "this takes long")
    alice.expect_own(question)
    for _ in range(3):
        alice.expect("PING")
    server.type_line("here it is")
    alice.expect("DELIVER", author_key=alice.server_key, text="here it is")
    alice.barrier()
