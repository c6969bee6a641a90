# SPDX-License-Identifier: MIT
"""Section 6.7: who is in a room, as its members are told, at a server."""

from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.bracket import bracket_ready
from prosa_conformance.bugs import marked
from prosa_conformance.clauses import clause, timers
from prosa_conformance.codec import Frame
from prosa_conformance.history import judge, members_of
from prosa_conformance.match import Like, describe
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.registry import EVENTS
from prosa_conformance.server import Server

NAMES = {number: name for name, number in EVENTS.items()}


def events(frames: list[Frame]) -> list[str]:
    return [NAMES.get(frame.number("event"), "?") for frame in frames if frame.name == "MEMBER"]


def leave_of(room: Room) -> Frame:
    return codec.frame("LEAVE", room_id=room.id)


def expect_joined(watcher: Peer, who: Peer, room: Room) -> Frame:
    return watcher.expect("MEMBER", room_id=room.id, event="joined", nick=who.nick, member_key=who.key)


def expect_left(watcher: Peer, who: Peer, room: Room) -> Frame:
    return watcher.expect("MEMBER", room_id=room.id, event="left", nick=who.nick, member_key=who.key)


def assert_knows(watcher: Peer, room: Room, *members: Peer) -> None:
    """What its MEMBER frames told the watcher is who is there."""
    wanted = {member.key: member.nick for member in members}
    assert members_of(room) == wanted, (
        f"{watcher.name} was told of {words(members_of(room))}; there are {words(wanted)}"
    )


def words(members: dict[bytes, str] | int) -> str:
    return str(members) if isinstance(members, int) else ", ".join(sorted(members.values())) or "nobody"


# --- the snapshot ---


@pytest.mark.parametrize("others", range(4))
@clause("MEM-01", quote="MUST send a MEMBER with event here for each member, the new one included")
@clause("MEM-01", quote="before any other MEMBER of that room")
def test_snapshot_after_joined(server: Server, others: int) -> None:
    members = server.members("lobby", *[f"member-{number}" for number in range(others)], "alice")
    alice, room = members[-1]
    alice.barrier()
    told = events(room.members)
    assert told == ["here"] * (others + 1), f"in a room of {others + 1} the new member was told {told}"
    assert_knows(alice, room, *[peer for peer, _ in members])
    late = [frame for frame in room.members if frame.number("at_seq")]
    assert not late, f"in a room without an entry {describe(late[0])} has an at_seq above 0"


@clause("MEM-01", quote="MUST send a MEMBER with event here for each member")
def test_snapshot_is_of_this_room(server: Server) -> None:
    """Members of another room are not in it, nor those that left or went."""
    (alice, lobby), (bob, _), (carol, _) = server.members("lobby", "alice", "bob", "carol")
    ((_, kitchen),) = server.members("kitchen", "dave")
    alice.join(kitchen.name)
    bob.leave(bob.joins[0])
    expect_left(alice, bob, lobby)
    carol.leave_politely()
    expect_left(alice, carol, lobby)
    ((erin, room),) = server.members("lobby", "erin")
    erin.barrier()
    assert_knows(erin, room, alice, erin)


@clause("MEM-01", quote="before any other MEMBER of that room")
def test_snapshot_comes_before_events(server: Server) -> None:
    """Eight join in one moment: each is told who is here, then what happens, and all know the same in the end."""
    name = server.case.room_name("lobby")
    peers = [server.login(f"peer-{number}") for number in range(8)]
    joins = [peer.make_join(name) for peer in peers]
    for peer, join in zip(peers, joins, strict=True):
        peer.send(join)
    rooms = [peer.expect_joined(join) for peer, join in zip(peers, joins, strict=True)]
    settle(*peers)
    for peer, room in zip(peers, rooms, strict=True):
        told = events(room.members)
        here = told.index("joined") if "joined" in told else len(told)
        assert "here" not in told[here:], f"{peer.name} was told of a change before it was told who is here: {told}"
        assert len(told) == 8, f"{peer.name} was told {len(told)} times of a member, and there are 8: {told}"
        assert_knows(peer, room, *peers)


# --- what it carries ---


@clause("MEM-02", quote="A MEMBER MUST carry in at_seq the room_seq after which it happened")
@clause("MEM-02", quote="and go out before any DELIVER with a higher room_seq")
@clause("MEM-01", quote="MUST send a MEMBER with event here for each member, the new one included")
def test_at_seq_of_a_quiet_room(server: Server) -> None:
    (alice, room), (bob, bobs) = server.members("lobby", "alice", "bob")
    for count in range(1, 4):
        alice.say(room, "one more")
        settle(alice, bob)
        carol = server.login(f"carol-{count}")
        carols = carol.join(room.name)
        carol.barrier()
        for here in carols.members:
            assert_at_seq(here, count)
        for watcher in (alice, bob):
            assert_at_seq(expect_joined(watcher, carol, room), count)
        carol.leave(carols)
        for watcher in (alice, bob):
            assert_at_seq(expect_left(watcher, carol, room), count)
    judge([alice, bob], bobs.id)


def assert_at_seq(member: Frame, head: int) -> None:
    at_seq = member.number("at_seq")
    assert at_seq == head, f"{describe(member)} happened after the entry {head}, and its at_seq is {at_seq}"


@clause("MEM-02", quote="and go out before any DELIVER with a higher room_seq")
def test_members_come_and_go_while_messages_flow(server: Server) -> None:
    """One talks all the time; four others join, say a word and leave, in every order."""
    (alice, lobby), (bob, _) = server.members("lobby", "alice", "bob")
    guests = [server.login(f"guest-{number}") for number in range(4)]
    for turn in range(5):
        for guest in guests:
            join = guest.make_join(lobby.name, send_window=8, recv_window=4096)
            guest.send(join)
            alice.say(lobby, f"hello {guest.name}, {turn}")
            room = guest.expect_joined(join)
            guest.send_together(guest.make_publish(room, "here I was"), leave_of(room))
            alice.say(lobby, "and there it goes")
            guest.expect_left(room)
    everybody = [alice, bob, *guests]
    settle(*everybody)
    judge(everybody, lobby.id, here=[alice, bob])
    for watcher in (alice, bob):
        room = watcher.joins[0]
        assert_knows(watcher, room, alice, bob)
        for guest in guests:
            about = [f for f in room.members if f.octets("member_key") == guest.key]
            assert events(about) == ["joined", "left"] * 5, f"{watcher.name} was told of {guest.name}: {events(about)}"


# --- joined and left ---


def leaves(peer: Peer, room: Room) -> None:
    peer.leave(room)


def says_goodbye(peer: Peer, room: Room) -> None:
    peer.leave_politely()


def closes(peer: Peer, room: Room) -> None:
    peer.close()


def is_reset(peer: Peer, room: Room) -> None:
    peer.reset()


def breaks_a_rule(peer: Peer, room: Room) -> None:
    peer.send(marked(peer.make_publish(room, counter=room.limit_counter + 1000), "counter"))
    peer.expect_error("FLOW_VIOLATION")


def dies_in_mid_frame(peer: Peer, room: Room) -> None:
    peer.put(codec.encode(peer.make_publish(room))[:60], "the first 60 octets of a PUBLISH")
    peer.reset()


WAYS: list[Callable[[Peer, Room], None]] = [
    leaves, says_goodbye, closes, is_reset, breaks_a_rule, dies_in_mid_frame,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@clause("MEM-03", quote="MUST tell the other members of a room with MEMBER joined and left")
@clause("MEM-03", quote="when a session joins, leaves or ends")
def test_joined_and_left(server: Server, way: Callable[[Peer, Room], None]) -> None:
    (alice, room), (bob, bobs) = server.members("lobby", "alice", "bob")
    carol = server.login("carol")
    carols = carol.join(room.name)
    watchers = ((alice, room), (bob, bobs))
    for watcher, _ in watchers:
        expect_joined(watcher, carol, room)
    way(carol, carols)
    for watcher, _ in watchers:
        expect_left(watcher, carol, room)
    settle(alice, bob)
    for watcher, seen in watchers:
        about = events([frame for frame in seen.members if frame.octets("member_key") == carol.key])
        assert about == ["joined", "left"], f"{watcher.name} was told of carol: {about}"


@clause("MEM-03", quote="MUST tell the other members of a room with MEMBER joined and left")
def test_only_members_of_the_room_are_told(server: Server) -> None:
    ((alice, lobby),) = server.members("lobby", "alice")
    ((bob, _),) = server.members("kitchen", "bob")
    carol = server.login("carol")
    dave = server.login("dave")
    room = dave.join(lobby.name)
    dave.leave(room)
    dave.leave_politely()
    expect_left(alice, dave, lobby)
    for stranger in (bob, carol):
        about = [frame for frame in stranger.barrier() if frame.octets("room_id") == lobby.id]
        assert not about, f"{stranger.name} is not in the room, and got {describe(about[0])}"


@clause("MEM-03", quote="when a session joins, leaves or ends")
def test_end_of_a_session_in_several_rooms(server: Server) -> None:
    (alice, lobby), (bob, _) = server.members("lobby", "alice", "bob")
    kitchen = alice.join(server.case.room_name("kitchen"))
    bob.join(kitchen.name)
    settle(alice)
    for room in (lobby, kitchen):
        assert_knows(alice, room, alice, bob)
    bob.reset()
    alice.expect_in_any_order(
        *[Like("MEMBER", room_id=room.id, event="left", member_key=bob.key) for room in (lobby, kitchen)]
    )
    settle(alice)
    for room in (lobby, kitchen):
        assert_knows(alice, room, alice)


# --- counts ---


def await_count(peer: Peer, room: Room, count: int) -> None:
    """Some counts may be left out; this one is the last, and comes."""
    while members_of(room) != count:
        peer.expect("MEMBER", room_id=room.id, event="count")


@timers(member_limit=3)
@clause("MEM-05", quote="the server MUST send MEMBER count instead of names")
@clause("MEM-05", quote="When the number is back at member_limit, each member is sent resync and a snapshot")
@clause("MEM-05", quote="the last one always comes")
def test_room_above_member_limit(server: Server) -> None:
    small = server.members("lobby", "alice", "bob", "carol")
    settle(*[peer for peer, _ in small])
    for peer, room in small:
        assert_knows(peer, room, *[other for other, _ in small])
    large = [*small, *server.members("lobby", "dave", "erin")]
    for peer, room in large:
        await_count(peer, room, 5)
    (erin, erins) = large.pop()
    erin.leave(erins)
    for peer, room in large:
        await_count(peer, room, 4)
    for peer, room in large[3:]:
        named = set(events(room.members)) - {"count"}
        assert not named, f"{peer.name} joined above member_limit, and was told {named}"
    for newcomer, _ in (*large[3:], (erin, erins)):
        told = [peer.name for peer, room in small if names_of(room, newcomer)]
        assert not told, f"{told[0]} was told the name of {newcomer.name}, who came above member_limit"
    dave, _ = large.pop()
    dave.leave_politely()
    for peer, room in large:
        peer.expect("MEMBER", room_id=room.id, event="resync")
        peer.barrier()
        tail = events(room.members)
        tail = tail[len(tail) - tail[::-1].index("resync") :]
        assert tail == ["here"] * 3, f"after resync {peer.name} was told {tail} in a room of three"
        assert_knows(peer, room, *[other for other, _ in small])


def names_of(room: Room, member: Peer) -> list[Frame]:
    return [frame for frame in room.members if frame.octets("member_key") == member.key]


@timers(member_limit=0)
@clause("MEM-05", quote="the server MUST send MEMBER count instead of names")
@clause("MEM-05", quote="who leaves still gets the answer")
def test_room_that_never_names_anybody(server: Server) -> None:
    ((alice, room),) = server.members("lobby", "alice")
    await_count(alice, room, 1)
    ((bob, bobs),) = server.members("lobby", "bob")
    await_count(bob, bobs, 2)
    await_count(alice, room, 2)
    bob.leave(bobs)
    await_count(alice, room, 1)
    told = {*events(room.members), *events(bobs.members[:-1])}
    assert told == {"count"}, f"with member_limit 0 members were told {sorted(told)}"


# --- LEAVE ---


@clause("MEM-07", quote="A LEAVE of a joined named room MUST be answered with MEMBER left that names the leaver")
@clause("MEM-07", quote="the last frame about this room")
def test_leave_is_answered(server: Server) -> None:
    (alice, _), (bob, bobs) = server.members("lobby", "alice", "bob")
    alice.send(leave_of(bobs))
    alice.expect("MEMBER", room_id=bobs.id, event="left", nick=alice.nick, member_key=alice.key)
    expect_left(bob, alice, bobs)
    bob.say(bobs, "alice has gone")
    settle(bob, alice)
    after = [frame for frame in alice.barrier() if frame.octets("room_id") == bobs.id]
    assert not after, f"{describe(after[0])} came to alice after the answer to her LEAVE"


@clause("MEM-07", quote="the last frame about this room")
def test_leave_while_messages_flow(server: Server) -> None:
    (alice, room), (bob, bobs) = server.members("lobby", "alice", "bob")
    for number in range(40):
        bob.say(bobs, f"message {number}")
        if number == 20:
            alice.send(leave_of(room))
    settle(bob, alice)
    about = [frame for frame in alice.received if frame.octets("room_id") == room.id]
    left = Like("MEMBER", event="left", member_key=alice.key)
    assert not left.mismatch(about[-1]), f"the last frame about the room that alice left is {describe(about[-1])}"
    judge([alice, bob], room.id, here=[bob])


@clause("MEM-07", quote="MUST be answered with MEMBER left that names the leaver")
@clause(
    "MSG-05", quote="MUST refuse a PUBLISH whose room_id is not that of a room joined on this connection", level="L3"
)
def test_publish_after_leave(server: Server) -> None:
    ((bob, bobs),) = server.members("lobby", "bob")

    def says_a_word(peer: Peer) -> None:
        peer.expect_own(peer.publish(peer.join(bobs.name)))

    with bracket_ready(server, says_a_word) as mallory:
        room = mallory.join(bobs.name)
        publish = mallory.make_publish(room, "one more thing")
        mallory.leave(room)
        mallory.send(marked(publish, "room_id"))
        mallory.expect_error("WRONG_ROOM")
    bob.barrier()
    said = [frame for frame in bobs.delivered if frame.octets("author_key") == mallory.key]
    assert not said, "a message of somebody who had left the room was delivered there"


@clause("MEM-07", quote="MUST be answered with MEMBER left that names the leaver")
@clause("FLOW-06", quote="Without after_seq `start_seq` MUST be head_seq + 1", level="L3")
def test_leave_and_join_again(server: Server) -> None:
    """What was said meanwhile is not delivered; counters go on."""
    (alice, first), (bob, bobs) = server.members("lobby", "alice", "bob")
    alice.say(first, "before")
    alice.barrier()
    alice.leave(first)
    bob.say(bobs, "meanwhile")
    settle(bob)
    room = alice.join(bobs.name, send_window=8)
    assert room.id == first.id, "the room that alice joined again has another room_id"
    assert room.last_counter == 1, f"after one message, LEAVE and JOIN last_counter is {room.last_counter}"
    assert room.start_seq == 3, f"after two entries start_seq is {room.start_seq}"
    alice.say(room, "after")
    settle(alice, bob)
    assert_knows(alice, room, alice, bob)
    assert_knows(bob, bobs, alice, bob)
    judge([alice, bob], room.id)


def unknown_room(peer: Peer) -> bytes:
    return peer.case.rng.randbytes(32)


def left_already(peer: Peer) -> bytes:
    room = peer.join(peer.case.room_name("lobby"))
    peer.leave(room)
    return room.id


def host_not_joined(peer: Peer) -> bytes:
    room = peer.join()
    peer.send(leave_of(room))
    return room.id


@pytest.mark.parametrize("room_id", [unknown_room, left_already, host_not_joined])
@clause("MEM-08", quote="A LEAVE of a room that is not joined MUST be refused with BAD_STATE")
def test_leave_of_a_room_that_is_not_joined(server: Server, room_id: Callable[[Peer], bytes]) -> None:
    def once(peer: Peer) -> None:
        peer.leave(peer.join(peer.case.room_name("lobby")))

    with bracket_ready(server, once) as mallory:
        leave = codec.frame("LEAVE", room_id=room_id(mallory))
        mallory.barrier()
        mallory.send(marked(leave, "room_id"))
        mallory.expect_error("BAD_STATE")


@clause("MEM-08", quote="A LEAVE of a room that is not joined MUST be refused with BAD_STATE")
def test_leave_of_a_room_of_others(server: Server) -> None:
    ((alice, room),) = server.members("lobby", "alice")
    alice.barrier()
    with bracket_ready(server) as mallory:
        mallory.send(marked(leave_of(room), "room_id"))
        mallory.expect_error("BAD_STATE")
    assert not alice.barrier(), "somebody who is not in the room sent a LEAVE, and alice was told something"


# --- replaced ---


def come_back(server: Server, older: Peer) -> Peer:
    newer = server.connect_again(older).login()
    older.expect_until("BYE", code="REPLACED")
    older.expect_closed()
    return newer


@clause("MEM-09", quote="A replacement (END-14) MUST NOT be shown as left and joined")
@clause("END-14", quote="MUST end the old one with BYE REPLACED", level="L3")
def test_replacement_is_not_shown(server: Server) -> None:
    (alice, room), (bob, bobs) = server.members("lobby", "alice", "bob")
    bob.barrier()
    newer = come_back(server, alice)
    again = newer.join(room.name, send_window=8)
    newer.say(again, "I am back")
    settle(newer, bob)
    about = events([frame for frame in bobs.members if frame.octets("member_key") == alice.key])
    assert about == ["here"], f"alice came back by a newer session, and bob was told of her: {about}"
    assert_knows(newer, again, newer, bob)
    judge([alice, newer, bob], room.id, here=[newer, bob])


@clause("MEM-09", quote="A replacement (END-14) MUST NOT be shown as left and joined")
def test_many_replacements_are_not_shown(server: Server) -> None:
    (alice, room), (bob, bobs) = server.members("lobby", "alice", "bob")
    lives = [alice]
    for number in range(6):
        lives.append(come_back(server, lives[-1]))
        if number % 2:
            lives[-1].say(lives[-1].join(room.name), f"this is life {number}")
            lives[-1].barrier()
    settle(bob, lives[-1])
    about = events([frame for frame in bobs.members if frame.octets("member_key") == alice.key])
    assert about == ["here"], f"alice was replaced six times, and bob was told of her: {about}"
    judge([*lives, bob], room.id, here=[lives[-1], bob])


@pytest.mark.parametrize("way", [says_goodbye, closes])
@clause("MEM-09", quote="A room that the new session has not joined when it ends is shown as left then")
def test_room_that_the_newer_session_never_joined(server: Server, way: Callable[[Peer, Room], None]) -> None:
    (alice, lobby), (bob, bobs) = server.members("lobby", "alice", "bob")
    kitchen = alice.join(server.case.room_name("kitchen"))
    bob.barrier()
    newer = come_back(server, alice)
    newer.join(kitchen.name)
    bob.barrier()
    assert_knows(bob, bobs, alice, bob)
    carol = server.login("carol")
    carols = carol.join(lobby.name)
    carol.barrier()
    assert_knows(carol, carols, alice, bob, carol)
    carol.leave(carols)
    way(newer, kitchen)
    expect_left(bob, alice, lobby)
    bob.barrier()
    assert_knows(bob, bobs, bob)
