# SPDX-License-Identifier: MIT
"""Chapter 5 seen by a scripted server: what the client signs, and what it shows of what it is sent."""

from collections.abc import Callable

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bugs import flipped, marked
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.fixtures import StartClient
from prosa_conformance.outcome import Violation
from prosa_conformance.scripted_server import ScriptedServer

UNKNOWN_EVEN_TAG = 0x00FE
# MSG-19: C0, C1, bidirectional controls, zero-width characters; U+0000 cannot come at all.
FORBIDDEN = [
    *range(0x01, 0x20), *range(0x7F, 0xA0), 0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F),
    *range(0x2060, 0x206A), 0xFEFF,
]  # fmt: skip
LINE_FEED = 0x0A  # ends the lines of stdout and stderr
TAB = 0x09
SOME_FORBIDDEN = [0x07, 0x1B, 0x7F, 0x9B, 0x200B, 0x202E, 0x2066, 0xFEFF]
EVERY_DAY = "Olá, mundo — naïve “quotes” \\ / \" ' {json} 日本語 🦀 e\u0301"


def between_brackets(points: list[int]) -> str:
    """Each character between brackets of its own, so that it is found where it was printed."""
    return "".join(f"<{chr(point)}>" for point in points)


def expect_none_raw(chat: Chat, points: list[int]) -> None:
    """None of these characters stands between its brackets in what the client printed."""
    for line in chat.client.said():
        raw = [point for point in points if f"<{chr(point)}>" in line]
        if raw:
            raise Violation(
                f"the client printed U+{raw[0]:04X} as it came over the wire",
                expected="a visible stand-in, in JSON an escape",
                actual=line.encode("unicode_escape").decode()[:300],
                symptom="controls",
            )


def expect_report(chat: Chat, code: str, hidden: str) -> None:
    """An `error` event of this code, and no `message` with the text."""
    chat.client.expect_event("error", **{"from": "client", "code": code})
    texts = [event.get("text") for event in chat.client.events if event["event"] == "message"]
    assert hidden not in texts, f"the client showed {hidden!r}"


# --- 5.1 the signed message ---


@pytest.mark.parametrize("text", ["a", "x" * 4096, "🦀" * 1024, EVERY_DAY], ids=["one", "4096", "crabs", "signs"])
@clause("MSG-01", quote="`author_sig` MUST be the author's signature of")
def test_signature_and_text(chat: Chat, text: str) -> None:
    chat.answer(chat.ask(text))


@clause("MSG-06", quote="A client MUST number its messages in a room from 1 without a gap")
def test_messages_are_numbered(chat: Chat) -> None:
    for number in range(2, 6):
        question = chat.ask(f"question {number}")
        assert question.number("counter") == number, f"question {number} has counter {question.number('counter')}"
        chat.answer(question)


@clause("MSG-06", quote="JOINED says in `last_counter` where to go on")
@clause("FLOW-20", quote="A client MUST NOT send a PUBLISH with a counter above limit_counter")
def test_numbering_goes_on(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server), last_counter=41, limit_counter=42)
    question = chat.ask()
    assert question.number("counter") == 42, f"after last_counter 41 came {question.number('counter')}"
    chat.answer(question)


# --- 5.2 DELIVER ---


@clause("MSG-14", quote="MUST NOT end the connection for it; it reports a message that it cannot display and goes on")
@clause("CON-11", quote="one that cannot be displayed (MSG-14) with code `UNSUPPORTED`")
def test_message_that_cannot_be_displayed(chat: Chat) -> None:
    question = chat.ask()
    strange = chat.session.make_answer(question, "from the future", extra=[(UNKNOWN_EVEN_TAG, b"?")])
    chat.session.deliver(strange)
    expect_report(chat, "UNSUPPORTED", hidden="from the future")
    chat.answer(question)


Forge = Callable[[Chat, Frame], Frame]


def bit_flipped(chat: Chat, message: Frame) -> Frame:
    return _decoded(flipped(message, "author_sig").octets)


def other_text(chat: Chat, message: Frame) -> Frame:
    return message.without("text").plus(codec.field_value("text", "changed!"))


def other_author(chat: Chat, message: Frame) -> Frame:
    key = crypto.public_key(chat.session.case.seed("stranger"))
    return message.without("author_key").plus(codec.field_value("author_key", key))


def other_nick(chat: Chat, message: Frame) -> Frame:
    return message.without("nick").plus(codec.field_value("nick", "somebody"))


def low_order_author(chat: Chat, message: Frame) -> Frame:
    """A key and a signature that many libraries take for anything."""
    low = crypto.LOW_ORDER_ENCODINGS[0]
    forged = message.without("author_key", "author_sig")
    return forged.plus(codec.field_value("author_key", low), codec.field_value("author_sig", low + bytes(32)))


def large_s(chat: Chat, message: Frame) -> Frame:
    """The same signature with L added to S: the equation still holds."""
    signature = message.need("author_sig")
    larger = (int.from_bytes(signature[32:], "little") + crypto.L).to_bytes(32, "little")
    return message.without("author_sig").plus(codec.field_value("author_sig", signature[:32] + larger))


def field_added(chat: Chat, message: Frame) -> Frame:
    return message.plus((0x3FFF, b"not signed"))


def _decoded(octets: bytes) -> Frame:
    verdict = codec.decode(octets, "client", 1 << 16)
    if not isinstance(verdict, codec.Decoded):
        raise TypeError("the fault is meant to be in the signature alone")
    return verdict.frame


@pytest.mark.parametrize(
    "forge", [bit_flipped, other_text, other_author, other_nick, low_order_author, large_s, field_added]
)
@clause("MSG-16", quote="MUST NOT show the text of a DELIVER whose author_sig does not verify; it reports it")
@clause("CON-11", quote="MUST be an `error` event with from `client` and code `BAD_SIG`")
def test_forged_message(chat: Chat, forge: Forge) -> None:
    question = chat.ask()
    forged = forge(chat, chat.session.make_answer(question, "forged!"))
    chat.session.deliver(forged)
    expect_report(chat, "BAD_SIG", hidden=str(forged.value("text")))
    chat.answer(question)


@clause("MSG-16", quote="MUST NOT show the text of a DELIVER whose author_sig does not verify")
def test_own_question_changed_by_the_server(chat: Chat) -> None:
    chat.client.type_line("yes or no?")
    question = chat.session.expect_publish(text="yes or no?")
    chat.session.deliver(other_text(chat, question))
    chat.session.ack()
    expect_report(chat, "BAD_SIG", hidden="changed!")
    chat.answer(question)


@pytest.mark.parametrize("step", [-1, 0, 2], ids=["back", "again", "one-left-out"])
@clause("MSG-17", quote="MUST close with ERROR SEQ_GAP when room_seq of a DELIVER is not the one after the last")
def test_order_of_the_room_is_broken(chat: Chat, step: int) -> None:
    question = chat.ask()
    here = chat.session.room.head_seq
    chat.session.deliver(chat.session.make_answer(question, "out of order"), room_seq=here + step)
    chat.expect_refusal("SEQ_GAP")


@clause("MSG-17", quote="MUST close with ERROR SEQ_GAP when room_seq of a DELIVER is not the one after the last")
def test_message_delivered_twice(chat: Chat) -> None:
    question = chat.ask()
    answer = chat.session.deliver(chat.session.make_answer(question, "once"))
    chat.client.expect_event("message", text="once")
    chat.session.send(answer)
    chat.expect_refusal("SEQ_GAP")
    again = [event for event in chat.client.events_until_end() if event["event"] == "message"]
    assert not again, "the client showed a message twice"


@clause("MSG-17", quote="or `start_seq` for the first")
def test_first_message_is_the_one_at_start_seq(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server), head_seq=99, start_seq=100)
    chat.exchange()


@pytest.mark.parametrize("room_seq", [99, 101])
@clause("MSG-17", quote="or `start_seq` for the first")
def test_first_message_is_another(scripted_server: ScriptedServer, start_client: StartClient, room_seq: int) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server), head_seq=99, start_seq=100)
    chat.client.type_line("what now?")
    chat.session.deliver(chat.session.expect_publish(), room_seq=room_seq)
    chat.expect_refusal("SEQ_GAP")


@clause("MSG-18", quote="MUST treat a DELIVER for another room_id than those joined as ERROR WRONG_ROOM and close")
def test_message_of_another_room(chat: Chat) -> None:
    chat.ask()
    elsewhere = chat.session.make_message("from elsewhere", room_id=chat.session.case.seed("another room"))
    chat.session.deliver(elsewhere)
    chat.expect_refusal("WRONG_ROOM")
    texts = [event.get("text") for event in chat.client.events]
    assert "from elsewhere" not in texts, "the client showed a message of a room that it has not joined"


@clause("MSG-18", quote="It does the same with an ACK or MEMBER for such a room")
def test_ack_of_another_room(chat: Chat) -> None:
    chat.ask()
    ack = chat.session.make_ack()
    chat.session.send(ack)
    chat.session.barrier()
    elsewhere = chat.session.case.seed("another room")
    chat.session.send(marked(ack.without("room_id").plus(codec.field_value("room_id", elsewhere)), "room_id"))
    chat.expect_refusal("WRONG_ROOM")


# --- MSG-19 and CON-10: what may be printed ---


@clause("CON-10", quote="MUST be the text that was sent, character for character")
@clause("MSG-19", quote="A program MUST NOT print C0 or C1 control characters")
def test_forbidden_characters_in_a_text(chat: Chat) -> None:
    question, text = chat.ask(), between_brackets(FORBIDDEN)
    chat.answer(question, text)
    chat.leave()
    expect_none_raw(chat, [point for point in FORBIDDEN if point not in (LINE_FEED, TAB)])


@clause("CON-10", quote="`text` and `display` in an event MUST be the text that was sent, character for character")
@clause("MSG-19", quote="bidirectional controls or zero-width characters that came over the wire")
def test_forbidden_characters_in_a_display_name(chat: Chat) -> None:
    question, display = chat.ask(), between_brackets(SOME_FORBIDDEN)
    chat.session.deliver(chat.session.make_answer(question, "who?", display=display))
    chat.session.ack(limit=question.number("counter") + 1)
    chat.client.expect_event("message", text="who?", display=display)
    chat.leave()
    expect_none_raw(chat, SOME_FORBIDDEN)


@clause("MSG-19", quote="not in text, display or reason, and not in logs")
def test_forbidden_characters_in_the_reason_of_an_error(chat: Chat) -> None:
    chat.session.refuse_answer(chat.ask(), reason=between_brackets(SOME_FORBIDDEN))
    chat.client.expect_event("error", code="NO_ANSWER")
    chat.leave()
    expect_none_raw(chat, SOME_FORBIDDEN)


@clause("MSG-19", quote="not in text, display or reason, and not in logs")
def test_forbidden_characters_in_the_reason_of_a_bye(chat: Chat) -> None:
    chat.ask()
    chat.session.send(codec.frame("BYE", code="SHUTDOWN", reason=between_brackets(SOME_FORBIDDEN)))
    chat.session.expect("BYE", code="NORMAL")
    chat.session.half_close()
    chat.session.expect_closed()
    chat.session.close()
    chat.client.expect_closed(6)
    expect_none_raw(chat, SOME_FORBIDDEN)


@pytest.mark.parametrize("text", [EVERY_DAY, "x" * 4096, "\u2603" * 1365], ids=["signs", "4096", "snow"])
@clause("CON-10", quote="MUST be the text that was sent, character for character")
def test_text_of_an_answer(chat: Chat, text: str) -> None:
    chat.answer(chat.ask(), text)


# --- 5.3 rooms ---


@clause("MSG-23", quote="compute room_id from JOINED's epoch and end the connection with ERROR WRONG_ROOM")
def test_joined_with_another_room_id(newcomer: Chat) -> None:
    newcomer.shake_hands()
    newcomer.session.accept_join(room_id=newcomer.session.case.seed("another room"))
    newcomer.expect_refusal("WRONG_ROOM")
    assert not [event for event in newcomer.client.events if event["event"] == "joined"], "the client says it joined"


@clause("MSG-23", quote="compute room_id from JOINED's epoch")
def test_joined_with_the_room_id_of_another_epoch(newcomer: Chat) -> None:
    newcomer.shake_hands()
    server, session = newcomer.server, newcomer.session
    old = crypto.room_id(server.key, bytes(16), "@host", session.client_key)
    session.accept_join(room_id=old)
    newcomer.expect_refusal("WRONG_ROOM")
