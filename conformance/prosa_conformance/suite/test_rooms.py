# SPDX-License-Identifier: MIT
"""Sections 5.3, 6.1 and 6.8: what a server answers to JOIN, and what a room keeps."""

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bracket import bracket_joined, bracket_ready
from prosa_conformance.bugs import marked
from prosa_conformance.clauses import clause, timers
from prosa_conformance.codec import Frame
from prosa_conformance.match import describe
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.peer import Peer
from prosa_conformance.places import files_in
from prosa_conformance.registry import CODES
from prosa_conformance.server import Server

REFUSED = CODES["NO_ROOM"].number >> 8
NAMED_ROOMS = "L3"  # the level that has them
NO_NAMED_ROOMS = ("NO_ROOM", "NOT_SUPPORTED")


def answer_to_join(peer: Peer) -> Frame:
    """The next JOINED or ERROR."""
    while (frame := peer.next_frame()).name not in ("JOINED", "ERROR"):
        continue
    return frame


def code_name(error: Frame) -> str:
    number = error.number("code")
    return next((name for name, code in CODES.items() if code.number == number), f"{number:#06x}")


def last_joined(peer: Peer) -> Frame:
    return next(frame for frame in reversed(peer.received) if frame.name == "JOINED")


# --- 5.3 rooms ---


@clause("MSG-24", quote="A server MUST draw the epoch of a room at random")
def test_epochs_differ(server: Server) -> None:
    epochs = set()
    for name in ("alice", "bob", "carol"):
        peer, room = server.joined(name)
        epochs.add(room.epoch)
        peer.leave_politely()
    assert len(epochs) == 3, "two rooms have the same epoch"
    assert bytes(16) not in epochs, "an epoch is all zeros"


def assert_log_fits_epoch(peer: Peer, epoch: bytes) -> None:
    """@host, joined again after one question and its answer: the same life with all of it, or a new one."""
    joined = last_joined(peer)
    numbers = [joined.number(name) for name in ("last_counter", "head_seq", "oldest_seq")]
    wanted = [1, 2, 1] if joined.octets("epoch") == epoch else [0, 0, 1]
    life = "the same epoch" if joined.octets("epoch") == epoch else "a new epoch"
    assert numbers == wanted, f"with {life} last_counter, head_seq and oldest_seq are {numbers}, not {wanted}"


@clause("MSG-26", quote="MAY draw a new epoch, and begin a new log, at each JOIN of `@host`", needs=["answers"])
@clause("FLOW-06", quote="Without after_seq `start_seq` MUST be head_seq + 1")
def test_second_join_of_host(server: Server) -> None:
    earlier, before = server.joined("alice")
    server.exchange(earlier, before)
    earlier.leave_politely()
    alice, room = server.joined("alice")
    assert_log_fits_epoch(alice, before.epoch)
    head = last_joined(alice).number("head_seq")
    assert room.start_seq == head + 1, f"start_seq is {room.start_seq} where head_seq is {head}"
    question, _ = server.exchange(alice, room)
    assert question.number("room_seq") == room.start_seq, "the first DELIVER is not start_seq"


@clause("MSG-24", quote="draw a new one when the log was lost", needs=["process", "answers"])
@clause("FLOW-09", quote="with a durable store that means that kill -9 takes nothing of it back")
@clause("FLOW-26", quote="MUST show nothing to anybody, in ACK, DELIVER or CHECKPOINT, that is not committed")
def test_log_and_epoch_live_and_die_together(fresh_server: Server) -> None:
    earlier, before = fresh_server.joined("alice")
    fresh_server.exchange(earlier, before)
    fresh_server.kill()
    earlier.close()
    fresh_server.start_again()
    alice, _ = fresh_server.joined("alice")
    assert_log_fits_epoch(alice, before.epoch)


@pytest.mark.parametrize("name", ["@nobody", "@alice", "@host-2"])
@clause("MSG-25", quote="A server MUST answer a JOIN of a reserved name")
def test_reserved_name(server: Server, name: str) -> None:
    alice = server.login("alice")
    alice.send(alice.make_join(name))
    alice.expect_error("NO_ROOM")
    alice.join()
    alice.barrier()


@clause("MSG-27", quote="A server SHOULD keep nothing about an `@host` room before its first PUBLISH")
def test_nothing_is_kept_of_rooms_without_a_message(fresh_server: Server) -> None:
    visit(fresh_server, "first")
    before = files_of(fresh_server)
    for number in range(8):
        visit(fresh_server, f"guest-{number}")
    kept = files_of(fresh_server) - before
    if kept:
        fresh_server.case.not_strict(f"8 clients that wrote nothing left {len(kept)} files: {sorted(kept)[0]}...")


def visit(server: Server, name: str) -> None:
    peer, _ = server.joined(name)
    peer.leave_politely()


def files_of(server: Server) -> set[str]:
    assert server.program, "without a process of ours there is no folder to look into"
    return {str(path.relative_to(server.process.data)) for path in files_in(server.process.data)}


@clause("MEM-06", quote="There MUST NOT be a MEMBER for `@host`", needs=["answers"])
def test_no_members_in_host(server: Server) -> None:
    alice, room = server.joined("alice")
    server.exchange(alice, room)
    alice.barrier()
    assert all(frame.name != "MEMBER" for frame in alice.received), "a MEMBER came, and only @host is joined"


# --- 6.1 JOIN ---


@clause("FLOW-01", quote="MUST answer each JOIN with JOINED or with an ERROR of class 04 whose `room` is the JOIN's")
@clause("FLOW-01", quote="in the order of the JOINs")
def test_every_join_is_answered_in_order(server: Server) -> None:
    alice = server.login("alice")
    names = ["@nobody", "lobby", "@host", "@elsewhere", "a-room"]
    alice.send_together(*[alice.make_join(name) for name in names])
    for name in names:
        frame = answer_to_join(alice)
        assert frame.value("room") == name, f"{describe(frame)} came where the answer to JOIN of {name} was due"
        if frame.name == "ERROR":
            assert frame.number("code") >> 8 == REFUSED, f"{describe(frame)} is not of class 04"
    assert last_joined(alice).has("epoch"), "@host was not joined"


@clause("FLOW-02", quote="A JOIN of a room that is joined already MUST be refused with BAD_STATE")
def test_joining_twice(server: Server) -> None:
    with bracket_joined(server) as (mallory, _):
        mallory.send(mallory.make_join())
        mallory.expect_error("BAD_STATE")


@timers(max_rooms=1)
@clause("FLOW-03", quote="A JOIN beyond `max_rooms` MUST be answered with TOO_MANY_ROOMS")
def test_more_rooms_than_allowed(server: Server) -> None:
    alice, _ = server.joined("alice")
    assert alice.challenge is not None, "login keeps the CHALLENGE"
    most = alice.challenge.number("max_rooms")
    for number in range(1, most):
        alice.send(alice.make_join(f"room-{number}"))
        if answer_to_join(alice).name == "ERROR":
            raise NotApplicable("the server has too few rooms for that")
    alice.send(alice.make_join(f"room-{most}"))
    answer = answer_to_join(alice)
    if answer.name == "ERROR" and code_name(answer) in NO_NAMED_ROOMS and server.case.settings.level < NAMED_ROOMS:
        raise NotApplicable("the server has no room but @host")
    assert answer.name == "ERROR", f"{most + 1} rooms are joined where max_rooms is {most}"
    assert code_name(answer) == "TOO_MANY_ROOMS", f"one room too many is {describe(answer)}, not TOO_MANY_ROOMS"
    alice.barrier()


@pytest.mark.parametrize("send_window", [1, 2, 5, 2**32 - 1])
@timers(max_window=3)
@clause("FLOW-04", quote="at least 1 and at most the lower of the JOIN's send_window and `max_window`")
@clause("FLOW-05", quote="JOINED's limit_counter MUST be last_counter + granted_window")
def test_granted_window(server: Server, send_window: int) -> None:
    alice = server.login("alice")
    room = alice.join(send_window=send_window)
    assert alice.challenge is not None, "login keeps the CHALLENGE"
    most = min(send_window, alice.challenge.number("max_window"))
    assert 1 <= room.granted <= most, f"granted_window is {room.granted}; it may be 1 to {most}"
    wanted = room.last_counter + room.granted
    assert room.limit_counter == wanted, f"limit_counter is {room.limit_counter}, not {wanted}"


@clause("FLOW-05", quote="JOINED's limit_counter MUST be last_counter + granted_window", needs=["answers"])
def test_limit_of_a_second_join(server: Server) -> None:
    earlier, before = server.joined("alice")
    server.exchange(earlier, before)
    earlier.leave_politely()
    _, room = server.joined("alice")
    wanted = room.last_counter + room.granted
    assert room.limit_counter == wanted, f"limit_counter is {room.limit_counter}, not {wanted}"


@clause("FLOW-06", quote="Without after_seq `start_seq` MUST be head_seq + 1")
def test_new_room_is_empty(server: Server) -> None:
    alice, _ = server.joined("alice")
    joined = last_joined(alice)
    numbers = {name: joined.number(name) for name in ("head_seq", "oldest_seq", "start_seq", "last_counter")}
    wanted = {"head_seq": 0, "oldest_seq": 1, "start_seq": 1, "last_counter": 0}
    assert numbers == wanted, f"a room in which nobody has written is joined with {numbers}"


@clause("FLOW-06", quote="Without after_seq `start_seq` MUST be head_seq + 1", level="resume", needs=["answers"])
def test_who_does_not_ask_gets_no_history(server: Server) -> None:
    """Resume is there on both sides, and this JOIN asks for nothing."""
    earlier = server.login_with("alice", "resume")
    server.exchange(earlier, earlier.join())
    earlier.leave_politely()
    alice = server.login_with("alice", "resume")
    room = alice.join()
    head = room.joined.number("head_seq")
    assert room.start_seq == head + 1, f"start_seq is {room.start_seq} where head_seq is {head}"


@clause("FLOW-30", quote="A LEAVE of `@host` drops it likewise", level="L3", needs=["operator"])
def test_leave_drops_the_question(fresh_server: Server) -> None:
    alice, room = fresh_server.joined("alice")
    alice.expect_own(alice.publish(room, "never mind"))
    alice.send(codec.frame("LEAVE", room_id=room.id))
    alice.barrier()
    del alice.rooms[room.id]
    again = alice.join()
    question = alice.publish(again, "something else")
    alice.expect_own(question)
    fresh_server.answer("gladly")
    answer = alice.expect_answer(question, "gladly")
    assert answer.octets("reply_to") == crypto.message_id(question), "the answer is for a question that a LEAVE dropped"


@clause("FLOW-08", quote="A server that does not have the room's level yet SHOULD answer a JOIN with NOT_SUPPORTED")
def test_room_of_a_later_level(server: Server) -> None:
    alice = server.login("alice")
    alice.send(alice.make_join("lobby"))
    answer = answer_to_join(alice)
    if answer.name == "JOINED":
        raise NotApplicable("the server has named rooms")
    if code_name(answer) not in NO_NAMED_ROOMS:
        raise Violation("a named room is refused strangely", expected="NOT_SUPPORTED", actual=describe(answer))
    if code_name(answer) != "NOT_SUPPORTED":
        server.case.not_strict(f"{describe(answer)} where the text says NOT_SUPPORTED")
    alice.join()
    alice.barrier()


# --- 6.8 resume, where it is not active: the peer does not offer it ---


@clause("RES-05", quote="MUST refuse a JOIN with an after_seq other than 0 and no epoch with BAD_FRAME")
def test_after_seq_without_epoch(server: Server) -> None:
    def all_there_is(peer: Peer) -> None:
        peer.join(after_seq=0)

    with bracket_ready(server, all_there_is) as mallory:
        mallory.send(marked(mallory.make_join(after_seq=1), "after_seq"))
        mallory.expect_error("BAD_FRAME")


@pytest.mark.parametrize("after_seq", [0, 1, 2**64 - 1])
@clause("RES-06", quote="MUST treat a JOIN with after_seq like one without: it starts live", needs=["answers"])
@clause("RES-06", quote="So does one that has it when the client did not offer it")
def test_after_seq_without_resume(server: Server, after_seq: int) -> None:
    earlier, before = server.joined("alice")
    server.exchange(earlier, before)
    earlier.leave_politely()
    alice = server.login("alice")
    room = alice.join(after_seq=after_seq, epoch=before.epoch)
    head = last_joined(alice).number("head_seq")
    assert room.start_seq == head + 1, f"start_seq is {room.start_seq} where head_seq is {head}: that is not live"
    assert not alice.barrier(), "something was replayed"
