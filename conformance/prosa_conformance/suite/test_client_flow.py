# SPDX-License-Identifier: MIT
"""Chapter 6 seen by a scripted server: the client's windows, acknowledgements and barriers."""

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import marked
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.fixtures import StartClient
from prosa_conformance.match import at_least, describe
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.scripted_server import ScriptedServer

MOST_DELIVERED = 2048  # half a window beyond this takes too long to fill
U64_MAX = 2**64 - 1
MANY = 40


def recv_window(chat: Chat) -> int:
    join = next(frame for frame in chat.session.received if frame.name == "JOIN")
    return join.number("recv_window")


def expect_no_question(chat: Chat, limit: int) -> None:
    """The client holds back what was typed: no PUBLISH comes before the answer to a PING."""
    early = next((frame for frame in chat.session.barrier() if frame.name == "PUBLISH"), None)
    if early is not None:
        raise Violation(
            "the client sent a question before the last one was answered",
            expected=f"no PUBLISH, for limit_counter is {limit}",
            actual=describe(early),
            guilty=marked(early, "counter").guilty,
            symptom="early-question",
        )


# --- 6.1 JOIN ---


@clause("RES-04", quote="A JOIN with an after_seq other than 0 MUST carry the epoch that it refers to")
def test_join_of_a_second_life(chat: Chat, start_client: StartClient) -> None:
    chat.leave()
    again = Chat.meet(chat.server, start_client(chat.server, data=chat.client.data))
    again.shake_hands()
    join = again.session.expect("JOIN", room="@host")
    if join.has("after_seq") and join.number("after_seq") and not join.has("epoch"):
        raise Violation(
            "the client asks for history, and does not say of which epoch",
            expected="after_seq together with epoch",
            actual=f"after_seq={join.number('after_seq')} and no epoch",
        )


# --- 6.2 acknowledgement ---


@clause("FLOW-20", quote="A client MUST NOT send a PUBLISH with a counter above limit_counter")
@clause("CON-08", quote="A line that is typed while the client waits for an answer is kept and sent")
def test_no_second_question_before_the_answer(chat: Chat) -> None:
    first = chat.ask("the first")
    chat.client.type_line("the second")
    chat.client.type_line("the third")
    expect_no_question(chat, first.number("counter"))
    chat.answer(first)
    second = chat.session.take_question(text="the second")
    expect_no_question(chat, second.number("counter"))
    chat.session.give_answer(second, "and more")
    chat.session.give_answer(chat.session.take_question(text="the third"), "done")
    chat.client.expect_event("message", own=True, text="the second")


@clause("FLOW-20", quote="A client MUST NOT send a PUBLISH with a counter above limit_counter")
def test_joined_without_credit(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server))
    chat.client.type_line("may I?")
    chat.shake_hands()
    chat.join(last_counter=7, limit_counter=7)
    chat.session.ack(acked=7, limit=8)
    question = chat.session.take_question(text="may I?")
    assert question.number("counter") == 8, f"after last_counter 7 came {question.number('counter')}"


@clause("FLOW-34", quote="ACK, ERROR, PING, PONG, MEMBER, CHECKPOINT and BYE MUST NOT wait for it")
def test_goodbye_without_credit(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server), last_counter=7, limit_counter=7)
    chat.client.type_line("exit")
    chat.session.answer_bye()
    chat.client.expect_closed(0)


@clause("FLOW-12", quote="take each number as a maximum and ignore one that is lower than before")
def test_stale_ack(chat: Chat) -> None:
    question = chat.ask()
    session, counter = chat.session, question.number("counter")
    session.deliver(session.make_answer(question, "go on"))
    session.send_together(
        session.make_ack(limit=counter + 1), session.make_ack(acked=counter - 1, limit=counter), session.make_ack(0, 0)
    )
    chat.client.expect_event("message", text="go on")
    chat.exchange("may I still?", "yes")


@clause("FLOW-12", quote="take each number as a maximum and ignore one that is lower than before")
def test_the_same_ack_again(chat: Chat) -> None:
    question = chat.ask()
    again = [chat.session.make_ack() for _ in range(3)]
    chat.session.send_together(*again)
    chat.answer(question)
    chat.exchange()


@pytest.mark.parametrize("above", [1, 1000, U64_MAX])
@clause("FLOW-14", quote="whose acked_counter is above the highest counter that it sent with ACK_TOO_HIGH")
def test_ack_of_what_was_never_sent(chat: Chat, above: int) -> None:
    counter = chat.ask().number("counter")
    chat.session.ack(acked=counter)
    chat.session.barrier()
    chat.session.ack(acked=min(counter + above, U64_MAX))
    chat.expect_refusal("ACK_TOO_HIGH")


@clause("FLOW-16", quote="ACKs MAY be coalesced: one for many messages")
def test_one_ack_for_question_and_answer(chat: Chat) -> None:
    chat.client.type_line("in one?")
    question = chat.session.expect_publish(text="in one?")
    chat.session.deliver(question)
    chat.session.give_answer(question, "in one")
    chat.client.expect_event("message", own=True, text="in one?")
    chat.client.expect_event("message", own=False, text="in one")
    chat.exchange()


@clause("FLOW-16", quote="ACKs MAY be coalesced: one for many messages")
def test_ack_before_the_deliver_of_the_question(chat: Chat) -> None:
    chat.client.type_line("in which order?")
    question = chat.session.expect_publish(text="in which order?")
    chat.session.send(chat.session.make_ack())
    chat.session.deliver(question)
    chat.client.expect_event("message", own=True, text="in which order?")
    chat.answer(question)


@clause("FLOW-17", quote="it sends an ACK at the latest when half of recv_window is used up since its last one")
def test_credit_is_raised_in_time(chat: Chat) -> None:
    half = (recv_window(chat) + 1) // 2
    if half > MOST_DELIVERED:
        raise NotApplicable(f"half of its recv_window is {half} messages")
    session, question = chat.session, chat.ask()
    for _ in range(2):
        session.barrier()
        limit = session.room.limit_seq
        asides = [session.make_deliver(session.make_message(f"aside {number}")) for number in range(half)]
        session.send_together(*asides)
        session.expect("ACK", room_id=session.room.id, limit_seq=at_least(limit + 1))
    session.give_answer(question, "that was long")


@clause("WIRE-31", quote="An ACK from a client MUST have the fields room_id, seen_seq and", level="L1")
@clause("FLOW-17", quote="A client MUST raise limit_seq in time")
def test_acks_of_the_client_say_what_came(chat: Chat) -> None:
    for number in range(5):
        chat.exchange(f"question {number}")
    chat.ask()
    chat.session.barrier()
    acks = [frame for frame in chat.session.received if frame.name == "ACK"]
    for ack in acks:
        if ack.number("seen_seq") > chat.session.room.head_seq or ack.octets("room_id") != chat.session.room.id:
            raise Violation(
                "the client acknowledged what it was never sent",
                expected=f"seen_seq at most {chat.session.room.head_seq} in its room",
                actual=f"seen_seq {ack.number('seen_seq')}",
            )


@clause("FLOW-19", quote="refuse a DELIVER with a room_seq above limit_seq with FLOW_VIOLATION")
def test_deliver_beyond_the_credit(chat: Chat) -> None:
    chat.ask()
    chat.session.barrier()
    beyond = chat.session.room.limit_seq + 1
    chat.session.deliver(chat.session.make_message("unasked"), room_seq=beyond)
    chat.expect_refusal("FLOW_VIOLATION", "SEQ_GAP")
    texts = [event.get("text") for event in chat.client.events]
    assert "unasked" not in texts, "the client showed a message that it had given no credit for"


# --- 6.4 question and answer ---


@clause("FLOW-33", quote="MUST take a DELIVER at any time when it reads, also one that answers nothing")
def test_unasked_message_before_the_answer(chat: Chat) -> None:
    question = chat.ask()
    chat.say("by the way")
    chat.say("and another thing")
    chat.answer(question)
    chat.exchange()


@clause("FLOW-33", quote="MUST take a DELIVER at any time when it reads")
def test_unasked_message_while_the_person_thinks(chat: Chat) -> None:
    chat.session.deliver(chat.session.make_message("are you asleep?"))
    chat.client.type_line("no")
    question = chat.session.take_question(text="no")
    chat.client.expect_event("message", own=False, text="are you asleep?")
    chat.client.expect_event("message", own=True, text="no")
    chat.answer(question)


@clause("FLOW-33", quote="MUST take a DELIVER at any time when it reads")
@clause("FLOW-17", quote="A client MUST raise limit_seq in time")
def test_many_questions_and_answers(chat: Chat) -> None:
    room = chat.session.room
    for number in range(MANY):
        question = chat.ask(f"question {number}")
        if room.head_seq >= room.limit_seq:
            raise Violation(
                "the client left the server without credit for its answer",
                expected=f"an ACK that raises limit_seq above {room.head_seq} before this question",
                actual=f"limit_seq {room.limit_seq}",
            )
        chat.answer(question, f"answer {number}")
    chat.leave()


# --- 6.6 PING and PONG ---


@clause("LIVE-01", quote="MUST answer each PING with a PONG that has the same `opaque`, in the order of the PINGs")
def test_pings_are_answered_in_their_order(chat: Chat) -> None:
    question = chat.ask()
    said = [b"", b"first", b"second", b"first", bytes(16), b"\xff" * 16]
    chat.session.send_together(*(codec.frame("PING", opaque=opaque) for opaque in said))
    for opaque in said:
        chat.session.expect("PONG", opaque=opaque)
    pongs = [frame.octets("opaque") for frame in chat.session.received if frame.name == "PONG"]
    assert pongs == said, f"the PONGs carried {pongs}"
    chat.answer(question)


@clause("LIVE-01", quote="A READY peer MUST answer each PING with a PONG that has the same `opaque`")
def test_ping_between_welcome_and_joined(newcomer: Chat) -> None:
    newcomer.shake_hands()
    join = newcomer.session.expect("JOIN")
    newcomer.session.send(codec.frame("PING", opaque=b"ready?"))
    newcomer.session.expect("PONG", opaque=b"ready?")
    newcomer.session.send(newcomer.session.make_joined(join))
    newcomer.client.expect_event("joined", room="@host")


@clause("LIVE-09", quote="A PONG that nobody asked for MUST be ignored")
def test_pong_that_nobody_asked_for(chat: Chat) -> None:
    question = chat.ask()
    chat.session.send(codec.frame("PONG", opaque=b"unasked"))
    answers = [frame for frame in chat.session.barrier() if frame.name != "ACK"]
    assert not answers, "something was sent in answer to a PONG"
    chat.answer(question)
