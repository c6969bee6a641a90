# SPDX-License-Identifier: MIT
"""Section 6.5: members that do not read, or do not acknowledge, and the others who must not feel it."""

from collections.abc import Iterable

from prosa_conformance import codec
from prosa_conformance.bracket import meanwhile
from prosa_conformance.clauses import clause, timers
from prosa_conformance.history import judge, members_of
from prosa_conformance.match import Like
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import AUTHOR_GREASE, Peer, Room, settle
from prosa_conformance.registry import FEATURES
from prosa_conformance.server import GROUP_CREDIT, Server
from prosa_conformance.transcript import Kind
from prosa_conformance.transport import FILLING

SMALL = 2048  # octets of SO_RCVBUF
LONG = 12_000  # octets beside the text; fewer where max_frame is low
HEAD = 1024  # octets of a frame that are something else
MANY = 400  # short ones that a server with a bound on entries does not all keep
CHANGES = 400  # of members: more than a server lists for one who does not read
NEVER_MS = 600_000
SLOW_MS, TICK_MS = 600, 50
BEYOND_SLOW = 2 * SLOW_MS // TICK_MS
STEADY_MS = 3000  # for who is slow, but never as slow as a busy machine can make him


def ticks(server: Server) -> Iterable[Peer]:
    """A clock: the PINGs that a client of its own gets and answers, one each TICK_MS."""
    clock = server.login("clock", features=FEATURES["liveness"])
    for _ in range(BEYOND_SLOW):
        clock.expect("PING")
        yield clock


def join_stalled(server: Server, room: Room, name: str = "mallory") -> tuple[Peer, Room]:
    """A member with much credit and a small buffer, who reads nothing from here on."""
    peer = server.connect(name, receive_octets=SMALL).login()
    return peer, peer.join(room.name, send_window=64, recv_window=GROUP_CREDIT)


def flood(server: Server, peer: Peer) -> int:
    """How many long messages fill every buffer between a server and one who does not read."""
    return FILLING[server.case.settings.transport] // length(peer)


def length(peer: Peer) -> int:
    return min(LONG, peer.cap - HEAD)


def talk(members: list[tuple[Peer, Room]], count: int) -> None:
    """Long messages by turns, each read by all of these before the next dozen."""
    for number in range(count):
        peer, room = members[number % len(members)]
        peer.grease = False
        peer.say(room, f"{number}", extra=[(AUTHOR_GREASE[-1], bytes(length(peer)))])
        if number % 12 == 0:
            for reader, _ in members:
                reader.barrier()
    settle(*[peer for peer, _ in members])


@timers(slow_ms=NEVER_MS)
@clause("FLOW-38", quote="A member that does not read MUST NOT delay any other")
@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
def test_member_that_does_not_read(server: Server) -> None:
    """More is said than all buffers hold; then it reads on, and has missed nothing."""
    members = server.members("lobby", "alice", "bob")
    lobby = members[0][1]
    mallory, theirs = join_stalled(server, lobby)
    count = flood(server, mallory)
    with meanwhile("while mallory reads nothing"):
        talk(members, count)
    check_kept(server)
    with meanwhile("when mallory reads on"):
        mallory.expect_until("DELIVER", room_seq=count)
        mallory.ack(theirs, count)
        mallory.say(theirs, "here I am again")
        peers = [mallory, *[peer for peer, _ in members]]
        settle(*peers)
    judge(peers, lobby.id)


def check_kept(server: Server) -> None:
    """What is pruned overtakes who does not read; that is another test."""
    ((carol, room),) = server.members("lobby", "carol")
    carol.leave_politely()
    if room.joined.number("oldest_seq") > 1:
        raise NotApplicable("the server keeps fewer entries of a room than this test says")


@timers(slow_ms=NEVER_MS)
@clause("FLOW-38", quote="A member that does not read MUST NOT delay any other")
def test_member_that_gives_no_credit(server: Server) -> None:
    members = server.members("lobby", "alice", "bob")
    lobby = members[0][1]
    ((mallory, theirs),) = server.members("lobby", "mallory", recv_window=2)
    with meanwhile("while mallory gives no credit"):
        talk(members, 100)
    mallory.barrier()
    shown = [frame.number("room_seq") for frame in theirs.delivered]
    assert shown == [1, 2], f"with credit for two entries mallory got {shown}"
    mallory.ack(theirs, 2, 1000)
    peers = [mallory, *[peer for peer, _ in members]]
    settle(*peers)
    judge(peers, lobby.id)


@timers(slow_ms=NEVER_MS)
@clause("END-14", quote="A new session of a key that has one MUST end the old one", level="L3")
@clause("MEM-09", quote="MUST NOT be shown as left and joined")
def test_member_that_does_not_read_comes_back(server: Server) -> None:
    """Its buffers are full, so no BYE can reach it; the newer session does not wait for that."""
    members = server.members("lobby", "alice", "bob")
    lobby = members[0][1]
    mallory, _ = join_stalled(server, lobby)
    talk(members, flood(server, mallory))
    check_kept(server)
    with meanwhile("while the older session of mallory reads nothing"):
        newer = server.connect_again(mallory).login()
        again = newer.join(lobby.name, recv_window=4096)
        newer.expect_own(newer.publish(again, "here I am again"))
    settle(newer, *[peer for peer, _ in members])
    told = members_of(lobby)
    assert isinstance(told, dict) and mallory.key in told, "alice was told that mallory left"
    mallory.expect_until_end()


@timers(slow_ms=NEVER_MS, token_rate=100_000, token_burst=100_000)
@clause("MEM-04", quote="A client whose cursor fell off the bounded list of events MUST be sent MEMBER resync")
@clause("MEM-01", quote="MUST send a MEMBER with event here for each member")
def test_members_that_nobody_could_tell(server: Server) -> None:
    """While mallory reads nothing one comes to stay, one goes, and one comes and goes more often than anybody lists."""
    members = server.members("lobby", "alice", "bob")
    (alice, lobby), (bob, bobs) = members
    mallory, theirs = join_stalled(server, lobby)
    talk(members, flood(server, mallory))
    check_kept(server)
    ((dave, _), (erin, erins)) = server.members("lobby", "dave", "erin")
    bob.leave(bobs)
    with meanwhile("while mallory reads nothing"):
        erin.leave(erins)
        for _ in range(CHANGES // 50):
            leave = codec.frame("LEAVE", room_id=lobby.id)
            erin.send_together(*[erin.make_join(lobby.name), leave] * 50)
            erin.barrier()
        settle(alice, dave)
    with meanwhile("when mallory reads on"):
        settle(mallory)
    wanted = {peer.key: peer.nick for peer in (alice, mallory, dave)}
    told = members_of(theirs)
    names = sorted(told.values()) if isinstance(told, dict) else told
    assert told == wanted, f"mallory was told of {names}, there are {sorted(wanted.values())}"
    judge([alice, bob, mallory, dave], lobby.id, here=[alice, mallory, dave])


@timers(slow_ms=SLOW_MS, linger_ms=200)
@clause("FLOW-39", quote="neither an ACK has come nor an octet gone out for `slow_ms`")
@clause("FLOW-39", quote="the server MUST end that connection with BYE SLOW_CONSUMER")
def test_member_that_never_acknowledges(server: Server) -> None:
    members = server.members("lobby", "alice", "bob")
    ((mallory, theirs),) = server.members("lobby", "mallory", recv_window=2)
    talk(members, 3)
    mallory.expect_until("BYE", code="SLOW_CONSUMER")
    mallory.expect_closed()
    assert len(theirs.delivered) == 2, f"with credit for two entries mallory got {len(theirs.delivered)}"
    expect_gone(members, mallory)


def expect_gone(members: list[tuple[Peer, Room]], mallory: Peer) -> None:
    """The others are told, and go on."""
    for peer, room in members:
        told = members_of(room)
        if isinstance(told, dict) and mallory.key in told:
            peer.expect_until("MEMBER", room_id=room.id, event="left", member_key=mallory.key)
    talk(members, 3)
    judge([mallory, *[peer for peer, _ in members]], members[0][1].id, here=[peer for peer, _ in members])


@timers(slow_ms=SLOW_MS, linger_ms=200)
@clause("FLOW-39", quote="sent as far as possible, and a reset after the linger")
def test_member_that_never_reads(server: Server) -> None:
    members = server.members("lobby", "alice", "bob")
    mallory, _ = join_stalled(server, members[0][1])
    talk(members, flood(server, mallory))
    expect_gone(members, mallory)
    mallory.may_be_cut = True
    end = mallory.expect_until_end()
    last = mallory.received[-1]
    said = not Like("BYE", code="SLOW_CONSUMER").mismatch(last)
    is_cut = end in (Kind.RESET, Kind.LOST)
    assert said or is_cut, f"after {last.name} came the end of the stream, without BYE and without a reset"


@timers(slow_ms=STEADY_MS, ping_after_ms=2 * STEADY_MS // BEYOND_SLOW)
@clause("FLOW-39", quote="While a DELIVER is owed or output is pending, and neither an ACK has come")
def test_slow_and_steady_member(server: Server) -> None:
    """It is owed something all the time, and takes one entry at each tick: that is no reason to end it."""
    ((alice, room),) = server.members("lobby", "alice")
    ((snail, snails),) = server.members("lobby", "snail", recv_window=2)
    for number in range(BEYOND_SLOW + 10):
        alice.say(room, f"message {number}")
    settle(alice)
    for seen, _ in enumerate(ticks(server), 1):
        snail.expect_until("DELIVER", room_seq=seen)
        snail.ack(snails, seen, seen + 2)
    snail.ack(snails, BEYOND_SLOW, 10000)
    settle(snail)
    judge([alice, snail], room.id)


@timers(slow_ms=SLOW_MS, ping_after_ms=TICK_MS)
@clause("FLOW-39", quote="While a DELIVER is owed or output is pending")
def test_silent_member_that_is_owed_nothing(server: Server) -> None:
    (alice, room), (quiet, quiets) = server.members("lobby", "alice", "quiet")
    alice.say(room, "the only message")
    settle(alice, quiet)
    assert len(quiets.delivered) == 1, "the message did not come"
    for _ in ticks(server):
        continue
    assert not quiet.barrier(), "something came to a member that was owed nothing"


@timers(slow_ms=NEVER_MS, keep_messages=20)
@clause("FLOW-40", quote="A member whose next entry was pruned before its DELIVER could be sent MUST be ended")
def test_member_overtaken_by_pruning(fresh_server: Server) -> None:
    members = fresh_server.members("lobby", "alice", "bob")
    lobby = members[0][1]
    ((mallory, _),) = fresh_server.members("lobby", "mallory", recv_window=2)
    for number in range(MANY):
        members[0][0].say(lobby, f"message {number}")
    settle(*[peer for peer, _ in members])
    ((carol, carols),) = fresh_server.members("lobby", "carol")
    if carols.joined.number("oldest_seq") <= 3:
        raise NotApplicable("the server never prunes")
    mallory.expect_until("BYE", code="SLOW_CONSUMER")
    mallory.expect_closed()
    expect_gone([*members, (carol, carols)], mallory)
    judge([carol, *[peer for peer, _ in members]], lobby.id)


@timers(keep_messages=20)
@clause("FLOW-40", quote="A server sends what credit and the connection permit before it prunes")
def test_pruning_overtakes_nobody_who_has_credit(fresh_server: Server) -> None:
    """Much is committed at once, more than a server may keep and less than output_limit: all of it is sent first."""
    members = fresh_server.members("lobby", *[f"member-{number}" for number in range(4)])
    peers = [peer for peer, _ in members]
    for _ in range(2):
        for peer, room in members:
            fill(peer, room)
        settle(*peers)
    judge(peers, members[0][1].id)


def fill(peer: Peer, room: Room) -> None:
    """A whole window in one segment."""
    counters = range(room.last_counter + 1, room.limit_counter + 1)
    peer.send_together(*[peer.make_publish(room, 200 * ".", counter=counter) for counter in counters])
    room.last_counter = room.limit_counter
