# SPDX-License-Identifier: MIT
"""The terminal of the full screen: on every way out it is as it was before."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Callable

import pytest

from conftest import PROGRAMS, Server, Start
from console import Console
from picture import ENTER, ENTERS, LEAVES, SUSPEND, Picture, leave, talk, talk_a_while, texts

Serve = Callable[..., Server]


def assert_given_back(console: Console, before: list[object]) -> str:
    """What stands on the terminal behind the screen."""
    assert termios.tcgetattr(console.slave) == before
    assert LEAVES in console.out
    assert console.out.rindex(b"\033[?2004l") > console.out.rindex(b"\033[?2004h")
    assert ENTERS not in console.out.rpartition(LEAVES)[2]
    return console.out.rpartition(LEAVES)[2].decode()


def start_at(start: Start, server: Server) -> tuple[Console, Picture, list[object]]:
    console = start("prosa-client", "--screen", server.address, terminal=True)
    before = termios.tcgetattr(console.slave)
    picture = Picture(console)
    picture.wait_for("* joined @host")
    return console, picture, before


def test_a_goodbye_leaves_the_terminal_as_it_was(start: Start, serve: Serve) -> None:
    console, _, before = start_at(start, serve("echo"))
    said = leave(console)
    assert "first contact" in said
    assert said.endswith("you said goodbye\033[0m\r\n")
    assert_given_back(console, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(start: Start, serve: Serve, number: signal.Signals) -> None:
    console, _, before = start_at(start, serve("echo"))
    console.signal(number)
    assert console.ended() == 0
    assert_given_back(console, before)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGUSR1, signal.SIGTRAP, signal.SIGABRT])
def test_a_deadly_signal_leaves_the_terminal_as_it_was(
    start: Start, serve: Serve, number: signal.Signals
) -> None:
    console, _, before = start_at(start, serve("echo"))
    console.signal(number)
    assert console.ended() == -number
    assert_given_back(console, before)


def test_a_server_that_dies_leaves_word_on_the_terminal(start: Start, serve: Serve) -> None:
    server = serve("echo")
    console, _, before = start_at(start, server)
    server.console.signal(signal.SIGKILL)
    assert console.ended() == 5
    assert "vanished" in assert_given_back(console, before)


def test_what_is_left_to_be_sent_is_told_on_the_terminal(start: Start, serve: Serve) -> None:
    server = serve()
    console, picture, before = start_at(start, server)
    server.console.signal(signal.SIGSTOP)
    console.type("question" + ENTER + "another" + ENTER)
    picture.wait(lambda p: p.status == "@host  connected  2 on the way")
    server.console.signal(signal.SIGKILL)
    assert console.ended() == 5
    said = assert_given_back(console, before)
    assert said.index("vanished") < said.index("is kept in") < said.index("1 line was not sent")


def test_a_terminal_that_goes_away_is_the_end(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    talk_a_while(console, picture, count=10)
    console.hang_up()
    assert console.ended() == 0


def test_a_stop_and_a_continue_at_a_shell(start: Start, serve: Serve) -> None:
    server = serve("echo")
    client = f"{PROGRAMS / 'prosa-client'} --screen {server.address}"
    stopped = "echo it has stopped; read -r word; echo the word is $word; fg >/dev/null"
    script = f"{client}; {stopped}; {stopped}"
    console = start("/bin/bash", "-mc", script, terminal=True)
    before = termios.tcgetattr(console.slave)
    picture = Picture(console)
    picture.wait_for("* joined @host")
    console.type("half a sentence")
    picture.wait(lambda p: p.typed == "half a sentence")
    for rows, columns in [(30, 100), (20, 50)]:
        console.type(SUSPEND)
        console.expect("it has stopped")
        assert_given_back(console, before)
        picture.resize(rows, columns)
        console.line("go")
        console.expect("the word is go")
        picture.wait(lambda p: p.typed == "half a sentence" and p.status == "@host  connected")
        picture.wait_for("* joined @host")
    console.type(" and its end" + ENTER)
    picture.wait(lambda p: texts(p) == ["half a sentence and its end"])
    console.type("exit" + ENTER)
    assert console.ended() == 0
    assert_given_back(console, before)


def test_a_stop_where_nobody_could_continue_it(start: Start, serve: Serve) -> None:
    """Its process group is an orphan: the system does not stop it."""
    console, picture = talk(start, serve("echo"))
    console.type(SUSPEND)
    console.expect(LEAVES)
    console.expect(ENTERS)
    console.type("it goes on" + ENTER)
    picture.wait(lambda p: texts(p) == ["it goes on"])
    leave(console)


def test_a_stop_from_outside(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    os.kill(console.process.pid, signal.SIGSTOP)
    os.kill(console.process.pid, signal.SIGCONT)
    console.type("it goes on" + ENTER)
    picture.wait(lambda p: texts(p) == ["it goes on"])
    leave(console)
