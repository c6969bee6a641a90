# SPDX-License-Identifier: MIT
"""What happened to each member, and what must be true of it whatever was killed (section 8.3).

A history is a list of events for each member, in the words of section 13.4 (`joined`, `message`, `acked`,
`error`, ...), and four of the harness: `said`, a text that was given to the member to send; `killed`, the
end of one life of its program; `started`, the beginning of one, with its key if it is known; `left`, the end
of its part.
Pure: nothing here waits, connects or asks a clock. It refuses to guess: what was said and not yet seen
when its author was killed may be missing for ever, and that is all that may be.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = Mapping[str, Any]
NUMBERS = frozenset({"room_seq", "counter", "server_time", "start_seq", "last_counter"})
SHOWN_AGAIN = 64  # messages, after a kill
CONNECTION_LOST = frozenset({"eof", "reset", "refused", "silence"})


@dataclass(frozen=True)
class Entry:
    """One place in the order of a room, as everybody has to see it."""

    author: str
    nick: str
    counter: int
    id: str
    text: str
    server_time: int


Room = dict[int, Entry]  # by room_seq
Order = dict[str, Room]  # by name of the room


def entry_of(event: Event) -> Entry:
    names = ("author_key", "nick", "counter", "id", "text", "server_time")
    return Entry(*(event[name] for name in names))


@dataclass
class Standing:
    """How far a member has come in a room."""

    shown_seq: int = 0
    own_counter: int = 0
    acked_counter: int = 0


class History:
    """Filled by `note`; judged by `faults`."""

    def __init__(self) -> None:
        self.events: dict[str, list[Event]] = {}
        self.count = 0
        self.standings: dict[tuple[str, str], Standing] = {}  # by member and room
        self.unseen: dict[str, set[tuple[str, str]]] = {}  # by member: room and text, said and not yet shown to it
        self.lost: dict[str, set[tuple[str, str]]] = {}  # likewise: unseen when it was killed
        self.errors: list[str] = []  # no play asks for one: the first is its end

    def note(self, member: str, event: Event) -> None:
        """One more event of this member; numbers that came as strings become numbers."""
        event = {name: int(value) if name in NUMBERS else value for name, value in event.items()}
        self.events.setdefault(member, []).append(event)
        self.count += 1
        unseen = self.unseen.setdefault(member, set())
        kind = event["event"]
        if kind == "said":
            unseen.add((event["room"], event["text"]))
        elif kind in ("killed", "started"):  # in between it is told things, too, and nobody is there to hear
            self.lost.setdefault(member, set()).update(unseen)
            unseen.clear()
        elif kind == "left":
            unseen.clear()
            for at in [at for at in self.standings if at[0] == member]:
                del self.standings[at]
        elif kind == "error":
            self.errors.append(f"{member}: {event['from']} said {event['code']}: {event['reason']}")
        elif kind in ("joined", "message", "acked"):
            self._stand(member, event)

    def _stand(self, member: str, event: Event) -> None:
        standing = self.standings.setdefault((member, event["room"]), Standing())
        if event["event"] == "joined":
            standing.shown_seq = max(standing.shown_seq, event["start_seq"] - 1)
        elif event["event"] == "acked":
            standing.acked_counter = max(standing.acked_counter, event["counter"])
        else:
            standing.shown_seq = event["room_seq"]
            if event["own"]:
                standing.own_counter = event["counter"]
                self.unseen[member].discard((event["room"], event["text"]))

    def shown_again(self) -> int:
        """Messages that a program has shown once more after it was killed."""
        return sum(
            len(shown) - len(set(shown))
            for member in self.events
            for shown in [[(event["room"], event["room_seq"]) for event in self.of(member, "message")]]
        )

    def heads(self) -> dict[str, int]:
        """The last place of each room that anybody was shown."""
        heads: dict[str, int] = {}
        for (_, room), standing in self.standings.items():
            heads[room] = max(heads.get(room, 0), standing.shown_seq)
        return heads

    def is_at_rest(self) -> bool:
        """Everything said was shown to who said it, and acknowledged; all see the same end of each room."""
        return next(self.unrest(), None) is None

    def unrest(self) -> Iterator[str]:
        """Who waits for what."""
        heads = self.heads()
        for (member, room), standing in self.standings.items():
            if standing.shown_seq < heads[room]:
                yield f"{member} was shown {room} up to {standing.shown_seq} of {heads[room]}"
            if standing.acked_counter < standing.own_counter:
                yield f"{member} has ACKs of {room} up to {standing.acked_counter} of {standing.own_counter}"
        for member, unseen in self.unseen.items():
            if unseen:
                yield f"{member} has not seen {len(unseen)} of its own: {sorted(unseen)[:3]}"

    def of(self, member: str, kind: str) -> Iterator[Event]:
        return (event for event in self.events.get(member, ()) if event["event"] == kind)

    def shown_to(self, member: str, room: str) -> Room:
        """What one member saw of a room."""
        return {event["room_seq"]: entry_of(event) for event in self.of(member, "message") if event["room"] == room}

    def write(self, path: Path) -> None:
        """One JSON object a line, for people who look for the reason of a fault."""
        with path.open("w") as file:
            for member, events in self.events.items():
                file.writelines(json.dumps({"member": member, **event}) + "\n" for event in events)


def faults(history: History, log: Order | None = None) -> list[str]:
    """Each breach in one sentence, of a history at rest: all lives go on, all members have caught up.
    `log` is what the server keeps, when that could be read."""
    order, found = _one_order(history)
    found += history.errors
    found += _one_life(history)
    found += _no_holes(order)
    for member in history.events:
        found += _trouble(history, member)
        found += _view(history, member, order)
        found += _acks(history, member, order)
        found += _texts(history, member, order)
    found += _strangers(history, order)
    return found + (_against_log(order, log) if log is not None else [])


# --- the order of a room ---


def _one_order(history: History) -> tuple[Order, list[str]]:
    """All that anybody was shown, and where two were shown different things [FLOW-43]."""
    order: Order = {}
    first: dict[tuple[str, int], str] = {}
    found = []
    for member in history.events:
        for event in history.of(member, "message"):
            room, seq, entry = event["room"], event["room_seq"], entry_of(event)
            known = order.setdefault(room, {}).setdefault(seq, entry)
            witness = first.setdefault((room, seq), member)
            if known != entry:
                found.append(f"{room} {seq}: {witness} was shown {known}, {member} was shown {entry}")
    return order, found


def _one_life(history: History) -> list[str]:
    """A room keeps its epoch, and a server its key, over every restart [RES-09]."""
    lives: dict[str, set[tuple[str, ...]]] = {}
    for member in history.events:
        for event in history.of(member, "joined"):
            life = (event["room_id"], event["epoch"], event["server_key"])
            lives.setdefault(event["room"], set()).add(life)
    return [f"{room} had {len(seen)} lives" for room, seen in lives.items() if len(seen) > 1]


def _no_holes(order: Order) -> list[str]:
    """[MSG-12] [MSG-13], counters without a gap, each message once [RES-10]."""
    found = []
    for room, entries in order.items():
        seqs = sorted(entries)
        missing = sorted(set(range(seqs[0], seqs[-1])) - set(seqs))
        if missing:
            found.append(f"{room}: nobody was shown {missing[:5]}, {len(missing)} in all")
        found += _counters(room, [(seq, entries[seq]) for seq in seqs])
        times = [entries[seq].server_time for seq in seqs]
        if times != sorted(times):
            found.append(f"{room}: server_time went back")
        ids = {entry.id for entry in entries.values()}
        if len(ids) < len(entries):
            found.append(f"{room}: {len(entries) - len(ids)} messages have two places")
    return found


def _counters(room: str, entries: Iterable[tuple[int, Entry]]) -> list[str]:
    last: dict[str, int] = {}
    found = []
    for seq, entry in entries:
        due = last.get(entry.author, 0 if seq == 1 or last else entry.counter - 1) + 1
        if entry.counter != due:
            found.append(f"{room} {seq}: counter {entry.counter} of {entry.nick}, {due} was due")
        last[entry.author] = entry.counter
    return found


# --- what one member went through ---


def _trouble(history: History, member: str) -> list[str]:
    """Goodbyes that nobody asked for, lost history, programs that ended by themselves."""
    found = []
    for event in history.events[member]:
        kind = event["event"]
        if kind == "left":
            break
        if kind == "joined" and event["lost_history"]:
            found.append(f"{member}: history of {event['room']} was lost")
        elif kind == "disconnected" and event["how"] not in CONNECTION_LOST:
            found.append(f"{member}: disconnected: {event['how']}: {event.get('reason', '')}")
        elif kind == "closed":
            found.append(f"{member}: ended by itself with {event['exit']}: {event['reason']}")
    return found


def _view(history: History, member: str, order: Order) -> list[str]:
    """In each room: from start_seq on one by one, nothing twice; at rest up to the head.

    A program that was killed may show again what it had shown in its last turn, when it had not yet stored that
    it had: at most a window. It never leaves anything out.
    """
    found = []
    due: dict[str, int] = {}
    was_killed: set[str] = set()
    for event in history.events[member]:
        if event["event"] == "killed":
            was_killed = set(due)
        elif event["event"] == "left":
            due.clear()
        elif event["event"] == "joined":
            room, start = event["room"], event["start_seq"]
            expected = due.setdefault(room, start)
            least = expected - SHOWN_AGAIN if room in was_killed else expected
            if not least <= start <= expected:
                found.append(f"{member}: {room} goes on at {start}, {expected} was due")
            due[room] = start
            was_killed.discard(room)
        elif event["event"] == "message":
            room, seq = event["room"], event["room_seq"]
            if seq != due.get(room):
                found.append(f"{member}: was shown {room} {seq}, {due.get(room)} was due")
            due[room] = seq + 1
    for room, seq in due.items():
        head = max(order.get(room, ()), default=seq - 1)
        if seq != head + 1:
            found.append(f"{member}: was shown {room} up to {seq - 1}, its head is {head}")
    return found


def _acks(history: History, member: str, order: Order) -> list[str]:
    """Whatever was acknowledged is in the order, where the ACK says [FLOW-10] [RES-10]."""
    key = _key(history, member)
    places = {
        room: {entry.counter: seq for seq, entry in entries.items() if entry.author == key}
        for room, entries in order.items()
    }
    found = []
    looked_at: dict[str, int] = {}
    for event in history.of(member, "acked"):
        room, counter = event["room"], event["counter"]
        own = places.get(room, {})
        first = looked_at.get(room, min(own, default=1) - 1) + 1
        missing = [number for number in range(first, counter + 1) if number not in own]
        looked_at[room] = max(first - 1, counter)
        if missing:
            found.append(f"{member}: {room} counter {counter} was acknowledged, {missing[:5]} are not there")
        elif event.get("room_seq", own.get(counter)) != own.get(counter):
            found.append(f"{member}: {room} counter {counter} was acknowledged at {event['room_seq']}")
    return found


def _key(history: History, member: str) -> str | None:
    """Its own key, as it says at its start, or as its own messages have it."""
    own = (event for event in history.events[member] if event["event"] == "started" or event.get("own"))
    return next((event["author_key"] for event in own if "author_key" in event), None)


def _texts(history: History, member: str, order: Order) -> list[str]:
    """Each text once, in the order in which it was said; missing only if a kill came before it was seen."""
    said: dict[str, list[str]] = {}
    for event in history.of(member, "said"):
        said.setdefault(event["room"], []).append(event["text"])
    lost = history.lost.get(member, set())
    found = []
    for room, texts in said.items():
        key = _key(history, member)
        entries = order.get(room, {})
        there = [entries[seq].text for seq in sorted(entries) if entries[seq].author == key]
        kept = set(there)
        if there != [text for text in texts if text in kept]:
            found.append(f"{member}: its texts in {room} are not in the order in which it said them, or doubled")
        gone = [text for text in texts if text not in kept and (room, text) not in lost]
        if gone:
            found.append(f"{member}: {len(gone)} texts never came to {room}: {gone[:5]}")
    return found


def _strangers(history: History, order: Order) -> list[str]:
    """Nobody is shown what nobody said, or under a name that is not the author's."""
    keys = {_key(history, member): member for member in history.events}
    said = {(event["room"], member, event["text"]) for member in history.events for event in history.of(member, "said")}
    return [
        f"{room} {seq}: {entry.nick} never said {entry.text!r}"
        for room, entries in order.items()
        for seq, entry in entries.items()
        if keys.get(entry.author) != entry.nick or (room, entry.nick, entry.text) not in said
    ]


# --- the server's own log ---


def _against_log(order: Order, log: Order) -> list[str]:
    found = []
    for room in sorted(order.keys() | log.keys()):
        seen, kept = order.get(room, {}), log.get(room, {})
        wrong = [seq for seq in sorted(seen.keys() | kept.keys()) if seen.get(seq) != kept.get(seq)]
        if wrong:
            seq = wrong[0]
            found.append(
                f"{room}: the log differs at {len(wrong)} places, first at {seq}: "
                f"{kept.get(seq)} is kept, {seen.get(seq)} was shown"
            )
    return found
