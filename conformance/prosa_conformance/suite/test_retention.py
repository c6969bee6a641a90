# SPDX-License-Identifier: MIT
"""What a server with `resume` says and does when the beginning of a room is no longer there.

Not every server prunes. These start one with PROSA_KEEP_MESSAGES (section 13.2), say more than it is to
keep, and are not applicable when everything is still there.
"""

from collections.abc import Callable

import pytest

from prosa_conformance.audit import checkpoints, judge_chain
from prosa_conformance.bracket import bracket_ready, meanwhile
from prosa_conformance.bugs import marked
from prosa_conformance.clauses import clause, timers
from prosa_conformance.history import judge
from prosa_conformance.match import describe
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.restart import ENDS, End, restart
from prosa_conformance.server import WIDE, Server

KEPT = 8
SAID = 3 * KEPT
BOTH = ("resume", "audit")


def talk(members: list[tuple[Peer, Room]], count: int) -> None:
    for number in range(count):
        peer, room = members[number % len(members)]
        peer.say(room, f"message {number}")
    settle(*[peer for peer, _ in members])


def pruned(server: Server, *names: str) -> tuple[list[tuple[Peer, Room]], int]:
    """Members of a room whose first entries are gone, and its oldest_seq."""
    members = server.members("lobby", *names)
    talk(members, SAID)
    oldest = bounds(server, members[0][1], "witness")[0]
    if oldest == 1:
        raise NotApplicable("the server keeps everything")
    return members, oldest


def bounds(server: Server, room: Room, name: str) -> tuple[int, int]:
    """oldest_seq and head_seq as a newcomer is told."""
    peer = server.login_with(name, "resume")
    joined = peer.join(room.name).joined
    peer.leave_politely()
    return joined.number("oldest_seq"), joined.number("head_seq")


def assert_begins_at_oldest(room: Room) -> None:
    oldest = room.joined.number("oldest_seq")
    assert room.start_seq == oldest, f"oldest_seq is {oldest}, and the JOIN begins at {room.start_seq}"


# --- JOIN ---


@pytest.mark.parametrize("behind", [-4, -2, -1, 0, 3], ids=lambda behind: f"oldest{behind:+}")
@timers(keep_messages=KEPT)
@clause("RES-01", quote="`start_seq` MUST be the higher of after_seq + 1 and oldest_seq")
@clause("RES-01", quote="and the entries from there on are replayed with DELIVER before live ones")
def test_replay_begins_at_what_is_kept(server: Server, behind: int) -> None:
    """After_seq before, at and behind the boundary."""
    members, oldest = pruned(server, "alice", "bob")
    lobby = members[0][1]
    after = oldest + behind
    carol = server.login_with("carol", "resume")
    room = carol.join(lobby.name, epoch=lobby.epoch, after_seq=after, **WIDE)
    carol.barrier()
    oldest = room.joined.number("oldest_seq")
    wanted = max(after + 1, oldest)
    assert room.start_seq == wanted, (
        f"oldest_seq is {oldest}; a JOIN with after_seq {after} begins at {room.start_seq}, not at {wanted}"
    )
    shown = [frame.number("room_seq") for frame in room.delivered]
    assert shown == list(range(wanted, SAID + 1)), f"of the entries from {wanted} to {SAID} came {shown}"
    talk([*members, (carol, room)], 3)
    judge([carol, *[peer for peer, _ in members]], room.id)


def of_another_life(room: Room) -> dict[str, object]:
    return {"epoch": bytes(16), "after_seq": SAID - 1}


def beyond_head(room: Room) -> dict[str, object]:
    return {"epoch": room.epoch, "after_seq": SAID + 1}


def all_there_is(room: Room) -> dict[str, object]:
    return {"after_seq": 0}


@pytest.mark.parametrize("place", [of_another_life, beyond_head, all_there_is])
@timers(keep_messages=KEPT)
@clause("RES-02", quote="With after_seq of another epoch, beyond head_seq, or 0 without an epoch")
@clause("RES-02", quote="`start_seq` MUST be oldest_seq")
def test_place_that_does_not_fit(server: Server, place: Callable[[Room], dict[str, object]]) -> None:
    members, _ = pruned(server, "alice", "bob")
    lobby = members[0][1]
    carol = server.login_with("carol", "resume")
    room = carol.join(lobby.name, **WIDE, **place(lobby))
    carol.barrier()
    assert_begins_at_oldest(room)
    judge([carol, *[peer for peer, _ in members]], room.id)


@timers(keep_messages=KEPT)
@clause("FLOW-40", quote="MUST be ended with BYE SLOW_CONSUMER too", level="resume")
@clause("RES-01", quote="`start_seq` MUST be the higher of after_seq + 1 and oldest_seq")
def test_overtaken_member_comes_back(server: Server) -> None:
    """Its credit was for two entries; what it missed is gone, and the rest it gets."""
    ((mallory, before),) = server.members("lobby", "mallory", features=["resume"], recv_window=2)
    members, _ = pruned(server, "alice", "bob")
    mallory.expect_until("BYE", code="SLOW_CONSUMER")
    mallory.expect_until_end()
    assert before.seen_seq == 2, f"with credit for two entries mallory got {before.seen_seq}"
    again, room = server.come_back(mallory, before, "resume")
    again.barrier()
    assert_begins_at_oldest(room)
    talk([*members, (again, room)], 3)
    judge([mallory, again, *[peer for peer, _ in members]], room.id, here=[again, *[peer for peer, _ in members]])


# --- what is still known of what is gone ---


def first_of_the_window(room: Room, oldest: int) -> int:
    """The lowest counter of which the server still has to have the id; its entry is pruned."""
    counter = max(1, room.last_counter - room.granted + 1)
    if counter >= oldest:
        raise NotApplicable(f"the granted window is {room.granted}, and all of it is kept")
    return counter


@timers(keep_messages=KEPT)
@clause("FLOW-23", quote="keeps at least the ids of the last granted window, also when their entries are pruned")
@clause("FLOW-22", quote="MUST be answered with the current ACK and nothing else", level="resume")
def test_message_that_is_gone_comes_again(server: Server) -> None:
    members, oldest = pruned(server, "alice")
    ((alice, room),) = members
    counter = first_of_the_window(room, oldest)
    alice.send(next(frame for frame in alice.sent if frame.name == "PUBLISH" and frame.number("counter") == counter))
    with meanwhile(f"when message {counter}, which is pruned, comes again"):
        alice.expect("ACK", room_id=room.id, acked_counter=SAID, acked_seq=SAID)
    more = [frame for frame in alice.barrier() if frame.name in ("ACK", "DELIVER", "ERROR")]
    assert not more, f"message {counter}, which is pruned, came again, and behind the ACK came {describe(more[0])}"


@timers(keep_messages=KEPT)
@clause("FLOW-23", quote="MUST be refused with COUNTER_REUSE if the server still has that id", level="resume")
@clause("FLOW-23", quote="keeps at least the ids of the last granted window, also when their entries are pruned")
def test_counter_of_a_message_that_is_gone(server: Server) -> None:
    ((alice, lobby),), oldest = pruned(server, "alice")

    def says_a_word(peer: Peer) -> None:
        peer.expect_own(peer.publish(peer.join(lobby.name)))

    with bracket_ready(server, says_a_word):
        counter = first_of_the_window(lobby, oldest)
        alice.send(marked(alice.make_publish(lobby, "something else", counter=counter), "counter"))
        alice.expect_error("COUNTER_REUSE")


# --- another life ---


@pytest.mark.parametrize("end", ENDS)
@timers(keep_messages=KEPT)
@clause("RES-09", quote="MUST keep rooms, epochs, counters and entries over a restart", needs=["process"])
def test_pruned_log_outlives_the_server(fresh_server: Server, end: End) -> None:
    """What was kept is kept, what was pruned does not come back, and counters go on from what is gone."""
    members, oldest = pruned(fresh_server, "alice", "bob")
    restart(fresh_server, end, members)
    reader, log = fresh_server.read_log(members[0][1])
    told = [log.joined.number(name) for name in ("oldest_seq", "head_seq", "start_seq")]
    now = told[0]
    assert oldest <= now <= SAID - KEPT + 1 and told == [now, SAID, now], (
        f"before the restart oldest_seq and head_seq were {oldest} and {SAID}; now they and start_seq are {told}"
    )
    again, room = fresh_server.come_back(*members[0], "resume")
    assert room.last_counter == SAID // 2, f"alice had sent {SAID // 2}, and JOINED says {room.last_counter}"
    talk([(reader, log), (again, room)], 3)
    judge([*[peer for peer, _ in members], reader, again], log.id, here=[reader, again])


# --- the boundary ---


def assert_boundary(log: Room, peers: list[Peer]) -> None:
    """Before the first entry there was a CHECKPOINT of the one before it, and the chain of those who saw that."""
    chain = judge_chain(peers, log.id)
    place = next((place for place, frame in enumerate(log.frames) if frame.name == "DELIVER"), 0)
    assert place, "nothing was replayed"
    before = [frame.number("seq") for frame in log.frames[:place] if frame.name == "CHECKPOINT"]
    assert log.start_seq - 1 in before, (
        f"the log begins at {log.start_seq}; before the first DELIVER came CHECKPOINTs of {before or 'nothing'}, "
        f"and none of {log.start_seq - 1}"
    )
    stated = {frame.number("seq"): frame.octets("chain") for frame in checkpoints(log)}
    assert stated[log.start_seq - 1] == chain.hashes[log.start_seq - 1], "the CHECKPOINT at the boundary is of another"


@timers(keep_messages=KEPT)
@clause("AUD-07", quote="MUST keep a CHECKPOINT at the boundary, and send it before the first replayed DELIVER")
def test_checkpoint_at_the_boundary(server: Server) -> None:
    """Those who saw it all have computed its chain; the boundary moves on, and its CHECKPOINT, too."""
    members, oldest = pruned(server, "alice", "bob")
    readers: list[Peer] = []
    for turn in range(2):
        reader, log = server.read_log(members[0][1], f"reader-{turn}", BOTH)
        readers.append(reader)
        assert log.start_seq >= oldest, f"oldest_seq was {oldest}, and the replay begins at {log.start_seq}"
        assert_boundary(log, [*[peer for peer, _ in members], *readers])
        talk(members, SAID)


@pytest.mark.parametrize("end", ENDS)
@timers(keep_messages=KEPT)
@clause("AUD-07", quote="A server that prunes a log MUST keep a CHECKPOINT at the boundary", needs=["process"])
def test_boundary_outlives_the_server(fresh_server: Server, end: End) -> None:
    members, _ = pruned(fresh_server, "alice", "bob")
    restart(fresh_server, end, members)
    reader, log = fresh_server.read_log(members[0][1], features=BOTH)
    assert_boundary(log, [*[peer for peer, _ in members], reader])
