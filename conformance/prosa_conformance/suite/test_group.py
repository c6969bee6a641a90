# SPDX-License-Identifier: MIT
"""Named rooms at a server: many members, one order, and a history that is judged as a whole (section 8.3)."""

from collections.abc import Sequence

import pytest

from prosa_conformance import codec
from prosa_conformance.bracket import meanwhile
from prosa_conformance.bugs import flipped, truncated
from prosa_conformance.clauses import clause, timers
from prosa_conformance.codec import Frame
from prosa_conformance.history import judge
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.server import Server

Member = tuple[Peer, Room]
LEAST_ROOMS = 100  # that a server makes [MSG-29]


def row(peer: Peer, room: Room, count: int, size: int = 200) -> list[Frame]:
    """The next messages, not sent."""
    counters = range(room.last_counter + 1, room.last_counter + 1 + count)
    room.last_counter += count
    return [peer.make_publish(room, f"{peer.name} {n} ".ljust(size, "."), counter=n) for n in counters]


def assert_all_have(members: Sequence[Member], count: int) -> None:
    for peer, room in members:
        assert len(room.delivered) == count, f"{peer.name} got {len(room.delivered)} of {count} messages"


# --- rooms ---


@clause("MSG-29", quote="A server MUST make a room at the first JOIN of its name")
def test_room_is_made_by_its_first_join(server: Server) -> None:
    alice = server.login("alice")
    room = alice.join(server.case.room_name("brand-new"))
    numbers = {field: room.joined.number(field) for field in ("head_seq", "oldest_seq", "start_seq", "last_counter")}
    wanted = {"head_seq": 0, "oldest_seq": 1, "start_seq": 1, "last_counter": 0}
    assert numbers == wanted, f"a room that nobody was in before is joined with {numbers}"


@clause("MSG-29", quote="A server MUST make a room at the first JOIN of its name")
def test_room_is_made_once(server: Server) -> None:
    members = server.members("lobby", "alice", "bob", "carol")
    lives = {room.epoch for _, room in members}
    assert len(lives) == 1, f"three members of one room were told {len(lives)} epochs"
    ((_, kitchen),) = server.members("kitchen", "dave")
    assert kitchen.epoch not in lives, "two rooms have the same epoch"


@pytest.mark.parametrize("name", ["a", "0", "_-_", "lobby".ljust(32, "-")])
@clause("MSG-29", quote="A server MUST make a room at the first JOIN of its name")
def test_names_of_rooms(server: Server, name: str) -> None:
    alice = server.login("alice")
    room = alice.join(name)
    alice.expect_own(alice.publish(room, f"is this {name}?"))


@timers(max_rooms=LEAST_ROOMS, token_burst=10000, token_rate=10000)
@clause("MSG-29", quote="a server may have a greatest number of them, at least 100")
def test_a_hundred_rooms(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    rooms = [alice.join(f"room-{number}") for number in range(LEAST_ROOMS)]
    assert len({room.id for room in rooms}) == LEAST_ROOMS, "two rooms have the same room_id"
    publishes = [alice.make_publish(room, f"this is {room.name}") for room in rooms]
    alice.send_together(*publishes)
    alice.barrier()
    for room in rooms:
        texts = [frame.value("text") for frame in room.delivered]
        assert texts == [f"this is {room.name}"], f"in {room.name} came {texts}"


# --- one order ---


@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("FLOW-25", quote="delivered to every member, the author included", level="L3")
def test_eight_members_take_turns(server: Server) -> None:
    members = server.members("lobby", *[f"member-{number}" for number in range(8)])
    for turn in range(10):
        for peer, room in members:
            peer.say(room, f"{peer.name}, turn {turn}")
    peers = [peer for peer, _ in members]
    settle(*peers)
    judge(peers, members[0][1].id)
    assert_all_have(members, 80)


@pytest.mark.parametrize("count", [1, 7, 40])
@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("MSG-12", quote="`room_seq` MUST count the entries of a room from 1 without a gap", level="L3")
def test_eight_members_speak_at_once(server: Server, count: int) -> None:
    members = server.members("lobby", *[f"member-{number}" for number in range(8)])
    each = min(count, *[room.granted for _, room in members])
    rows = [row(peer, room, each) for peer, room in members]
    for (peer, _), messages in zip(members, rows, strict=True):
        peer.send_together(*messages)
    peers = [peer for peer, _ in members]
    settle(*peers)
    judge(peers, members[0][1].id)
    assert_all_have(members, 8 * each)
    for peer, room in members:
        assert room.acked_counter == each, f"{peer.name} sent {each} messages, {room.acked_counter} are acknowledged"


@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("MSG-20", quote="that counter belongs to one room", level="L3")
def test_two_rooms_do_not_mix(server: Server) -> None:
    """The same people in both: each room has its own order, and its own counters."""
    lobby = server.members("lobby", "alice", "bob", "carol")
    kitchen = [
        (peer, peer.join(server.case.room_name("kitchen"), send_window=64, recv_window=4096)) for peer, _ in lobby
    ]
    for turn in range(12):
        for index, members in enumerate((lobby, kitchen)):
            for peer, room in members[: 1 + (turn + index) % 3]:
                peer.say(room, f"{peer.name} in {room.name}, turn {turn}")
    peers = [peer for peer, _ in lobby]
    settle(*peers)
    for members in (lobby, kitchen):
        judge(peers, members[0][1].id)
        assert_all_have(members, 24)
        for peer, room in members:
            foreign = [frame for frame in room.delivered if room.name not in str(frame.value("text"))]
            assert not foreign, f"{peer.name} got a message of another room in {room.name}"


@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("FLOW-18", quote="A server MUST NOT send a DELIVER with a room_seq above limit_seq", level="L3")
def test_members_with_little_credit(server: Server) -> None:
    """Each has another window; all get the same, each as fast as it allows."""
    members = server.members("lobby", "alice", "bob")
    for number, window in enumerate((2, 3, 10)):
        members += server.members("lobby", f"narrow-{number}", recv_window=window)
    (alice, room), narrow = members[0], members[2:]
    for number in range(30):
        alice.say(room, f"message {number}")
    settle(alice)
    for peer, theirs in narrow:
        while len(theirs.delivered) < 30:
            peer.barrier()
            seen = theirs.delivered[-1].number("room_seq") if theirs.delivered else 0
            assert seen <= theirs.limit_seq, (
                f"{peer.name} got the entry {seen}, and its limit_seq is {theirs.limit_seq}"
            )
            assert seen == min(30, theirs.limit_seq), f"{peer.name} got {seen} where its credit is {theirs.limit_seq}"
            window = theirs.limit_seq - seen or 2
            peer.ack(theirs, seen, seen + window)
    peers = [peer for peer, _ in members]
    settle(*peers)
    judge(peers, room.id)


# --- joins, leaves, deaths ---


@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("FLOW-06", quote="the room goes on live", level="L3")
def test_late_joiner_and_stranger(server: Server) -> None:
    (alice, lobby), (bob, _) = server.members("lobby", "alice", "bob")
    stranger = server.login("stranger")
    for number in range(5):
        alice.say(lobby, f"before {number}")
    settle(alice, bob)
    ((carol, carols),) = server.members("lobby", "carol")
    assert carols.start_seq == 6, f"carol joins after 5 entries, and her start_seq is {carols.start_seq}"
    for number in range(5):
        alice.say(lobby, f"after {number}")
        carol.say(carols, f"hello {number}")
    settle(alice, bob, carol)
    judge([alice, bob, carol], lobby.id)
    assert_all_have([(carol, carols)], 10)
    heard = stranger.barrier()
    assert not heard, f"{heard[0].name if heard else ''} came to somebody who has joined no room"


def closes(peer: Peer, room: Room) -> None:
    peer.close()


def is_reset(peer: Peer, room: Room) -> None:
    peer.reset()


def dies_in_mid_frame(peer: Peer, room: Room) -> None:
    peer.send(truncated(peer.make_publish(room, "unfinished"), 50))
    peer.reset()


def forges(peer: Peer, room: Room) -> None:
    peer.send(flipped(peer.make_publish(room, "forged"), "author_sig"))


def shouts(peer: Peer, room: Room) -> None:
    peer.publish(room, "far beyond", counter=room.limit_counter + 1000)


def half_closes(peer: Peer, room: Room) -> None:
    peer.half_close()


def hangs(peer: Peer, room: Room) -> None:
    """It says nothing and reads nothing from here on."""


@clause("FLOW-38", quote="A member that does not read MUST NOT delay any other")
@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("END-17", quote="A client that vanishes MUST NOT disturb the server", level="L3")
def test_members_die_while_messages_flow(server: Server) -> None:
    """Seven go one after another, each in its own way and with messages on their way; three talk on."""
    ways = (closes, is_reset, dies_in_mid_frame, forges, shouts, half_closes, hangs)
    calm = server.members("lobby", "alice", "bob", "carol")
    doomed = server.members("lobby", *[way.__name__.replace("_", "-") for way in ways])
    for way, (victim, theirs) in zip(ways, doomed, strict=True):
        for peer, room in calm:
            peer.say(room, f"before {way.__name__}")
        victim.send_together(*row(victim, theirs, 10))
        way(victim, theirs)
        with meanwhile(f"after a member {way.__name__.replace('_', ' ')}"):
            for peer, room in calm:
                peer.say(room, f"after {way.__name__}")
            settle(*[peer for peer, _ in calm])
    server.check_alive()
    everybody = [peer for peer, _ in (*calm, *doomed)]
    judge(everybody, calm[0][1].id, here=[peer for peer, _ in calm])


@clause("FLOW-22", quote="A PUBLISH that the server has accepted already, the same octets again", level="L3")
@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
def test_lost_connection_and_the_same_octets_again(server: Server) -> None:
    """alice never knows what arrived: she asks JOINED, and sends the rest again as it was, or more than that."""
    ((bob, bobs),) = server.members("lobby", "bob")
    alice = server.login("alice")
    room = alice.join(bobs.name, send_window=64, recv_window=65536)
    lives, sent = [alice], []
    for number in range(10):
        messages = row(alice, room, 6)
        sent += messages
        alice.send_together(*messages)
        alice.reset() if number % 2 else alice.close()
        alice = server.connect_again(alice).login()
        room = alice.join(bobs.name, send_window=64, recv_window=65536)
        lives.append(alice)
        taken = room.last_counter
        again = sent[max(0, taken - number) :]  # some that are there already, and all that are not
        alice.send_together(*again) if again else None
        room.last_counter = len(sent)
        alice.barrier()
        acked = max(room.base_counter, room.acked_counter)
        assert acked == len(sent), f"of {len(sent)} messages {acked} are acknowledged"
    settle(alice, bob)
    judge([*lives, bob], bobs.id, here=[alice, bob])
    assert_all_have([(bob, bobs)], len(sent))


@clause("END-14", quote="drops its undecided frames, and waits for those given to the store", level="L3")
@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
def test_replaced_while_messages_flow(server: Server) -> None:
    """alice comes back again and again in the middle of a row; what was cut off stays cut off."""
    (bob, bobs), (alice, room) = server.members("lobby", "bob", "alice")
    lives = [alice]
    for number in range(12):
        bob.say(bobs, f"bob {number}")
        newer = server.connect_again(alice)
        newer.hello()
        newer.expect_challenge()
        alice.send_together(*row(alice, room, 1 + number))
        newer.auth()
        newer.expect_welcome()
        older, before = alice, room
        alice, room = newer, newer.join(bobs.name, send_window=64, recv_window=65536)
        older.expect_until_end()
        assert before.acked_counter <= room.last_counter, (
            f"the older session got an ACK of {before.acked_counter}, JOINED says {room.last_counter}"
        )
        alice.say(room, f"life {number}")
        lives.append(alice)
    settle(alice, bob)
    judge([*lives, bob], bobs.id, here=[alice, bob])


@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("FLOW-24", quote="MUST be refused with COUNTER_GAP", level="L3")
def test_gap_in_one_row_among_others(server: Server) -> None:
    """The row up to the gap counts; the others never notice."""
    (alice, room), (bob, bobs), (mallory, theirs) = server.members("lobby", "alice", "bob", "mallory")
    messages = row(mallory, theirs, 10)
    alice.say(room, "before")
    mallory.send_together(*messages[:6], *messages[7:])
    bob.say(bobs, "after")
    mallory.expect_error("COUNTER_GAP")
    settle(alice, bob)
    judge([alice, bob, mallory], room.id, here=[alice, bob])
    counters = [f.number("counter") for f in room.delivered if f.octets("author_key") == mallory.key]
    assert counters == list(range(1, 7)), f"of a row with a gap after 6 came {counters}"


@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq")
@clause("MSG-11", quote="MUST be the octets of the author's PUBLISH, unchanged, unknown fields included", level="L3")
def test_everybody_gets_the_authors_octets(server: Server) -> None:
    members = server.members("lobby", "alice", "bob", "carol")
    alice, room = members[0]
    publish = alice.publish(room, "verbatim", display="Alice A.", reply_to=alice.case.rng.randbytes(32))
    settle(*[peer for peer, _ in members])
    for peer, theirs in members:
        assert theirs.delivered, f"{peer.name} got nothing"
        kept = tuple(field for field in theirs.delivered[0].fields if field[0] <= codec.AUTHOR_SIG_TAG)
        assert kept == publish.fields, f"{peer.name} got other fields than alice sent"
