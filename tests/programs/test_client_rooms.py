# SPDX-License-Identifier: MIT
"""The reference client in several rooms: where lines go, and what its commands do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from asked import named, next_event, texts
from conftest import ODD_SERVER, Server, Start
from console import Console

Serve = Callable[..., Server]
Talk = Callable[..., Console]


@pytest.fixture
def talk(start: Start, tmp_path: Path) -> Talk:
    """talk(server, "ada", "lobby", ...) -> a client with a folder of its own, in that room."""

    def run(server: Server, nick: str, room: str = "lobby", *words: str, level: str = "L4") -> Console:
        who = ["--nick", nick, "--data", str(tmp_path / nick), "--room", room, "--level", level]
        console = start("prosa-client", "--json", *who, *words, server.address)
        next_event(console, "joined", room=room)
        return console

    return run


def test_lines_go_to_the_current_room(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    ada, bob = talk(server, "ada"), talk(server, "bob")
    ada.type("one\n/join kitchen\ntwo\n/room lobby\nthree\n/leave kitchen\nfour\n")
    said = [next_event(bob, "message")["text"] for _ in range(3)]
    assert said == ["one", "three", "four"]
    ada.expect("left kitchen", "err")
    ada.line("exit")
    assert ada.ended() == 0
    rooms = {event["text"]: event["room"] for event in named(ada, "message")}
    assert rooms == {"one": "lobby", "two": "kitchen", "three": "lobby", "four": "lobby"}
    counters = [(event["room"], event["counter"]) for event in named(ada, "acked")]
    assert sorted(counters) == [("kitchen", "1"), ("lobby", "1"), ("lobby", "2"), ("lobby", "3")]


def test_leaving_the_current_room_goes_back_to_another(serve: Serve, talk: Talk) -> None:
    ada = talk(serve(level="L3"), "ada", level="L3")
    ada.type("/join kitchen\n/leave\nhere\n")
    assert next_event(ada, "message")["room"] == "lobby"
    ada.type("/leave\nnowhere\n")
    assert next_event(ada, "error")["code"] == "NO_ROOM"
    ada.type("/join kitchen\nback\n")
    assert next_event(ada, "message", text="back")["room"] == "kitchen"
    ada.line("/quit")
    assert ada.ended() == 0


def test_a_message_can_begin_with_a_slash(serve: Serve, talk: Talk) -> None:
    ada = talk(serve(level="L4"), "ada")
    ada.type("//etc/hosts\n///\nexit\n")
    assert ada.ended() == 0
    assert texts(ada) == ["/etc/hosts", "//"]


def test_at_level_1_a_slash_is_text(serve: Serve, talk: Talk) -> None:
    ada = talk(serve("echo"), "ada", "@host", level="L1")
    ada.type("/help\n")
    ada.close_stdin()
    assert ada.ended() == 0
    assert texts(ada) == ["/help", "/help"]
    assert named(ada, "error") == []


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("/dance", "UNSUPPORTED", "/dance"),
        ("/", "UNSUPPORTED", "/help"),
        ("/" + "x" * 4095, "UNSUPPORTED", "/help"),
        ("/join", "BAD_TEXT", "/join ROOM"),
        ("/join The Lobby", "BAD_TEXT", "one word"),
        ("/join Lobby", "BAD_TEXT", "1 to 32"),
        ("/leave kitchen", "NO_ROOM", "kitchen"),
        ("/room kitchen", "NO_ROOM", "/join kitchen"),
        ("/history", "BAD_TEXT", "/history N"),
        ("/history -1", "BAD_TEXT", "how many"),
        ("/history 0", "BAD_TEXT", "how many"),
        ("/verify nobody", "BAD_STATE", "nobody"),
        ("/quit now", "BAD_TEXT", "stands alone"),
    ],
)
def test_a_line_that_is_no_command_is_told_and_not_sent(
    serve: Serve, talk: Talk, line: str, code: str, words: str
) -> None:
    ada = talk(serve(level="L4"), "ada")
    ada.type(f"{line}\nafter it\n")
    error = next_event(ada, "error")
    assert (error["from"], error["code"]) == ("client", code)
    assert words in error["reason"]
    next_event(ada, "message", text="after it")
    ada.line("exit")
    assert ada.ended() == 0
    assert texts(ada) == ["after it"]


def test_help_lists_every_command(serve: Serve, talk: Talk) -> None:
    ada = talk(serve(level="L4"), "ada")
    ada.type("/help\nexit\n")
    assert ada.ended() == 0
    for verb in ("join", "leave", "room", "who", "history", "verify", "quit", "help"):
        assert re.search(rf"^\* /{verb}\b", ada.err.decode(), re.MULTILINE)


def test_level_2_has_one_room(serve: Serve, talk: Talk) -> None:
    ada = talk(serve(level="L2"), "ada", "@host", level="L2")
    ada.line("/join lobby")
    assert next_event(ada, "error")["code"] == "NOT_SUPPORTED"
    ada.line("exit")
    assert ada.ended() == 0


def test_no_more_rooms_than_the_server_allows(serve: Serve, talk: Talk) -> None:
    ada = talk(serve(level="L4", timers="max_rooms=2"), "ada")
    ada.type("/join kitchen\n/join cellar\n")
    assert next_event(ada, "error")["code"] == "TOO_MANY_ROOMS"
    ada.type("/leave kitchen\n")
    ada.expect("left kitchen", "err")
    ada.type("/join cellar\n")
    next_event(ada, "joined", room="cellar")
    ada.line("exit")
    assert ada.ended() == 0


def test_a_room_that_is_refused_is_no_end_when_it_was_an_attempt(serve: Serve, talk: Talk) -> None:
    ada = talk(serve(level="L4"), "ada")
    ada.type("/join @secret\nfor nobody\n")
    error = next_event(ada, "error")
    assert (error["from"], error["code"], error["room"]) == ("server", "NO_ROOM", "@secret")
    ada.line("for all")
    assert next_event(ada, "message")["room"] == "lobby"
    ada.line("exit")
    assert ada.ended() == 0
    assert "1 line for @secret was not sent" in ada.err.decode()
    assert named(ada, "closed")[0]["unsent"] == 1


def test_who_is_there(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    ada, bob = talk(server, "ada"), talk(server, "bob")
    next_event(ada, "member", change="joined", nick="bob")
    ada.line("/who")
    said = ada.expect("bob#", "err").decode()
    assert "lobby: 2 members" in said
    assert "ada#" in said
    bob.line("exit")
    next_event(ada, "member", change="left", nick="bob")
    ada.type("/who lobby\nexit\n")
    assert ada.ended() == 0
    assert "lobby: 1 member\n" in ada.err.decode()


def test_fingerprints_are_the_same_on_both_sides(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    ada, bob = talk(server, "ada"), talk(server, "bob")
    next_event(ada, "member", change="joined", nick="bob")
    ada.line("hello")
    for console in (ada, bob):
        next_event(console, "message", text="hello")
    for console, words in ((ada, "/verify\n/verify bob\nexit\n"), (bob, "/verify\nexit\n")):
        console.type(words)
        assert console.ended() == 0
    seen = {}
    for console in (ada, bob):
        found = re.findall(r"^\* (.+): ((?:[0-9a-f]{4} ){7}[0-9a-f]{4})$", console.err.decode(), re.MULTILINE)
        seen[console] = dict(found)
    assert seen[ada][server.address] == seen[bob][server.address]
    assert seen[ada]["bob"] == seen[bob]["you"]
    assert seen[ada]["you"] != seen[bob]["you"]
    chains = [re.findall(r"lobby at message 1: ([0-9a-f]{64})", console.err.decode()) for console in (ada, bob)]
    assert chains[0] == chains[1] != []


# --- history ---


def fill(server: Server, talk: Talk, count: int) -> None:
    ada = talk(server, "ada")
    ada.type("".join(f"{number}\n" for number in range(1, count + 1)))
    ada.close_stdin()
    assert ada.ended() == 0


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), []),
        (("--history", "0"), []),
        (("--history", "2"), ["4", "5"]),
        (("--history", "9"), ["1", "2", "3", "4", "5"]),
        (("--history", "all"), ["1", "2", "3", "4", "5"]),
    ],
)
def test_history_at_the_first_visit(
    serve: Serve, talk: Talk, words: tuple[str, ...], shown: list[str]
) -> None:
    server = serve(level="L4")
    fill(server, talk, 5)
    bob = talk(server, "bob", "lobby", *words)
    bob.line("end")
    next_event(bob, "message", text="end")
    bob.line("exit")
    assert bob.ended() == 0
    assert texts(bob) == [*shown, "end"]


def test_a_later_visit_shows_what_was_missed(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    bob = talk(server, "bob")
    bob.line("exit")
    assert bob.ended() == 0
    fill(server, talk, 3)
    bob = talk(server, "bob", "lobby", "--history", "1")
    for text in ("1", "2", "3"):
        next_event(bob, "message", text=text)
    bob.line("exit")
    assert bob.ended() == 0
    assert texts(bob) == ["1", "2", "3"]


def test_history_on_demand(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    fill(server, talk, 5)
    bob = talk(server, "bob")
    bob.line("/history 2")
    assert [next_event(bob, "message")["text"] for _ in range(2)] == ["4", "5"]
    bob.line("new")
    next_event(bob, "message", text="new")
    bob.line("exit")
    assert bob.ended() == 0
    bob = talk(server, "bob")
    bob.type("exit\n")
    assert bob.ended() == 0
    assert texts(bob) == []  # what was shown again is not forgotten as shown


def test_without_resume_there_is_no_history(serve: Serve, talk: Talk) -> None:
    ada = talk(serve("memory", level="L4"), "ada")
    ada.line("/history 5")
    assert next_event(ada, "error")["code"] == "NOT_SUPPORTED"
    ada.line("exit")
    assert ada.ended() == 0


@pytest.mark.parametrize("value", ["some", "-1", ""])
def test_a_bad_history_is_told(start: Start, value: str) -> None:
    console = start("prosa-client", "--history", value, "localhost:1")
    assert console.ended() == 2
    assert "history" in console.err.decode()


def test_a_message_that_was_left_out_is_told(serve: Serve, talk: Talk) -> None:
    server = serve("skip", script=ODD_SERVER, level="L4")
    ada = talk(server, "ada", "@host")
    for text in ("first", "second"):
        server.console.line(f"@ada {text}")
        next_event(ada, "message", text=text)
    ada.line("exit")
    assert ada.ended() == 0
    (error,) = named(ada, "error")
    assert (error["from"], error["code"], error["room"], error["counter"]) == ("client", "COUNTER_GAP", "@host", "4")
    assert "message 3 of host was due" in error["reason"]
