# SPDX-License-Identifier: MIT
"""What a demo says it has shown, each judged from the data of the run. Nothing here waits or prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from prosa_conformance.client_history import Event, History, faults

MOST_REASONS = 4
Place = tuple[str, int]  # author's key and counter: which message


@dataclass(frozen=True)
class Claim:
    words: str
    held: bool
    why: tuple[str, ...] = ()  # it is not


@dataclass
class Claims:
    all: list[Claim] = field(default_factory=list)

    def add(self, words: str, held: bool, *why: str) -> None:
        self.all.append(Claim(words, held, () if held else why[:MOST_REASONS]))

    @property
    def hold(self) -> bool:
        """Every one, and there is one."""
        return bool(self.all) and all(claim.held for claim in self.all)


def acked(history: History, room: str) -> set[Place]:
    """The messages of a room whose authors were told that the server has them."""
    found = set()
    for member in history.events:
        own = next((event["author_key"] for event in history.events[member] if _tells_own_key(event)), None)
        upto = max((event["counter"] for event in history.of(member, "acked") if event["room"] == room), default=0)
        found |= {(own or member, counter) for counter in range(1, upto + 1)}
    return found


def _tells_own_key(event: Event) -> bool:
    return "author_key" in event and (event["event"] == "started" or event.get("own", False))


def judge_room(claims: Claims, history: History, room: str, witnesses: Sequence[str]) -> None:
    """Every acknowledged message exactly once at each of the witnesses, who were there from the beginning, in one
    order; and whatever else must be true of a history."""
    due = acked(history, room)
    names = {event["author_key"]: event["nick"] for name in witnesses for event in history.of(name, "message")}
    views = {name: [event for event in history.of(name, "message") if event["room"] == room] for name in witnesses}
    complete = 0
    why = []
    for name, view in views.items():
        times = Counter((event["author_key"], event["counter"]) for event in view)
        lost = sorted(due - times.keys())
        doubled = sorted(place for place, count in times.items() if count > 1)
        complete += not lost and not doubled
        why += [f"{name} never saw {_words(names, place)}" for place in lost[:2]]
        why += [f"{name} saw {_words(names, place)} {times[place]} times" for place in doubled[:2]]
    words = f"{len(due)} messages acked, each seen exactly once by {complete} of {len(witnesses)} clients"
    claims.add(words, bool(due) and complete == len(witnesses) > 0, *why, "nothing was acknowledged")

    orders = {tuple(event["id"] for event in view) for view in views.values()}
    order = "all of them saw the messages in one order"
    claims.add(order, len(orders) == 1, f"{len(orders)} different orders were seen")

    found = faults(history)
    claims.add("no gap, no forgery, no ACK of something that is not there", not found, *found)


def _words(names: dict[str, str], place: Place) -> str:
    return f"message {place[1]} of {names.get(place[0], place[0])}"
