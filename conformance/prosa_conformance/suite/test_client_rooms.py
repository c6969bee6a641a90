# SPDX-License-Identifier: MIT
"""Level L3 seen by a scripted server: a client in a named room, its members, and what others say there."""

from collections.abc import Iterable

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bugs import marked
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.client import Event
from prosa_conformance.codec import Frame
from prosa_conformance.fixtures import StartClient
from prosa_conformance.registry import EVENTS
from prosa_conformance.scripted_server import ScriptedServer

LOBBY = "lobby"
UNKNOWN_EVENT = max(EVENTS.values()) + 0x40


@pytest.fixture
def lobby(scripted_server: ScriptedServer, start_client: StartClient) -> Chat:
    """A client that has joined the room that PROSA_ROOM names; it is told that it is there."""
    chat = Chat.begin(scripted_server, start_client(scripted_server, room=LOBBY), granted=8)
    chat.session.send(chat.session.make_member("here", "alice"))
    expect_member(chat, "here", "alice")
    return chat


def expect_member(chat: Chat, change: str, nick: str) -> Event:
    key = chat.session.key_of(nick).hex()
    return chat.client.expect_event("member", room=LOBBY, change=change, nick=nick, member_key=key)


def message_of(chat: Chat, nick: str, counter: int, text: str) -> Frame:
    """A message that another person has signed."""
    seed = chat.session.case.seed(nick)
    key = crypto.public_key(seed)
    return chat.session.make_message(text, seed=seed, nick=nick, author_key=key, counter=counter)


def hear(chat: Chat, nick: str, counter: int, text: str = "") -> None:
    """Another person says something, and the client shows it."""
    text = text or f"{nick} says {counter}"
    chat.session.deliver(message_of(chat, nick, counter, text))
    chat.client.expect_event("message", room=LOBBY, nick=nick, counter=str(counter), text=text, own=False)


def gaps(chat: Chat) -> list[Event]:
    """What was reported of counters, up to here."""
    chat.session.deliver(message_of(chat, "witness", 1, "up to here"))
    chat.client.expect_event("message", text="up to here")
    return [event for event in chat.client.errors() if event.get("code") == "COUNTER_GAP"]


# --- the room ---


@clause(
    "CON-01",
    quote="A program MUST take its settings from these variables of its environment",
    level="L3",
    role="client",
)
@clause("MSG-23", quote="compute room_id from JOINED's epoch", level="L3")
def test_room_that_the_settings_name(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server, room=LOBBY))
    chat.shake_hands()
    room = chat.session.accept_join(LOBBY)
    chat.client.expect_event("joined", room=LOBBY, room_id=room.id.hex(), epoch=room.epoch.hex())


@clause("MSG-23", quote="end the connection with ERROR WRONG_ROOM", level="L3")
def test_room_id_of_an_own_host_room(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    """Only @host has the client's key in its room_id."""
    chat = Chat.meet(scripted_server, start_client(scripted_server, room=LOBBY))
    chat.shake_hands()
    epoch = chat.session.case.seed("epoch")[:16]
    wrong = crypto.room_id(chat.server.key, epoch, LOBBY, chat.session.client_key)
    chat.session.accept_join(epoch=epoch, room_id=wrong)
    chat.expect_refusal("WRONG_ROOM")


@clause("CON-12", quote="A client whose only room is refused says BYE NORMAL and ends with 1", level="L3")
@pytest.mark.parametrize("code", ["NO_ROOM", "TOO_MANY_ROOMS", "NOT_SUPPORTED"])
def test_named_room_is_refused(scripted_server: ScriptedServer, start_client: StartClient, code: str) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server, room=LOBBY))
    chat.shake_hands()
    chat.session.expect("JOIN", room=LOBBY)
    chat.session.send(codec.frame("ERROR", code=code, reason="not here", room=LOBBY))
    chat.client.expect_event("error", **{"from": "server", "code": code, "room": LOBBY})
    chat.session.answer_bye()
    chat.client.expect_closed(1)


@clause("CON-08", quote="A client MUST take each line of its stdin as a message to send", level="L3")
@clause("MSG-06", quote="A client MUST number its messages in a room from 1 without a gap", level="L3")
def test_lines_go_to_the_room(lobby: Chat) -> None:
    lobby.need_window(2)
    for text in ("hello", "everybody"):
        lobby.client.type_line(text)
        lobby.session.deliver(lobby.session.expect_publish(text=text))
        lobby.session.ack()
        lobby.client.expect_event("message", room=LOBBY, text=text, own=True)
    lobby.expect_acked(2)


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line", level="L3")
@clause("FLOW-33", quote="A client MUST take a DELIVER at any time when it reads", level="L3")
def test_what_others_say(lobby: Chat) -> None:
    for counter in range(1, 4):
        hear(lobby, "bob", counter)
        hear(lobby, "carol", counter)
    authors = {event["author_key"] for event in lobby.client.events if event["event"] == "message"}
    assert authors == {lobby.session.key_of(nick).hex() for nick in ("bob", "carol")}, "the keys are not the authors'"


@clause("CON-10", quote="`text` and `display` in an event MUST be the text that was sent", level="L3")
def test_name_to_show_beside_the_nick(lobby: Chat) -> None:
    seed = lobby.session.case.seed("bob")
    message = lobby.session.make_message(
        "named", seed=seed, nick="bob", author_key=crypto.public_key(seed), display="Bob \u202e ü"
    )
    lobby.session.deliver(message)
    lobby.client.expect_event("message", text="named", display="Bob \u202e ü")


@clause("MSG-16", quote="MUST NOT show the text of a DELIVER whose author_sig does not verify", level="L3")
@clause("CON-11", quote="MUST be an `error` event with from `client` and code `BAD_SIG`", level="L3")
def test_words_put_into_another_members_mouth(lobby: Chat) -> None:
    hear(lobby, "bob", 1)
    bob = lobby.session.key_of("bob")
    forged = lobby.session.make_message("I owe you", nick="bob", author_key=bob, counter=2)
    lobby.session.deliver(forged)
    lobby.client.expect_event("error", **{"from": "client", "code": "BAD_SIG"})
    hear(lobby, "bob", 3)
    assert "I owe you" not in lobby.client.texts(), "the client showed what bob did not sign"


@clause("FLOW-17", quote="it sends an ACK at the latest when half of recv_window is used up", level="L3")
def test_credit_for_many_others(lobby: Chat) -> None:
    room = lobby.session.room
    for counter in range(1, 101):
        while room.head_seq == room.limit_seq:
            lobby.session.expect("ACK", room_id=room.id)
        lobby.session.deliver(message_of(lobby, "bob", counter, f"bob says {counter}"))
    lobby.expect_shown(f"bob says {counter}" for counter in range(1, 101))


# --- members ---


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line", level="L3")
def test_members_come_and_go(lobby: Chat) -> None:
    session = lobby.session
    steps = [("here", "bob"), ("joined", "carol"), ("left", "bob"), ("joined", "bob"), ("left", "carol")]
    for change, nick in steps:
        session.send(session.make_member(change, nick))
        expect_member(lobby, change, nick)


@clause("CON-09", quote="A client MUST print its events on stdout, one JSON object a line", level="L3")
def test_members_are_counted_and_named_again(lobby: Chat) -> None:
    session = lobby.session
    session.send(session.make_member("count", count=300))
    lobby.client.expect_event("member", room=LOBBY, change="count", count=300)
    session.send(session.make_member("resync"))
    lobby.client.expect_event("member", room=LOBBY, change="resync")
    for nick in ("alice", "bob"):
        session.send(session.make_member("here", nick))
        expect_member(lobby, "here", nick)


@clause("MSG-18", quote="It does the same with an ACK or MEMBER for such a room", level="L3")
def test_member_of_another_room(lobby: Chat) -> None:
    elsewhere = lobby.session.case.seed("another room")
    wrong = lobby.session.make_member("joined", "bob", room_id=elsewhere)
    lobby.session.send(marked(wrong, "room_id"))
    lobby.expect_refusal("WRONG_ROOM")


@clause("WIRE-26", quote="A receiver MUST give no meaning to a GREASE tag or type", level="L3", role="client")
@clause("WIRE-12", quote="MUST ignore a frame of an unknown odd type as a whole", level="L3", role="client")
def test_unknown_frames_and_events_between_members(lobby: Chat) -> None:
    session = lobby.session
    session.put(codec.raw_frame(0x4B, b"no fields"), "a frame of the GREASE type 0x4b")
    strange = session.make_member(UNKNOWN_EVENT, "bob")
    session.send(strange)
    session.send(session.make_member("joined", "carol"))
    expect_member(lobby, "joined", "carol")
    nicks = [event.get("nick") for event in lobby.client.events if event["event"] == "member"]
    assert nicks == ["alice", "carol"], "the client told of a change that it cannot know"


# --- counters of authors ---


def expect_reported(chat: Chat, counters: Iterable[int]) -> None:
    """One report for each of these messages of bob; a client that reports none is tolerated."""
    reported = [event.get("counter") for event in gaps(chat)]
    if not reported:
        chat.session.case.not_strict("a counter was left out or came again, and the client does not tell")
        return
    wanted = [str(counter) for counter in counters]
    assert reported == wanted, "the client reports other messages than those behind which something is missing"


@clause("MSG-28", quote="SHOULD report a DELIVER whose counter is not the one after the last that it saw")
@clause("MSG-28", quote="Something was left out or repeated; the message is shown all the same")
def test_message_of_an_author_is_left_out(lobby: Chat) -> None:
    for counter in (7, 8, 10, 11, 20):
        hear(lobby, "bob", counter)
    expect_reported(lobby, [10, 20])


@clause("MSG-28", quote="Something was left out or repeated; the message is shown all the same")
def test_message_of_an_author_comes_again(lobby: Chat) -> None:
    for counter in (1, 2, 2, 3, 1, 2):
        hear(lobby, "bob", counter, "said before" if counter == 2 else "")
    expect_reported(lobby, [2, 1])


@clause("MSG-28", quote="not the one after the last that it saw of this author in this JOIN")
def test_counters_of_several_authors_are_not_mixed_up(lobby: Chat) -> None:
    for counter in range(5, 8):
        hear(lobby, "bob", counter)
        hear(lobby, "carol", 10 * counter if counter == 5 else 45 + counter)
    lobby.client.type_line("and I")
    lobby.session.deliver(lobby.session.expect_publish(text="and I"))
    lobby.session.ack()
    lobby.client.expect_event("message", own=True, text="and I")
    assert not gaps(lobby), "nothing was left out, and the client reports a gap"
