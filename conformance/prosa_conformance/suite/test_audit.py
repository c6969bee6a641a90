# SPDX-License-Identifier: MIT
"""Section 5.4: the chain of hashes and the signed CHECKPOINTs, at a server with `audit`."""

from collections.abc import Callable, Sequence

import pytest

from prosa_conformance import crypto
from prosa_conformance.audit import checkpoints, judge_chain
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.history import judge
from prosa_conformance.match import Like, describe
from prosa_conformance.outcome import Unsupported
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.registry import CONSTANTS, FEATURES
from prosa_conformance.restart import ENDS
from prosa_conformance.server import GROUP_CREDIT, WIDE, Server

AUDIT = FEATURES["audit"]
EVERY = CONSTANTS["checkpoint_interval"]


def talk(members: list[tuple[Peer, Room]], count: int) -> None:
    """Messages by turns, and all of them have come to all whose credit permits it."""
    for number in range(count):
        peer, room = members[number % len(members)]
        peer.say(room, f"message {number}")
    settle(*[peer for peer, _ in members])


def only_with_audit(peer: Peer) -> None:
    if not peer.challenge.number("features") & AUDIT:
        raise Unsupported("CHALLENGE does not offer audit")


def join_again(server: Server, room: Room, name: str, after_seq: int, **join: object) -> tuple[Peer, Room]:
    """A newcomer who is replayed what comes after `after_seq`; not applicable without `resume`."""
    peer = server.login_with(name, "audit", "resume")
    return peer, peer.join(room.name, **{"epoch": room.epoch, "after_seq": after_seq, **WIDE, **join})


def states(checkpoint: Frame, room: Room, seq: int, chain: bytes) -> bool:
    return not Like("CHECKPOINT", room_id=room.id, seq=seq, chain=chain).mismatch(checkpoint)


# --- the chain ---


@pytest.mark.parametrize("features", [(), ("audit",)], ids=["not-offered", "offered"])
@clause("AUD-02", quote="MUST put `prev_hash` = h_(n-1) into every DELIVER of entry n")
@clause("AUD-02", quote="whether or not the client offered the feature")
@clause("AUD-01", quote="The chain of a room MUST be computed as above", level="audit", role="server")
def test_every_entry_names_the_one_before(server: Server, features: tuple[str, ...]) -> None:
    members = server.members("lobby", "alice", "bob", features=features)
    only_with_audit(members[0][0])
    talk(members, EVERY + 8)
    peers = [peer for peer, _ in members]
    judge(peers, members[0][1].id)
    judge_chain(peers, members[0][1].id)


@clause("AUD-02", quote="MUST put `prev_hash` = h_(n-1) into every DELIVER of entry n", needs=["answers"])
@clause("AUD-01", quote="The chain of a room MUST be computed as above", level="audit", role="server")
def test_questions_and_answers_are_chained(server: Server) -> None:
    alice = server.login_with("alice", "audit")
    room = alice.join()
    for number in range(3):
        server.exchange(alice, room, f"question {number}")
    judge_chain([alice], room.id)


@clause("AUD-02", quote="MUST put `prev_hash` = h_(n-1) into every DELIVER of entry n")
def test_rooms_have_chains_of_their_own(server: Server) -> None:
    """Messages of one author in two rooms by turns."""
    alice = server.login_with("alice", "audit")
    rooms = [alice.join(server.case.room_name(name), **WIDE) for name in ("lobby", "kitchen")]
    for number in range(8):
        alice.say(rooms[number % 3 % 2], f"message {number}")
    settle(alice)
    for room in rooms:
        judge_chain([alice], room.id)


@pytest.mark.parametrize("after_seq", [0, 5])
@clause("AUD-02", quote="MUST put `prev_hash` = h_(n-1) into every DELIVER of entry n")
def test_replay_carries_the_chain(server: Server, after_seq: int) -> None:
    members = server.members("lobby", "alice", "bob")
    talk(members, 8)
    carol, room = join_again(server, members[0][1], "carol", after_seq)
    talk([*members, (carol, room)], 4)
    peers = [*[peer for peer, _ in members], carol]
    judge(peers, room.id)
    judge_chain(peers, room.id)


# --- CHECKPOINT: when ---


def assert_stated(found: list[Frame], room: Room, seq: int, chain: bytes, when: str) -> None:
    """One of these CHECKPOINTs states h of this entry."""
    told = ", ".join(f"seq {frame.number('seq')}" for frame in found) or "no CHECKPOINT"
    assert any(states(frame, room, seq, chain) for frame in found), (
        f"{when} a CHECKPOINT of seq {seq} was due in {room.name}, and there came {told}"
    )


@clause("AUD-04", quote="a server MUST send a CHECKPOINT of the durable head when it answers JOIN")
@clause("AUD-04", quote="For an empty room it states h_0")
@clause("AUD-03", quote="be signed by the server", level="audit", role="server")
def test_checkpoint_at_join_of_an_empty_room(server: Server) -> None:
    alice = server.login_with("alice", "audit")
    for name in ("@host", server.case.room_name("lobby")):
        room = alice.join(name)
        alice.barrier()
        assert_stated(checkpoints(room), room, 0, crypto.chain_start(room.id), "at JOIN of an empty room")
        judge_chain([alice], room.id)


@clause("AUD-04", quote="a server MUST send a CHECKPOINT of the durable head when it answers JOIN")
@clause("AUD-04", quote="At JOIN it comes after JOINED and before any DELIVER")
@clause("AUD-03", quote="A CHECKPOINT MUST state h_seq of the room and be signed", level="audit", role="server")
def test_checkpoint_at_join(server: Server) -> None:
    members = server.members("lobby", "alice", "bob")
    talk(members, 5)
    carol = server.login_with("carol", "audit")
    room = carol.join(members[0][1].name, **WIDE)
    carol.barrier()
    peers = [*[peer for peer, _ in members], carol]
    chain = judge_chain(peers, room.id)
    assert_stated(checkpoints(room), room, 5, chain.hashes[5], "at JOIN")


@clause("AUD-04", quote="At JOIN it comes after JOINED and before any DELIVER")
@clause("AUD-04", quote="when it answers JOIN, when a replay has ended")
@clause("AUD-03", quote="A CHECKPOINT MUST state h_seq of the room and be signed", level="audit", role="server")
def test_checkpoints_around_a_replay(server: Server) -> None:
    """One before it; one when it has ended and not sooner, which is when the last entry was let through."""
    members = server.members("lobby", "alice", "bob")
    talk(members, 9)
    lobby = members[0][1]
    carol, room = join_again(server, lobby, "carol", 2, recv_window=4)
    carol.barrier()
    first = next((place for place, frame in enumerate(room.frames) if frame.name == "DELIVER"), len(room.frames))
    chain = judge_chain([*[peer for peer, _ in members], carol], room.id)
    before = [frame for frame in room.frames[:first] if frame.name == "CHECKPOINT"]
    assert_stated(before, room, 9, chain.hashes[9], "at JOIN, before any DELIVER,")
    carol.ack(room, room.seen_seq, GROUP_CREDIT)
    rest = [frame for frame in carol.barrier() if frame.octets("room_id") == room.id]
    last = max((place for place, frame in enumerate(rest) if frame.name == "DELIVER"), default=0)
    assert room.seen_seq == 9, f"with credit for all the replay ends at {room.seen_seq}, not at 9"
    behind = [frame for frame in rest[last:] if frame.name == "CHECKPOINT"]
    assert_stated(behind, room, 9, chain.hashes[9], "when the replay had ended")
    judge_chain([*[peer for peer, _ in members], carol], room.id)


def assert_every_interval(peer: Peer, room: Room) -> None:
    """Between the DELIVER of each multiple of 32 that came live and the next one stands a CHECKPOINT of at least it."""
    due = 0
    for frame in room.frames:
        if frame.name == "CHECKPOINT" and frame.number("seq") >= due:
            due = 0
        elif frame.name == "DELIVER":
            seq = frame.number("room_seq")
            assert not due, f"{peer.name} got the entry {seq} without a CHECKPOINT behind the entry {due}"
            due = seq if seq % EVERY == 0 and seq > room.joined.number("head_seq") else 0
    assert not due, f"{peer.name} got no CHECKPOINT behind the entry {due}, and a PONG came"


@clause("AUD-04", quote="after each later DELIVER whose room_seq is a multiple of 32 and before the next one")
@clause("AUD-04", quote="members that are equally far need one signature between them")
def test_checkpoint_at_each_multiple(server: Server) -> None:
    """By turns, then whole windows at once; who joined in between gets the same."""
    members = server.members("lobby", "alice", "bob", features=["audit"])
    talk(members, EVERY + 10)
    members += server.members("lobby", "carol", features=["audit"])
    for peer, room in members:
        send_window(peer, room)
    settle(*[peer for peer, _ in members])
    peers = [peer for peer, _ in members]
    for peer, room in members:
        assert_every_interval(peer, room)
    judge(peers, room.id)
    judge_chain(peers, room.id)


def send_window(peer: Peer, room: Room) -> None:
    counters = range(room.last_counter + 1, room.limit_counter + 1)
    peer.send_together(*[peer.make_publish(room, f"word {counter}", counter=counter) for counter in counters])
    room.last_counter = room.limit_counter


@clause("AUD-04", quote="after each later DELIVER whose room_seq is a multiple of 32 and before the next one")
@clause("LIVE-03", quote="A CHECKPOINT that is due goes before the PONG, too", level="audit")
def test_checkpoint_for_one_who_lags_behind(server: Server) -> None:
    """Carol lets five entries through at a time, long after the others have them."""
    members = server.members("lobby", "alice", "bob", features=["audit"])
    carol = server.login_with("carol", "audit")
    room = carol.join(members[0][1].name, recv_window=5)
    talk(members, 2 * EVERY + 5)
    carol.barrier()
    while room.seen_seq < 2 * EVERY + 5:
        carol.ack(room, room.seen_seq, room.seen_seq + 5)
        carol.barrier()
        assert_every_interval(carol, room)
    peers = [*[peer for peer, _ in members], carol]
    judge(peers, room.id)
    judge_chain(peers, room.id)


# --- before a BYE ---


def says_bye(server: Server, alice: Peer) -> None:
    alice.bye()


def is_replaced(server: Server, alice: Peer) -> None:
    server.connect_again(alice).login()


def terminated(server: Server, alice: Peer) -> None:
    server.terminate()


GOODBYES = [says_bye, is_replaced, terminated]


@pytest.mark.parametrize("end", GOODBYES)
@clause("AUD-04", quote="and before a BYE, for each room", needs=["process"])
def test_checkpoint_before_a_bye(fresh_server: Server, end: Callable[[Server, Peer], None]) -> None:
    """Of every room, and of what was said since the last one."""
    alice = fresh_server.login_with("alice", "audit")
    rooms = [alice.join(fresh_server.case.room_name(name), **WIDE) for name in ("lobby", "kitchen", "cellar")]
    for count, room in enumerate(rooms, 1):
        talk([(alice, room)], count)
    mark = len(alice.received)
    end(fresh_server, alice)
    alice.expect_until_end()
    last = alice.received[mark:]
    assert last and last[-1].name == "BYE", f"the session ended with {[describe(frame) for frame in last]}"
    for count, room in enumerate(rooms, 1):
        chain = judge_chain([alice], room.id)
        fresh = [frame for frame in last if frame.name == "CHECKPOINT" and frame.octets("room_id") == room.id]
        assert_stated(fresh, room, count, chain.hashes[count], "before the BYE")


# --- who gets one ---


@clause("AUTH-11", quote="The active features of a session MUST be those that both sides offered", level="audit")
def test_no_checkpoint_without_the_clients_offer(server: Server) -> None:
    members = server.members("lobby", "alice", "bob")
    only_with_audit(members[0][0])
    talk(members, EVERY + 1)
    (alice, room), _ = members
    alice.bye()
    alice.expect_until_end()
    stray = checkpoints(room)
    assert not stray, f"alice did not offer audit, and got {len(stray)} CHECKPOINTs"


@clause("AUD-03", quote="A CHECKPOINT MUST state h_seq of the room", level="audit", role="server")
@clause("AUD-04", quote="members that are equally far need one signature between them")
def test_members_are_told_one_chain(server: Server) -> None:
    """Some are there from the beginning, some come later, all say goodbye: for one seq there is one chain."""
    members = server.members("lobby", "alice", "bob", features=["audit"])
    for number in range(4):
        talk(members, 3)
        members += server.members("lobby", f"guest-{number}", features=["audit"])
    talk(members, EVERY)
    for peer, _ in members:
        peer.bye()
        peer.expect_until_end()
    judge_chain([peer for peer, _ in members], members[0][1].id)
    for peer, room in members:
        told = len(checkpoints(room))
        assert told >= 3, f"{peer.name} joined, saw {EVERY} entries and said goodbye, and got {told} CHECKPOINTs"


# --- another life ---


@pytest.mark.parametrize("end", ENDS)
@clause("AUD-02", quote="MUST put `prev_hash` = h_(n-1) into every DELIVER of entry n", needs=["process"])
@clause("AUD-03", quote="A CHECKPOINT MUST state h_seq of the room", level="audit", role="server")
@clause("AUD-04", quote="a server MUST send a CHECKPOINT of the durable head when it answers JOIN")
def test_chain_outlives_the_server(fresh_server: Server, end: Callable[[Server, Sequence[Peer]], None]) -> None:
    """What was signed in one life binds the next one."""
    features = ("resume", "audit")
    stays = fresh_server.members("lobby", "alice", "bob", features=features)
    history = [peer for peer, _ in stays]
    for life in range(1, 3):
        talk(stays, 5)
        end(fresh_server, [peer for peer, _ in stays])
        fresh_server.start_again()
        stays = [fresh_server.come_back(peer, room, *features) for peer, room in stays]
        history += [peer for peer, _ in stays]
        settle(*[peer for peer, _ in stays])
        chain = judge_chain(history, stays[0][1].id)
        for _, room in stays:
            assert_stated(checkpoints(room), room, life * 5, chain.hashes[life * 5], "at JOIN after the restart")
    talk(stays, 5)
    reader, log = fresh_server.read_log(stays[0][1], features=features)
    judge([*history, reader], log.id, here=[reader])
    judge_chain([*history, reader], log.id)
