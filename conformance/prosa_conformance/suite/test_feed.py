# SPDX-License-Identifier: MIT
"""Chapter 12: the PUB feed of a bridge, where there is one, and what a subscriber can make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from prosa_conformance.bridge import Bridge
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.contract import BAD_SETTINGS
from prosa_conformance.launch import NotStarted
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Room, settle
from prosa_conformance.server import Server
from prosa_conformance.subscriber import Subscriber, say_until_heard, start_feed

PROCESS = ["process"]
START = Callable[..., Bridge]


@pytest.fixture
def feed(fresh_server: Server) -> Iterator[START]:
    """feed("lobby") -> a bridge with a feed of this test's room."""
    bridges: list[Bridge] = []

    def start(*names: str) -> Bridge:
        bridges.append(start_feed(fresh_server, *names))
        return bridges[-1]

    yield start
    fresh_server.case.close_wires()
    for bridge in bridges:
        bridge.end()


def subscribe(server: Server, bridge: Bridge, name: str = "subscriber", topic: bytes = b"") -> Subscriber:
    return Subscriber(server.case, bridge.feed.endpoint, name, topic)


def in_feed(room: Room) -> dict[int, Frame]:
    """What members were given, as it stands in a feed: whether prev_hash is there is each session's own."""
    return {frame.number("room_seq"): frame.without("prev_hash") for frame in room.delivered}


@clause("ZMQ-11", quote="MUST send messages of two parts, room_id and the DELIVER frame as it came", needs=PROCESS)
def test_feed_says_what_members_get(fresh_server: Server, feed: START) -> None:
    (alice, lobby), (bob, bobs) = fresh_server.members("lobby", "alice", "bob")
    listener = subscribe(fresh_server, feed("lobby"))
    say_until_heard(alice, lobby, listener)
    for number in range(20):
        bob.say(bobs, f"for all {number}", display="Bob \u2713", extra=[(0x2FF1, b"of no known meaning")])
    settle(alice, bob)
    listener.take_all()
    given = in_feed(lobby)
    for heard in listener.heard:
        assert heard.room_id == lobby.id, "something of another room came over the feed"
        assert heard.deliver.without("prev_hash") == given[heard.seq], f"entry {heard.seq} is another in the feed"
    seqs = [heard.seq for heard in listener.heard]
    assert seqs == list(range(seqs[0], max(given) + 1)), f"a subscriber who takes everything got {seqs}"


@clause("ZMQ-11", quote="MUST send messages of two parts, room_id and the DELIVER frame as it came", needs=PROCESS)
def test_subscriber_to_one_room(fresh_server: Server, feed: START) -> None:
    """The first part is what one subscribes to."""
    ((alice, lobby),) = fresh_server.members("lobby", "alice")
    ((bob, lounge),) = fresh_server.members("lounge", "bob")
    bridge = feed("lobby", "lounge")
    both, one = subscribe(fresh_server, bridge, "of-both"), subscribe(fresh_server, bridge, "of-one", lounge.id)
    say_until_heard(alice, lobby, both)
    say_until_heard(bob, lounge, one)
    alice.say(lobby, "in the lobby")
    bob.say(lounge, "in the lounge")
    settle(alice, bob)
    both.take_all()
    one.take_all()
    assert {heard.room_id for heard in both.heard} == {lobby.id, lounge.id}, "a subscriber to everything lacks a room"
    assert {heard.room_id for heard in one.heard} == {lounge.id}, "a subscriber to one room got another"


def late(server: Server, bridge: Bridge) -> Subscriber:
    """It comes when much has been said already."""
    ((alice, lobby),) = server.members("lobby", "alice")
    for number in range(10):
        alice.say(lobby, f"before {number}")
    settle(alice)
    listener = subscribe(server, bridge)
    say_until_heard(alice, lobby, listener)
    return listener


def away_for_a_while(server: Server, bridge: Bridge) -> Subscriber:
    """Its subscription is dropped, and renewed."""
    ((alice, lobby),) = server.members("lobby", "alice")
    listener = subscribe(server, bridge)
    say_until_heard(alice, lobby, listener)
    listener.stop_listening()
    while listener.next(0.1) is not None or _hears(listener, lambda: alice.say(lobby, "who hears this?")):
        continue
    for number in range(10):
        alice.say(lobby, f"meanwhile {number}")
    settle(alice)
    listener.listen_again()
    say_until_heard(alice, lobby, listener)
    return listener


def _hears(listener: Subscriber, say: Callable[[], object]) -> bool:
    say()
    return listener.next(0.1) is not None


@pytest.mark.parametrize("loses", [late, away_for_a_while])
@clause("ZMQ-11", quote="MUST send messages of two parts, room_id and the DELIVER frame as it came", needs=PROCESS)
def test_what_the_feed_lacks_is_in_the_log(
    fresh_server: Server, feed: START, loses: Callable[[Server, Bridge], Subscriber]
) -> None:
    """The subscriber sees gaps by room_seq, recovers them with JOIN and after_seq, and then has all there is."""
    bridge = feed("lobby")
    listener = loses(fresh_server, bridge)
    listener.take_all()
    heard = {one.seq: one.deliver.without("prev_hash") for one in listener.heard}
    last = max(heard)
    missing = [seq for seq in range(1, last) if seq not in heard]
    assert missing, "nothing is missing, where much was said while nobody listened"
    reader = fresh_server.login_with("reader", "resume")
    log = reader.join(fresh_server.case.room_name("lobby"), after_seq=0, send_window=1, recv_window=65536)
    if log.joined.number("oldest_seq") > 1:
        raise NotApplicable("the server keeps fewer entries of a room than this test says")
    reader.barrier()
    recovered = in_feed(log)
    lost = [seq for seq in missing if seq not in recovered]
    assert not lost, f"the entries {lost} came neither over the feed nor with JOIN and after_seq"
    for seq in set(heard) & set(recovered):
        assert heard[seq] == recovered[seq], f"entry {seq} is another in the feed than in the log"


# --- ZMQ-12 ---


@clause("ZMQ-12", quote="A relay MUST NOT put `@host` into the feed", needs=["process", "answers"])
def test_what_is_said_to_the_host_is_not_in_the_feed(fresh_server: Server, feed: START) -> None:
    ((alice, lobby),) = fresh_server.members("lobby", "alice")
    listener = subscribe(fresh_server, feed("lobby"))
    say_until_heard(alice, lobby, listener)
    bob, host = fresh_server.joined("bob")
    fresh_server.exchange(bob, host, "between us")
    alice.say(lobby, "for all")
    settle(alice)
    listener.take_all()
    assert all(heard.room_id == lobby.id for heard in listener.heard), "something of @host came over the feed"


@clause("ZMQ-12", quote="A relay MUST NOT put `@host` into the feed", needs=["process", "operator"])
def test_feed_that_is_asked_for_the_host(fresh_server: Server, feed: START) -> None:
    """It refuses to start, or goes by the other rooms; also what the operator says to the feed itself is private."""
    try:
        bridge = feed("@host", "lobby")
    except NotStarted as refusal:
        assert f"exit code {BAD_SETTINGS}" in refusal.actual, f"it refuses @host otherwise: {refusal.actual}"
        return
    ((alice, lobby),) = fresh_server.members("lobby", "alice")
    listener = subscribe(fresh_server, bridge)
    say_until_heard(alice, lobby, listener)
    settle(alice)
    for frame in lobby.members:
        if frame.octets("member_key") != alice.key:
            fresh_server.type_line(f"@{frame.value('nick')} this is between us")
    alice.say(lobby, "for all")
    settle(alice)
    listener.take_all()
    assert all(heard.room_id == lobby.id for heard in listener.heard), "something of @host came over the feed"
