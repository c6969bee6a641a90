# SPDX-License-Identifier: MIT
"""Chapter 7: goodbyes, vanishing and errors, as a server lives through them."""

from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.bracket import bracket, bracket_joined, bracket_ready
from prosa_conformance.bugs import Faulty, flipped, marked, tag_zero, truncated, with_fields
from prosa_conformance.clauses import clause, tcp_only, timers
from prosa_conformance.codec import Frame
from prosa_conformance.match import ABSENT
from prosa_conformance.peer import Peer
from prosa_conformance.registry import CODES, FRAMES
from prosa_conformance.server import Server
from prosa_conformance.transcript import Kind

LINGER_MS = 500
PATIENT_MS = 60_000  # nobody waits for it


def error(code: int | str) -> Frame:
    number = CODES[code].number if isinstance(code, str) else code
    return codec.frame("ERROR", code=number, reason="said by the suite")


def ask(server: Server, name: str) -> tuple[Peer, Frame]:
    """A client whose question is pending."""
    peer, room = server.joined(name)
    question = peer.publish(room, f"{name} asks")
    peer.expect_own(question)
    return peer, question


# --- 7.1 saying goodbye ---


@clause("END-02", quote="The receiver of a BYE MUST answer with BYE NORMAL", role="server")
def test_bye_is_answered(server: Server) -> None:
    server.login("alice").leave_politely()


@clause("END-02", quote="The receiver of a BYE MUST answer with BYE NORMAL", role="server")
def test_bye_is_answered_on_a_connection_that_stays_open(server: Server) -> None:
    alice = server.login("alice")
    alice.bye()
    alice.expect("BYE", code="NORMAL")
    assert alice.expect_closed() is Kind.FIN, "the server reset the connection after its BYE"


@clause("END-03", quote="MUST first decide and acknowledge every PUBLISH that came before it")
def test_publish_before_bye_is_acknowledged(server: Server) -> None:
    alice, room = server.joined("alice")
    publish = alice.make_publish(room, "before I go")
    alice.send_together(publish, codec.frame("BYE", code="NORMAL"))
    room.last_counter = publish.number("counter")
    alice.expect_until("ACK", acked_counter=room.last_counter)
    server.answer("too late")  # for a server that reads nothing while it thinks
    alice.expect_until("BYE", code="NORMAL")
    alice.close()
    server.pass_console()


@clause("END-06", quote="Before READY a BYE MUST end the connection, and needs no answer", role="server")
def test_bye_in_the_handshake(server: Server) -> None:
    alice = server.connect("alice")
    alice.hello()
    alice.expect_challenge()
    alice.bye()
    alice.expect_until_end()


@clause("END-08", quote="`exit` typed at the server MUST send BYE NORMAL to all clients", needs=["stdin", "process"])
def test_exit_at_the_server(fresh_server: Server) -> None:
    alice, _ = fresh_server.joined("alice")
    fresh_server.expect_end()
    fresh_server.type_line("exit")
    alice.expect("BYE", code="NORMAL")
    alice.bye()
    alice.half_close()
    alice.expect_closed()
    fresh_server.expect_exit(0)


@clause("END-08", quote="the server ends with exit code 0", needs=["stdin", "process"])
def test_exit_without_clients(fresh_server: Server) -> None:
    fresh_server.expect_end()
    fresh_server.type_line("exit")
    fresh_server.expect_exit(0)


@clause("END-10", quote="On SIGTERM a server MUST send BYE SHUTDOWN to all clients", needs=["process"])
@clause("END-01", quote="MUST send BYE, then shutdown(SHUT_WR), and read on until the peer's BYE", role="server")
def test_sigterm_says_shutdown(fresh_server: Server) -> None:
    alice, _ = fresh_server.joined("alice")
    fresh_server.terminate()
    alice.expect("BYE", code="SHUTDOWN")
    assert alice.expect_closed() is Kind.FIN, "the server reset the connection after its BYE"
    alice.bye()
    alice.half_close()
    fresh_server.expect_exit(0)


@tcp_only
@timers(linger_ms=PATIENT_MS)
@clause("END-01", quote="and read on until the peer's BYE or end of file has come", role="server", needs=["process"])
def test_server_reads_on_behind_its_goodbye(fresh_server: Server) -> None:
    alice, _ = fresh_server.joined("alice")
    fresh_server.terminate()
    alice.expect("BYE", code="SHUTDOWN")
    alice.expect_closed()
    for number in range(2):  # a connection that is gone answers the first with a reset, and the second finds it so
        alice.put(codec.encode(codec.frame("PING", opaque=b"%d" % number)), "a PING behind the end of the stream")
        alice.wait_read()
    assert not alice.was_reset, "the connection was reset: the server closed long before its linger_ms"
    alice.bye()
    alice.half_close()
    fresh_server.expect_exit(0)


@timers(linger_ms=LINGER_MS)
@clause("END-10", quote="end with exit code 0", needs=["process"])
def test_sigterm_with_a_client_that_never_answers(fresh_server: Server) -> None:
    alice = fresh_server.login("alice")
    fresh_server.terminate()
    alice.expect("BYE", code="SHUTDOWN")
    fresh_server.expect_exit(0)


@timers(linger_ms=LINGER_MS)
@pytest.mark.parametrize("code", ["NORMAL", "SHUTDOWN"])
@clause("END-08", quote="MUST send BYE NORMAL to all clients", level="L3", needs=["stdin", "process"])
@clause("END-10", quote="MUST send BYE SHUTDOWN to all clients and end with exit code 0", level="L3")
def test_goodbye_to_several_clients(fresh_server: Server, code: str) -> None:
    """One in no room, one in @host, one whose question is pending, and a stranger who is told nothing."""
    peers = [fresh_server.login("alice"), fresh_server.joined("bob")[0], ask(fresh_server, "carol")[0]]
    stranger = fresh_server.connect("stranger")
    stranger.hello()
    stranger.expect_challenge()
    if code == "NORMAL":
        fresh_server.expect_end()
        fresh_server.type_line("exit")
    else:
        fresh_server.terminate()
    for peer in peers:
        peer.expect("BYE", code=code)
        peer.bye()
        peer.half_close()
        peer.expect_closed()
    stranger.close()
    fresh_server.expect_exit(0)


@clause("END-04", quote="a server discards PUBLISHes that come, unacknowledged", role="server", needs=["process"])
@clause("END-05", quote="a peer MUST NOT send a second one", role="server")
def test_nothing_is_sent_after_the_servers_bye(fresh_server: Server) -> None:
    alice, room = fresh_server.joined("alice")
    fresh_server.terminate()
    alice.expect("BYE", code="SHUTDOWN")
    alice.publish(room, "too late")
    alice.bye()
    alice.half_close()
    alice.expect_closed(silently=True)
    fresh_server.expect_exit(0)


@clause("END-12", quote="End of file on the server's stdin MUST NOT end the server", needs=["operator", "process"])
def test_end_of_file_at_the_console(fresh_server: Server) -> None:
    fresh_server.close_stdin()
    alice, room = fresh_server.joined("alice")
    question = alice.publish(room, "is anybody there?")
    alice.expect_own(question)
    alice.expect_error("NO_ANSWER")
    alice.leave_politely()
    fresh_server.check_alive()
    fresh_server.login("bob").leave_politely()


@clause("END-19", quote="when it begins with `@nick `, to that client", needs=["operator"])
def test_line_for_a_named_client(server: Server) -> None:
    alice, room = server.joined("alice")
    question = alice.publish(room, "for me?")
    alice.expect_own(question)
    line = f"@{alice.nick} for you"
    server.type_line(line)
    answer = alice.expect_answer(question)
    assert answer.value("text") in ("for you", line), f"the line {line!r} came as {answer.value('text')!r}"


@clause("END-19", quote="MUST go to the oldest pending question", level="L3", needs=["operator"])
def test_lines_go_to_the_oldest_question(server: Server) -> None:
    alice, first = ask(server, "alice")
    bob, second = ask(server, "bob")
    server.type_line("for alice")
    alice.expect_answer(first, "for alice")
    server.type_line("for bob")
    bob.expect_answer(second, "for bob")


@clause("END-19", quote="when it begins with `@nick `, to that client", level="L3", needs=["operator"])
@clause("END-19", quote="if it has none, it is a message that answers nothing")
def test_named_client_goes_before_the_oldest_question(server: Server) -> None:
    alice, first = ask(server, "alice")
    bob, second = ask(server, "bob")
    server.type_line(f"@{bob.nick} for bob")
    bob.expect_answer(second, "for bob")
    server.type_line(f"@{bob.nick} news for bob")
    bob.expect("DELIVER", author_key=bob.server_key, text="news for bob", reply_to=ABSENT)
    assert not alice.barrier(), "what was typed for bob came to alice, too"
    server.type_line("for alice")
    alice.expect_answer(first, "for alice")


@clause("END-19", quote="A line for nobody is refused at the console, in words", level="L3", needs=["operator"])
def test_line_for_nobody(server: Server) -> None:
    alice, question = ask(server, "alice")
    server.type_line(f"@{server.case.nick('nobody')} are you there?")
    server.type_line("for alice")
    alice.expect_answer(question, "for alice")
    server.type_line("nobody has asked")
    # The console may be read later than the connection; its lines are in order, so this one comes behind.
    server.type_line(f"@{alice.nick} news for alice")
    alice.expect("DELIVER", author_key=alice.server_key, text="news for alice", reply_to=ABSENT)
    server.exchange(alice, alice.joins[0], "and now?")


# --- vanishing ---


def in_the_handshake(server: Server) -> Peer:
    peer = server.connect("bob")
    peer.hello()
    peer.expect_challenge()
    return peer


def in_mid_frame(server: Server) -> Peer:
    peer, room = server.joined("bob")
    peer.send(truncated(peer.make_publish(room), 50))
    return peer


def with_a_question(server: Server) -> Peer:
    peer, room = server.joined("bob")
    peer.expect_own(peer.publish(room, "and then?"))
    return peer


MOMENTS: list[Callable[[Server], Peer]] = [in_the_handshake, in_mid_frame, with_a_question]


@pytest.mark.parametrize("how", ["close", "reset", pytest.param("half_close", marks=pytest.mark.tcp_only)])
@pytest.mark.parametrize("moment", MOMENTS)
@clause("END-17", quote="A client that vanishes MUST NOT disturb the server", needs=["process"])
def test_client_vanishes(fresh_server: Server, moment: Callable[[Server], Peer], how: str) -> None:
    bob = moment(fresh_server)
    getattr(bob, how)()
    if any(room.last_counter for room in bob.rooms.values()):
        fresh_server.answer("too late")  # for a server that reads nothing while it thinks
    if how == "half_close":
        bob.expect_until_end()
    fresh_server.check_alive()
    fresh_server.pass_console()
    fresh_server.good_session("carol")


@clause("END-18", quote="MUST be able to start again on the same port at once", needs=["process"])
def test_restart_on_the_same_port(fresh_server: Server) -> None:
    alice, _ = fresh_server.joined("alice")
    alice.barrier()
    fresh_server.kill()
    alice.expect_until_end()
    alice.close()
    fresh_server.await_time_wait()
    fresh_server.start_again()
    fresh_server.good_session("bob")


# --- 7.2 errors ---


@clause("ERR-01", quote="MUST send one ERROR with the code", role="server")
@clause("ERR-06", quote="discard everything that still comes in, without answering", role="server")
def test_error_survives_what_comes_after_the_fault(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.send(flipped(mallory.make_publish(room), "author_sig"))
        flood = codec.encode(codec.frame("PING", opaque=b"still there?")) * 2000
        mallory.put(flood, "2000 PINGs behind the fault")
        mallory.expect_error("BAD_SIG", closes=False)
        end = mallory.expect_closed(silently=True)
        mallory.put(codec.encode(codec.frame("PING", opaque=b"and now?")), "one more PING behind the end of the stream")
        mallory.wait_read()
        reads_on = end is Kind.FIN and not mallory.was_reset
        assert reads_on, "the connection was reset: the server closed without reading to the end"
        mallory.half_close()


@clause(
    "ERR-01", quote="The outcomes of the frames before the faulty one go out first", role="server", needs=["answers"]
)
def test_outcomes_go_before_the_error(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        good = mallory.make_publish(room, "the last good one")
        mallory.send_together(good, tag_zero(mallory.make_join()))
        room.last_counter = good.number("counter")
        mallory.expect_own(good)
        server.answer("too late")  # for a server that reads nothing while it thinks
        mallory.expect_error("BAD_FRAME")
        mallory.close()
        server.pass_console()


@clause("ERR-03", quote="The receiver of an ERROR of class 01, 02, 03 or 06 MUST close, without a BYE", role="server")
@clause("ERR-02", quote="An ERROR MUST NOT be answered with an ERROR", role="server")
@pytest.mark.parametrize("code", ["BAD_FRAME", "PIN_MISMATCH", "SEQ_GAP", "INTERNAL"])
def test_fatal_error_of_the_client(server: Server, code: str) -> None:
    with bracket_ready(server) as mallory:
        mallory.send(error(code))
        mallory.expect_closed(silently=True)


@clause("ERR-03", quote="MUST close, without a BYE", role="server")
def test_error_in_the_handshake(server: Server) -> None:
    with bracket(server) as mallory:
        mallory.hello()
        mallory.expect_challenge()
        mallory.send(error("PIN_MISMATCH"))
        mallory.expect_closed(silently=True)


@clause("ERR-05", quote="A receiver MUST go by the class of a code that it does not know", role="server")
@pytest.mark.parametrize("code", [0x05FF, 0x04FE])
def test_unknown_code_of_a_harmless_class(server: Server, code: int) -> None:
    alice = server.login("alice")
    alice.send(error(code))
    assert not alice.barrier(), "something was sent in answer to a harmless ERROR"


@clause("ERR-05", quote="treat an unknown class like class 03", role="server")
@pytest.mark.parametrize("code", [0x03FF, 0x01FF, 0x7701, 0x0001])
def test_unknown_code_of_a_fatal_class(server: Server, code: int) -> None:
    with bracket_ready(server) as mallory:
        mallory.send(error(code))
        mallory.expect_closed(silently=True)


@clause("ERR-04", quote="After an ERROR of class 04 or 05 the connection MUST stay usable", role="server")
def test_refused_room_ends_nothing(server: Server) -> None:
    alice = server.login("alice")
    alice.send(alice.make_join("@nobody"))
    alice.expect_error("NO_ROOM", "NOT_SUPPORTED")
    alice.join("@host")
    alice.barrier()


@clause("ERR-07", quote="SHOULD name its type in ref_type, its room in room_id", role="server")
@clause("ERR-08", quote="An ERROR SHOULD name the violated requirement in `clause`", role="server")
def test_error_says_what_it_is_about(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        publish = mallory.publish(room, counter=room.limit_counter + 1)
        frame = mallory.expect_error("FLOW_VIOLATION")
        wanted = {"ref_type": FRAMES["PUBLISH"].type, "room_id": room.id, "counter": publish.number("counter")}
        wrong = [name for name, value in wanted.items() if frame.has(name) and frame.value(name) != value]
        assert not wrong, f"the ERROR is about a PUBLISH, but its {' and '.join(wrong)} is another's"
        missing = [name for name in (*wanted, "clause") if not frame.has(name)]
        if missing:
            mallory.case.not_strict(f"the ERROR does not say {', '.join(missing)}")


def error_without_code() -> Faulty:
    frame = error("BAD_FRAME")
    return with_fields(frame, frame.without("code").fields, "ERROR without a code")


def bye_without_code() -> Faulty:
    frame = codec.frame("BYE", code="NORMAL", reason="going")
    return with_fields(frame, frame.without("code").fields, "BYE without a code")


def error_with_bad_text() -> Faulty:
    return marked(codec.frame("ERROR", code="BAD_FRAME", reason=b"\xff\xfe"), "reason")


MALFORMED: list[Callable[[], Faulty]] = [error_without_code, bye_without_code, error_with_bad_text]


@pytest.mark.parametrize("fault", MALFORMED)
@clause("ERR-10", quote="A malformed ERROR or BYE MUST end the connection without an answer", role="server")
def test_malformed_error_or_bye(server: Server, fault: Callable[[], Faulty]) -> None:
    with bracket_ready(server) as mallory:
        mallory.send(fault())
        mallory.expect_closed(silently=True)


@tcp_only
@clause("SEC-03", quote="a program MUST NOT crash, hang, or stop serving others", role="server")
def test_mutated_frames(server: Server) -> None:
    with bracket(server):
        pass
    for number in range(30):
        peer, room = server.joined(f"mutant-{number}")
        octets = bytearray(codec.encode(peer.make_publish(room, "mutate me")))
        for place in peer.case.rng.sample(range(len(octets)), peer.case.rng.randint(1, 3)):
            octets[place] ^= peer.case.rng.randint(1, 255)
        peer.put(bytes(octets), "a PUBLISH with one to three octets changed")
        peer.half_close()
        peer.expect_until_end()
    server.check_alive()
    server.good_session("after")


@clause("END-01", quote="until linger_ms has passed, before it closes", role="server")
def test_answer_to_a_bye_is_not_lost(server: Server) -> None:
    alice, room = server.joined("alice")
    alice.send_together(alice.make_publish(room, "last words"), codec.frame("BYE", code="NORMAL"))
    alice.put(codec.encode(codec.frame("PING", opaque=b"afterwards")) * 500, "500 PINGs behind the BYE")
    alice.half_close()
    room.last_counter = 1
    alice.expect_until("ACK", acked_counter=1)
    server.answer("too late")  # for a server that reads nothing while it thinks
    alice.expect_until("BYE", code="NORMAL")
    end = alice.expect_closed(silently=True)
    assert end is Kind.FIN, "the connection was reset: the server closed without reading to the end"
    server.pass_console()
