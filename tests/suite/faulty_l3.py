# SPDX-License-Identifier: MIT
"""Faulty servers of levels L2 and L3: each variant breaks the clause that its docstring begins with.

    PYTHONPATH=conformance python3 tests/suite/faulty_l3.py NAME

A variant is a session, a room or a server of the small server with one step changed; `words` are words
of the server's that it needs.
"""

from __future__ import annotations

import sys
import time

from mini_connection import Fatal
from mini_rooms import HOST, Room, View
from mini_server import MiniServer, main
from mini_session import Session
from mini_store import Store
from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FEATURES

# --- L2: windows, sessions, silence ---


class AcceptsGaps(Session):
    """FLOW-24"""

    def is_next(self, view: View, publish: Frame) -> bool:
        return publish.number("counter") > view.last or super().is_next(view, publish)


class WaitsForAnswers(Session):
    """FLOW-32: whatever the window, the limit rises with an answer only."""

    def accept(self, view: View, publish: Frame) -> None:
        limit = view.limit_counter
        super().accept(view, publish)
        view.limit_counter = limit


class ForgetsQuestions(MiniServer):
    """FLOW-32: of the questions of a row it keeps the last."""

    def ask(self, view: View, question: Frame) -> None:
        self.drop_questions(view)
        super().ask(view, question)


class RaisesTheLimitTooFar(Session):
    """FLOW-11"""

    def ack(self, view: View) -> None:
        view.limit_counter += view.granted > 1
        super().ack(view)


class DeliversAgain(Session):
    """FLOW-22: what comes again is delivered again."""

    def is_next(self, view: View, publish: Frame) -> bool:
        fresh = super().is_next(view, publish)
        if not fresh and view.granted > 1:
            self.send_entry(view.room.entry(view.cursor))
        return fresh


class KeepsTheOlderSession(Session):
    """END-14"""

    def replace_older(self) -> None:
        pass


class HearsTheOlderOut(Session):
    """END-14: the older session ends when it has said one thing more."""

    def replace_older(self) -> None:
        older = self.server.session_of(self.client_key)
        if older is not None:
            older.heir = self

    def take_publish(self, publish: Frame) -> None:
        super().take_publish(publish)
        if self.heir is not None:
            self.goodbye("REPLACED")


class LeavesTheSecondUnread(MiniServer):
    """LIM-02"""

    def accepts(self) -> bool:
        return not self.over and not self.sessions


class NeverPings(Session):
    """LIVE-04"""

    def ping(self) -> None:
        self.has_pinged = True


class PingsOnce(Session):
    """LIVE-04: a PONG does not make it ask again after the next silence."""

    def readable(self) -> None:
        had = self.has_pinged
        super().readable()
        self.has_pinged = had


class NeverGivesUp(Session):
    """LIVE-05"""

    def die(self) -> None:
        self.heard = time.monotonic()


class HearsItself(Session):
    """LIVE-05: what it sends is a sign of life to it."""

    def send_entry(self, octets: bytes) -> None:
        super().send_entry(octets)
        self.heard = time.monotonic()


class CountsWholeFrames(Session):
    """LIVE-06"""

    def readable(self) -> None:
        before = self.heard
        super().readable()
        if isinstance(codec.decode(self.buffer, "client", self.cap()), codec.Partial):
            self.heard = before


class IsSilentWhileItThinks(Session):
    """LIVE-07: who waits for an answer gets no PING."""

    def ping(self) -> None:
        self.has_pinged = True
        if all(view.session is not self for view, _ in self.server.questions):
            super().ping()


class OffersNoLiveness(MiniServer):
    """LIVE-08"""

    def offered_features(self, is_durable: bool) -> int:
        return super().offered_features(is_durable) & ~FEATURES["liveness"]


class GivesNoTimeToAnswer(MiniServer):
    """LIVE-10"""

    def __init__(self, level: int, limits: dict[str, int], seed: bytes, store: Store, words: list[str]) -> None:
        super().__init__(level, {**limits, "dead_after_ms": limits["ping_after_ms"] + 1}, seed, store, words)


class GivesUpEverybody(Session):
    """AUTH-11: liveness also where the client did not offer it."""

    def has(self, feature: str) -> bool:
        return feature == "liveness" or super().has(feature)


# --- L3: nicks ---


class BindsNoNick(Session):
    """ID-06"""

    def check_nick(self, nick: str) -> None:
        others = {one.nick for one in self.server.sessions if one.client_key != self.client_key}
        if nick in others:
            raise Fatal("NICK_TAKEN", "ID-07")


class BindsWhoIsRefused(Session):
    """ID-06: a nick is bound to whoever names it, also with a bad signature."""

    def auth_is_good(self, auth: Frame) -> bool:
        self.server.store.bind(str(auth.value("nick")), self.client_key)
        return super().auth_is_good(auth)


class SharesNicks(Session):
    """ID-07"""

    def check_nick(self, nick: str) -> None:
        if self.server.store.nick_of(self.client_key) not in (None, nick):
            raise Fatal("DENIED", "ID-08")
        self.server.store.bind(nick, self.client_key)


class GivesManyNicks(Session):
    """ID-08"""

    def check_nick(self, nick: str) -> None:
        if self.server.store.key_of(nick) not in (None, self.client_key):
            raise Fatal("NICK_TAKEN", "ID-07")
        self.server.store.bind(nick, self.client_key)


class ForgetsNicks(MiniServer):
    """ID-11"""

    def __init__(self, level: int, limits: dict[str, int], seed: bytes, store: Store, words: list[str]) -> None:
        store.file.execute("DELETE FROM nicks")
        super().__init__(level, limits, seed, store, words)


# --- L3: members ---


class TellsNobodyWhoIsHere(Session):
    """MEM-01"""

    def tell_snapshot(self, view: View) -> None:
        pass


class LeavesOutTheNewMember(Room):
    """MEM-01: the snapshot has those who were here before."""

    def snapshot(self) -> list[Frame]:
        return super().snapshot()[:-1] if len(self.members) <= self.member_limit else super().snapshot()


class TellsMembersLate(Session):
    """MEM-02: who came or went is told behind the next entry."""

    def tell_members(self, view: View) -> None:
        last = view.room.events[-1] if view.room.events else None
        if view.event is None or last is None or last.number("at_seq") < view.cursor:
            super().tell_members(view)

    def has_all(self) -> bool:
        return all(view.cursor >= min(view.room.head, view.limit_seq) for view in self.views.values())


class SaysThatAllBeganAtZero(Room):
    """MEM-02: at_seq is always 0."""

    def make_member(self, event: str, key: bytes, nick: str) -> Frame:
        return super().make_member(event, key, nick).without("at_seq").plus(codec.field_value("at_seq", 0))


class NeverTellsWhoLeft(Room):
    """MEM-03"""

    def leave(self, key: bytes) -> None:
        self.members.pop(key, None)


class NeverTellsWhoDied(Session):
    """MEM-03: who vanishes without a word is a member for ever."""

    def vanish(self) -> None:
        for view in self.views.values():
            view.room.members.pop(self.client_key, None)
        super().vanish()


class LosesEvents(Session):
    """MEM-04: no resync where events fell off the list."""

    def tell_members(self, view: View) -> None:
        room = view.room
        if view.event is not None and room.name != HOST:
            view.event = max(view.event, room.events_ever - len(room.events))
        super().tell_members(view)


class NamesEverybody(MiniServer):
    """MEM-05: member_limit is announced, and nothing follows from it."""

    class NamingRoom(Room):
        def snapshot(self) -> list[Frame]:
            return [self.make_member("here", key, nick) for key, nick in self.members.items()]

        def tell(self, event: str, key: bytes, nick: str) -> None:
            self.events.append(self.make_member(event, key, nick))
            self.events_ever += 1

    room_class = NamingRoom


class NamesNobodyAgain(Room):
    """MEM-05: back at member_limit who left is named, and nobody who is here."""

    def tell(self, event: str, key: bytes, nick: str) -> None:
        super().tell(event, key, nick)
        if self.events[-1] is None:
            self.events[-1] = self.make_member(event, key, nick)


class LetsLeaveWithoutAWord(Session):
    """MEM-07"""

    def take_leave(self, leave: Frame) -> None:
        view = self.views.get(leave.need("room_id"))
        if view is None:
            raise Fatal("BAD_STATE", "MEM-08")
        self.leave(view)


class TalksOnAfterLeave(Session):
    """MEM-07: the answer to LEAVE is followed by one more entry."""

    def take_leave(self, leave: Frame) -> None:
        view = self.views.get(leave.need("room_id"))
        super().take_leave(leave)
        if view is not None and view.room.head:
            self.send_entry(view.room.entry(view.room.head))


class ForgivesLeave(Session):
    """MEM-08"""

    def take_leave(self, leave: Frame) -> None:
        if leave.need("room_id") in self.views:
            super().take_leave(leave)


class ShowsReplacements(Session):
    """MEM-09"""

    def leave(self, view: View) -> None:
        self.heir = None
        super().leave(view)


class ForgetsWhereTheOlderWas(Session):
    """MEM-09: a room that the newer session never joined keeps it as a member for ever."""

    def leave_all(self) -> None:
        self.inherited = {}
        super().leave_all()


# --- L3: rooms and their order ---


class HasAFixedList(Session):
    """MSG-29"""

    def join_refusal(self, name: str) -> str:
        return super().join_refusal(name) or ("" if name in (HOST, "lobby") else "NO_ROOM")


class HasFiftyRooms(Session):
    """MSG-29: a bound, and too low a one."""

    def join_refusal(self, name: str) -> str:
        return super().join_refusal(name) or ("NO_ROOM" if len(self.server.rooms) >= 50 else "")


class TellsTwoOrders(Session):
    """FLOW-43: every second session gets the entries 4 and 5 the other way round."""

    def send_entry(self, octets: bytes) -> None:
        verdict = codec.decode(octets, "server", len(octets))
        assert isinstance(verdict, codec.Decoded)
        seq, view = verdict.frame.number("room_seq"), self.views[verdict.frame.need("room_id")]
        if self.number % 2 and seq in (4, 5) and view.room.head >= 5:
            octets = view.room.entry(9 - seq).replace(place(9 - seq), place(seq))
        super().send_entry(octets)


def place(seq: int) -> bytes:
    return codec.raw_field(*codec.field_value("room_seq", seq))


class LosesWhatComesAtOnce(Session):
    """FLOW-43: of two entries that are committed together a session with an even number gets the second only."""

    def may_deliver(self, view: View) -> bool:
        if not self.number % 2 and view.cursor + 7 < min(view.room.head, view.limit_seq):
            view.cursor += 1
        return super().may_deliver(view)


class WaitsForItsReaders(Session):
    """FLOW-38: a write that blocks."""

    def write(self) -> None:
        if self.state == "READY" and self.out:
            self.sock.setblocking(True)
            self.sock.sendall(self.out)
            self.sock.setblocking(False)
            self.out.clear()
        super().write()


class EndsNoSlowConsumer(Session):
    """FLOW-39"""

    def evict(self) -> None:
        self.progress = time.monotonic()


class EndsWhoIsOwedNothing(Session):
    """FLOW-39: silence alone is slowness to it."""

    def is_owed(self) -> bool:
        return True


class CountsNoProgress(Session):
    """FLOW-39: slow_ms from the first DELIVER that is owed, whatever moves meanwhile."""

    def is_owed(self) -> bool:
        owed = any(view.is_owed for view in self.views.values())
        self.since = getattr(self, "since", time.monotonic()) if owed else time.monotonic()
        self.progress = self.since
        return owed


class SkipsWhatIsPruned(Session):
    """FLOW-40"""

    words = ("keep=20",)

    def evict(self) -> None:
        for view in self.views.values():
            view.cursor = max(view.cursor, view.room.oldest - 1)


class PrunesBeforeItTells(MiniServer):
    """FLOW-40: who has credit is overtaken, too."""

    words = ("keep=20",)

    def tell(self, view: View) -> None:
        view.room.prune(self.keep)
        if view.is_overtaken:
            view.session.evict()
        else:
            super().tell(view)


VARIANTS = {
    name: kind for name, kind in globals().items() if isinstance(kind, type) and kind.__module__ == __name__
}


if __name__ == "__main__":
    variant = VARIANTS[sys.argv[1]]
    sys.argv += getattr(variant, "words", ())

    class FaultyServer(variant if issubclass(variant, MiniServer) else MiniServer):  # type: ignore[misc]
        if issubclass(variant, Session):
            session_class = variant
        if issubclass(variant, Room):
            room_class = variant

    main(FaultyServer)
