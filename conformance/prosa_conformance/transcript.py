# SPDX-License-Identifier: MIT
"""Everything that happened in one test, in order, with monotonic times.

The failure text, the sequence diagram and the checkers read it; nothing in it decides.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

from prosa_conformance.outcome import Guilty

LONGEST_STEP = 160


class Kind(StrEnum):
    CONNECT = "connect"
    SENT = "sent"
    RECEIVED = "received"
    FIN = "fin"
    RESET = "reset"
    SHUT = "shut"
    CLOSE = "close"
    PROGRAM = "program"
    TYPED = "typed"
    PRINTED = "printed"
    NOTE = "note"


@dataclass(frozen=True)
class Event:
    """`actor` is who did it or whom it reached: a scripted peer's name or "program"."""

    at: float
    actor: str
    kind: Kind
    what: str
    octets: bytes = b""
    guilty: Guilty | None = None


@dataclass
class Transcript:
    events: list[Event] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(
        self, actor: str, kind: Kind, what: str, octets: bytes = b"", guilty: Guilty | None = None
    ) -> None:
        self.events.append(Event(time.monotonic(), actor, kind, what, octets, guilty))

    def note(self, what: str) -> None:
        self.add("", Kind.NOTE, what)

    def fold(self, since: int, words: str) -> None:
        """Put one note in the place of all events from number `since` on."""
        del self.events[since:]
        self.note(words)

    def guilty(self) -> Guilty | None:
        """The octets most likely to be looked at: the last ones marked, else the last frame."""
        marked = [event.guilty for event in self.events if event.guilty is not None]
        if marked:
            return marked[-1]
        frames = [event for event in self.events if event.kind in (Kind.SENT, Kind.RECEIVED)]
        return Guilty(frames[-1].octets) if frames else None

    def steps(self, most: int = 30) -> list[str]:
        """The numbered course of the test; a long one keeps its beginning and its end."""
        lines = [_step(event, self.started) + times(count) for event, count in runs(self.events)]
        numbered = [f"{number:3}. {line}" for number, line in enumerate(lines, 1)]
        if len(numbered) <= most:
            return numbered
        head, tail = most // 3, most - most // 3 - 1
        left_out = len(numbered) - head - tail
        return [*numbered[:head], f"     ... {left_out} steps left out ...", *numbered[-tail:]]


def runs(events: Iterable[Event]) -> list[tuple[Event, int]]:
    """The first of each row of events that read the same, and how many there are of it."""
    rows = [list(same) for _, same in groupby(events, key=lambda event: (event.actor, event.kind, event.what))]
    return [(row[0], len(row)) for row in rows]


def times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _step(event: Event, started: float) -> str:
    verb = {
        Kind.CONNECT: "connects",
        Kind.SENT: "sends",
        Kind.RECEIVED: "gets",
        Kind.FIN: "sees the end of the stream (FIN)",
        Kind.RESET: "sees the connection reset (RST)",
        Kind.SHUT: "shuts its sending side down",
        Kind.CLOSE: "closes",
        Kind.TYPED: "is told on stdin:",
        Kind.PRINTED: "prints:",
    }.get(event.kind, "")
    words = " ".join(word for word in (event.actor, verb, event.what) if word)
    return f"[{event.at - started:7.3f} s] {shortened(words, LONGEST_STEP)}"


def shortened(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 20]}... ({len(words)} characters)"
