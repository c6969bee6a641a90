# SPDX-License-Identifier: MIT
"""Section 7.2 seen by a scripted server: the client's errors, and what it makes of the server's."""

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import Fault, Faulty, with_extra, with_fields
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.contract import exit_after
from prosa_conformance.registry import CODES, FRAMES
from prosa_conformance.transcript import Kind

UNKNOWN_OF_CLASS = {1: 0x01EE, 2: 0x02EE, 3: 0x03EE, 6: 0x06EE, 0x0F: 0x0FEE, 0x80: 0x80EE}


def error(code: int | str, **fields: int | str | bytes) -> Frame:
    number = CODES[code].number if isinstance(code, str) else code
    return codec.frame("ERROR", code=number, reason="said by the suite", **fields)


@clause("ERR-01", quote="MUST send one ERROR with the code, as far as the connection still takes it, then close")
@clause("ERR-06", quote="After a fatal ERROR the sender MUST discard everything that still comes in, without answering")
def test_everything_after_the_fault_is_discarded(chat: Chat) -> None:
    session, question = chat.session, chat.ask()
    late = session.make_deliver(session.make_answer(question, "too late"))
    fault = with_extra(session.make_ack(), 0x00FE)
    session.send_together(fault, codec.frame("PING", opaque=b"?"), fault, late, codec.frame("BYE", code="NORMAL"))
    session.expect_error("UNSUPPORTED")
    session.close()
    chat.client.expect_closed(1)
    last = [frame.name for frame in session.received[-2:]]
    assert last.count("ERROR") == 1 and "PONG" not in last, f"after the fault the client sent {last}"
    texts = [event.get("text") for event in chat.client.events]
    assert "too late" not in texts, "the client showed what came after the fault"


@clause("ERR-01", quote="then close as END-01 says; the ERROR stands in the place of the BYE")
def test_client_reads_on_after_its_error(chat: Chat) -> None:
    chat.ask()
    chat.session.send(with_extra(chat.session.make_ack(), 0x00FE))
    chat.session.expect_until_error("ERROR UNSUPPORTED")
    assert chat.session.expect_closed() is Kind.FIN, "the client reset the connection behind its ERROR"
    chat.session.close()
    chat.client.expect_closed(1, code="UNSUPPORTED")


@pytest.mark.parametrize("code", ["BAD_FRAME", "BAD_SIG", "DENIED", "BAD_STATE", "FLOW_VIOLATION", "BUSY", "INTERNAL"])
@clause("ERR-03", quote="The receiver of an ERROR of class 01, 02, 03 or 06 MUST close, without a BYE")
@clause("ERR-02", quote="An ERROR MUST NOT be answered with an ERROR")
@clause("ERR-09", quote="MUST end with exit code 4 for class 02, 6 for class 06 and 1 for the others")
def test_fatal_error_of_the_server(chat: Chat, code: str) -> None:
    chat.ask()
    chat.session.send(error(code))
    chat.session.half_close()
    chat.expect_end(exit_after(CODES[code].number), code=code)


@pytest.mark.parametrize("code", ["UNSUPPORTED", "BAD_KEY", "BUSY"])
@clause("ERR-03", quote="The receiver of an ERROR of class 01, 02, 03 or 06 MUST close, without a BYE")
@clause("ERR-09", quote="A client that receives or sends a fatal ERROR MUST end with exit code 4 for class 02")
def test_error_in_the_place_of_challenge(newcomer: Chat, code: str) -> None:
    newcomer.session.send(error(code))
    newcomer.session.half_close()
    newcomer.expect_end(exit_after(CODES[code].number), code=code)


@pytest.mark.parametrize("code", ["NICK_TAKEN", "BAD_SIG", "TIMEOUT"])
@clause("ERR-03", quote="The receiver of an ERROR of class 01, 02, 03 or 06 MUST close, without a BYE")
@clause("ERR-09", quote="A client that receives or sends a fatal ERROR MUST end with exit code 4 for class 02")
def test_error_in_the_place_of_welcome(newcomer: Chat, code: str) -> None:
    newcomer.session.challenge()
    newcomer.session.expect_auth()
    newcomer.session.send(error(code))
    newcomer.session.half_close()
    newcomer.expect_end(exit_after(CODES[code].number), code=code)


@pytest.mark.parametrize("class_", sorted(UNKNOWN_OF_CLASS))
@clause("ERR-05", quote="go by the class of a code that it does not know, and treat an unknown class like class 03")
def test_unknown_fatal_code(chat: Chat, class_: int) -> None:
    code = UNKNOWN_OF_CLASS[class_]
    chat.ask()
    chat.session.send(error(code))
    chat.session.half_close()
    chat.expect_end(exit_after(code))


@pytest.mark.parametrize("code", [0x04EE, 0x05EE])
@clause("ERR-05", quote="A receiver MUST go by the class of a code that it does not know")
@clause("ERR-04", quote="After an ERROR of class 04 or 05 the connection MUST stay usable")
def test_unknown_code_that_ends_nothing(chat: Chat, code: int) -> None:
    question = chat.ask()
    chat.session.send(error(code))
    chat.client.expect_event("error", **{"from": "server"})
    chat.answer(question)
    chat.exchange()


@clause("ERR-05", quote="A receiver MUST go by the class of a code that it does not know")
def test_goodbye_with_an_unknown_code(chat: Chat) -> None:
    chat.ask()
    chat.session.send(codec.frame("BYE", code=UNKNOWN_OF_CLASS[6]))
    chat.session.half_close()
    chat.session.expect("BYE", code="NORMAL")
    chat.session.expect_closed()
    chat.session.close()
    chat.client.expect_closed(6)


@clause("ERR-04", quote="After an ERROR of class 04 or 05 the connection MUST stay usable")
def test_nobody_answers(chat: Chat) -> None:
    chat.session.refuse_answer(chat.ask())
    chat.client.expect_event("error", **{"from": "server", "code": "NO_ANSWER"})
    chat.exchange("is anybody there now?", "yes")
    chat.leave()


@clause("ERR-04", quote="After an ERROR of class 04 or 05 the connection MUST stay usable")
@clause("CON-12", quote="A client whose only room is refused says BYE NORMAL and ends with 1")
def test_only_room_is_refused(newcomer: Chat) -> None:
    newcomer.shake_hands()
    newcomer.session.expect("JOIN")
    newcomer.session.send(error("NO_ROOM", room="@host", ref_type=FRAMES["JOIN"].type))
    newcomer.client.expect_event("error", **{"from": "server", "code": "NO_ROOM"})
    newcomer.session.answer_bye()
    newcomer.client.expect_closed(1)


@pytest.mark.parametrize("code", ["NO_ROOM", "NO_ANSWER"])
@clause("ERR-04", quote="Before READY an ERROR of any class ends it")
def test_error_that_would_end_nothing_in_the_handshake(newcomer: Chat, code: str) -> None:
    newcomer.session.send(error(code))
    newcomer.session.half_close()
    newcomer.expect_end(1)


@clause("ERR-07", quote="SHOULD name its type in ref_type, its room in room_id and its counter in counter")
@clause("ERR-08", quote="An ERROR SHOULD name the violated requirement in `clause`, such as `FLOW-21`")
def test_error_names_the_frame_and_the_clause(chat: Chat) -> None:
    question = chat.ask()
    answer = chat.session.make_answer(question, "out of order")
    chat.session.deliver(answer, room_seq=chat.session.room.head_seq + 2)
    refusal = chat.expect_refusal("SEQ_GAP")
    said = {name: refusal.value(name) for name in ("ref_type", "room_id", "counter")}
    right = {"ref_type": FRAMES["DELIVER"].type, "room_id": chat.session.room.id, "counter": answer.number("counter")}
    false = [name for name, value in said.items() if value is not None and value != right[name]]
    assert not false, f"the ERROR names another {' and '.join(false)} than that of the frame at fault"
    missing = [name for name, value in {**said, "clause": refusal.value("clause")}.items() if value is None]
    if missing:
        chat.session.case.not_strict(f"ERROR without {', '.join(missing)}")


def without_code(frame: Frame) -> Faulty:
    return with_fields(frame, frame.without("code").fields, f"{frame.name} without a code")


def doubled_code(frame: Frame) -> Faulty:
    return with_fields(frame, (*frame.fields[:1], *frame.fields), f"{frame.name} with its first field twice")


def critical_field(frame: Frame) -> Faulty:
    return with_extra(frame, 0x00FE)


@pytest.mark.parametrize("name", ["ERROR", "BYE"])
@pytest.mark.parametrize("fault", [without_code, doubled_code, critical_field])
@clause("ERR-10", quote="A malformed ERROR or BYE MUST end the connection without an answer")
def test_malformed_goodbye(chat: Chat, name: str, fault: Fault) -> None:
    chat.ask()
    chat.session.send(fault(error("NO_ANSWER") if name == "ERROR" else codec.frame("BYE", code="NORMAL")))
    chat.session.half_close()
    chat.expect_end(1)
