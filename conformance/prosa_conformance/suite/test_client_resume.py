# SPDX-License-Identifier: MIT
"""Section 6.8 seen by a scripted server: what a client keeps, when it comes back, and with what.

A client may come back by itself or be started again: `come_back` takes either. What is said of its
attempts holds for those that it makes by itself.
"""

import socket
from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import with_extra
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.client import Event
from prosa_conformance.codec import Frame
from prosa_conformance.contract import ClientExit, exit_after
from prosa_conformance.fixtures import StartClient
from prosa_conformance.language import _
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.registry import CODES
from prosa_conformance.scripted_server import ScriptedServer

WINDOW = 3
BURST = 40
AFTER_MS = 800  # more than a client waits by itself before its first attempt
HASTE, WATCHED_S = 12, 1.0  # so many attempts in so short a time cannot come of waits that double
OTHER_EPOCH = b"another epoch..."


@pytest.fixture
def resuming(scripted_server: ScriptedServer, start_client: StartClient) -> Chat:
    """A client in a session with `resume`."""
    return Chat.begin_with(scripted_server, start_client(scripted_server), "resume", granted=WINDOW)


def lose(chat: Chat) -> None:
    """The server is gone, without a word."""
    chat.session.close()


def add_meanwhile(chat: Chat, *texts: str) -> None:
    """What is said in the room while the client does not hear it."""
    for text in texts:
        chat.session.make_deliver(chat.session.make_message(text))


def publish(chat: Chat, count: int) -> list[Frame]:
    """The client sends these messages; nobody acknowledges them."""
    texts = [f"message {number}" for number in range(count)]
    for text in texts:
        chat.client.type_line(text)
    return [chat.session.expect_publish(text=text) for text in texts]


def rejoin(chat: Chat, **joined: object) -> Event:
    """CHALLENGE to JOINED, with these fields; the event about it."""
    chat.shake_hands()
    chat.session.accept_join(**joined)
    return chat.client.expect_event("joined")


def asked_after(chat: Chat) -> int:
    """The after_seq of the client's last JOIN; NotApplicable when it asked for none."""
    join = [frame for frame in chat.session.received if frame.name == "JOIN"][-1]
    if not join.has("after_seq"):
        raise NotApplicable("the client does not ask for history")
    return join.number("after_seq")


# --- where it goes on ---


@clause("RES-04", quote="A JOIN with an after_seq other than 0 MUST carry the epoch that it refers to", level="resume")
@clause("RES-03", quote="A client MUST report lost history when")
@clause("AUTH-02", quote="fresh for each connection")
def test_history_goes_on_where_it_was(resuming: Chat, start_client: StartClient) -> None:
    for number in range(3):
        resuming.say(f"before {number}")
    add_meanwhile(resuming, "meanwhile 1", "meanwhile 2")
    lose(resuming)
    again = resuming.come_back(start_client)
    assert again.session.hello.need("nonce") != resuming.session.hello.need("nonce"), "the nonce came again"
    event = rejoin(again)
    assert event.get("lost_history") is False, "nothing was lost, and `joined` says lost_history"
    for entry in again.session.replay():
        again.client.expect_event("message", text=entry.value("text"))
    again.say("after it")


@clause("RES-15", quote="A client with `resume` that was killed MUST NOT pass over a message when it comes back")
def test_killed_with_messages_unread(resuming: Chat, start_client: StartClient) -> None:
    for number in range(3):
        resuming.say(f"shown {number}")
    resuming.client.freeze()
    unread = [f"unread {number}" for number in range(3)]
    for text in unread:
        resuming.session.deliver(resuming.session.make_message(text))
    resuming.client.kill()
    lose(resuming)
    again = resuming.restart(start_client)
    again.resume()
    expect_none_missing(resuming, again, unread)


@clause("RES-15", quote="that was killed MUST NOT pass over a message when it comes back")
@clause("RES-15", quote="It may show again what it had shown and not yet stored")
def test_killed_in_the_middle_of_a_burst(resuming: Chat, start_client: StartClient) -> None:
    session = resuming.session
    count = min(BURST, session.room.limit_seq - session.room.head_seq)
    texts = [f"burst {number}" for number in range(count)]
    session.send_together(*[session.make_deliver(session.make_message(text)) for text in texts])
    resuming.client.expect_event("message", text=texts[0])
    resuming.client.kill()
    lose(resuming)
    again = resuming.restart(start_client)
    again.resume()
    expect_none_missing(resuming, again, texts)


def expect_none_missing(first: Chat, second: Chat, texts: list[str]) -> None:
    """Each of them was shown, in one life of the client or the other."""
    second.session.deliver(second.session.make_message("up to here"))
    while second.client.expect_event("message")["text"] != "up to here":
        continue
    missing = [text for text in texts if text not in {*first.client.texts(), *second.client.texts()}]
    if missing:
        raise Violation(
            _("the client was killed and came back, and has never shown {text}").format(text=repr(missing[0])),
            expected=_("all messages from where it was on"),
            actual=_("{count} messages are missing").format(count=len(missing)),
        )


Lost = Callable[[int], dict[str, object]]
LOST: list[tuple[str, Lost]] = [
    ("another-epoch", lambda after: {"epoch": OTHER_EPOCH, "last_counter": 0, "head_seq": 0, "start_seq": 1}),
    ("shorter", lambda after: {"head_seq": after - 1, "start_seq": 1}),
    ("pruned", lambda after: {"head_seq": after + 9, "oldest_seq": after + 5, "start_seq": after + 5}),
]


@pytest.mark.parametrize("lost", [case for _name, case in LOST], ids=[name for name, _case in LOST])
@clause("RES-03", quote="when JOINED has another epoch than it asked for, head_seq < after_seq, or oldest_seq >")
def test_lost_history_is_reported(resuming: Chat, start_client: StartClient, lost: Lost) -> None:
    for number in range(3):
        resuming.say(f"before {number}")
    lose(resuming)
    again = resuming.come_back(start_client)
    event = rejoin(again, **lost(3))
    if asked_after(again) != 3:
        raise NotApplicable("the client does not ask for what comes after the last message that it has seen")
    assert event.get("lost_history") is True, "history was lost, and `joined` does not say lost_history"


@clause("RES-03", quote="oldest_seq > after_seq + 1")
def test_pruned_up_to_the_very_place(resuming: Chat, start_client: StartClient) -> None:
    """Nothing is lost when the next entry is the oldest one that is kept."""
    for number in range(3):
        resuming.say(f"before {number}")
    lose(resuming)
    event = rejoin(resuming.come_back(start_client), head_seq=3, oldest_seq=4, start_seq=4)
    assert event.get("lost_history") is False, "nothing was lost, and `joined` says lost_history"


@clause("RES-03", quote="Who asks for all there is (RES-04) is told so, too, when the beginning is pruned")
def test_beginning_was_pruned(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin_with(scripted_server, start_client(scripted_server), "resume")
    asks_for_all = asked_after(chat) == 0
    chat.leave()
    other = Chat.meet(scripted_server, start_client(scripted_server))
    event = rejoin(other, head_seq=9, oldest_seq=5, start_seq=5)
    said = event.get("lost_history")
    assert said is asks_for_all, "the beginning is pruned, and `joined` does not say whether that concerns the client"


# --- what it has to send again ---


@clause("RES-07", quote="MUST store the octets of a PUBLISH before it sends them the first time")
@clause("RES-08", quote="MUST send the messages that it keeps again byte-identical, from JOINED.last_counter + 1 on")
def test_killed_right_after_it_published(resuming: Chat, start_client: StartClient) -> None:
    sent = publish(resuming, resuming.session.room.granted)
    resuming.client.kill()
    lose(resuming)
    again = resuming.restart(start_client)
    again.resume(granted=WINDOW, last_counter=0)
    again.expect_again(*sent)
    again.session.ack()
    again.expect_acked(len(sent))


@clause("RES-08", quote="MUST send the messages that it keeps again byte-identical, from JOINED.last_counter + 1 on")
def test_what_the_server_has_is_not_sent_again(resuming: Chat, start_client: StartClient) -> None:
    sent = publish(resuming, resuming.need_window(2))
    resuming.session.make_deliver(sent[0])
    lose(resuming)
    again = resuming.come_back(start_client)
    again.client.type_line("typed meanwhile")
    again.shake_hands()
    again.session.accept_join(granted=2 * WINDOW, last_counter=1)
    again.expect_acked(1)
    again.session.replay()
    again.expect_again(*sent[1:])
    new = again.session.expect_publish(text="typed meanwhile")
    assert new.number("counter") == len(sent) + 1, "the new line has not the next number"


@clause("FLOW-20", quote="A client MUST NOT send a PUBLISH with a counter above limit_counter", level="resume")
@clause("RES-08", quote="MUST send the messages that it keeps again byte-identical")
def test_sent_again_within_the_limit(resuming: Chat, start_client: StartClient) -> None:
    sent = publish(resuming, resuming.need_window(2))
    lose(resuming)
    again = resuming.come_back(start_client)
    again.resume(granted=1, last_counter=0)
    for number, message in enumerate(sent, start=1):
        again.expect_again(message)
        early = [frame.name for frame in again.session.barrier() if frame.name == "PUBLISH"]
        assert not early, "the client sent more again than the limit allows"
        again.session.ack(limit=number + 1)


@clause("RES-08", quote="In a new epoch they belong to a room that is gone: the client reports those without an ACK")
@clause("RES-08", quote="as an `error` event from `client` with code WRONG_ROOM, room and counter")
def test_not_sent_in_a_new_epoch(resuming: Chat, start_client: StartClient) -> None:
    window = resuming.need_window(2)
    publish(resuming, window)
    resuming.session.ack(acked=1, limit=window)
    resuming.expect_acked(1)
    lose(resuming)
    again = resuming.come_back(start_client)
    again.shake_hands()
    again.session.accept_join(epoch=OTHER_EPOCH)
    unsent = [str(counter) for counter in range(2, window + 1)]
    for counter in unsent:
        again.client.expect_event("error", **{"from": "client", "code": "WRONG_ROOM", "counter": counter})
    again.client.type_line("in the new room")
    again.session.deliver(again.session.expect_publish(text="in the new room"))
    again.client.expect_event("message", text="in the new room", counter="1")
    told = [event for event in again.client.errors() if event.get("code") == "WRONG_ROOM"]
    assert [event.get("counter") for event in told] == unsent, "other messages are reported than those without an ACK"
    assert all(event.get("room") == "@host" for event in told), "the report does not name the room"


@clause("RES-08", quote="MUST send the messages that it keeps again byte-identical", level="resume")
@clause("END-13", quote="A client that waits to reconnect goes on trying while something is")
def test_end_of_file_with_something_pending(resuming: Chat, start_client: StartClient) -> None:
    sent = publish(resuming, 1)
    resuming.client.close_stdin()
    lose(resuming)
    again = resuming.come_back(start_client)
    again.client.close_stdin()
    again.resume(granted=WINDOW, last_counter=0)
    again.expect_again(*sent)
    again.session.ack(limit=2)
    again.session.answer_bye()
    again.client.expect_closed(0)


# --- when it comes back ---


def back_by_itself(chat: Chat) -> Chat:
    """The next session of a client that tries again."""
    if not chat.may_come_back():
        raise NotApplicable("the client does not try again by itself")
    return Chat.meet(chat.server, chat.client)


def shut_down(chat: Chat, **fields: int) -> Callable[[], float]:
    """BYE SHUTDOWN, answered; a stopwatch that began before it was sent."""
    since = chat.server.case.stopwatch()
    chat.session.send(codec.frame("BYE", code="SHUTDOWN", **fields))
    chat.session.half_close()
    chat.session.expect("BYE", code="NORMAL")
    chat.session.expect_closed()
    chat.session.close()
    return since


def expect_patience(since: Callable[[], float], after_ms: int) -> None:
    """The session at hand began no sooner than it was asked to."""
    waited_ms = since() * 1000
    if waited_ms < after_ms:
        raise Violation(
            "the client came back sooner than the server asked it to",
            expected=_("an attempt {ms} ms after the goodbye, or later").format(ms=after_ms),
            actual=_("it was there after {ms:.0f} ms").format(ms=waited_ms),
        )


@clause("RES-11", quote="and no shorter than after_ms")
@clause("END-11", quote="end with exit code 6 unless it resumes")
def test_not_sooner_than_the_goodbye_says(resuming: Chat) -> None:
    since = shut_down(resuming, after_ms=AFTER_MS)
    again = back_by_itself(resuming)
    expect_patience(since, AFTER_MS)
    again.resume()
    again.say("open again")
    again.leave()


@clause("RES-11", quote="and no shorter than after_ms")
def test_not_sooner_than_a_busy_server_says(resuming: Chat) -> None:
    lose(resuming)
    busy = back_by_itself(resuming)
    since = busy.server.case.stopwatch()
    busy.session.send(codec.frame("ERROR", code="BUSY", reason="no place", after_ms=AFTER_MS))
    busy.session.half_close()
    busy.session.expect_closed()
    busy.session.close()
    again = back_by_itself(busy)
    expect_patience(since, AFTER_MS)
    again.resume()


@clause("RES-11", quote="A client that reconnects MUST wait with exponential backoff from")
def test_server_that_is_away_for_a_while(resuming: Chat) -> None:
    """Each attempt is an event, and between two there is a wait; then the client is back."""
    resuming.server.stop_listening()
    lose(resuming)
    if not resuming.may_come_back():
        raise NotApplicable("the client does not try again by itself")
    resuming.client.expect_event("disconnected", how="refused", again=True)
    hasty = attempts_within(resuming, WATCHED_S)
    if hasty >= HASTE:
        raise Violation(
            "the client tries again and again without waiting",
            expected=_("waits that grow from 0.5 s"),
            actual=_("more than {count} attempts in {seconds:g} s").format(count=HASTE, seconds=WATCHED_S),
        )
    resuming.server.listen()
    again = Chat.meet(resuming.server, resuming.client)
    again.resume()
    again.say("there I am")
    again.leave()


def attempts_within(chat: Chat, seconds: float) -> int:
    """How often the client says `refused` in this time; not more than HASTE are counted."""
    deadline = chat.server.case.deadline(seconds)
    count = 0
    while count < HASTE and (event := chat.client.next_event_until(deadline)) is not None:
        count += event["event"] == "disconnected"
    return count


@clause(
    "END-07", quote="While it waits to reconnect there is nobody to say BYE to: it ends all the same", level="resume"
)
def test_exit_while_the_server_is_away(resuming: Chat) -> None:
    resuming.server.stop_listening()
    lose(resuming)
    if not resuming.may_come_back():
        raise NotApplicable("the client does not try again by itself")
    resuming.client.type_line("exit")
    resuming.client.expect_closed(0, code=None)


@clause("END-13", quote="and ends with 0 when nothing is", level="resume")
def test_end_of_file_while_the_server_is_away(resuming: Chat) -> None:
    resuming.server.stop_listening()
    lose(resuming)
    if not resuming.may_come_back():
        raise NotApplicable("the client does not try again by itself")
    resuming.client.close_stdin()
    resuming.client.expect_closed(0)


# --- when it does not ---


def expect_no_return(chat: Chat, exit_code: int) -> None:
    """The client says that it will not try again, ends, and has not tried."""
    assert not chat.may_come_back(), "the client will try again, where it must not"
    chat.client.expect_closed(exit_code)
    assert not chat.server.has_caller, "the client has connected again, where it must not"


@pytest.mark.parametrize("code", ["REPLACED", "KICKED", "NORMAL"])
@clause("RES-13", quote="A client MUST NOT reconnect by itself after REPLACED, KICKED or NORMAL")
def test_goodbyes_that_are_meant(resuming: Chat, code: str) -> None:
    resuming.session.bye(code)
    resuming.session.half_close()
    resuming.session.expect("BYE", code="NORMAL")
    resuming.session.expect_closed()
    resuming.session.close()
    expect_no_return(resuming, ClientExit.GOOD if code == "NORMAL" else ClientExit.WENT_AWAY)


@pytest.mark.parametrize("code", ["BAD_FRAME", "UNSUPPORTED", "BAD_SIG", "DENIED"])
@clause("RES-13", quote="after a fatal ERROR of class 01 or 02 from either side")
@clause("ERR-09", quote="MUST end with exit code 4 for class 02, 6 for class 06 and 1 for the others")
def test_fatal_errors_of_the_server(resuming: Chat, code: str) -> None:
    resuming.session.send(codec.frame("ERROR", code=code, reason="never again"))
    resuming.session.half_close()
    resuming.session.expect_closed()
    resuming.session.close()
    expect_no_return(resuming, exit_after(CODES[code].number))


@clause("RES-13", quote="after a fatal ERROR of class 01 or 02 from either side")
def test_fatal_error_of_the_client(resuming: Chat) -> None:
    resuming.session.send(with_extra(resuming.session.make_ack(), 0x00FE))
    resuming.session.expect_error("UNSUPPORTED")
    resuming.session.close()
    expect_no_return(resuming, ClientExit.PROTOCOL)


@clause("RES-13", quote="or after a session in which `resume` was not active")
def test_session_without_resume(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server))
    lose(chat)
    expect_no_return(chat, ClientExit.VANISHED)


@clause("RES-13", quote="or after a session in which `resume` was not active")
def test_server_that_comes_back_without_resume(resuming: Chat) -> None:
    lose(resuming)
    again = back_by_itself(resuming)
    again.server.features = 0
    again.shake_hands()
    again.join()
    lose(again)
    expect_no_return(again, ClientExit.VANISHED)


@clause("ID-05", quote="the client MUST stop, print both fingerprints, and end without trying again", level="resume")
@clause("RES-13", quote="after a fatal ERROR of class 01 or 02 from either side")
def test_server_that_comes_back_with_another_key(resuming: Chat) -> None:
    lose(resuming)
    again = back_by_itself(resuming)
    again.server.seed = again.client.case.seed("another key")
    again.session.challenge()
    again.session.expect_error("PIN_MISMATCH")
    again.session.close()
    expect_no_return(again, ClientExit.AUTHENTICATION)


# --- under another address ---


def addresses_of(name: str, port: int) -> list[str]:
    """The addresses behind a name of this machine, on which a server can be."""
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)}
    return [address for address in sorted(found) if can_listen(address, port)]


def can_listen(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


@clause(
    "RES-12", quote="look the name up again on every attempt, and try every address that comes back", level="resume"
)
@clause("ID-02", quote="pin the server's key under the target at the first contact")
def test_server_that_moves_to_another_address(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    """Name and key stay: the client finds it, and takes it for the one that it knows."""
    scripted_server.stop_listening()
    case, port = scripted_server.case, scripted_server.port
    addresses = addresses_of("localhost", port)
    if len(addresses) < 2:
        raise NotApplicable("the name localhost has one address on this machine")
    before, after = (ScriptedServer(case, address=(address, port)) for address in addresses[:2])
    after.stop_listening()
    before.host = "localhost"
    chat = Chat.begin_with(before, start_client(before), "resume")
    chat.say("from here")
    before.stop_listening()
    after.listen()
    after.host, after.features, after.rooms = "localhost", before.features, before.rooms
    lose(chat)
    again = Chat(after, chat.client, chat.session).come_back(start_client)
    again.resume()
    again.say("and from there")
    after.stop_listening()
    again.leave()
