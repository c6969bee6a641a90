# SPDX-License-Identifier: MIT
"""Several connections at once: a second client, and a newer session of the same key (END-14)."""

from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import truncated
from prosa_conformance.clauses import clause
from prosa_conformance.match import Like
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Peer, Room
from prosa_conformance.server import Server


def hello_again(server: Server, older: Peer) -> Peer:
    """The same person once more, as far as CHALLENGE."""
    newer = server.connect_again(older)
    newer.hello()
    if not newer.expect_challenge_or_busy():
        raise NotApplicable("the server has one place, and says BUSY")
    return newer


def replace(server: Server, older: Peer) -> Peer:
    """A newer session of the same key, READY."""
    newer = hello_again(server, older)
    newer.auth()
    newer.expect_welcome()
    return newer


def expect_replaced(older: Peer) -> None:
    """BYE REPLACED, whatever was on its way before, and the end of the stream."""
    older.expect_until("BYE", code="REPLACED")
    older.expect_closed()


def same_life(newer: Peer, before: Room) -> Room:
    """The same room, joined by the newer session with a window of its own."""
    room = newer.join(send_window=before.granted, recv_window=4096)
    if room.epoch != before.epoch:
        raise NotApplicable("the server begins a new log at each JOIN of @host, so nothing is left to look at")
    return room


# --- LIM-02 ---


@pytest.mark.parametrize("busy_with", ["nothing", "a question", "half a frame"])
@clause("LIM-02", quote="MUST serve a second client at once or answer its HELLO with ERROR BUSY", needs=["answers"])
def test_second_client(fresh_server: Server, busy_with: str) -> None:
    alice, room = fresh_server.joined("alice")
    if busy_with == "a question":
        alice.expect_until("ACK", acked_counter=alice.publish(room, "just a moment").number("counter"))
    if busy_with == "half a frame":
        alice.send(truncated(alice.make_publish(room), 30))
    bob = fresh_server.connect("bob")
    bob.hello()
    if not bob.expect_challenge_or_busy():
        alice.reset()
        return
    bob.auth()
    bob.expect_welcome()
    bob.barrier()
    bob.join()


@clause("LIM-02", quote="MUST serve a second client at once or answer its HELLO with ERROR BUSY")
def test_place_is_free_again(fresh_server: Server) -> None:
    """Whatever the second one was told, it is served when the first has gone."""
    alice = fresh_server.login("alice")
    bob = fresh_server.connect("bob")
    bob.hello()
    bob.expect_challenge_or_busy()
    bob.close()
    alice.leave_politely()
    fresh_server.good_session("carol")


# --- END-14 ---


@clause("END-14", quote="A new session of a key that has one MUST end the old one with BYE REPLACED")
def test_newer_session_ends_the_older(server: Server) -> None:
    older, _ = server.joined("alice")
    newer = replace(server, older)
    expect_replaced(older)
    server.see_served(newer)
    newer.leave_politely()


@clause("END-14", quote="A new session of a key that has one MUST end the old one with BYE REPLACED")
def test_replaced_again_and_again(server: Server) -> None:
    older = server.login("alice")
    for _ in range(5):
        newer = replace(server, older)
        expect_replaced(older)
        older = newer
    older.join()
    older.barrier()


@clause("END-14", quote="A new session of a key that has one")
def test_connection_that_is_not_ready_replaces_nobody(server: Server) -> None:
    """A key can be named by anybody; only its holder can sign."""
    alice, room = server.joined("alice")
    newer = hello_again(server, alice)
    newer.auth(handshake_sig=bytes(64))
    newer.expect_error("BAD_SIG")
    assert not alice.barrier(), "a stranger who named alice's key disturbed her session"
    server.exchange(alice, room)


@clause("END-14", quote="before WELCOME the server stops reading the old one, drops its undecided frames")
def test_nothing_of_the_older_counts_after_welcome(fresh_server: Server) -> None:
    older = fresh_server.login("alice")
    before = older.join(send_window=8)
    older.expect_until("ACK", acked_counter=older.publish(before, "in time").number("counter"))
    newer = replace(fresh_server, older)
    older.publish(before, "too late")
    room = same_life(newer, before)
    assert room.last_counter == 1, "the older session's message was taken after the WELCOME of the newer"
    newer.barrier()
    expect_replaced(older)
    assert before.acked_counter == 1, "the older session got an ACK after the WELCOME of the newer"
    again = same_counter(newer, room)
    assert again == 2, f"the newer session's first message came back as message {again}"


def same_counter(peer: Peer, room: Room) -> int:
    """The counter under which the server takes the next message."""
    return peer.expect_own(peer.publish(room, "from the newer session")).number("counter")


def row_of(older: Peer, before: Room) -> None:
    counters = range(before.last_counter + 1, before.limit_counter + 1)
    older.send_together(*[older.make_publish(before, "x" * 500, counter=counter) for counter in counters])


def row_and_half_a_frame(older: Peer, before: Room) -> None:
    row_of(older, before)
    older.send(truncated(older.make_publish(before, counter=before.limit_counter + 1), 40))


def row_and_a_bye(older: Peer, before: Room) -> None:
    row_of(older, before)
    older.send(codec.frame("BYE", code="NORMAL"))


@pytest.mark.parametrize("last_words", [row_of, row_and_half_a_frame, row_and_a_bye])
@clause("END-14", quote="and waits for those given to the store")
@clause("FLOW-09", quote="MUST be sent only after every message of this author in this room up to c is committed")
def test_replaced_in_the_middle_of_a_row(fresh_server: Server, last_words: Callable[[Peer, Room], None]) -> None:
    """AUTH races a row of messages: where the row was cut JOINED tells, and it is cut there for ever."""
    for number in range(8):
        older = fresh_server.login(f"alice-{number}")
        before = older.join(send_window=32)
        older.expect_until("ACK", acked_counter=older.publish(before, "of this life").number("counter"))
        newer = hello_again(fresh_server, older)
        last_words(older, before)
        newer.auth()
        newer.expect_welcome()
        room = same_life(newer, before)
        older.expect_until_end()
        taken = room.last_counter
        assert before.acked_counter <= taken, (
            f"the older session got an ACK of message {before.acked_counter}, and JOINED says {taken}"
        )
        shown = max((frame.number("counter") for frame in own(before, older)), default=0)
        assert shown <= taken, f"the older session got its message {shown}, and JOINED says {taken}"
        goodbyes = [frame for frame in older.received if is_goodbye(frame)]
        assert len(goodbyes) == 1, f"the older session got {len(goodbyes)} goodbyes, and one was due"
        newer.barrier()
        went_on = same_counter(newer, room)
        assert went_on == taken + 1, f"the next message of the newer session is {went_on}, not {taken + 1}"
        newer.reset()


def is_goodbye(frame: codec.Frame) -> bool:
    """A BYE, or an ERROR that stands in its place; NO_ANSWER says that too many questions wait (FLOW-32)."""
    return frame.name == "BYE" or (frame.name == "ERROR" and bool(Like("ERROR", code="NO_ANSWER").mismatch(frame)))


def own(room: Room, peer: Peer) -> list[codec.Frame]:
    return [frame for frame in room.delivered if not Like("DELIVER", author_key=peer.key).mismatch(frame)]


@clause("END-14", quote="A new session of a key that has one MUST end the old one")
def test_older_session_that_says_nothing_more(server: Server) -> None:
    """The usual reason to come back: the older connection is dead, and nobody reads or closes there."""
    older, _ = server.joined("alice")
    older.answers_pings = False
    newer = replace(server, older)
    newer.join()
    newer.barrier()
    server.check_alive()


@clause("END-14", quote="A new session of a key that has one MUST end the old one with BYE REPLACED")
def test_two_new_sessions_at_once(server: Server) -> None:
    """Both are past CHALLENGE when they sign: one of the three is left in the end."""
    older = server.login("alice")
    rivals = [hello_again(server, older) for _ in range(2)]
    for rival in rivals:
        rival.auth()
    for rival in rivals:
        rival.expect_welcome()
    expect_replaced(older)
    ended = [rival for rival in rivals if is_replaced(rival)]
    assert len(ended) == 1, f"of two new sessions of one key {len(ended)} were replaced"


def is_replaced(rival: Peer) -> bool:
    """PING and see: its PONG, or BYE REPLACED."""
    rival.send(codec.frame("PING", opaque=b"still me?"))
    while (frame := rival.next_frame()).name not in ("PONG", "BYE"):
        continue
    return not Like("BYE", code="REPLACED").mismatch(frame)
