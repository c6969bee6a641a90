# SPDX-License-Identifier: MIT
"""prosa.toml and the command line of programs (chapter 13)."""

from __future__ import annotations

from pathlib import Path

import pytest

from prosa_conformance.contract import environment, image_names, load, parse_address, timers_text
from prosa_conformance.outcome import UsageError

GOOD = """
name = "ada"
language = "python"
server = "python3 'my server.py' --port {port} {room}"
levels = ["L0", "L1"]
features = ["resume"]
answers = "echo"

[[known_failures]]
test = "FLOW-31*"
reason = "see my notes"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "prosa.toml"
    path.write_text(text)
    return path


def test_good_file(tmp_path: Path) -> None:
    ada = load(written(tmp_path, GOOD))
    assert (ada.name, ada.levels, ada.features, ada.answers) == ("ada", ("L0", "L1"), ("resume",), "echo"), ada
    assert ada.directory == tmp_path, "commands run in the folder of the file"
    assert ada.known_failures[0].pattern == "FLOW-31*", ada.known_failures
    assert ada.has("server") and not ada.has("client"), "only what the file names is there"


def test_words_are_split_without_a_shell(tmp_path: Path) -> None:
    ada = load(written(tmp_path, GOOD))
    words = ada.words("server", {"port": "20001; reboot", "room": "@host"})
    assert words == ["python3", "my server.py", "--port", "20001; reboot", "@host"], "one word stays one word"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('levles = ["L1"]', "unknown key"),
        ('levels = ["L9"]', "levels"),
        ('features = ["speed"]', "features"),
        ('answers = "maybe"', "answers"),
        ("server = 3", "one string"),
        ("client_image = 3", "one string"),
        ("client_image = 'ada-client'", "either commands or images"),
        ("server = ''", "empty"),
        ("server = \"a 'b\"", "quotation"),
        ("name = 3", "name"),
        ("known_failures = [{test = 'X'}]", "reason"),
        ("known_failures = [{test = 'X', reason = ''}]", "reason"),
        ("this is no toml", "not TOML"),
    ],
)
def test_bad_file(tmp_path: Path, line: str, complaint: str) -> None:
    key = line.partition(" ")[0]
    rest = [kept for kept in ('server = "s"', 'levels = ["L1"]') if not kept.startswith(key)]
    with pytest.raises(UsageError, match=complaint):
        load(written(tmp_path, "\n".join([*rest, line])))


def test_images_in_the_place_of_commands(tmp_path: Path) -> None:
    text = 'server_image = "ada-server"\nclient_image = "ada-client --nick {nick}"\nlevels = ["L1"]'
    ada = load(written(tmp_path, text))
    assert ada.has("server") and ada.has("client") and not ada.has("codec"), "only what the file names is there"
    assert ada.words("client", {"nick": "ada"}) == ["ada-client", "--nick", "ada"], "an image, and its words"
    assert image_names(ada.images) == ["ada-server", "ada-client"], "without the words"


@pytest.mark.parametrize("text", ['levels = ["L1"]', 'server = "s"'])
def test_what_is_due(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="due"):
        load(written(tmp_path, text))


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "prosa.toml")


def test_environment_and_timers() -> None:
    timers = timers_text({"linger_ms": 300, "handshake_ms": 600})
    assert environment({"timers": timers})["PROSA_TIMERS"] == "handshake_ms=600,linger_ms=300", timers


def test_settings_of_the_shell_do_not_reach_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSA_ROOM", "left-over")
    monkeypatch.setenv("PATH_OF_MY_OWN", "kept")
    given = environment({"nick": "alice"})
    assert "PROSA_ROOM" not in given, "a room that no test has set"
    assert (given["PROSA_NICK"], given["PATH_OF_MY_OWN"]) == ("alice", "kept"), given


@pytest.mark.parametrize("text", ["here", "here:", ":1", "here:0", "here:65536", "here:x"])
def test_bad_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_address_with_brackets() -> None:
    assert parse_address("[::1]:65432") == ("::1", 65432), "an IPv6 address stands in brackets"
