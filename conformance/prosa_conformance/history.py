# SPDX-License-Identifier: MIT
"""What the members of a room sent and saw, and what must be true of it whatever happened (section 8.3).

    judge([alice, bob, mallory], room.id, here=[alice, bob])

`here` are those who must have seen everything by now: a barrier came back to each of them (`settle`).
Works on the books of peers alone and waits for nothing. A message that was not acknowledged may be
there or not; one that was is there, once, for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prosa_conformance import codec, crypto
from prosa_conformance.bugs import marked
from prosa_conformance.codec import Frame
from prosa_conformance.language import _
from prosa_conformance.outcome import Violation
from prosa_conformance.peer import Peer, Room

Snapshot = dict[bytes, str] | int  # members by key with their nicks; a number above member_limit


@dataclass(frozen=True)
class Entry:
    """One place in the order of a room, and who was the first of ours to be shown it."""

    frame: Frame
    witness: str

    @property
    def author(self) -> bytes:
        return self.frame.need("author_key")

    @property
    def counter(self) -> int:
        return self.frame.number("counter")


class History:
    """Of one room, by its room_id; `here` as above, all who recorded it unless told otherwise."""

    def __init__(self, peers: Sequence[Peer], room_id: bytes, here: Sequence[Peer] | None = None) -> None:
        self.peers = peers
        self.here = peers if here is None else here
        self.stays = [(peer, room) for peer in peers for room in peer.joins if room.id == room_id]
        self.names = {peer.key: peer.name for peer in reversed(peers)}
        self.sent = {
            (peer.key, frame.number("counter"), crypto.message_id(frame))
            for peer in peers
            for frame in peer.sent
            if frame.name == "PUBLISH" and frame.octets("room_id") == room_id
        }
        self.server_keys = {peer.server_key for peer, _ in self.stays}
        self.entries: dict[int, Entry] = {}
        for peer, room in self.stays:
            for frame in room.delivered:
                self.entries.setdefault(frame.number("room_seq"), Entry(frame, peer.name))

    def name(self, author: bytes) -> str:
        return "" if author in self.server_keys else self.names.get(author, _("a stranger"))

    def words(self, frame: Frame) -> str:
        who = self.name(frame.need("author_key"))
        words = _("message {counter} of {who}") if who else _("message {counter} of the server")
        return words.format(counter=frame.number("counter"), who=who)

    def breaches(self) -> Iterator[Violation]:
        """All that is wrong, the plainest first."""
        for peer, room in self.stays:
            yield from self._row(peer, room)
        yield from self._one_order()
        yield from self._authors()
        for peer, room in self.stays:
            yield from self._acks(peer, room)
            yield from self._members(peer, room)
        yield from self._complete()

    # --- one member ---

    def _row(self, peer: Peer, room: Room) -> Iterator[Violation]:
        """From start_seq on one by one [MSG-12]."""
        due = room.start_seq
        for frame in room.delivered:
            seq = frame.number("room_seq")
            if seq < due:
                words = _("{who} got {message} twice, or too late")
                words = words.format(who=peer.name, message=self.words(frame))
                yield _at(frame, words, f"room_seq {due}", symptom="row")
            elif seq > due:
                words = _("{who} did not get the entry {seq} of {room}")
                words = words.format(who=peer.name, seq=due, room=room.name)
                yield _at(frame, words, f"room_seq {due}", symptom="row")
            due = seq + 1

    def _acks(self, peer: Peer, room: Room) -> Iterator[Violation]:
        """What is acknowledged is where the ACK says [FLOW-09, FLOW-10]; the limit stays within the window."""
        for ack in (frame for frame in room.frames if frame.name == "ACK"):
            counter, seq, limit = (ack.number(name) for name in ("acked_counter", "acked_seq", "limit_counter"))
            entry = self.entries.get(seq)
            if entry is not None and (entry.author, entry.counter) != (peer.key, counter):
                words = _("an ACK told {who} that message {counter} is the entry {seq}, and that is {message}")
                words = words.format(who=peer.name, counter=counter, seq=seq, message=self.words(entry.frame))
                yield _at(ack, words, _("its room_seq"), "acked_seq")
            sent = max((number for key, number, _ in self.sent if key == peer.key), default=0)
            most = max(sent, room.base_counter) + room.granted
            if limit > most:
                words = _("an ACK lets {who} send up to {limit}").format(who=peer.name, limit=limit)
                yield _at(ack, words, _("at most {number}").format(number=most), "limit_counter")

    def _members(self, peer: Peer, room: Room) -> Iterator[Violation]:
        """No MEMBER behind a DELIVER that came after what it tells [MEM-02]."""
        shown = 0
        for frame in room.frames:
            if frame.name == "DELIVER":
                shown = max(shown, frame.number("room_seq"))
            elif frame.name == "MEMBER" and frame.number("at_seq") < shown:
                words = _("{who} got a MEMBER of at_seq {seq} behind the entry {shown}")
                words = words.format(who=peer.name, seq=frame.number("at_seq"), shown=shown)
                expected = _("at_seq {shown} or more, or to come earlier").format(shown=shown)
                yield _at(frame, words, expected, "at_seq")

    # --- all of them ---

    def _one_order(self) -> Iterator[Violation]:
        """The same octets under the same room_seq [FLOW-43], and time that does not go back [MSG-13]."""
        for peer, room in self.stays:
            for frame in room.delivered:
                entry = self.entries[frame.number("room_seq")]
                if entry.frame != frame:
                    yield self._disagreement(entry, peer, frame)
        times = 0
        for seq, entry in sorted(self.entries.items()):
            time = entry.frame.number("server_time")
            if time < times:
                words = _("server_time goes back at the entry {seq}").format(seq=seq)
                yield _at(entry.frame, words, f"{times}", "server_time", symptom="order")
            times = time

    def _disagreement(self, entry: Entry, peer: Peer, frame: Frame) -> Violation:
        is_other = self.words(frame) != self.words(entry.frame)
        there = _("{who} got {message}").format(who=entry.witness, message=self.words(entry.frame))
        here = self.words(frame) if is_other else _("other octets of it")
        words = _("the entry {seq} is not the same for all: {there}, {who} got {message}")
        words = words.format(seq=frame.number("room_seq"), there=there, who=peer.name, message=here)
        breach = _at(frame, words, there, symptom="order")
        breach.actual = _("{who} got {message}").format(who=peer.name, message=here)
        return breach

    def _authors(self) -> Iterator[Violation]:
        """Counters without a gap, each message once, and nothing that nobody sent."""
        last: dict[bytes, int] = {}
        first = min((room.start_seq for _, room in self.stays), default=1)
        for seq, entry in sorted(self.entries.items()):
            due = last.get(entry.author, 0 if first == 1 else entry.counter - 1) + 1
            if entry.counter < due:
                words = _("{message} is in the room a second time, at {seq}")
                yield _at(entry.frame, words.format(message=self.words(entry.frame), seq=seq), _("once"))
            elif entry.counter > due:
                words = _("{message} is in the room, and message {counter} is not")
                words = words.format(message=self.words(entry.frame), counter=due)
                yield _at(entry.frame, words, f"counter {due}", "counter")
            last[entry.author] = max(entry.counter, due - 1)
            yield from self._forgery(entry)

    def _forgery(self, entry: Entry) -> Iterator[Violation]:
        sent = (entry.author, entry.counter, crypto.message_id(entry.frame)) in self.sent
        if not sent and entry.author not in self.server_keys:
            words = _("{who} got {message}, and nobody sent that")
            words = words.format(who=entry.witness, message=self.words(entry.frame))
            yield _at(entry.frame, words, _("what was sent"), symptom="forged")
        elif not crypto.verify_message(entry.frame):
            words = _("{message} does not verify any more").format(message=self.words(entry.frame))
            yield _at(entry.frame, words, _("its signature"), "author_sig", symptom="forged")

    def _complete(self) -> Iterator[Violation]:
        """All who are here have all there is; and what was acknowledged is there."""
        head = max(self.entries, default=0)
        for peer, room in self._present():
            seen = max((frame.number("room_seq") for frame in room.delivered), default=room.start_seq - 1)
            if seen < min(head, room.limit_seq):
                words = _("{who} got nothing after the entry {seen}, {other} got {head}")
                words = words.format(who=peer.name, seen=seen, other=self.entries[head].witness, head=head)
                yield _at(self.entries[head].frame, words, _("the same for all who are here"))
        start = min((room.start_seq for _, room in self._present()), default=0)
        there = {(entry.author, entry.counter) for entry in self.entries.values()}
        for peer, room in self.stays:
            missing = [c for c in range(room.base_counter + 1, room.acked_counter + 1) if (peer.key, c) not in there]
            if missing and start and start <= room.start_seq:
                words = _("message {counter} of {who} was acknowledged, and nobody who is here got it")
                words = words.format(counter=missing[0], who=peer.name)
                actual = _("{count} missing").format(count=len(missing))
                yield Violation(words, expected=_("all that is acknowledged"), actual=actual)

    def _present(self) -> list[tuple[Peer, Room]]:
        """The last stay of each who is here."""
        latest = {id(peer): (peer, room) for peer, room in self.stays if peer in self.here}
        return list(latest.values())


def judge(peers: Sequence[Peer], room_id: bytes, here: Sequence[Peer] | None = None) -> None:
    """Raise the first breach that there is."""
    breach = next(History(peers, room_id, here).breaches(), None)
    if breach is not None:
        raise breach


def members_of(room: Room) -> Snapshot:
    """Who is in the room, by what its MEMBER frames told one member so far [section 6.7]."""
    events = codec.NAMED_NUMBERS["event"]
    names = {number: name for name, number in events.items()}
    known: dict[bytes, str] = {}
    count = 0
    for frame in room.members:
        event = names.get(frame.number("event"), "")
        count = frame.number("count") if event == "count" else 0
        if event in ("here", "joined"):
            known[frame.need("member_key")] = str(frame.value("nick"))
        elif event == "left":
            known.pop(frame.need("member_key"), None)
        elif event == "resync":
            known = {}
    return count or known


def _at(frame: Frame, words: str, expected: str, field: str = "room_seq", symptom: str = "") -> Violation:
    value = frame.value(field)
    actual = f"{field} {value}" if isinstance(value, int) else _("another {field}").format(field=field)
    return Violation(words, expected=expected, actual=actual, guilty=marked(frame, field).guilty, symptom=symptom)
