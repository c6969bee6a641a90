# SPDX-License-Identifier: MIT
"""Chapter 13 for clients: settings, events, exit codes; and octets that nobody would send."""

import json

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bugs import SOUND, Faulty
from prosa_conformance.case import Case
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.client import Event
from prosa_conformance.codec import Frame
from prosa_conformance.contract import NOT_THERE, ClientExit
from prosa_conformance.fixtures import StartClient
from prosa_conformance.outcome import Guilty, Violation
from prosa_conformance.scripted_server import ScriptedServer

MUTATIONS = 8  # of each frame


def expect_members(event: Event, /, **wanted: object) -> None:
    """The event has these members, of these very types."""
    wrong = {name: event.get(name) for name, value in wanted.items() if not _same(event.get(name), value)}
    if wrong:
        raise Violation(
            f"the event `{event['event']}` has other members than the table says",
            expected=json.dumps({name: wanted[name] for name in wrong}, ensure_ascii=False),
            actual=json.dumps(wrong, ensure_ascii=False),
        )


def _same(said: object, wanted: object) -> bool:
    return type(said) is type(wanted) and said == wanted


# --- 13.2 settings ---


@clause("CON-01", quote="A program MUST take its settings from these variables of its environment")
def test_nick_of_the_environment(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server, nick="zoe_of-9"))
    chat.session.challenge()
    chat.session.expect_auth(nick="zoe_of-9")


@clause("CON-01", quote="A program MUST take its settings from these variables of its environment")
def test_room_of_the_environment(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server, room="lobby"))
    chat.shake_hands()
    chat.session.expect("JOIN", room="lobby")


@clause("CON-01", quote="One that is unset stands for")
def test_room_is_unset(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server, room=""))
    chat.shake_hands()
    chat.session.expect("JOIN", room="@host")


@clause("CON-01", quote="A program MUST take its settings from these variables of its environment")
def test_folder_of_the_environment(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    keys = {Chat.meet(scripted_server, start_client(scripted_server)).session.client_key for _ in range(2)}
    assert len(keys) == 2, "two clients with folders of their own have the same key"


@clause("CON-03", quote="does not have the level asked for MUST end with exit code 89 before it does anything else")
def test_level_that_nobody_has(chat: Chat, start_client: StartClient) -> None:
    chat.leave()
    client = start_client(chat.server, level="L9")
    client.expect_exit(NOT_THERE)
    assert not chat.server.has_caller, "the client connected before it looked at its level"
    assert not list(client.data.iterdir()), "the client wrote into its folder before it looked at its level"


@pytest.mark.parametrize("bad", [{"nick": "No Nick!"}, {"port": "none"}, {"port": "65536"}, {"room": "Not A Room"}])
@clause("CON-12", quote="MUST end with the exit code that this list gives for how its session ended")
def test_bad_settings(chat: Chat, start_client: StartClient, bad: dict[str, str]) -> None:
    chat.leave()
    start_client(chat.server, **bad).expect_exit(ClientExit.SETTINGS)
    assert not chat.server.has_caller, "the client connected with settings that cannot be right"


# --- 13.4 lines and events ---


@clause("CON-08", quote="A line that is typed while the client waits for an answer is kept and sent")
def test_many_lines_typed_at_once(chat: Chat) -> None:
    lines = [f"line {number}" for number in range(20)]
    for line in lines:
        chat.client.type_line(line)
    for line in lines:
        question = chat.session.take_question(text=line)
        chat.session.give_answer(question, f"answer to {line}")
    chat.client.type_line("exit")
    chat.session.answer_bye()
    chat.client.expect_closed(0)
    shown = [event["text"] for event in chat.client.events if event["event"] == "message" and event["own"]]
    assert shown[1:] == lines, f"the client showed {shown[1:]} of what was typed"


@clause("CON-08", quote="A client MUST take each line of its stdin as a message to send")
def test_lines_that_look_like_commands(chat: Chat) -> None:
    for line in ("exit now", "EXIT", '{"event":"closed"}', "quit"):
        chat.exchange(line, f"you said {line!r}")


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line, flushed at each line")
def test_event_joined(newcomer: Chat) -> None:
    newcomer.shake_hands()
    room = newcomer.session.accept_join(last_counter=6, limit_counter=7, head_seq=11, start_seq=12)
    expect_members(
        newcomer.client.expect_event("joined"),
        room="@host",
        room_id=room.id.hex(),
        epoch=room.epoch.hex(),
        server_key=newcomer.server.key.hex(),
        last_counter="6",
        start_seq="12",
        lost_history=False,
    )


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line, flushed at each line")
def test_event_of_the_own_message(chat: Chat) -> None:
    chat.client.type_line("my own words")
    question = chat.session.expect_publish()
    delivered = chat.session.deliver(question)
    event = chat.client.expect_event("message")
    expect_members(event, **message_members(delivered), nick="alice", text="my own words", own=True)


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line, flushed at each line")
def test_event_of_an_answer(chat: Chat) -> None:
    question = chat.ask()
    answer = chat.session.make_answer(question, "with all members", display="The Host")
    delivered = chat.session.deliver(answer)
    event = chat.client.expect_event("message")
    expect_members(event, **message_members(delivered), nick="host", text="with all members", own=False)
    expect_members(event, display="The Host", reply_to=crypto.message_id(question).hex())


def message_members(delivered: Frame) -> dict[str, object]:
    numbers = {name: str(delivered.number(name)) for name in ("room_seq", "counter", "sent_at", "server_time")}
    author = delivered.need("author_key").hex()
    return {"room": "@host", "author_key": author, "id": crypto.message_id(delivered).hex(), **numbers}


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line, flushed at each line")
def test_large_numbers_in_events(chat: Chat) -> None:
    largest = str(2**64 - 1)
    question = chat.ask()
    answer = chat.session.make_answer(question, "at the end of time", sent_at=2**64 - 1)
    chat.session.deliver(answer, server_time=2**64 - 1)
    expect_members(chat.client.expect_event("message"), sent_at=largest, server_time=largest)


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line, flushed at each line")
def test_event_acked(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.begin(scripted_server, start_client(scripted_server))
    chat.ask()
    expect_members(chat.client.expect_event("acked"), room="@host", counter="1")


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line, flushed at each line")
def test_event_error(chat: Chat) -> None:
    chat.session.refuse_answer(chat.ask(), reason="gone fishing")
    event = chat.client.expect_event("error")
    expect_members(event, **{"from": "server", "code": "NO_ANSWER", "reason": "gone fishing", "counter": "2"})


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line, flushed at each line")
def test_event_of_an_error_that_was_sent(chat: Chat) -> None:
    chat.ask()
    chat.session.send(SOUND["unknown even"])
    chat.expect_refusal("UNSUPPORTED")
    sent = [event for event in chat.client.events if event["event"] == "error"]
    assert len(sent) == 1, f"one ERROR was sent, {len(sent)} were reported"
    expect_members(sent[0], **{"from": "client", "code": "UNSUPPORTED"})


@clause("CON-09", quote="and everything else on stderr")
def test_closed_is_the_last_event(chat: Chat) -> None:
    chat.leave()
    left = chat.client.events_until_end()
    assert not left, f"after `closed` came {left}"
    gone, closed = chat.client.events[-2:]
    expect_members(gone, event="disconnected", how="goodbye", again=False)
    expect_members(closed, event="closed", exit=0)


# --- exit codes ---


@clause("CON-12", quote="MUST end with the exit code that this list gives for how its session ended")
@clause("CON-04", quote="A program MUST NOT use the exit codes 125, 126, 127 or 137")
def test_nobody_listens(chat: Chat, start_client: StartClient) -> None:
    chat.leave()
    chat.server.stop_listening()
    client = start_client(chat.server)
    client.expect_event("disconnected", how="refused")
    client.expect_closed(ClientExit.NO_CONNECTION)


@clause("CON-04", quote="A program MUST NOT use the exit codes 125, 126, 127 or 137")
@clause("SEC-04", quote="Whatever octets a server sends, a client MUST NOT crash or hang")
def test_a_server_that_sends_anything(chat: Chat) -> None:
    chat.ask()
    octets = chat.session.case.rng.randbytes(4096)
    chat.session.put(octets, "4096 random octets", Guilty(octets))
    vanish(chat)
    expect_some_exit(chat)


# --- SEC-04 ---


def mutated(case: Case, frame: Frame) -> Faulty:
    """The frame with up to four octets changed, at random."""
    octets = bytearray(codec.encode(frame))
    places = [case.rng.randrange(len(octets)) for _ in range(case.rng.randint(1, 4))]
    for place in places:
        octets[place] ^= case.rng.randint(1, 255)
    return Faulty(f"{frame.name} with the octets {places} changed", bytes(octets), Guilty(bytes(octets), places[0], 1))


def expect_some_exit(chat: Chat) -> None:
    """The client ends by itself, with a code that the list has; what it says is not judged."""
    chat.client.expect_exit(*ClientExit)


def vanish(chat: Chat) -> None:
    """The server goes away, whatever the client made of its octets; the line wakes one that waits for it."""
    chat.client.type_line("still there?", may_be_gone=True)
    chat.session.half_close()
    chat.session.expect_until_end()
    chat.session.close()


@pytest.mark.parametrize("number", range(MUTATIONS))
@clause("SEC-04", quote="Whatever octets a server sends, a client MUST NOT crash or hang")
def test_mutated_challenge(newcomer: Chat, number: int) -> None:
    newcomer.session.challenge(mutated(newcomer.session.case, newcomer.session.make_challenge()))
    vanish(newcomer)
    expect_some_exit(newcomer)


@pytest.mark.parametrize("number", range(MUTATIONS))
@clause("SEC-04", quote="Whatever octets a server sends, a client MUST NOT crash or hang")
def test_mutated_deliver(chat: Chat, number: int) -> None:
    session, question = chat.session, chat.ask()
    session.send(mutated(session.case, session.make_deliver(session.make_answer(question, "which octet is it?"))))
    session.send(mutated(session.case, session.make_ack(limit=question.number("counter") + 1)))
    vanish(chat)
    expect_some_exit(chat)


@pytest.mark.parametrize("number", range(MUTATIONS))
@clause("SEC-04", quote="Whatever octets a server sends, a client MUST NOT crash or hang")
def test_mutated_joined(newcomer: Chat, number: int) -> None:
    newcomer.shake_hands()
    join = newcomer.session.expect("JOIN")
    newcomer.session.send(mutated(newcomer.session.case, newcomer.session.make_joined(join)))
    vanish(newcomer)
    expect_some_exit(newcomer)
