# SPDX-License-Identifier: MIT
"""The server's settings: flags, environment and file, and what is said of a faulty one."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from conftest import ROOT, Start
from served import Serve, serving

NAMES = [
    "config", "host", "port", "data", "level", "timers", "answer", "answer-timeout", "log-level", "memory",
    "restored", "audit", "keep-messages", "keep-days", "rooms", "max-clients", "verifiers", "exempt", "metrics",
    "sandbox", "help",
]  # fmt: skip


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


def test_help_and_the_manual_name_every_setting_and_exit_code(start: Start) -> None:
    console = start("prosa-server", "--help")
    assert console.ended() == 0
    text = console.out.decode()
    manual = (ROOT / "ref-server" / "prosa-server.1").read_text()
    assert re.findall(r"^  --([a-z-]+)", text, re.MULTILINE) == NAMES
    for name in NAMES:
        assert f".It Fl -{name}" in manual
    for variable in re.findall(r"PROSA_\w+", text):
        assert variable in manual
    for code in ("0", "1", "2", "3", "89"):
        assert re.search(rf"\b{code} \w", text[text.index("Exit codes") :])
        assert f"\n.It {code}\n" in manual


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--colour", "red"], "--colour"),
        (["--port"], "--port lacks its PORT"),
        (["--port", "65536"], "65536"),
        (["--port", "http"], "http"),
        (["--level", "one"], "one"),
        (["--level", "L10"], "L10"),
        (["--log-level", "loud"], "loud"),
        (["--answer-timeout", "0"], "answer-timeout"),
        (["localhost"], "localhost"),
        (["--timers", "linger"], "linger"),
        (["--timers", "sleep_ms=50"], "sleep_ms"),
        (["--timers", "linger_ms=49"], "50 to 600000"),
        (["--timers", "linger_ms=4294967396"], "50 to 600000"),
        (["--timers", "linger_ms= 50"], "50 to 600000"),
        (["--timers", "linger_ms=50,"], "name=number"),
        (["--timers", "linger_ms=50,linger_ms=60"], "twice"),
        (["--help=no"], "--help takes no value"),
        (["--audit=maybe"], "--audit is yes or no"),
        (["--audit", "no"], '"no": every setting is an option'),
        (["--memory", "--restored"], "no log that could be restored"),
        (["--keep-days", "36501"], "0 to 36500"),
        (["--keep-messages", "-1"], "keep-messages"),
        (["--max-clients", "many"], "many"),
        (["--verifiers", "65"], "0 to 64"),
        (["--rooms", "tea,Tea"], "a-z 0-9"),
        (["--rooms", "tea,"], "a-z 0-9"),
        (["--rooms", "@host"], "a-z 0-9"),
        (["--rooms", "r" * 33], "a-z 0-9"),
        (["--rooms", "r" * 100], "a-z 0-9"),
        (["--exempt", "127.0.0.1,::1,example.org"], "numeric addresses"),
        (["--exempt", "2001:DB8::1"], "shortest form"),
        (["--exempt", "2001:db8:0::1"], "shortest form"),
        (["--exempt", "127.1"], "numeric addresses"),
        (["--metrics", "9100"], "host:port"),
        (["--metrics", ":9100"], "host:port"),
        (["--metrics", "localhost:"], "host:port"),
        (["--metrics", "localhost:65536"], "host:port"),
        (["--metrics", "::1:9100"], "in brackets"),
        (["--metrics", "[::1:9100"], "in brackets"),
        (["--metrics", "[]:9100"], "in brackets"),
        (["--sandbox", "--answer", "cat"], 'sandbox "yes": no program can be started in it: let echo or console'),
        (["--config", "/nowhere/server.conf"], "/nowhere/server.conf: No such file"),
        (["--config", "/dev/null"], "/dev/null: it is not a regular file"),
        (["--config", "/"], "/: it is not a regular file"),
    ],
)
def test_bad_settings_end_with_2_and_name_the_word(start: Start, words: list[str], said: str) -> None:
    console = start("prosa-server", *words)
    assert console.ended() == 2
    assert said in console.err.decode()
    assert console.out == b""


@pytest.mark.parametrize("level", ["L0", "L5", "L9"])
def test_a_level_it_does_not_have_ends_with_89_before_anything_else(
    start: Start, tmp_path: Path, level: str
) -> None:
    words = ["--port", "none", "--config", str(tmp_path / "missing")]
    console = start("prosa-server", *words, env={"PROSA_LEVEL": level})
    assert console.ended() == 89
    assert level in console.err.decode()
    assert not (tmp_path / "data").exists()


# --- the file ---


def config(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "server.conf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("port 80\n", 1, '"port 80" is not name = value'),
        ("# a\n\ncolour = red\n", 3, 'there is no setting "colour"'),
        ("port = 1\nhost = ::\n port=2\n", 3, "port is set already, in line 1"),
        ("port =\n", 1, "port lacks its PORT"),
        ("audit =   \r\n", 1, "audit lacks its yes or no"),
        ("host = ::\nport = http", 2, 'port "http"'),
        ("audit = maybe\n", 1, 'audit is yes or no, not "maybe"'),
        ("help = yes\n", 1, "help is for the command line alone"),
        ("config = other\n", 1, "config is for the command line alone"),
        ("\ntimers = linger_ms=1\n", 2, "timers: linger_ms is a number from"),
        ("level = one\n", 1, 'level "one"'),
        ("rooms = tea, coffee\n", 1, 'rooms "tea, coffee"'),
        ("metrics = nowhere\n", 1, 'metrics "nowhere"'),
        ("memory = yes\nrestored = yes\n", 2, 'restored "yes"'),
        ("log-level = info # or not\n", 1, 'log-level "info # or not"'),
    ],
)
def test_a_fault_in_the_file_is_told_with_its_line(
    start: Start, tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = config(tmp_path, text)
    console = start("prosa-server", "--config", path)
    assert console.ended() == 2
    assert f"prosa-server: {path} line {line}: {said}" in console.err.decode()


def test_a_level_of_the_file_that_it_does_not_have_ends_with_89(start: Start, tmp_path: Path) -> None:
    console = start("prosa-server", "--config", config(tmp_path, "level = L9\n"))
    assert console.ended() == 89
    assert 'server.conf line 1: level "L9"' in console.err.decode()


@pytest.mark.parametrize(
    ("text", "said"), [(b"port = 1\n\0", "it is no text"), (b"#" * 65537, "it is too large")]
)
def test_what_is_no_file_of_settings_is_named(start: Start, tmp_path: Path, text: bytes, said: str) -> None:
    path = config(tmp_path, text)
    console = start("prosa-server", "--config", path)
    assert console.ended() == 2
    assert f"{path}: {said}" in console.err.decode()


def test_a_pipe_is_refused_and_not_waited_for(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    console = start("prosa-server", "--config", str(tmp_path / "pipe"))
    assert console.ended() == 2
    assert "pipe: it is not a regular file" in console.err.decode()


def test_flags_beat_the_environment_and_that_beats_the_file(serve: Serve, tmp_path: Path) -> None:
    """Each says another host; 127.0.0.N is always this machine."""
    path = config(tmp_path, "# mine\n\n \thost=127.0.0.4\t\n level = L1 \r\n\nanswer = echo # $1")
    from_file = serve("--config", path)
    from_environment = serve(env={"PROSA_CONFIG": path, "PROSA_HOST": "127.0.0.3"})
    from_flag = serve("--host", "127.0.0.2", env={"PROSA_CONFIG": path, "PROSA_HOST": "127.0.0.3"})
    assert [from_file.host, from_environment.host, from_flag.host] == ["127.0.0.4", "127.0.0.3", "127.0.0.2"]


def test_a_flag_beats_a_bad_value_of_the_file(serve: Serve, tmp_path: Path) -> None:
    path = config(tmp_path, "audit = no\nmemory = yes\nlog-level = loud\nrestored = yes\n")
    server = serve("--config", path, "--log-level", "warn", "--audit", "--memory=no")
    server.stop()
