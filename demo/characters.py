# SPDX-License-Identifier: MIT
"""Who the five are, and when they speak: each hears the room through its own client alone, and a line is the answer
to a line that it has heard. The same seed gives the same play. Pure: nothing here waits or sends.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prosa_conformance.client_history import History

CAST = ("ada", "bruno", "clara", "dora", "emil")
PLAY = Path(__file__).with_name("play.txt")
OPENER = "dora"
WATCHER = "watcher"  # sees all, says nothing
WELCOME = "Welcome, {nick}! Say something: whoever knows best will answer you."

# Who answers a guest: the first row with a word of the guest's in it; the last one otherwise.
ANSWERS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("hello", "hi", "hey", "ola", "ol\u00e1", "oi", "hallo"), "bruno", "Hello {nick}! I am new here, too. Ask Ada."),
    (("sign", "signed", "signature", "key", "forge", "fake"), "clara",
     "Your line came with a signature, {nick}, and I checked it before I read it."),
    (("order", "first", "room_seq", "sequence"), "dora", "Your line has its place now, {nick}, the same for us all."),
    (("flood", "spam", "fast", "credit"), "emil", "Try it, {nick}. You have credit for 64 lines, then you wait."),
    (("tcp", "udp", "socket", "recv", "send", "frame", "octet", "byte"), "ada",
     "A stream has no messages, {nick}: the header says how long each one is. Read until it is whole."),
    (("bye", "goodbye", "exit", "tchau"), "emil", "Type exit, {nick}: a goodbye is a frame, too."),
    ((), "ada", "I heard you, {nick}: your {count} words reached all of us, in the same order."),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """`cue` is the line after which it is said; None for the first."""

    nick: str
    text: str
    cue: Line | None


@dataclass(frozen=True)
class Play:
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, seed: int, topics: int, script: str | None = None) -> Play:
        """So many topics of the script, in an order that follows from the seed."""
        every = topics_of(PLAY.read_text(encoding="utf-8") if script is None else script)
        chosen = random.Random(seed).sample(every, min(topics, len(every)))
        lines: list[Line] = []
        cue = last = None
        for nick, text, waits in (row for topic in chosen for row in topic):
            cue = last if waits else cue
            lines.append(line := Line(nick, text, cue))
            last = line if waits else last
        return cls(tuple(lines))

    def said_by(self, nick: str, cue: Line | None) -> list[str]:
        return [line.text for line in self.lines if line.nick == nick and line.cue == cue]

    def heard(self, nick: str, text: str) -> Line | None:
        """The line of the play that this is."""
        return next((line for line in self.lines if (line.nick, line.text) == (nick, text)), None)

    def is_over(self, history: History, witness: str) -> bool:
        seen = {(event["nick"], event["text"]) for event in history.of(witness, "message")}
        return all((line.nick, line.text) in seen for line in self.lines)


def topics_of(script: str) -> list[list[tuple[str, str, bool]]]:
    """Of each topic its lines: who, what, and whether it waits for the line above (":") or not ("~")."""
    topics: list[list[tuple[str, str, bool]]] = [[]]
    for row in (row for row in script.splitlines() if not row.startswith("#")):
        if not row:
            topics.append([])
            continue
        mark = next(character for character in row if character in ":~")
        nick, _, text = row.partition(mark)
        topics[-1].append((nick, text.strip(), mark == ":"))
    return [topic for topic in topics if topic]


class Character:
    """One of the five; `hear` what its client tells, and say what comes back."""

    def __init__(self, nick: str, play: Play) -> None:
        self.nick = nick
        self.play = play
        self.here: set[str] = {nick}
        self.greeted: set[str] = set()
        self.has_begun = False

    def hear(self, event: Mapping[str, Any]) -> list[str]:
        if event["event"] == "member" and event["change"] in ("here", "joined"):
            return self._meet(event["nick"], is_new=event["change"] == "joined")
        if event["event"] == "message":
            return self._answer(event["nick"], event["text"])
        return []

    def _meet(self, nick: str, *, is_new: bool) -> list[str]:
        self.here.add(nick)
        if nick in CAST:
            return self._begin()
        if is_new and nick != WATCHER and self.nick == OPENER and nick not in self.greeted:
            self.greeted.add(nick)
            return [WELCOME.format(nick=nick)]
        return []

    def _begin(self) -> list[str]:
        """When all five are there, whoever has the first line speaks."""
        if self.has_begun or not self.here.issuperset(CAST):
            return []
        self.has_begun = True
        return self.play.said_by(self.nick, None)

    def _answer(self, nick: str, text: str) -> list[str]:
        if nick in CAST:
            line = self.play.heard(nick, text)
            return self.play.said_by(self.nick, line) if line else []
        who, answer = answer_to(text)
        return [answer.format(nick=nick, count=len(text.split()))] if who == self.nick else []


def read_s(text: str) -> float:
    """How long a person takes, in seconds, before this line is typed."""
    return 0.4 + 0.015 * len(text)


def answer_to(text: str) -> tuple[str, str]:
    """Who answers a guest, and with which words."""
    words = {word.strip(".,;:!?\"'()").lower() for word in text.split()}
    return next((who, answer) for known, who, answer in ANSWERS if not known or words & set(known))
