# SPDX-License-Identifier: MIT
"""Sections 6.2 to 6.4 beyond a window of 1: many messages on their way, and both sides speak unasked."""

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bracket import bracket, bracket_ready
from prosa_conformance.bugs import marked
from prosa_conformance.clauses import clause, timers
from prosa_conformance.codec import Frame
from prosa_conformance.history import judge
from prosa_conformance.match import Like, at_least
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.server import Server


def open_window(peer: Peer, most: int) -> Room:
    """@host with a window above 1 and credit for all that the test brings."""
    room = peer.join(send_window=most, recv_window=4096)
    if room.granted < 2:
        raise NotApplicable("the server grants a window of 1, whatever is asked for")
    return room


def make_row(peer: Peer, room: Room, count: int, text: str = "one of many") -> list[Frame]:
    """The next messages of this room, not sent."""
    first = room.last_counter + 1
    row = [peer.make_publish(room, f"{text}, {counter}", counter=counter) for counter in range(first, first + count)]
    room.last_counter += count
    return row


@clause("FLOW-32", quote="limit_counter MUST follow acceptance, not answers, in `@host` too")
def test_limit_rises_without_an_answer(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    room = open_window(alice, 4)
    for number in range(3 * room.granted):
        alice.say(room, f"nobody answers this, {number}")
    alice.expect_until("ACK", acked_counter=room.last_counter, limit_counter=room.last_counter + room.granted)


@timers(max_window=8)
@clause("FLOW-32", quote="limit_counter MUST follow acceptance, not answers")
@clause("FLOW-11", quote="MUST NOT exceed the last committed counter + granted_window")
def test_full_windows_in_one_segment(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    room = open_window(alice, 8)
    for _ in range(5):
        alice.send_together(*make_row(alice, room, room.granted))
        alice.expect_until("ACK", limit_counter=room.last_counter + room.granted)
    settle(alice)
    judge([alice], room.id)


@clause("FLOW-21", quote="A PUBLISH with a counter above limit_counter MUST be refused with FLOW_VIOLATION")
@clause("FLOW-21", quote="The messages before it still count", level="L2")
def test_one_too_many_for_the_window(fresh_server: Server) -> None:
    """The row is sent at once, and its last message is above every limit that there can be by then."""
    with bracket(fresh_server) as mallory:
        mallory.login()
        room = open_window(mallory, 4)
        row = make_row(mallory, room, room.granted)
        beyond = mallory.make_publish(room, "beyond", counter=room.limit_counter + 2 * room.granted + 1)
        mallory.send_together(*row, marked(beyond, "counter"))
        mallory.expect_error("FLOW_VIOLATION")
        assert room.acked_counter == len(row), f"{room.acked_counter} of the {len(row)} messages before it count"


@clause("FLOW-24", quote="A PUBLISH whose counter leaves one out MUST be refused with COUNTER_GAP")
def test_counter_left_out_within_a_row(fresh_server: Server) -> None:
    def without_a_gap(peer: Peer) -> None:
        room = open_window(peer, 8)
        peer.send_together(*make_row(peer, room, 2))
        peer.expect_until("ACK", acked_counter=2)

    with bracket_ready(fresh_server, without_a_gap) as mallory:
        room = open_window(mallory, 8)
        if room.granted < 3:
            raise NotApplicable("a window of 2 has no place for a message, a gap and a message")
        mallory.send_together(
            mallory.make_publish(room, counter=1), marked(mallory.make_publish(room, counter=3), "counter")
        )
        mallory.expect_error("COUNTER_GAP")
        counters = [frame.number("counter") for frame in room.delivered if frame.octets("author_key") == mallory.key]
        assert counters == [1], f"of the messages 1 and 3 the server delivered {counters}, and 1 was due"
        assert room.acked_counter == 1, f"the server acknowledged {room.acked_counter} where 2 was left out"


@clause("FLOW-22", quote="MUST be answered with the current ACK and nothing else", level="L2")
def test_whole_window_again(fresh_server: Server) -> None:
    """What a client does that lost the ACKs."""
    alice = fresh_server.login("alice")
    room = open_window(alice, 8)
    row = make_row(alice, room, room.granted)
    alice.send_together(*row)
    alice.expect_until("ACK", acked_counter=len(row))
    settle(alice)
    alice.send_together(*row)
    frames = alice.barrier()
    others = [frame.name for frame in frames if frame.name != "ACK" and frame.octets("author_key") != alice.server_key]
    assert not others, f"{others[0]} came for messages that were there already"
    assert frames, "no ACK came for messages that were sent again"
    assert all(frame.number("acked_counter") == len(row) for frame in frames if frame.name == "ACK"), "an old ACK came"
    alice.say(room, "the next one")
    settle(alice)
    judge([alice], room.id)


@clause("FLOW-32", quote="There either side speaks at any time", needs=["operator"])
def test_operator_speaks_unasked(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    room = open_window(alice, 4)
    for number in range(3):
        fresh_server.type_line(f"@{alice.nick} news {number}")
        news = alice.expect("DELIVER", author_key=alice.server_key, nick="host", text=f"news {number}")
        assert not news.has("reply_to"), "what answers nothing carries a reply_to"
        assert crypto.verify_message(news), "what the operator says is not signed by the server's key"
        counter = news.number("counter")
        assert counter == number + 1, f"message {number + 1} of the server has the counter {counter}"
    settle(alice)
    judge([alice], room.id)


@clause("FLOW-32", quote="There either side speaks at any time", needs=["operator"])
@clause("END-19", quote="There it answers the client's oldest pending question")
def test_answers_come_in_the_order_of_the_questions(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    room = open_window(alice, 4)
    questions = [alice.say(room, f"question {number}") for number in range(room.granted)]
    for question in questions:
        alice.expect_until("DELIVER", author_key=alice.key, counter=question.number("counter"))
    for number, question in enumerate(questions):
        fresh_server.type_line(f"answer {number}")
        answer = alice.expect_until("DELIVER", author_key=alice.server_key, text=f"answer {number}")
        asked = crypto.message_id(question)
        assert answer.octets("reply_to") == asked, f"answer {number} does not name question {number} in reply_to"


@clause("FLOW-32", quote="gets its answer or NO_ANSWER", needs=["operator", "stdin"])
@clause("FLOW-29", quote="the server MUST send ERROR NO_ANSWER with room_id and counter of the question", level="L2")
def test_each_question_of_a_row_without_an_operator(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    room = open_window(alice, 4)
    pending = [alice.say(room, f"pending {number}") for number in range(room.granted)]
    alice.barrier()
    fresh_server.close_stdin()
    late = [alice.say(room, "and now?")]
    for question in (*pending, *late):
        alice.expect_until("ERROR", code="NO_ANSWER", room_id=room.id, counter=question.number("counter"))
    settle(alice)
    judge([alice], room.id)


@clause("FLOW-32", quote="There either side speaks at any time", needs=["operator"])
def test_both_sides_speak_at_once(fresh_server: Server) -> None:
    """A burst from each side before anybody reads: nothing waits for the other, and nothing is lost."""
    alice = fresh_server.login("alice")
    room = open_window(alice, 64)
    said = 30
    for number in range(said):
        fresh_server.type_line(f"@{alice.nick} from the operator, {number}")
    alice.send_together(*make_row(alice, room, room.granted, "x" * 3000))
    alice.expect_until("DELIVER", author_key=alice.server_key, counter=said)
    settle(alice)
    judge([alice], room.id)
    entries = [(frame.octets("author_key"), frame.number("counter")) for frame in room.delivered]
    for author, count in ((alice.key, room.granted), (alice.server_key, said)):
        counters = [counter for key, counter in entries if key == author]
        assert counters == list(range(1, count + 1)), f"of {count} messages these came: {counters}"


@pytest.mark.parametrize("behind", [1, 5])
@clause("FLOW-09", quote="MUST be sent only after every message of this author in this room up to c is committed")
@clause("MSG-08", quote="no single message is ever refused", level="L2")
def test_bad_message_behind_good_ones(fresh_server: Server, behind: int) -> None:
    """The good ones count, and the bad one ends the connection."""
    with bracket(fresh_server) as mallory:
        mallory.login()
        room = open_window(mallory, 8)
        count = min(behind, room.granted - 1)
        bad = mallory.make_publish(room, counter=count + 1, author_sig=bytes(64))
        mallory.send_together(*make_row(mallory, room, count), marked(bad, "author_sig"))
        mallory.expect_error("BAD_SIG")
        assert room.acked_counter == count, f"{room.acked_counter} of the {count} good messages before it count"


@clause("LIVE-02", quote="of every frame that came before the PING on its connection", level="L2")
@clause("LIVE-02", quote="that of a PUBLISH its DELIVER to the author, too, as far as credit permits")
def test_pong_comes_after_a_whole_window(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    room = open_window(alice, 32)
    row = make_row(alice, room, room.granted)
    alice.send_together(*row, codec.frame("PING", opaque=b"behind"))
    alice.expect_until("PONG", opaque=b"behind")
    missing = [
        counter
        for counter in range(1, len(row) + 1)
        if all(Like("DELIVER", author_key=alice.key, counter=counter).mismatch(frame) for frame in room.delivered)
    ]
    assert not missing, f"the PONG overtook the DELIVER of message {missing[0]}"
    assert room.acked_counter >= len(row), f"the PONG overtook the ACK: {room.acked_counter} of {len(row)}"
    assert not Like("ACK", limit_counter=at_least(len(row) + 1)).mismatch(last_ack(room)), "the limit did not rise"


def last_ack(room: Room) -> Frame:
    return next(frame for frame in reversed(room.frames) if frame.name == "ACK")
