# SPDX-License-Identifier: MIT
"""Chapter 7 seen by a scripted server: how the client says goodbye, and what it makes of each end."""

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import truncated
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.client import Event
from prosa_conformance.fixtures import StartClient
from prosa_conformance.language import _
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.registry import FEATURES
from prosa_conformance.scripted_server import ScriptedServer
from prosa_conformance.transcript import Kind

VANISHED = {"eof", "reset"}


def byes(chat: Chat) -> int:
    return sum(frame.name == "BYE" for frame in chat.session.received)


def expect_how(chat: Chat, *how: str) -> Event:
    """The last `disconnected` event, which says how the connection ended, and `closed` behind it."""
    chat.client.events_until_end()
    gone = [event for event in chat.client.events if event["event"] == "disconnected"]
    assert gone, "the client ended without an event `disconnected`"
    said, wanted = gone[-1].get("how"), " or ".join(sorted(how))
    assert said in how, f"`disconnected` says how={said!r}, not {wanted}"
    return gone[-1]


def expect_patience(chat: Chat) -> None:
    """Nothing comes while the question is pending: neither a goodbye nor the next one.

    Behind the first PONG the client has seen what was typed before, too.
    """
    early = [frame.name for frame in chat.session.barrier() + chat.session.barrier() if frame.name != "ACK"]
    assert not early, _("the client sent {frames} while its question was pending").format(frames=", ".join(early))


def goodbye_of_the_server(chat: Chat, code: str = "NORMAL") -> None:
    """The server says goodbye in order; the client must answer and close."""
    chat.session.bye(code)
    chat.session.half_close()
    chat.session.expect("BYE", code="NORMAL")
    chat.session.expect_closed()
    chat.session.close()


# --- 7.1 the client says goodbye ---


@clause("END-01", quote="MUST send BYE, then shutdown(SHUT_WR), and read on until the peer's BYE")
@clause("END-04", quote="but a client still reads")
def test_client_reads_on_after_its_bye(chat: Chat) -> None:
    chat.client.type_line("exit")
    chat.session.expect("BYE", code="NORMAL")
    assert chat.session.expect_closed() is Kind.FIN, "the client reset the connection after its BYE"
    chat.session.deliver(chat.session.make_message("one last thing"))
    chat.client.expect_event("message", text="one last thing")
    chat.session.bye()
    chat.session.close()
    chat.client.expect_closed(0, code="NORMAL")


@clause("END-04", quote="After its own BYE a peer MUST NOT send any other frame")
def test_no_frame_after_the_bye(chat: Chat) -> None:
    question = chat.ask()
    chat.client.type_line("exit")
    chat.session.give_answer(question, "go then")
    chat.session.expect("BYE", code="NORMAL")
    chat.session.send_together(codec.frame("PING", opaque=b"still there?"), chat.session.make_ack(limit=9))
    chat.session.expect_closed(silently=True)
    chat.session.bye()
    chat.session.close()
    chat.client.expect_closed(0)


@clause("END-07", quote="`exit` typed at the client MUST send BYE NORMAL, and the client ends with exit code 0")
def test_exit_without_a_question(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server))
    chat.leave()
    expect_how(chat, "goodbye")


@clause("END-07", quote="`exit` typed at the client MUST send BYE NORMAL, and the client ends with exit code 0")
def test_exit_while_a_question_is_pending(chat: Chat) -> None:
    question = chat.ask("never mind")
    chat.client.type_line("exit")
    chat.session.give_answer(question, "as you like")
    chat.session.answer_bye()
    chat.client.expect_closed(0)


@clause("END-05", quote="When two BYEs cross, each is the answer to the other")
@clause("END-05", quote="a peer MUST NOT send a second one")
def test_crossing_goodbyes(chat: Chat) -> None:
    chat.ask()
    chat.client.type_line("exit")
    chat.session.bye()
    chat.session.half_close()
    chat.session.expect("BYE", code="NORMAL")
    chat.session.expect_closed()
    chat.session.close()
    assert byes(chat) == 1, f"the client sent {byes(chat)} BYEs"
    chat.client.expect_closed(0)


@clause("END-13", quote="send what is pending, wait until it is acknowledged, in `@host` with window 1 also answered")
def test_end_of_file_with_lines_pending(chat: Chat) -> None:
    chat.client.type_line("first")
    chat.client.type_line("second")
    chat.client.close_stdin()
    for text in ("first", "second"):
        question = chat.session.take_question(text=text)
        expect_patience(chat)
        chat.session.give_answer(question, f"{text} answer")
        chat.client.expect_event("message", own=True, text=text)
        chat.client.expect_event("message", own=False, text=f"{text} answer")
    chat.session.answer_bye()
    chat.client.expect_closed(0)


@clause("END-13", quote="NO_ANSWER counts as an answer here")
def test_end_of_file_with_a_question_that_nobody_answers(chat: Chat) -> None:
    question = chat.ask("anybody?")
    chat.client.close_stdin()
    expect_patience(chat)
    chat.session.refuse_answer(question)
    chat.session.answer_bye()
    chat.client.expect_closed(0)


@clause("END-13", quote="At end of file on its stdin a client MUST send what is pending")
def test_end_of_file_with_nothing_pending(chat: Chat) -> None:
    chat.client.close_stdin()
    chat.session.answer_bye()
    chat.client.expect_closed(0)


@clause("END-13", quote="At end of file on its stdin a client MUST send what is pending")
def test_lines_of_a_pipe_are_all_sent(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    client = start_client(scripted_server)
    client.type_line("from a pipe")
    client.close_stdin()
    chat = Chat.begin(scripted_server, client)
    question = chat.session.take_question(text="from a pipe")
    chat.client.expect_event("message", own=True, text="from a pipe")
    chat.answer(question)
    chat.session.answer_bye()
    client.expect_closed(0)


# --- 7.1 the server says goodbye ---


@clause("END-09", quote="A client that receives BYE NORMAL MUST answer it and end with exit code 0")
@clause("END-02", quote="The receiver of a BYE MUST answer with BYE NORMAL")
def test_server_says_goodbye(chat: Chat) -> None:
    chat.ask()
    goodbye_of_the_server(chat)
    chat.client.expect_closed(0, code="NORMAL")
    expect_how(chat, "goodbye")


@clause("END-09", quote="A client that receives BYE NORMAL MUST answer it and end with exit code 0")
@clause("END-16", quote="MUST notice on its next read or write that the server is gone")
def test_server_says_goodbye_while_the_person_thinks(chat: Chat) -> None:
    chat.session.bye()
    chat.session.half_close()
    chat.client.type_line("one more question", may_be_gone=True)
    chat.session.expect_until("BYE", code="NORMAL")
    chat.session.expect_closed()
    chat.session.close()
    chat.client.expect_closed(0)
    expect_how(chat, "goodbye")


@clause("END-11", quote="A client that receives BYE SHUTDOWN MUST say so, and end with exit code 6 unless it resumes")
def test_server_shuts_down(chat: Chat) -> None:
    chat.ask()
    goodbye_of_the_server(chat, "SHUTDOWN")
    chat.client.expect_closed(6, code="SHUTDOWN")
    expect_how(chat, "goodbye")


@pytest.mark.parametrize("code", ["REPLACED", "SLOW_CONSUMER", "IDLE", "KICKED", "GATEWAY_LOST"])
@clause("END-02", quote="The receiver of a BYE MUST answer with BYE NORMAL")
@clause("CON-12", quote="MUST end with the exit code that this list gives for how its session ended")
def test_goodbyes_of_other_codes(chat: Chat, code: str) -> None:
    chat.ask()
    goodbye_of_the_server(chat, code)
    chat.client.expect_closed(6, code=code)


@pytest.mark.parametrize("welcome_is_due", [False, True], ids=["challenge-due", "welcome-due"])
@clause("END-06", quote="Before READY a BYE MUST end the connection, and needs no answer")
def test_goodbye_in_the_handshake(newcomer: Chat, welcome_is_due: bool) -> None:
    if welcome_is_due:
        newcomer.session.challenge()
        newcomer.session.expect_auth()
    newcomer.session.bye("SHUTDOWN")
    newcomer.session.half_close()
    newcomer.session.expect_until_end()
    newcomer.session.close()
    answers = {frame.name for frame in newcomer.session.received} - {"HELLO", "AUTH", "BYE"}
    assert not answers, f"the client answered with {answers}"
    newcomer.client.expect_closed(6, code="SHUTDOWN")


# --- 7.1 the server vanishes ---


@clause("END-15", quote="End of file or a reset without a BYE is unclean: a program MUST report that the peer vanished")
def test_end_of_file_without_goodbye(chat: Chat) -> None:
    chat.ask()
    chat.session.half_close()
    chat.session.expect_until_end()
    chat.session.close()
    chat.client.expect_closed(5, code=None)
    expect_how(chat, "eof")


@clause("END-15", quote="in words other than those for a goodbye")
def test_reset_without_goodbye(chat: Chat) -> None:
    chat.ask()
    chat.session.barrier()
    chat.session.reset()
    chat.client.expect_closed(5, code=None)
    expect_how(chat, "reset")


@pytest.mark.parametrize("keep", [1, 7, 8, 9, 60])
@clause("END-15", quote="End of file or a reset without a BYE is unclean")
def test_end_of_file_in_the_middle_of_a_frame(chat: Chat, keep: int) -> None:
    question = chat.ask()
    answer = chat.session.make_deliver(chat.session.make_answer(question, "half a word"))
    chat.session.send(truncated(answer, keep))
    chat.session.half_close()
    chat.session.expect_until_end()
    chat.session.close()
    chat.client.expect_closed(5, code=None)
    expect_how(chat, "eof")


@pytest.mark.parametrize("welcome_is_due", [False, True], ids=["challenge-due", "welcome-due"])
@clause("END-15", quote="End of file or a reset without a BYE is unclean")
def test_end_of_file_in_the_handshake(newcomer: Chat, welcome_is_due: bool) -> None:
    if welcome_is_due:
        newcomer.session.challenge()
        newcomer.session.expect_auth()
    newcomer.session.close()
    newcomer.client.expect_closed(5, code=None)
    expect_how(newcomer, *VANISHED)


@pytest.mark.parametrize("reset", [False, True], ids=["end-of-file", "reset"])
@clause("END-16", quote="MUST notice on its next read or write that the server is gone")
def test_server_vanishes_while_the_person_thinks(chat: Chat, reset: bool) -> None:
    if reset:
        chat.session.reset()
    else:
        chat.session.close()
    chat.client.type_line("is anybody there?", may_be_gone=True)
    chat.client.expect_closed(5)
    expect_how(chat, *VANISHED)


# --- freezing ---


@clause("FLOW-33", quote="A client MUST take a DELIVER at any time when it reads")
def test_frozen_client_goes_on_where_it_was(chat: Chat) -> None:
    question = chat.ask()
    chat.client.freeze()
    chat.session.give_answer(question, "while you slept")
    chat.client.thaw()
    chat.client.expect_event("message", own=False, text="while you slept")
    chat.leave()


@clause("LIVE-04", quote="With `liveness` a peer MUST send a PING after ping_after_ms", level="L1", role="client")
@clause("LIVE-05", quote="a client by reporting silence", level="L1", role="client")
def test_frozen_server_is_reported(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    scripted_server.features = FEATURES["liveness"]
    scripted_server.limits.update(ping_after_ms=150, dead_after_ms=600)
    chat = Chat.meet(scripted_server, start_client(scripted_server))
    assert chat.session.hello is not None, "meet has waited for HELLO"
    if not chat.session.hello.number("features") & FEATURES["liveness"]:
        raise NotApplicable("the client does not offer liveness")
    chat.shake_hands()
    chat.join()
    chat.session.answers_pings = False
    chat.session.expect("PING")
    chat.client.expect_event("disconnected", how="silence")
    chat.client.expect_closed(5)
