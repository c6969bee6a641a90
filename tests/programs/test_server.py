# SPDX-License-Identifier: MIT
"""The reference server: its key, who answers, and what happens when descriptors run out."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
from pathlib import Path

import pytest

from conftest import PROGRAMS, Start
from console import INTERRUPT
from served import Ask, Serve, Served, asking, serving


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


@pytest.fixture
def ask(start: Start, tmp_path: Path) -> Ask:
    return asking(start, tmp_path)


# --- the key ---


def test_the_first_start_makes_a_private_key_and_the_second_keeps_it(serve: Serve, tmp_path: Path) -> None:
    fingerprints = []
    for _ in range(2):
        server = serve("--memory")
        server.console.expect("fingerprint ", "err")
        fingerprints.append(server.console.expect("\n", "err"))
        server.stop()
    key = tmp_path / "server" / "server.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert re.fullmatch(r"PROSA-KEY-1 [0-9a-f]{64}\n", key.read_text())
    assert len(set(fingerprints)) == 1
    assert [path.name for path in key.parent.iterdir()] == ["server.key"]


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("PROSA-KEY-1 " + "ab" * 32 + "\n", 0o640, "chmod 600"),
        ("PROSA-KEY-1 " + "ab" * 31 + "\n", 0o600, "octets"),
        ("PROSA-KEY-1 " + "AB" * 32 + "\n", 0o600, "hexadecimal"),
        ("PROSA-KEY-2 " + "ab" * 32 + "\n", 0o600, "PROSA-KEY-1"),
        ("", 0o600, "octets"),
    ],
)
def test_a_bad_key_file_is_named_and_kept(
    start: Start, tmp_path: Path, content: str, mode: int, said: str
) -> None:
    key = tmp_path / "data" / "server.key"
    key.parent.mkdir()
    key.write_text(content)
    key.chmod(mode)
    console = start("prosa-server", "--port", "0")
    assert console.ended() == 2
    assert str(key) in console.err.decode()
    assert said in console.err.decode()
    assert key.read_text() == content


def test_a_key_that_is_a_folder_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data" / "server.key").mkdir(parents=True)
    console = start("prosa-server", "--port", "0")
    assert console.ended() == 2
    assert "not a regular file" in console.err.decode()


# --- listening ---


def test_a_port_in_use_is_named(serve: Serve, start: Start, tmp_path: Path) -> None:
    server = serve()
    console = start("prosa-server", "--port", str(server.port), "--data", str(tmp_path / "other"))
    assert console.ended() == 3
    assert str(server.port) in console.err.decode()
    assert "another program has this port" in console.err.decode()
    assert console.out == b""


@pytest.mark.parametrize(
    ("host", "said"),
    [("prosa.invalid", "does not resolve"), ("192.0.2.1", "no address of this machine")],
)
def test_a_host_that_cannot_be_listened_on_is_named(start: Start, host: str, said: str) -> None:
    console = start("prosa-server", "--host", host, "--port", "0")
    assert console.ended() == 3
    assert f"{host}" in console.err.decode()
    assert said in console.err.decode()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
@pytest.mark.parametrize(("host", "reached"), [("::1", ["::1"]), ("::", ["::1", "127.0.0.1"])])
def test_ipv6_alone_or_both_families(serve: Serve, host: str, reached: list[str]) -> None:
    server = serve("--host", host)
    assert server.address == f"[{host}]:{server.port}"
    for address in reached:
        socket.create_connection((address, server.port)).close()
    server.stop()


def test_the_same_port_again_at_once(serve: Serve, ask: Ask) -> None:
    """The server said goodbye first, so its side of the connection is in TIME_WAIT."""
    server = serve("--answer", "echo")
    client = ask(server)
    assert client.ask("once") == "once"
    server.stop()
    assert "SHUTDOWN" in client.event("disconnected")["reason"]
    again = serve("--answer", "echo", "--port", str(server.port))
    assert ask(again, "bob").ask("twice") == "twice"


# --- answers of a program ---


def test_a_program_answers_and_knows_who_asks(serve: Serve, ask: Ask) -> None:
    asker = "$PROSA_ASKER_NICK $PROSA_ASKER_COUNTER $PROSA_ASKER_KEY"
    program = f'tr a-z A-Z; echo " {asker} $(env | grep -c ^PROSA_ASKER_)"'
    server = serve("--answer", program, env={"PROSA_ASKER_NICK": "eve", "PROSA_ASKER_EPOCH": "stale"})
    client = ask(server)
    for counter in (1, 2):
        assert re.fullmatch(rf"HELLO ada {counter} [0-9a-f]{{64}} 3", client.ask("hello") or "")
    server.stop()


@pytest.mark.parametrize(
    "command",
    [
        "cat; exit 3",
        "true",
        "echo",
        "head -c 4097 /dev/zero | tr '\\0' x",
        "cat /dev/zero | head -c 300000",
        "printf '\\377'",
        "printf 'a\\000b'",
        "kill -9 $$",
        "no-such-program-anywhere",
    ],
)
def test_what_is_no_answer_is_told_and_the_next_question_is_taken(
    serve: Serve, ask: Ask, command: str
) -> None:
    server = serve("--answer", f'if [ "$PROSA_ASKER_COUNTER" = 1 ]; then {command}; else cat; fi')
    client = ask(server)
    assert client.ask("first") is None
    assert client.ask("second") == "second"
    server.stop()


def test_the_longest_answer_loses_its_line_end_alone(serve: Serve, ask: Ask) -> None:
    server = serve("--answer", "head -c 4095 /dev/zero | tr '\\0' x; printf '\\n\\n'")
    assert ask(server).ask("as long as it gets") == "x" * 4095 + "\n"
    server.stop()


def test_a_program_that_does_not_read_its_question_answers_all_the_same(serve: Serve, ask: Ask) -> None:
    server = serve("--answer", "exec 0<&-; echo no")
    assert ask(server).ask("q" * 4096) == "no"
    server.stop()


def test_a_program_that_takes_too_long_is_killed(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    """It and its child hold a pipe open: whoever reads it sees when both are gone."""
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    server = serve("--answer-timeout", "1", "--answer", f"exec 9>{pipe}; sleep 600 & sleep 600")
    client = ask(server)
    client.console.line("are you there?")
    assert pipe.read_bytes() == b""
    assert client.answer() is None
    server.stop()


def test_the_program_of_a_client_that_is_gone_is_killed(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    server = serve("--answer", f"exec 9>{pipe}; echo begun >&9; exec sleep 600")
    client = ask(server)
    client.console.line("are you there?")
    with pipe.open("rb") as alive:
        assert alive.readline() == b"begun\n"
        client.console.signal(signal.SIGKILL)
        assert alive.read() == b""
    server.stop()


def test_a_slow_program_keeps_nobody_waiting(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    pipe = tmp_path / "release"
    os.mkfifo(pipe)
    server = serve("--answer", f'read q; if [ "$q" = slow ]; then cat {pipe}; else echo "$q"; fi')
    slow, quick = ask(server, "ada"), ask(server, "bob")
    slow.console.line("slow")
    slow.event("message", own=True)
    assert quick.ask("quick") == "quick"
    pipe.write_text("done\n")
    assert slow.answer() == "done"
    server.stop()


def test_more_askers_than_programs_at_once(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    """Each program takes one line from the pipe, an empty one, since shells read octet by octet."""
    pipe = tmp_path / "release"
    os.mkfifo(pipe)
    server = serve("--answer", f'read go <{pipe}; echo "now $PROSA_ASKER_NICK"')
    clients = [ask(server, f"n{number}") for number in range(18)]
    for client in clients:
        client.console.line("when?")
        client.event("message", own=True)
    release = os.open(pipe, os.O_RDWR)
    os.write(release, 18 * b"\n")
    assert [client.answer() for client in clients] == [f"now n{number}" for number in range(18)]
    os.close(release)
    server.stop()


# --- the operator ---


def test_the_operator_sees_who_asks_and_answers(serve: Serve, ask: Ask) -> None:
    server = serve()
    ada, bob = ask(server, "ada"), ask(server, "bob")
    ada.console.line("one \u202e\u200b\u0085 two\\")
    shown = server.console.expect("\n").decode()
    assert re.fullmatch(r"ada#[0-9a-f]{4} asks: one \\u202e\\u200b\\u0085 two\\\\\n", shown)
    bob.console.line("and I?")
    server.console.expect("asks: and I?")
    server.console.line("@bob first to you")
    assert bob.answer() == "first to you"
    server.console.line("then to you")
    assert ada.answer() == "then to you"
    server.console.line("@ada unasked")
    assert "reply_to" not in ada.event("message", text="unasked")
    server.console.line("exit")
    assert [ada.console.ended(), bob.console.ended(), server.console.ended()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"to nobody", "no question is open"),
        (b"@eve hello", "no client eve is here"),
        (b"x" * 4097, "1 to 4096 octets"),
        (b"x" * 20000, "1 to 4096 octets"),
        (b"@ada \xff", "1 to 4096 octets"),
    ],
)
def test_a_line_that_goes_nowhere_is_not_lost_in_silence(
    serve: Serve, ask: Ask, line: bytes, said: str
) -> None:
    server = serve()
    client = ask(server)
    server.console.line(line)
    assert said in server.console.expect("\n").decode()
    server.console.line("@ada still here")
    client.event("message", text="still here")


def test_a_carriage_return_is_part_of_the_lines_end(serve: Serve, ask: Ask) -> None:
    server = serve()
    client = ask(server)
    server.console.line("@ada from another system\r")
    client.event("message", text="from another system")
    server.console.line("exit\r")
    assert [client.console.ended(), server.console.ended()] == [0, 0]


def test_a_client_is_told_what_it_can_take_and_the_operator_the_rest(serve: Serve, ask: Ask) -> None:
    """Without a log, where nothing could come later."""
    server = serve("--level", "L1")
    client = ask(server)
    server.console.type("".join(f"@ada {number}\n" for number in range(300)))
    server.console.line("exit")
    assert [client.console.ended(), server.console.ended()] == [0, 0]
    events = [json.loads(line) for line in client.console.out.decode().splitlines()]
    told = [event["text"] for event in events if event["event"] == "message"]
    refused = server.console.out.count(b"not sent: ada has not taken what was said before\n")
    assert told
    assert len(told) + refused == 300


@pytest.mark.parametrize("console", [os.devnull, "file"])
def test_without_a_console_nobody_answers(start: Start, ask: Ask, tmp_path: Path, console: str) -> None:
    (tmp_path / "file").write_text("a line before anybody asked\n")
    words = f"exec {PROGRAMS}/prosa-server --port 0 --data {tmp_path}/server <{console}"
    server = Served(start("/bin/sh", "-c", f"cd {tmp_path} && {words}"))
    assert ask(server).ask("anybody?") is None
    server.stop()


def test_the_end_of_the_console_answers_what_is_open(serve: Serve, ask: Ask) -> None:
    server = serve()
    client = ask(server)
    client.console.line("anybody?")
    server.console.expect("asks: anybody?")
    server.console.close_stdin()
    assert client.answer() is None
    assert client.ask("still nobody?") is None


def test_ctrl_c_at_a_terminal_says_goodbye(serve: Serve, ask: Ask) -> None:
    server = serve(terminal=True)
    client = ask(server)
    server.console.type(INTERRUPT)
    assert server.console.ended() == 0
    assert "SHUTDOWN" in client.event("disconnected")["reason"]


def test_a_session_that_is_refused_replaces_nobody(
    serve: Serve, ask: Ask, start: Start, tmp_path: Path
) -> None:
    server = serve("--answer", "echo")
    client = ask(server)
    words = ("--nick", "host", "--data", str(tmp_path / "ada"))  # the same key
    assert start("prosa-client", *words, server.address).ended() == 4
    assert client.ask("am I still here?") == "am I still here?"


def test_the_log_says_how_a_client_went(serve: Serve, ask: Ask) -> None:
    server = serve("--answer", "echo")
    polite, dead = ask(server, "polite"), ask(server, "dead")
    polite.console.line("exit")
    server.console.expect("client-gone", "err")
    assert b'how="said goodbye"' in server.console.expect("reason", "err")
    dead.console.signal(signal.SIGKILL)
    server.console.expect("vanished", "err")
    server.stop()


# --- when something runs out ---


def test_it_survives_without_descriptors(start: Start, ask: Ask, tmp_path: Path) -> None:
    words = f"exec {PROGRAMS}/prosa-server --port 0 --data {tmp_path}/server --answer echo"
    server = Served(start("/bin/sh", "-c", f"ulimit -n 16 && {words}"))
    crowd = [socket.create_connection((server.host, server.port)) for _ in range(20)]
    server.console.expect("no-descriptors", "err")
    for sock in crowd:
        sock.close()
    assert ask(server).ask("is there a place?") == "is there a place?"
    server.stop()


BOTH = pytest.param("::", marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1"))


@pytest.mark.parametrize("host", ["127.0.0.1", BOTH])
def test_strangers_who_say_nothing_give_way(serve: Serve, ask: Ask, host: str) -> None:
    """From one address: it is exempt from having a share, also when the socket is for both families."""
    words = ("--answer", "echo", "--timers", "handshake_ms=600000", "--exempt", "127.0.0.1")
    server = serve("--host", host, *words)
    server.address = f"127.0.0.1:{server.port}"
    crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(64)]
    assert ask(server).ask("is there a place?") == "is there a place?"
    assert crowd[0].recv(1) == b""  # the oldest
    for sock in crowd[1:]:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
    server.stop()
    for sock in crowd:
        sock.close()
