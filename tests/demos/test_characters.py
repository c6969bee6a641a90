# SPDX-License-Identifier: MIT
"""The play of demo chat: the same for a seed, each line once, and an answer for every guest."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import pytest

import conftest  # noqa: F401
from demo.characters import CAST, OPENER, PLAY, Character, Play, answer_to, topics_of

EVERY = len(topics_of(PLAY.read_text(encoding="utf-8")))


def perform(play: Play, *guests: tuple[str, str]) -> list[tuple[str, str]]:
    """A room without a server: whoever speaks is heard by all. Guests come in and speak when the play is over."""
    characters = [Character(nick, play) for nick in CAST]
    said: list[tuple[str, str]] = []
    turns: deque[dict[str, Any]] = deque({"event": "member", "change": "here", "nick": nick} for nick in CAST)
    for nick, text in guests:
        turns.append({"event": "member", "change": "joined", "nick": nick})
        turns.append({"event": "message", "nick": nick, "text": text})
    while turns:
        event = turns.popleft()
        if event["event"] == "message":
            said.append((event["nick"], event["text"]))
        for character in characters:
            for text in character.hear(event):
                turns.append({"event": "message", "nick": character.nick, "text": text})
    return said


def test_seed_makes_the_play() -> None:
    assert Play.of(7, 3) == Play.of(7, 3)
    assert len({Play.of(seed, 3) for seed in range(20)}) > 1


@pytest.mark.parametrize("seed", range(10))
def test_every_line_is_said_once(seed: int) -> None:
    play = Play.of(seed, EVERY)
    assert Counter(perform(play)) == Counter((line.nick, line.text) for line in play.lines)


def test_everybody_has_lines_and_no_line_is_there_twice() -> None:
    lines = Play.of(1, EVERY).lines
    assert {line.nick for line in lines} == set(CAST)
    assert len({(line.nick, line.text) for line in lines}) == len(lines), "a cue is one line"
    assert max(len(line.text.encode()) for line in lines) < 200


def test_guest_is_greeted_and_answered() -> None:
    said = perform(Play.of(1, 1), ("zoe", "What about the signature?"))
    assert [nick for nick, text in said if "zoe" in text] == [OPENER, "clara"], said


def test_any_words_have_an_answer() -> None:
    assert answer_to("Hello, everybody!")[0] == "bruno"
    who, answer = answer_to("\u00e9 \u2026 ?")
    assert who in CAST
    assert answer.format(nick="zoe", count=3)
