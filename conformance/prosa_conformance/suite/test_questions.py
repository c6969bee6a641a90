# SPDX-License-Identifier: MIT
"""Section 6.4: question and answer in @host with a window of 1, at a server."""

import pytest

from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.match import Like, at_least
from prosa_conformance.peer import Peer, Room
from prosa_conformance.registry import CODES
from prosa_conformance.server import Server

FLOW_VIOLATION = CODES["FLOW_VIOLATION"].number


def place_of(frames: list[Frame], wanted: Like) -> int:
    """Where the first such frame stands among these."""
    place = next((index for index, frame in enumerate(frames) if not wanted.mismatch(frame)), None)
    assert place is not None, f"{wanted} never came"
    return place


def assert_answer_before_limit(peer: Peer, counter: int, answer: Like) -> None:
    """No ACK of this session let the next question go before this question's answer."""
    answered = place_of(peer.received, answer)
    raised = place_of(peer.received, Like("ACK", limit_counter=at_least(counter + 1)))
    assert answered < raised, f"the limit rose past question {counter} before its answer was there"


@clause("FLOW-27", quote="MUST NOT raise limit_counter past a question before it has sent", needs=["answers"])
@clause("FLOW-28", quote="DELIVER first, then ACK: whoever sees the limit rise has the answer already")
def test_limit_rises_after_the_answer(server: Server) -> None:
    alice, room = server.joined("alice")
    for counter in (1, 2, 3):
        server.exchange(alice, room)
        alice.barrier()
        assert_answer_before_limit(alice, counter, Like("DELIVER", author_key=alice.server_key, counter=counter))


@clause("FLOW-28", quote="the server MUST send an ACK that raises limit_counter", needs=["answers"])
def test_answer_is_the_next_entry(server: Server) -> None:
    alice, room = server.joined("alice")
    for _ in range(2):
        question, answer = server.exchange(alice, room)
        assert answer.number("room_seq") == question.number("room_seq") + 1, "the answer is not the room's next entry"


@clause("FLOW-28", quote="the server MUST send an ACK that raises limit_counter", needs=["answers"])
def test_limit_rises_by_one_question(server: Server) -> None:
    alice, room = server.joined("alice")
    for counter in range(1, 6):
        server.exchange(alice, room, f"question {counter}")
        alice.barrier()
        assert room.limit_counter == counter + 1, f"after {counter} answers the limit is {room.limit_counter}"


# --- nobody answers ---


def expect_no_answer(peer: Peer, room: Room, publish: Frame) -> None:
    """NO_ANSWER for this question, and the limit that rises after it."""
    counter = publish.number("counter")
    peer.expect("ERROR", code="NO_ANSWER", room_id=room.id, counter=counter)
    peer.expect_until("ACK", limit_counter=at_least(counter + 1))
    assert_answer_before_limit(peer, counter, Like("ERROR", code="NO_ANSWER", counter=counter))


@clause("FLOW-29", quote="the server MUST send ERROR NO_ANSWER with room_id and counter", needs=["operator", "stdin"])
@clause("FLOW-27", quote="before it has sent the answer's DELIVER, or NO_ANSWER")
def test_operator_leaves_while_a_question_is_open(fresh_server: Server) -> None:
    alice, room = fresh_server.joined("alice")
    publish = alice.publish(room, "are you still there?")
    alice.expect_own(publish)
    fresh_server.close_stdin()
    expect_no_answer(alice, room, publish)


@clause("FLOW-29", quote="and then raise the limit all the same", needs=["operator", "stdin"])
def test_each_question_without_an_operator(fresh_server: Server) -> None:
    alice, room = fresh_server.joined("alice")
    fresh_server.exchange(alice, room)
    fresh_server.close_stdin()
    for _ in range(3):
        publish = alice.publish(room, "is anybody there?")
        alice.expect_own(publish)
        expect_no_answer(alice, room, publish)
    alice.leave_politely()


# --- a question ends with its session ---


@pytest.mark.parametrize("how", ["close", "reset"])
@clause("FLOW-30", quote="MUST NOT be answered in a later session", needs=["operator"])
def test_question_of_a_session_that_is_over(fresh_server: Server, how: str) -> None:
    earlier, before = fresh_server.joined("alice")
    asked = earlier.publish(before, "will you tell me later?")
    earlier.expect_own(asked)
    if how == "reset":
        earlier.reset()
    else:
        earlier.close()
    alice, room = fresh_server.joined("alice")
    assert not alice.barrier(), "something about the question of an earlier session came"
    # The console may be read later than connections; its lines are in order: with the second the first is behind.
    fresh_server.type_line("too late")
    fresh_server.type_line(f"@{alice.nick} news")
    while "news" not in str((said := alice.expect("DELIVER", author_key=alice.server_key)).value("text")):
        assert not said.has("reply_to"), "the answer to an earlier session's question came in a later one"
    question, answer = fresh_server.exchange(alice, room, "a new question")
    assert question.number("counter") == room.last_counter, "the new question came back as another one"
    assert answer.value("text") != "too late", "the answer to an earlier session's question came in a later one"


# --- one question at a time ---


@clause("FLOW-31", quote="MUST earn FLOW_VIOLATION, or be handled strictly after the first answer", needs=["answers"])
def test_second_question_before_the_first_answer(fresh_server: Server) -> None:
    alice, room = fresh_server.joined("alice")
    first = alice.publish(room, "the first question")
    alice.expect_own(first)
    second = alice.publish(room, "the second question")
    alice.wait_read()
    fresh_server.reply_to(first, "the first answer")
    like_answer = Like("DELIVER", author_key=alice.server_key, counter=1)
    like_second = Like("DELIVER", author_key=alice.key, counter=2)
    outcome = next_of(alice, like_answer, like_second, Like("ERROR"))
    assert outcome.octets("author_key") != alice.key, "the second question is in the room before the first answer"
    assert room.acked_counter == 1, "the second question was acknowledged before the first answer"
    if outcome.name == "DELIVER":
        outcome = next_of(alice, like_second, Like("ERROR"))
    if outcome.name == "ERROR":
        assert outcome.number("code") == FLOW_VIOLATION, "the second question earned another ERROR"
        alice.expect_closed()
        return
    assert_answer_before_limit(alice, 1, like_answer)
    if room.acked_counter < 2:
        alice.expect_until("ACK", acked_counter=2)
    alice.expect_answer(second, fresh_server.reply_to(second, "the second answer"))


def next_of(peer: Peer, *wanted: Like) -> Frame:
    """The next frame that is like one of these."""
    while True:
        frame = peer.next_frame()
        if any(not like.mismatch(frame) for like in wanted):
            return frame
