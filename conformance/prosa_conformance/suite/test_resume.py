# SPDX-License-Identifier: MIT
"""Section 6.8: where a JOIN goes on, what is replayed, and that every message comes once, at a server with `resume`."""

from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import truncated
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.history import judge
from prosa_conformance.match import describe
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.server import GROUP_CREDIT, WIDE, Server

SAID = 10
MANY = 40


def talk(members: list[tuple[Peer, Room]], count: int = SAID) -> None:
    """Messages by turns, and all of them have come to all."""
    for number in range(count):
        peer, room = members[number % len(members)]
        peer.say(room, f"message {number}")
    settle(*[peer for peer, _ in members])


def assert_starts(room: Room, wanted: int, asked: str) -> None:
    """JOINED says so, and so it is [MSG-17]."""
    bounds = ", ".join(f"{name} {room.joined.number(name)}" for name in ("oldest_seq", "head_seq"))
    assert room.start_seq == wanted, f"a JOIN with {asked} begins at {room.start_seq}, not at {wanted} ({bounds})"
    first = next((frame.number("room_seq") for frame in room.delivered), wanted)
    assert first == wanted, f"start_seq is {wanted}, and the first DELIVER has room_seq {first}"


# --- where it goes on ---


@pytest.mark.parametrize("after_seq", [0, 1, 6, SAID - 1, SAID])
@clause("RES-01", quote="`start_seq` MUST be the higher of after_seq + 1 and oldest_seq")
@clause("RES-01", quote="and the entries from there on are replayed with DELIVER before live ones")
def test_replay_from_any_place(server: Server, after_seq: int) -> None:
    members = server.members("lobby", "alice", "bob")
    (alice, lobby), (bob, _) = members
    talk(members)
    carol = server.login_with("carol", "resume")
    room = carol.join(lobby.name, epoch=lobby.epoch, after_seq=after_seq, **WIDE)
    carol.barrier()
    assert_starts(room, after_seq + 1, f"after_seq {after_seq}")
    shown = [frame.number("room_seq") for frame in room.delivered]
    assert shown == list(range(after_seq + 1, SAID + 1)), f"after {after_seq} of {SAID} entries came {shown}"
    talk([*members, (carol, room)])
    judge([alice, bob, carol], room.id)


def of_another_life(room: Room) -> tuple[str, dict[str, object]]:
    return "an epoch of another life", {"epoch": bytes(15) + b"!", "after_seq": 4}


def of_another_life_at_head(room: Room) -> tuple[str, dict[str, object]]:
    return "an epoch of another life and after_seq at the head", {"epoch": bytes(16), "after_seq": SAID}


def one_beyond_head(room: Room) -> tuple[str, dict[str, object]]:
    return "after_seq one beyond the head", {"epoch": room.epoch, "after_seq": SAID + 1}


def far_beyond_head(room: Room) -> tuple[str, dict[str, object]]:
    return "the highest after_seq that there is", {"epoch": room.epoch, "after_seq": 2**64 - 1}


def all_there_is(room: Room) -> tuple[str, dict[str, object]]:
    return "after_seq 0 and no epoch", {"after_seq": 0}


MISFITS = [of_another_life, of_another_life_at_head, one_beyond_head, far_beyond_head, all_there_is]


@pytest.mark.parametrize("place", MISFITS)
@clause("RES-02", quote="With after_seq of another epoch, beyond head_seq, or 0 without an epoch")
@clause("RES-02", quote="`start_seq` MUST be oldest_seq")
def test_place_that_does_not_fit(server: Server, place: Callable[[Room], tuple[str, dict[str, object]]]) -> None:
    members = server.members("lobby", "alice", "bob")
    (alice, lobby), (bob, _) = members
    talk(members)
    words, fields = place(lobby)
    carol = server.login_with("carol", "resume")
    room = carol.join(lobby.name, **WIDE, **fields)
    carol.barrier()
    assert_starts(room, room.joined.number("oldest_seq"), words)
    judge([alice, bob, carol], lobby.id)


@pytest.mark.parametrize("fields", [{"after_seq": 0}, {"after_seq": 3, "epoch": bytes(16)}], ids=["all", "other"])
@clause("RES-02", quote="`start_seq` MUST be oldest_seq")
@clause("FLOW-05", quote="JOINED's limit_counter MUST be last_counter + granted_window", level="resume")
def test_room_without_an_entry(server: Server, fields: dict[str, object]) -> None:
    ((alice, room),) = server.members("lobby", "alice", features=["resume"], **fields)
    numbers = {name: room.joined.number(name) for name in ("head_seq", "oldest_seq", "start_seq", "last_counter")}
    wanted = {"head_seq": 0, "oldest_seq": 1, "start_seq": 1, "last_counter": 0}
    assert numbers == wanted, f"of a room without an entry JOINED says {numbers}"
    talk([(alice, room)])
    judge([alice], room.id)


@pytest.mark.parametrize("session", ["the same", "a new"])
@clause("RES-01", quote="With after_seq and the room's current epoch `start_seq` MUST be the higher of after_seq + 1")
def test_each_room_from_its_own_place(server: Server, session: str) -> None:
    """Bob leaves two rooms, one after the other, and comes back to both."""
    bob = server.login_with("bob", "resume")
    talkers = [server.members(name, f"alice-{name}") for name in ("lobby", "kitchen")]
    rooms = []
    for count, members in enumerate(talkers, 1):
        rooms.append(bob.join(members[0][1].name, **WIDE))
        talk(members, count * 3)
        bob.barrier()
        bob.leave(rooms[-1])
        talk(members, count * 2)
    newer = bob
    if session == "a new":
        newer = server.connect_again(bob).login(features=bob.challenge.number("features"))
    for room, ((alice, _),) in zip(rooms, talkers, strict=True):
        again = newer.join(room.name, epoch=room.epoch, after_seq=room.seen_seq, **WIDE)
        newer.barrier()
        assert_starts(again, room.seen_seq + 1, f"after_seq {room.seen_seq}")
        judge([alice, *dict.fromkeys([bob, newer])], room.id, here=[alice, newer])


# --- the replay and what goes on meanwhile ---


@clause("RES-01", quote="the entries from there on are replayed with DELIVER before live ones")
@clause("FLOW-07", quote="The first limit for DELIVER MUST be start_seq + recv_window - 1", level="resume")
@clause("FLOW-18", quote="MUST NOT send a DELIVER with a room_seq above limit_seq", level="resume")
def test_replay_goes_by_credit(server: Server) -> None:
    """A newcomer takes four at a time, and for each four two new ones are said."""
    members = server.members("lobby", "alice", "bob")
    (alice, lobby), (bob, _) = members
    talk(members, MANY)
    carol = server.login_with("carol", "resume")
    room = carol.join(lobby.name, epoch=lobby.epoch, after_seq=0, send_window=1, recv_window=4)
    limit = 4
    while True:
        carol.barrier()
        assert room.seen_seq == limit, f"with credit up to {limit} the entry {room.seen_seq} was the last to come"
        if limit > MANY:
            break
        talk(members, 2)
        limit += 4
        carol.ack(room, room.seen_seq, limit)
    carol.ack(room, room.seen_seq, GROUP_CREDIT)
    carol.say(room, "I have read it all")
    settle(carol, alice, bob)
    judge([alice, bob, carol], room.id)


@clause("RES-01", quote="the entries from there on are replayed with DELIVER before live ones")
@clause("FLOW-43", quote="All members of a room MUST be given the same entries under the same room_seq", level="resume")
def test_newcomers_while_all_talk(server: Server) -> None:
    """Whole windows are said at once; between them others ask for all there is, and talk along."""
    members = server.members("lobby", "alice", "bob")
    lobby = members[0][1]
    talk(members)
    for number in range(4):
        for peer, room in members:
            send_window(peer, room)
        newcomer = server.login_with(f"newcomer-{number}", "resume")
        members.append((newcomer, newcomer.join(lobby.name, epoch=lobby.epoch, after_seq=0, **WIDE)))
    everybody = [peer for peer, _ in members]
    settle(*everybody)
    for _, room in members[2:]:
        assert_starts(room, 1, "after_seq 0")
    judge(everybody, lobby.id)


def send_window(peer: Peer, room: Room) -> None:
    """As many as the limit allows, in one segment."""
    counters = range(room.last_counter + 1, room.limit_counter + 1)
    if counters:
        peer.send_together(*[peer.make_publish(room, f"word {counter}", counter=counter) for counter in counters])
    room.last_counter = room.limit_counter


# --- exactly once ---


def is_reset(server: Server, peer: Peer) -> None:
    peer.reset()


def closes(server: Server, peer: Peer) -> None:
    peer.close()


def says_goodbye(server: Server, peer: Peer) -> None:
    peer.bye()
    peer.expect_until_end()


def dies_in_mid_frame(server: Server, peer: Peer) -> None:
    room = peer.joins[0]
    peer.send(truncated(peer.make_publish(room, "never whole", counter=room.limit_counter), 30))
    peer.reset()


def is_replaced(server: Server, peer: Peer) -> None:
    """The older connection stays open, and unread."""


WAYS = [is_reset, closes, says_goodbye, dies_in_mid_frame, is_replaced]


@pytest.mark.parametrize("way", WAYS)
@clause("RES-10", quote="An acknowledged message MUST come exactly once in every member's log")
@clause("RES-10", quote="over disconnection, retry and restart")
@clause("FLOW-22", quote="MUST be answered with the current ACK and nothing else", level="resume")
def test_exactly_once_over_disconnections(server: Server, way: Callable[[Server, Peer], None]) -> None:
    """Connections end with messages on their way; last_counter says which to send again, and one more is sent again."""
    ((alice, lobby),) = server.members("lobby", "alice")
    bob = server.login_with("bob", "resume")
    room = bob.join(lobby.name, **{**WIDE, "send_window": 8})
    kept = {number: bob.make_publish(room, f"message {number}", counter=number) for number in range(1, 41)}
    lives, epoch = [bob], room.epoch
    while room.last_counter < len(kept):
        first = room.last_counter + 1
        last = min(room.limit_counter, len(kept))
        bob.send_together(*[kept[number] for number in range(max(1, first - 1), last + 1)])
        if len(lives) % 2:
            bob.expect_until("ACK", room_id=room.id)
        way(server, bob)
        bob, room = server.come_back(bob, room, "resume")
        lives.append(bob)
        assert room.epoch == epoch, "the room has another epoch, and nothing happened but a disconnection"
        assert lives[-2].joins[0].acked_counter <= room.last_counter <= last, (
            f"of messages up to {last}, acknowledged up to {lives[-2].joins[0].acked_counter}, "
            f"JOINED says {room.last_counter}"
        )
    settle(alice, bob)
    judge([alice, *lives], room.id, here=[alice, bob])
    said = [frame.number("counter") for frame in lobby.delivered]
    assert said == list(kept), f"alice got the messages {said}"


# --- @host ---


@clause("RES-01", quote="the entries from there on are replayed with DELIVER before live ones", needs=["answers"])
@clause("MSG-20", quote="counted by its own counter from 1", level="resume")
def test_conversation_with_host_goes_on(server: Server) -> None:
    alice = server.login_with("alice", "resume")
    before = alice.join()
    for number in range(3):
        server.exchange(alice, before, f"question {number}")
    alice.leave_politely()
    again = server.connect_again(alice).login(features=alice.challenge.number("features"))
    room = again.join(epoch=before.epoch, after_seq=2)
    assert room.epoch == before.epoch, "@host has another epoch, and only the connection was another"
    again.barrier()
    assert_starts(room, 3, "after_seq 2")
    assert_same(before, room.delivered)
    question, answer = server.exchange(again, room, "question 3")
    numbers = [question.number("counter"), answer.number("counter"), answer.number("room_seq")]
    assert numbers == [4, 4, 8], f"counter of the question and of its answer, and its room_seq are {numbers}"
    judge([alice, again], room.id, here=[again])


def assert_same(before: Room, after: list[Frame]) -> None:
    """Whatever was shown once is shown the same again."""
    shown = {frame.number("room_seq"): codec.encode(frame) for frame in before.delivered}
    for frame in after:
        known = shown.get(frame.number("room_seq"))
        assert known in (None, codec.encode(frame)), f"{describe(frame)} was replayed with other octets"
