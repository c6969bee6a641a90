# SPDX-License-Identifier: MIT
"""The operator's commands: who is here, what is counted, and what is done about somebody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import Start
from console import Console
from served import Ask, Asker, Serve, Served, asking, serving


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


@pytest.fixture
def ask(start: Start, tmp_path: Path) -> Ask:
    return asking(start, tmp_path)


def say(server: Served, line: str) -> str:
    """What the console answers to a command, in one line."""
    server.console.line(line)
    return server.console.expect("\n").decode().removesuffix("\n")


def refused(client: Console) -> str:
    """The code that its session ended with."""
    assert client.ended() in (4, 6)
    found = re.search(r'"event": ?"closed".*"code": ?"(\w+)"', client.out.decode())
    assert found, client.out
    return found[1]


def come_again(start: Start, server: Served, tmp_path: Path, data: str, nick: str) -> Console:
    words = ("--json", "--nick", nick, "--data", str(tmp_path / data), server.address)
    return start("prosa-client", *words)


def test_help_names_every_command(serve: Serve) -> None:
    server = serve()
    server.console.line("/help")
    text = server.console.expect("exit ").decode()
    names = re.findall(r"^/(\w+)", text, re.MULTILINE)
    assert names == ["who", "say", "kick", "ban", "unban", "unbind", "stats", "help"]
    server.stop()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/", "there is no command /;"),
        ("/dance", "there is no command /dance;"),
        ("/WHO", "there is no command /WHO;"),
        ("/\x1b[2J", "there is no command /\\u001b[2J;"),
        ("/who is", "not done: it is /who"),
        ("/kick", "not done: it is /kick NICK"),
        ("/kick ada bob", "not done: it is /kick NICK"),
        ("/say", "not done: it is /say ROOM text"),
        ("/say tea", "not done: it is /say ROOM text"),
        ("/say tea hello", "not sent: there is no room tea"),
        ("/say @host hello", "not sent: there is no room @host"),
        ("/kick eve", "no client eve is here"),
        ("/ban eve", "nobody is known by the nick eve"),
        ("/unban eve", "nobody is known by the nick eve"),
        ("/unbind eve", "the nick eve belongs to nobody"),
    ],
)
def test_what_cannot_be_done_is_said(serve: Serve, line: str, said: str) -> None:
    server = serve()
    assert said in say(server, line)
    server.stop()


def test_a_command_is_sent_to_nobody_and_two_slashes_are_one_of_the_text(serve: Serve, ask: Ask) -> None:
    server = serve()
    client = ask(server)
    client.console.line("what is the command?")
    server.console.expect("asks: what is the command?\n")
    assert "no command" in say(server, "/dance")
    server.console.line("//who")
    assert client.answer() == "/who"
    server.console.line("@ada /stats")
    client.event("message", text="/stats")
    server.stop()


def test_at_level_1_a_slash_is_text(serve: Serve, ask: Ask) -> None:
    server = serve("--level", "L1")
    client = ask(server)
    client.console.line("what is the command?")
    server.console.expect("asks: what is the command?\n")
    server.console.line("//who")
    assert client.answer() == "//who"
    server.stop()


def test_who_tells_nicks_rooms_and_addresses(serve: Serve, ask: Ask) -> None:
    server = serve()
    assert say(server, "/who") == "0 clients are here"
    ask(server)
    bob = ask(server, "bob")
    server.console.line("/who")
    shown = server.console.expect("2 clients are here\n").decode().splitlines()
    for line, nick in zip(shown[:2], ("ada", "bob"), strict=True):
        assert re.fullmatch(rf"{nick}#[0-9a-f]{{4}} session \d+ from 127\.0\.0\.1:\d+ in @host", line)
    bob.console.line("exit")
    bob.console.ended()
    server.console.expect("nick=bob", "err")
    server.console.expect("client-gone", "err")
    server.console.line("/who")
    assert "1 client is here" in server.console.expect("here\n").decode()
    server.stop()


def test_say_reaches_everybody_in_a_room(serve: Serve, start: Start, tmp_path: Path) -> None:
    server = serve()
    members = []
    for nick in ("ada", "bob"):
        words = ("--json", "--nick", nick, "--data", str(tmp_path / nick), "--room", "tea", server.address)
        members.append(start("prosa-client", *words))
        members[-1].expect('"joined"')
    server.console.line("/say tea  two blanks, one of them the text's")
    for member in members:
        member.expect('" two blanks, one of them the text\'s"')
    assert "1 to 4096 octets" in say(server, f"/say tea {'x' * 4097}")
    server.stop()


def test_kick_ends_the_sessions_of_a_nick_alone(serve: Serve, ask: Ask) -> None:
    server = serve()
    ada, bob = ask(server), ask(server, "bob")
    assert say(server, "/kick ada") == "ada is told to go"
    assert refused(ada.console) == "KICKED"
    server.console.expect("operator-kicked nick=\"ada\"", "err")
    server.console.line("@bob still here")
    bob.event("message", text="still here")
    server.stop()


def test_a_banned_key_stays_out_after_a_restart_until_it_is_let_in(
    serve: Serve, ask: Ask, start: Start, tmp_path: Path
) -> None:
    server = serve()
    ada = ask(server)
    assert say(server, "/ban ada") == "the key of ada is banned"
    assert refused(ada.console) == "KICKED"
    for nick in ("ada", "other"):
        assert refused(come_again(start, server, tmp_path, "ada", nick)) == "DENIED"
    server.stop()
    server = serve()
    assert refused(come_again(start, server, tmp_path, "ada", "ada")) == "DENIED"
    assert say(server, "/unban ada") == "the key of ada may come in"
    assert ask(server).console
    server.stop()


def test_unbind_makes_a_nick_free_for_another_key(
    serve: Serve, ask: Ask, start: Start, tmp_path: Path
) -> None:
    server = serve()
    owner: Asker = ask(server)
    owner.console.line("am I ada?")
    server.console.expect("asks: am I ada?\n")
    owner.console.line("exit")
    owner.console.ended()
    assert refused(come_again(start, server, tmp_path, "another", "ada")) == "NICK_TAKEN"
    assert say(server, "/unbind ada") == "the nick ada is free"
    come_again(start, server, tmp_path, "another", "ada").expect('"joined"')
    server.stop()


def test_stats_count(serve: Serve, ask: Ask) -> None:
    server = serve("--answer", "echo")
    client = ask(server)
    for text in ("one", "two"):
        assert client.ask(text) == text
    server.console.line("/stats")
    shown = server.console.expect("undecided\n").decode()
    assert "now 1 clients, 0 newcomers, 1 rooms" in shown
    assert re.search(r"so far 1 connections, 1 sessions, 2 messages, \d\d+ octets in, \d\d+ out", shown)
    assert re.search(r"^3 signatures checked in \d+ ms; [1-9]\d* transactions, 0 failed$", shown, re.MULTILINE)
    assert "waiting: 0 signatures, 0 records, 0 octets undecided" in shown
    server.stop()


@pytest.mark.parametrize("words", [["--level", "L1"], ["--memory"], []])
def test_what_was_said_before_exit_arrives_before_the_goodbye(serve: Serve, ask: Ask, words: list[str]) -> None:
    """Typed in one go: the answer is still on its way to the log when `exit` is read."""
    server = serve(*words)
    client = ask(server)
    client.console.line("are you leaving?")
    server.console.expect("asks: are you leaving?\n")
    server.console.type("yes\n@ada farewell\nexit\nnobody reads this\n")
    assert client.answer() == "yes"
    client.event("message", text="farewell")
    assert [client.console.ended(), server.console.ended()] == [0, 0]
