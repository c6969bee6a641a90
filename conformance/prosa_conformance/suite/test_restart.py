# SPDX-License-Identifier: MIT
"""Section 6.8: what a server with `resume` still has after its end, in order or by kill -9."""

from collections.abc import Callable, Sequence

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bugs import truncated
from prosa_conformance.case import END_S
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.history import judge, members_of
from prosa_conformance.launch import server_values, spawn
from prosa_conformance.match import at_least, describe
from prosa_conformance.outcome import Violation
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.process import Ended
from prosa_conformance.restart import ENDS, End, killed, restart
from prosa_conformance.server import Server

FAILED = 1  # exit code of a server that cannot have its log
TALKERS = ("alice", "bob", "carol")


def talk(members: list[tuple[Peer, Room]], count: int) -> None:
    for number in range(count):
        peer, room = members[number % len(members)]
        peer.say(room, f"message {number}")
    settle(*[peer for peer, _ in members])


def assert_kept(before: Sequence[tuple[Peer, Room]], log: Room) -> None:
    """What somebody was shown or acknowledged before stands in the log, at its place, with its octets."""
    assert log.start_seq == 1, f"who asks for all there is begins at {log.start_seq}"
    entries = {frame.number("room_seq"): frame for frame in log.delivered}
    for peer, room in before:
        assert log.epoch == room.epoch, "after the restart a room has another epoch, and its log was not lost"
        for frame in room.delivered:
            assert_same(frame, entries.get(frame.number("room_seq")), peer)
        mine = {frame.number("counter") for frame in entries.values() if frame.octets("author_key") == peer.key}
        missing = set(range(1, room.acked_counter + 1)) - mine
        if missing:
            raise not_there(f"messages up to {room.acked_counter} of {peer.name}, acknowledged", f"no {min(missing)}")


def assert_same(shown: Frame, kept: Frame | None, peer: Peer) -> None:
    expected = f"{describe(shown)}, delivered to {peer.name}"
    if kept is None:
        raise not_there(expected, "nothing there")
    if codec.encode(kept) != codec.encode(shown):
        raise Violation("an entry is another after the restart", expected=expected, actual=describe(kept))


def not_there(expected: str, actual: str) -> Violation:
    words = "what was delivered or acknowledged is not there after the restart"
    return Violation(words, expected=expected, actual=actual)


def assert_goes_on(before: Room, room: Room) -> None:
    """What was acknowledged is there, the rest of what was sent may be."""
    if not before.acked_counter <= room.last_counter <= before.last_counter:
        raise Violation(
            "last_counter in JOINED is not between what was acknowledged and what was sent",
            expected=f"from {before.acked_counter} to {before.last_counter}",
            actual=str(room.last_counter),
        )


# --- what stays ---


@pytest.mark.parametrize("end", ENDS)
@clause("RES-09", quote="MUST keep rooms, epochs, counters and entries over a restart", needs=["process"])
def test_rooms_outlive_the_server(fresh_server: Server, end: End) -> None:
    lobby = fresh_server.members("lobby", *TALKERS)
    kitchen = fresh_server.members("kitchen", "dave", "erin")
    talk(lobby, 12)
    talk(kitchen, 5)
    everybody = [*lobby, *kitchen]
    restart(fresh_server, end, everybody)
    for number, members in enumerate((lobby, kitchen)):
        reader, log = fresh_server.read_log(members[0][1], f"reader-{number}")
        assert_kept(members, log)
        told = members_of(log)
        is_alone = told == 1 if isinstance(told, int) else set(told) <= {reader.key}
        assert is_alone, "after the restart somebody is a member who has not come back"
        judge([*[peer for peer, _ in members], reader], log.id, here=[reader])


@pytest.mark.parametrize("end", ENDS)
@clause("RES-09", quote="MUST keep rooms, epochs, counters and entries over a restart", needs=["process"])
@clause("RES-01", quote="With after_seq and the room's current epoch `start_seq` MUST be the higher of after_seq + 1")
def test_counters_and_places_go_on(fresh_server: Server, end: End) -> None:
    """Everybody goes on where he was, as if nothing had happened; twice."""
    stays = fresh_server.members("lobby", *TALKERS, features=["resume"])
    history = [peer for peer, _ in stays]
    for life in range(1, 3):
        talk(stays, 6)
        restart(fresh_server, end, stays)
        before, stays = stays, [fresh_server.come_back(peer, room, "resume") for peer, room in stays]
        history += [peer for peer, _ in stays]
        for (peer, old), (_, room) in zip(before, stays, strict=True):
            numbers = [room.joined.number(name) for name in ("last_counter", "head_seq", "start_seq")]
            wanted = [old.last_counter, life * 6, life * 6 + 1]
            assert numbers == wanted, (
                f"to {peer.name} the next life says last_counter, head_seq and start_seq {numbers}, not {wanted}"
            )
    talk(stays, 6)
    judge(history, stays[0][1].id, here=[peer for peer, _ in stays])


@pytest.mark.parametrize("end", ENDS)
@clause("RES-09", quote="MUST keep rooms, epochs, counters and entries over a restart", needs=["process", "answers"])
@clause("MSG-20", quote="counted by its own counter from 1", level="resume")
def test_conversation_with_host_outlives_the_server(fresh_server: Server, end: End) -> None:
    alice = fresh_server.login_with("alice", "resume")
    before = alice.join()
    for number in range(2):
        fresh_server.exchange(alice, before, f"question {number}")
    restart(fresh_server, end, [(alice, before)])
    again, room = fresh_server.come_back(alice, before, "resume", after_seq=0, send_window=1)
    assert_host_kept(again, room, before)
    question, answer = fresh_server.exchange(again, room, "question 2")
    numbers = [question.number("counter"), answer.number("counter"), answer.number("room_seq")]
    assert numbers == [3, 3, 6], f"counter of the next question and of its answer, and its room_seq are {numbers}"


def assert_host_kept(peer: Peer, room: Room, before: Room) -> None:
    assert room.epoch == before.epoch, "after the restart @host has another epoch, and its log was not lost"
    peer.barrier()
    assert len(room.delivered) == len(before.delivered), (
        f"of {len(before.delivered)} entries in @host {len(room.delivered)} are there after the restart"
    )
    for shown, kept in zip(before.delivered, room.delivered, strict=True):
        assert_same(shown, kept, peer)


@clause("FLOW-30", quote="MUST NOT be answered in a later session", level="resume", needs=["process", "operator"])
@clause("RES-09", quote="MUST keep rooms, epochs, counters and entries over a restart")
def test_question_of_a_former_life(fresh_server: Server) -> None:
    """It stays in the log without an answer; the next answer belongs to the next question."""
    alice = fresh_server.login_with("alice", "resume")
    before = alice.join()
    old = alice.publish(before, "what was that?")
    alice.expect_own(old)
    restart(fresh_server, killed, [(alice, before)])
    again, room = fresh_server.come_back(alice, before, "resume", send_window=1)
    said = [frame for frame in again.barrier() if frame.name == "DELIVER"]
    assert not said, f"nothing was asked in this life, and there came {describe(said[0])}"
    question = again.publish(room, "are you back?")
    again.expect_own(question)
    fresh_server.answer("yes")
    answer = again.expect_answer(question, "yes")
    assert answer.octets("reply_to") == crypto.message_id(question), "the answer belongs to a question of a former life"


@clause("MSG-24", quote="draw a new one when the log was lost", level="resume", needs=["process"])
@clause("RES-02", quote="With after_seq of another epoch")
def test_lost_folder(fresh_server: Server) -> None:
    """With nothing left the server begins anew, and says so by the epoch."""
    members = fresh_server.members("lobby", *TALKERS)
    talk(members, 6)
    lobby = members[0][1]
    killed(fresh_server, [peer for peer, _ in members])
    fresh_server.lose_data()
    fresh_server.start_again()
    alice, room = fresh_server.come_back(*members[0], "resume")
    assert room.epoch != lobby.epoch, "the log was lost, and the epoch is the same"
    numbers = {name: room.joined.number(name) for name in ("head_seq", "oldest_seq", "start_seq", "last_counter")}
    wanted = {"head_seq": 0, "oldest_seq": 1, "start_seq": 1, "last_counter": 0}
    assert numbers == wanted, f"the log was lost, and JOINED says {numbers}"
    talk([(alice, room)], 3)
    judge([alice], room.id)


# --- killed in the middle ---


Stays = list[tuple[Peer, Room]]


def at_once(stays: Stays, sent: int) -> None:
    """Nobody has read anything yet."""


def at_the_first_ack(stays: Stays, sent: int) -> None:
    stays[0][0].expect_until("ACK")


def in_the_middle(stays: Stays, sent: int) -> None:
    peer, room = stays[1]
    peer.expect_until("DELIVER", room_seq=room.seen_seq + (sent + 1) // 2)


@pytest.mark.parametrize("moment", [at_once, at_the_first_ack, in_the_middle])
@clause("RES-10", quote="An acknowledged message MUST come exactly once in every member's log", needs=["process"])
@clause("FLOW-26", quote="MUST show nothing to anybody, in ACK, DELIVER or CHECKPOINT, that is not committed")
@clause("FLOW-09", quote="with a durable store that means that kill -9 takes nothing of it back")
def test_kill_in_the_middle_of_messages(fresh_server: Server, moment: Callable[[Stays, int], None]) -> None:
    """Three write at once, the server is killed, and they send again what last_counter leaves open; twice."""
    stays = fresh_server.members("lobby", *TALKERS, features=["resume"])
    history = [peer for peer, _ in stays]
    kept = {peer.key: [peer.make_publish(room, counter=number) for number in range(1, 41)] for peer, room in stays}
    for last in (20, 40):
        moment(stays, sum(send(peer, room, kept[peer.key][:last]) for peer, room in stays))
        restart(fresh_server, killed, stays)
        _, log = fresh_server.read_log(stays[0][1], f"reader-{last}")
        assert_kept(stays, log)
        before, stays = stays, [fresh_server.come_back(peer, room, "resume") for peer, room in stays]
        history += [peer for peer, _ in stays]
        for (_, old), (peer, room) in zip(before, stays, strict=True):
            assert_goes_on(old, room)
            send_all(peer, room, kept[peer.key][:last])
        settle(*[peer for peer, _ in stays])
        judge(history, log.id, here=[peer for peer, _ in stays])
    _, log = fresh_server.read_log(stays[0][1])
    assert len(log.delivered) == 3 * 40, f"of 120 messages, all acknowledged, {len(log.delivered)} are in the log"


def send(peer: Peer, room: Room, messages: list[Frame]) -> int:
    """What is not sent yet and the limit allows, the same octets each time, in one segment; how many these are."""
    due = messages[room.last_counter : room.limit_counter]
    if due:
        peer.send_together(*due)
    room.last_counter += len(due)
    return len(due)


def send_all(peer: Peer, room: Room, messages: list[Frame]) -> None:
    send(peer, room, messages)
    while room.last_counter < len(messages):
        peer.expect_until("ACK", room_id=room.id, limit_counter=at_least(room.last_counter + 1))
        send(peer, room, messages)


@clause("END-18", quote="MUST be able to start again on the same port at once", level="resume", needs=["process"])
@clause("AUTH-21", quote="MUST NOT accept an AUTH that was made for another connection", level="resume")
@clause("RES-09", quote="MUST keep rooms, epochs, counters and entries over a restart")
def test_kill_with_idle_clients_and_half_a_frame(fresh_server: Server) -> None:
    """All get the end of the stream; the port is free; the old handshake is worth nothing, half a message, too."""
    members = fresh_server.members("lobby", *TALKERS)
    mallory = fresh_server.login_with("mallory", "resume")
    room = mallory.join(members[0][1].name)
    talk([*members, (mallory, room)], 4)
    mallory.send(truncated(mallory.make_publish(room, "never whole"), 100))
    mallory.wait_read()
    killed(fresh_server, [mallory, *[peer for peer, _ in members]])
    fresh_server.await_time_wait()
    fresh_server.start_again()
    expect_no_replay(fresh_server, mallory)
    _, log = fresh_server.read_log(room)
    assert_kept([*members, (mallory, room)], log)
    assert len(log.delivered) == 4, f"4 messages were whole, and {len(log.delivered)} are in the log"
    again, room = fresh_server.come_back(mallory, room, "resume")
    again.expect_own(again.publish(room, "whole this time"))


def expect_no_replay(server: Server, former: Peer) -> None:
    """The very octets of a handshake of the former life."""
    hello, auth = (next(frame for frame in former.sent if frame.name == name) for name in ("HELLO", "AUTH"))
    mallory = server.connect("mallory-replays", seed=former.seed)
    mallory.hello(hello)
    mallory.expect_challenge()
    mallory.send(auth)
    mallory.expect_error("BAD_SIG")


# --- one server, one folder ---


def rival_end(server: Server) -> tuple[Ended, list[str]]:
    """Another server on the same data folder, and another port."""
    settings = server.case.settings
    host, port = settings.ports.take()
    rival = spawn(settings, "server", server_values(settings, host, port, server.process.data, ""))
    try:
        ended = rival.wait_end(server.case.seconds(END_S))
        if ended is None:
            raise Violation(
                "a second server runs on the data folder of the first",
                expected=f"exit code {FAILED}",
                actual="it goes on",
            )
        return ended, rival.stderr_since()
    finally:
        rival.end()


@pytest.mark.parametrize("state", ["running", "frozen"])
@clause("RES-14", quote="MUST lock its data folder while it runs", needs=["process"])
@clause("RES-14", quote="and end with exit code 1 and a message on stderr when another process holds it")
def test_second_server_on_the_same_folder(fresh_server: Server, state: str) -> None:
    members = fresh_server.members("lobby", *TALKERS)
    talk(members, 3)
    if state == "frozen":
        fresh_server.freeze()
    ended, said = rival_end(fresh_server)
    fresh_server.thaw()
    assert ended.code == FAILED, f"a second server on the same data folder ended with {ended}, not with exit code 1"
    assert any(line.strip() for line in said), "nothing on stderr says why the second server cannot run"
    talk(members, 3)
    restart(fresh_server, killed, members)
    _, log = fresh_server.read_log(members[0][1])
    assert_kept(members, log)
