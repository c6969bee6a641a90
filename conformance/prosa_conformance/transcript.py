# SPDX-License-Identifier: MIT
"""Everything that happened in one test, in order, with monotonic times.

The failure text, the sequence diagram and the checkers read it; nothing in it decides.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby, pairwise

from prosa_conformance.language import N_, _, ngettext
from prosa_conformance.outcome import Guilty, Mark, Moment

LONGEST_STEP = 160
# Whoever acts in a test beside its peers, who have names.
ACTORS = (
    N_("the server"), N_("the client"), N_("the codec"), N_("the bridge"), N_("the operator"), N_("the person"),
    N_("the suite"),
)  # fmt: skip
MOST_STEPS = 30
MOST_MOMENTS = 48
MOST_MARKED = 6
MOST_OCTETS = 1024  # of one moment without a fault


class Kind(StrEnum):
    CONNECT = "connect"
    SENT = "sent"
    RECEIVED = "received"
    FIN = "fin"
    RESET = "reset"
    LOST = "lost"  # over ZeroMQ: FIN or RST at the bridge, which tells no more
    SHUT = "shut"
    CLOSE = "close"
    ABORT = "abort"
    PROGRAM = "program"
    TYPED = "typed"
    PRINTED = "printed"
    NOTE = "note"
    LEFT_OUT = "left out"  # only among the moments of a long test


@dataclass(frozen=True)
class Event:
    """`actor` is who did it or whom it reached: a scripted peer's name, or one of ACTORS, translated when shown."""

    at: float
    actor: str
    kind: Kind
    what: str
    octets: bytes = b""
    guilty: Guilty | None = None

    @property
    def is_routine(self) -> bool:
        """Barriers, and the suite's closing at the end: what tells least."""
        return self.kind is Kind.CLOSE or self.what.startswith(("PING {", "PONG {"))


@dataclass
class Transcript:
    events: list[Event] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(self, actor: str, kind: Kind, what: str, octets: bytes = b"", guilty: Guilty | None = None) -> None:
        self.events.append(Event(time.monotonic(), actor, kind, what, octets, guilty))

    def note(self, what: str) -> None:
        self.add("", Kind.NOTE, what)

    def fold(self, since: int, words: str) -> None:
        """Put one note in the place of all events from number `since` on."""
        del self.events[since:]
        self.note(words)

    def guilty(self) -> Guilty | None:
        """The octets most likely to be looked at: the last ones marked."""
        marked = [event.guilty for event in self.events if event.guilty is not None]
        return marked[-1] if marked else None

    def moments(self, guilty: Guilty | None = None) -> list[Moment]:
        """The events for a file; see `telling`. Those that carry the guilty octets of the failure are marked."""
        rows = runs(self.events)
        octets = guilty.octets if guilty else b""
        told: list[Moment] = []
        for before, number in pairwise([-1, *telling(rows, MOST_MOMENTS, octets)]):
            left_out = sum(count for _event, count in rows[before + 1 : number])
            if left_out:
                told.append(Moment(told[-1].at if told else 0.0, "", Kind.LEFT_OUT, "", left_out))
            event, count = rows[number]
            carries = bool(octets) and event.octets.startswith(octets)
            told.append(self._moment(event, count, event.guilty or (guilty if carries else None)))
        return told

    def _moment(self, event: Event, count: int, guilty: Guilty | None) -> Moment:
        mark = mark_of(guilty)
        octets = event.octets if mark else event.octets[:MOST_OCTETS]
        at = round(event.at - self.started, 6)
        what = shortened(event.what, LONGEST_STEP)
        return Moment(at, event.actor, event.kind, what, count, octets.hex(), len(event.octets), mark)

    def steps(self, most: int = MOST_STEPS, guilty: bytes = b"") -> list[str]:
        """The numbered course of the test; see `telling`."""
        rows = runs(self.events)
        lines: list[str] = []
        for before, number in pairwise([-1, *telling(rows, most, guilty)]):
            if not all(event.is_routine for event, _count in rows[before + 1 : number]):
                words = _("... {count} steps left out ...").format(count=number - before - 1)
                lines.append(f"     {words}")
            event, count = rows[number]
            lines.append(f"{number + 1:3}. {_step(event, self.started)}{times(count)}")
        return lines


def runs(events: Iterable[Event]) -> list[tuple[Event, int]]:
    """The first of each row of events that read the same, and how many there are of it."""
    rows = [list(same) for _, same in groupby(events, key=lambda event: (event.actor, event.kind, event.what))]
    return [(row[0], len(row)) for row in rows]


def telling(rows: Sequence[tuple[Event, int]], most: int, guilty: bytes = b"") -> list[int]:
    """Which rows of a test are told: all, or of a long one its beginning, its end, and the guilty octets."""
    numbers = list(range(len(rows)))
    if len(numbers) > most:
        numbers = [number for number in numbers if not rows[number][0].is_routine]
    if len(numbers) <= most:
        return numbers
    marked = [number for number in numbers if guilty and rows[number][0].octets == guilty]
    return sorted({*numbers[: most // 3], *marked[:MOST_MARKED], *numbers[most // 3 - most :]})


def mark_of(guilty: Guilty | None) -> Mark | None:
    return Mark(guilty.offset, guilty.length, guilty.name) if guilty is not None and guilty.name else None


def times(count: int) -> str:
    return " " + ngettext("({count} time)", "({count} times)", count).format(count=count) if count > 1 else ""


def _step(event: Event, started: float) -> str:
    verb = {
        Kind.CONNECT: _("connects"),
        Kind.SENT: _("sends"),
        Kind.RECEIVED: _("gets"),
        Kind.FIN: _("sees the end of the stream (FIN)"),
        Kind.RESET: _("sees the connection reset (RST)"),
        Kind.LOST: _("is told that the server's connection has ended (BYE GATEWAY_LOST)"),
        Kind.SHUT: _("shuts its sending side down"),
        Kind.CLOSE: _("closes"),
        Kind.ABORT: _("resets the connection (RST)"),
        Kind.TYPED: _("is told on stdin:") if event.actor == "the codec" else _("types"),
        Kind.PRINTED: _("prints:"),
    }.get(event.kind, "")
    words = " ".join(word for word in (_(event.actor), verb, event.what) if word)
    return f"[{event.at - started:7.3f} s] {shortened(words, LONGEST_STEP)}"


def shortened(words: str, most: int) -> str:
    if len(words) <= most:
        return words
    return words[: most - 20] + _("... ({count} characters)").format(count=len(words))
