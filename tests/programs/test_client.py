# SPDX-License-Identifier: MIT
"""The reference client: what it says, keeps and refuses."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import stat
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from asked import events_of, named
from conftest import FLOODING_SERVER, ROOT, SILENT_SERVER, Server, Start, shimmed
from console import CHUNK, END_OF_FILE, INTERRUPT, Console

Serve = Callable[..., Server]

PIN_LINE = re.compile(r"[^ ]+ ([0-9a-f]{4}(?: [0-9a-f]{4}){7}) [0-9a-f]{64}\n?")

# What U+0000 to U+001F, U+007F to U+009F and the other characters of MSG-19 are on a terminal.
FORBIDDEN = [
    chr(code)
    for low, high in [(0x80, 0x9F), (0x61C, 0x61C), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x2069)]
    for code in range(low, high + 1)
]


def fingerprint_in(pin: str) -> str:
    match = PIN_LINE.fullmatch(pin)
    assert match, pin
    return match[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- words and settings ---


def test_help_names_every_setting_and_exit_code(start: Start) -> None:
    console = start("prosa-client", "--help")
    assert console.ended() == 0
    text = console.out.decode()
    for word in ("host", "port", "nick", "room", "data", "level"):
        assert f"--{word} " in text
        assert f"(PROSA_{word.upper()})" in text
    assert "--json" in text
    codes = text[text.index("Exit codes") :]
    assert set(re.findall(r"\b\d+\b", codes)) == {"0", "1", "2", "3", "4", "5", "6", "89"}


def test_the_manual_has_every_option_of_help(start: Start) -> None:
    console = start("prosa-client", "--help")
    console.ended()
    manual = (ROOT / "ref-client" / "prosa-client.1").read_text()
    for option in re.findall(r"^  --(\w+)", console.out.decode(), re.MULTILINE):
        assert f".It Fl \\-{option}" in manual
    for variable in re.findall(r"PROSA_\w+", console.out.decode()):
        assert variable in manual


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--colour", "red"], "--colour"),
        (["--nick"], "--nick lacks its NICK"),
        (["--nick", "Ada Lovelace", "localhost"], "Ada Lovelace"),
        (["--room", "the lobby", "localhost"], "the lobby"),
        (["localhost:0"], "1 to 65535"),
        (["localhost:65536"], "1 to 65535"),
        (["localhost:http"], "1 to 65535"),
        (["[::1"], "bracket"),
        (["münchen.example"], "xn--"),
        (["localhost", "--json"], "--json"),
        (["--level", "one", "localhost"], "one"),
    ],
)
def test_bad_settings_end_with_2_and_name_the_word(start: Start, words: list[str], said: str) -> None:
    console = start("prosa-client", *words)
    assert console.ended() == 2
    assert said in console.err.decode()
    assert console.out == b""


@pytest.mark.parametrize("level", ["L0", "L5", "L9"])
def test_a_level_it_does_not_have_ends_with_89(start: Start, level: str) -> None:
    console = start("prosa-client", "localhost:1", env={"PROSA_LEVEL": level})
    assert console.ended() == 89
    assert level in console.err.decode()


# --- connecting ---


def test_a_refused_connection_names_the_address(start: Start) -> None:
    port = free_port()
    console = start("prosa-client", f"127.0.0.1:{port}")
    assert console.ended() == 3
    assert "127.0.0.1: Connection refused" in console.err.decode()
    assert str(port) in console.err.decode()


def test_without_a_host_the_server_is_here(start: Start) -> None:
    port = free_port()
    console = start("prosa-client", env={"PROSA_PORT": str(port)})
    assert console.ended() == 3
    assert f"127.0.0.1 port {port}" in console.err.decode()


def test_a_refused_connection_as_events(start: Start) -> None:
    console = start("prosa-client", "--json", f"127.0.0.1:{free_port()}")
    assert console.ended() == 3
    gone, closed = events_of(console)
    assert (gone["event"], gone["how"], gone["again"]) == ("disconnected", "refused", False)
    assert (closed["event"], closed["exit"], closed["code"]) == ("closed", 3, None)


def test_a_name_that_does_not_resolve(start: Start) -> None:
    console = start("prosa-client", "--json", "prosa.invalid")
    assert console.ended() == 3
    assert named(console, "disconnected")[0]["how"] == "unresolved"
    assert "prosa.invalid does not resolve" in named(console, "closed")[0]["reason"]


def test_every_address_of_a_name_is_tried(start: Start, serve: Serve) -> None:
    """localhost is ::1 and 127.0.0.1 on most systems; the server has only the second."""
    server = serve("echo")
    console = start("prosa-client", "--json", f"localhost:{server.port}")
    console.line("exit")
    assert console.ended() == 0


# --- key and pins ---


def test_the_first_start_makes_a_private_key_and_a_pin(start: Start, serve: Serve, tmp_path: Path) -> None:
    server = serve("echo")
    console = start("prosa-client", f"LocalHost.:{server.port}" if _dot_resolves() else server.address)
    console.expect("* joined", "err")
    console.line("exit")
    assert console.ended() == 0
    pins = tmp_path / "data" / "pins"
    assert PIN_LINE.fullmatch(pins.read_text())
    if _dot_resolves():
        assert pins.read_text().startswith(f"localhost:{server.port} ")
    for path in (pins, tmp_path / "data" / "client.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = console.err.decode()
    assert "first contact" in said
    assert fingerprint_in(pins.read_text()) in said


def _dot_resolves() -> bool:
    try:
        socket.getaddrinfo("LocalHost.", 1)
    except OSError:
        return False
    return True


def test_the_second_start_knows_the_server(start: Start, serve: Serve, tmp_path: Path) -> None:
    server = serve("echo")
    for _ in range(2):
        console = start("prosa-client", server.address)
        console.expect("* joined", "err")
        console.line("exit")
        assert console.ended() == 0
    assert "first contact" not in console.err.decode()
    assert len((tmp_path / "data" / "pins").read_text().splitlines()) == 1


def test_another_key_is_a_hard_stop_with_both_fingerprints(
    start: Start, serve: Serve, tmp_path: Path
) -> None:
    real, false = serve("echo"), serve("echo", name="false-server")
    for server in (real, false):
        console = start("prosa-client", server.address)
        console.expect("* joined", "err")
        console.line("exit")
        console.ended()
    pins = tmp_path / "data" / "pins"
    first, second = pins.read_text().splitlines()
    swapped = first.partition(" ")[0] + " " + second.partition(" ")[2] + "\n"
    pins.write_text(swapped)

    console = start("prosa-client", "--json", real.address)
    assert console.ended() == 4
    for line in (first, second):
        assert fingerprint_in(line) in console.err.decode()
    (error,) = named(console, "error")
    assert (error["from"], error["code"]) == ("client", "PIN_MISMATCH")
    (closed,) = named(console, "closed")
    assert (closed["exit"], closed["code"]) == (4, "PIN_MISMATCH")
    assert pins.read_text() == swapped


def good_pin(target: str) -> str:
    """A line that is right: the fingerprint is that of the key."""
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    digits = hashlib.sha256(key).hexdigest()[:32]
    fingerprint = " ".join(digits[i : i + 4] for i in range(0, 32, 4))
    return f"{target} {fingerprint} {key.hex()}\n"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("nonsense\n", "line 2"),
        (good_pin("a:1").replace(" ", "  ", 1), "line 2"),
        (good_pin("a:1").upper(), "line 2"),
        (good_pin("a:1")[:-3] + "\n", "line 2"),
        (good_pin("a:1").replace("d75a", "d75b"), "fingerprint"),
        (good_pin("a:1").rstrip("\n"), "line feed"),
        ("\n", "line 2"),
    ],
)
def test_a_malformed_pins_file_is_named_with_its_line_and_kept(
    start: Start, tmp_path: Path, fault: str, said: str
) -> None:
    pins = tmp_path / "data" / "pins"
    pins.parent.mkdir()
    content = good_pin("chat.example.org:65432") + fault
    pins.write_text(content)
    console = start("prosa-client", "--json", "localhost:1")
    assert console.ended() == 2
    assert f"{pins}, line 2" in console.err.decode()
    assert said in console.err.decode()
    assert named(console, "closed")[0]["exit"] == 2
    assert pins.read_text() == content


def test_a_target_that_is_pinned_twice_is_an_error(start: Start, tmp_path: Path) -> None:
    pins = tmp_path / "data" / "pins"
    pins.parent.mkdir()
    pins.write_text(2 * good_pin("localhost:1"))
    console = start("prosa-client", "localhost:1")
    assert console.ended() == 2
    assert f"{pins}, line 2" in console.err.decode()


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("PROSA-KEY-1 " + "ab" * 32 + "\n", 0o644, "chmod 600"),
        ("PROSA-KEY-1 " + "ab" * 31 + "\n", 0o600, "octets"),
        ("PROSA-KEY-1 " + "AB" * 32 + "\n", 0o600, "hexadecimal"),
        ("", 0o600, "octets"),
    ],
)
def test_a_bad_key_file_is_named_and_kept(
    start: Start, tmp_path: Path, content: str, mode: int, said: str
) -> None:
    key = tmp_path / "data" / "client.key"
    key.parent.mkdir()
    key.write_text(content)
    key.chmod(mode)
    console = start("prosa-client", "localhost:1")
    assert console.ended() == 2
    assert str(key) in console.err.decode()
    assert said in console.err.decode()
    assert key.read_text() == content


@pytest.mark.parametrize("habit", ["fat", "nfs"])
def test_a_key_can_be_made_on_any_file_system(start: Start, tmp_path: Path, habit: str) -> None:
    made = []
    for _ in range(2):
        console = start("prosa-client", "--json", f"127.0.0.1:{free_port()}", env=shimmed(habit))
        assert console.ended() == 3
        made += re.findall("made your key", console.err.decode())
    assert len(made) == 1
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"client.key", "messages.db"}


def test_a_data_folder_that_cannot_be_made(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    console = start("prosa-client", "localhost:1", env={"PROSA_DATA": str(tmp_path / "file" / "data")})
    assert console.ended() == 2
    assert str(tmp_path / "file" / "data") in console.err.decode()


# --- lines ---


def test_lines_that_are_no_message_are_reported_and_the_rest_is_sent(start: Start, serve: Serve) -> None:
    server = serve("echo")
    console = start("prosa-client", "--json", server.address)
    bad = [b"x" * 4097, b"\xff\xfe", b"nul\0"]
    lines = [b"first", b"", b"\r", *bad, b"y" * 4096 + b"\r", b"z" * 20000, b"last"]
    console.type(b"\n".join(lines))  # the last one without a line feed
    console.close_stdin()
    assert console.ended() == 0
    own = [event["text"] for event in named(console, "message") if event["own"]]
    assert own == ["first", "y" * 4096, "last"]
    codes = [event["code"] for event in named(console, "error")]
    assert sorted(codes) == ["BAD_TEXT", "BAD_TEXT", "TOO_LARGE", "TOO_LARGE"]
    assert [event["counter"] for event in named(console, "acked")] == ["1", "2", "3"]


def test_a_carriage_return_is_part_of_the_lines_end(start: Start, serve: Serve) -> None:
    server = serve("echo")
    console = start("prosa-client", "--json", server.address)
    console.type("kept \r inside\r\n")
    console.expect('"text":"kept \\u000d inside"')
    console.type("y" * 4096 + "\r")  # as long as a line can be, and its end is not there yet
    console.type("\nexit\r\n")
    assert console.ended() == 0
    assert named(console, "error") == []


def test_lines_typed_while_an_answer_is_due_wait_in_order(start: Start, serve: Serve) -> None:
    server = serve()
    console = start("prosa-client", "--json", server.address)
    questions = [f"question {number}" for number in range(5)]
    console.line("\n".join(questions))
    for question in questions:
        console.expect(f'"text":"{question}"')
        server.console.line(f"answer to {question}")
        console.expect(f'"text":"answer to {question}"')
    console.line("exit")
    assert console.ended() == 0
    assert [event["counter"] for event in named(console, "acked")] == ["1", "2", "3", "4", "5"]
    answers = [event for event in named(console, "message") if not event["own"]]
    asked = [event["id"] for event in named(console, "message") if event["own"]]
    assert [event["reply_to"] for event in answers] == asked


def test_more_than_a_thousand_lines_can_wait(start: Start, serve: Serve) -> None:
    server = serve()
    console = start("prosa-client", "--json", server.address)
    console.line("0" * 4000)
    console.expect('"event":"message"')
    console.type(b"".join(b"%04d\n" % number for number in range(1200)) + b"exit\n")
    assert console.ended() == 0
    assert named(console, "closed")[0]["unsent"] == 1200


def test_end_of_file_waits_for_the_answer(start: Start, serve: Serve) -> None:
    server = serve()
    console = start("prosa-client", server.address)
    console.line("one question")
    console.close_stdin()
    console.expect("one question")
    server.console.line("one answer")
    assert console.ended() == 0
    question, answer = console.out.decode().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d ada#[0-9a-f]{4} ✓ one question", question)
    assert re.fullmatch(r"\d\d:\d\d:\d\d host#[0-9a-f]{4} ✓ ↳ one answer", answer)


def test_a_question_without_an_answer_is_told_and_the_next_one_is_sent(start: Start, serve: Serve) -> None:
    server = serve()
    server.console.close_stdin()
    console = start("prosa-client", "--json", server.address)
    console.type("is anybody there?\nnobody?\n")
    console.close_stdin()
    assert console.ended() == 0
    errors = [(event["from"], event["code"], event["counter"]) for event in named(console, "error")]
    assert errors == [("server", "NO_ANSWER", "1"), ("server", "NO_ANSWER", "2")]
    assert named(console, "closed")[0]["unsent"] == 0


def test_a_refused_room_is_told_and_is_the_end(start: Start, serve: Serve) -> None:
    server = serve()
    console = start("prosa-client", "--json", "--room", "lobby", server.address)
    assert console.ended() == 1
    (error,) = named(console, "error")
    assert (error["from"], error["code"], error["room"]) == ("server", "NOT_SUPPORTED", "lobby")
    assert named(console, "disconnected")[0]["how"] == "goodbye"


# --- how it ends ---


def test_a_goodbye_a_shutdown_and_a_death_are_told_apart(start: Start, serve: Serve) -> None:
    ends: list[tuple[Callable[[Server], None], int, str, str]] = [
        (lambda server: server.console.line("exit"), 0, "goodbye", "said goodbye"),
        (lambda server: server.console.signal(signal.SIGTERM), 6, "goodbye", "SHUTDOWN"),
        (lambda server: server.console.signal(signal.SIGKILL), 5, "eof", "vanished"),
    ]
    for number, (end, code, how, words) in enumerate(ends):
        server = serve(name=f"server-{number}")
        console = start("prosa-client", "--json", server.address)
        console.expect('"event":"joined"')
        end(server)
        assert console.ended() == code
        gone = named(console, "disconnected")[0]
        assert (gone["how"], gone["again"]) == (how, False)
        assert words in gone["reason"]
        assert named(console, "closed")[0]["exit"] == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_says_goodbye(start: Start, serve: Serve, number: signal.Signals) -> None:
    server = serve()
    console = start("prosa-client", "--json", server.address)
    console.line("no answer comes")
    console.expect('"event":"message"')
    console.signal(number)
    assert console.ended() == 0
    assert named(console, "closed")[0]["code"] == "NORMAL"


def test_silence_is_told_apart_from_death(start: Start, serve: Serve) -> None:
    server = serve(script=SILENT_SERVER, timers="ping_after_ms=50,dead_after_ms=200")
    console = start("prosa-client", "--json", server.address)
    assert console.ended() == 5
    (gone,) = named(console, "disconnected")
    assert gone["how"] == "silence"
    assert gone["reason"] == "the server fell silent for 200 ms"


def test_a_server_that_does_not_read_is_waited_for(start: Start, serve: Serve) -> None:
    server = serve("echo", script=FLOODING_SERVER)
    console = start("prosa-client", "--json", server.address)
    console.line("are you listening?")
    console.close_stdin()
    assert console.ended() == 0, console.out
    assert [event["text"] for event in named(console, "message") if not event["own"]] == ["are you listening?"]


@pytest.mark.parametrize(("is_read", "how"), [(True, "eof"), (False, "reset")])
def test_a_server_that_vanishes_in_the_handshake(start: Start, is_read: bool, how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        console = start("prosa-client", "--json", f"127.0.0.1:{listener.getsockname()[1]}")
        peer, _ = listener.accept()
        with peer:
            peer.recv(CHUNK, 0 if is_read else socket.MSG_PEEK)
        # Closing with octets that were not read makes TCP send a reset.
        assert console.ended() == 5
    (gone,) = named(console, "disconnected")
    assert gone["how"] == how
    assert "vanished" in gone["reason"]


def test_what_does_not_speak_prosa_is_told(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        console = start("prosa-client", f"127.0.0.1:{listener.getsockname()[1]}")
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            assert console.ended() == 1
    assert "does not speak PROSA" in console.err.decode()


# --- the terminal ---


@pytest.fixture
def at_terminal(start: Start, serve: Serve) -> tuple[Console, Server]:
    server = serve()
    console = start("prosa-client", server.address, terminal=True)
    console.expect("* joined")
    console.expect("> ")
    return console, server


def test_a_conversation_at_a_terminal(at_terminal: tuple[Console, Server]) -> None:
    console, server = at_terminal
    console.line("what time is it?")
    own = console.expect("what time is it?\x1b[0m").decode()
    assert re.search(r"\x1b\[2m\d\d:\d\d:\d\d ada#[0-9a-f]{4} ✓ what time is it\?\x1b\[0m$", own)
    server.console.line("ten past nine")
    answer = console.expect("ten past nine").decode()
    assert re.search(r"\d\d:\d\d:\d\d host#[0-9a-f]{4} ✓ ↳ ten past nine$", answer)
    console.type(END_OF_FILE)
    assert console.ended() == 0
    assert "you said goodbye" in console.out.decode()


def test_a_message_comes_above_the_line_that_is_being_typed(at_terminal: tuple[Console, Server]) -> None:
    console, server = at_terminal
    console.line("question")
    console.expect("✓ question")
    console.type("half a sentence")
    console.expect("half a sentence")
    server.console.line("the answer")
    console.expect("the answer\r\n")
    console.expect("half a sentence")  # drawn again, below
    console.line(", and its end")
    console.expect("✓ half a sentence, and its end")
    console.type(INTERRUPT)
    assert console.ended() == 0


def test_wire_text_never_commands_the_terminal(at_terminal: tuple[Console, Server]) -> None:
    console, server = at_terminal
    for character in ["\x07", "\x08", "\x0d", "\x1b[2J", "\x1b]0;title\x07", "\x7f", *FORBIDDEN]:
        console.line("question")
        console.expect("✓ question")
        server.console.line(f"before{character}after")
        shown = console.expect("after").decode()
        assert f"before\\u{ord(character[0]):04x}" in shown
        if ord(character[0]) >= 0x7F:
            assert character not in shown
        else:
            assert character not in shown[shown.index("before") :]
    console.line("exit")
    assert console.ended() == 0


def test_a_terminal_is_given_back_as_it_was(start: Start, serve: Serve) -> None:
    server = serve()
    console = start("prosa-client", server.address, terminal=True)
    before = termios.tcgetattr(console.slave)
    console.expect("* joined")
    console.line("exit")
    assert console.ended() == 0
    assert termios.tcgetattr(console.slave) == before
