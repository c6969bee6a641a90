# SPDX-License-Identifier: MIT
"""Faulty servers of levels L2 and L3."""

from __future__ import annotations

import contextlib
import time
from functools import partial

import fault
from mini_connection import Fatal
from mini_rooms import HOST, Room, View
from mini_server import MiniServer
from mini_session import Session
from mini_store import Store
from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FEATURES

breaks = partial(fault.breaks, level="L3")

# --- L2: windows, sessions, silence ---


@breaks("FLOW-24")
class AcceptsGaps(Session):
    def is_next(self, view: View, publish: Frame) -> bool:
        return publish.number("counter") > view.last or super().is_next(view, publish)


@breaks("FLOW-32")
class WaitsForAnswers(Session):
    """Whatever the window, the limit rises with an answer only."""

    def accept(self, view: View, publish: Frame) -> None:
        limit = view.limit_counter
        super().accept(view, publish)
        view.limit_counter = limit


@breaks("FLOW-32")
class ForgetsQuestions(MiniServer):
    """Of the questions of a row it keeps the last."""

    def ask(self, view: View, question: Frame) -> None:
        self.drop_questions(view)
        super().ask(view, question)


@breaks("FLOW-11")
class RaisesTheLimitTooFar(Session):
    def ack(self, view: View) -> None:
        view.limit_counter += view.granted > 1
        super().ack(view)


@breaks("FLOW-22")
class DeliversAgain(Session):
    """What comes again is delivered again."""

    def is_next(self, view: View, publish: Frame) -> bool:
        fresh = super().is_next(view, publish)
        if not fresh and view.granted > 1:
            self.send_entry(view.room.entry(view.cursor))
        return fresh


@breaks("END-14")
class KeepsTheOlderSession(Session):
    def replace_older(self) -> None:
        pass


@breaks("END-14")
class HearsTheOlderOut(Session):
    """The older session ends when it has said one thing more."""

    def replace_older(self) -> None:
        older = self.server.session_of(self.client_key)
        if older is not None:
            older.heir = self

    def take_publish(self, publish: Frame) -> None:
        super().take_publish(publish)
        if self.heir is not None:
            self.goodbye("REPLACED")


@breaks("LIM-02")
class LeavesTheSecondUnread(MiniServer):
    def accepts(self) -> bool:
        return not self.over and not self.sessions


@breaks("LIVE-04")
class NeverPings(Session):
    def ping(self) -> None:
        self.has_pinged = True


@breaks("LIVE-04")
class PingsOnce(Session):
    """A PONG does not make it ask again after the next silence."""

    def readable(self) -> None:
        had = self.has_pinged
        super().readable()
        self.has_pinged = had


@breaks("LIVE-05")
class NeverGivesUp(Session):
    def die(self) -> None:
        self.heard = time.monotonic()


@breaks("LIVE-05")
class HearsItself(Session):
    """What it sends is a sign of life to it."""

    def send_entry(self, octets: bytes) -> None:
        super().send_entry(octets)
        self.heard = time.monotonic()


@breaks("LIVE-06")
class CountsWholeFrames(Session):
    def readable(self) -> None:
        before = self.heard
        super().readable()
        if isinstance(codec.decode(self.buffer, "client", self.cap()), codec.Partial):
            self.heard = before


@breaks("LIVE-07")
class IsSilentWhileItThinks(Session):
    """Who waits for an answer gets no PING."""

    def ping(self) -> None:
        self.has_pinged = True
        if all(view.session is not self for view, _ in self.server.questions):
            super().ping()


@breaks("LIVE-08")
class OffersNoLiveness(MiniServer):
    def offered_features(self, is_durable: bool) -> int:
        return super().offered_features(is_durable) & ~FEATURES["liveness"]


@breaks("LIVE-10")
class GivesNoTimeToAnswer(MiniServer):
    def __init__(self, level: int, limits: dict[str, int], seed: bytes, store: Store, words: list[str]) -> None:
        super().__init__(level, {**limits, "dead_after_ms": limits["ping_after_ms"] + 1}, seed, store, words)


@breaks("AUTH-11")
class GivesUpEverybody(Session):
    """Liveness also where the client did not offer it."""

    def has(self, feature: str) -> bool:
        return feature == "liveness" or super().has(feature)


# --- L3: nicks ---


@breaks("ID-06")
class BindsNoNick(Session):
    def check_nick(self, nick: str) -> None:
        others = {one.nick for one in self.server.sessions if one.client_key != self.client_key}
        if nick in others:
            raise Fatal("NICK_TAKEN", "ID-07")


@breaks("ID-06")
class BindsWhoIsRefused(Session):
    """A nick is bound to whoever names it, also with a bad signature."""

    def auth_is_good(self, auth: Frame) -> bool:
        self.server.store.bind(str(auth.value("nick")), self.client_key)
        return super().auth_is_good(auth)


@breaks("ID-07")
class SharesNicks(Session):
    def check_nick(self, nick: str) -> None:
        if self.server.store.nick_of(self.client_key) not in (None, nick):
            raise Fatal("DENIED", "ID-08")
        self.server.store.bind(nick, self.client_key)


@breaks("ID-08")
class GivesManyNicks(Session):
    def check_nick(self, nick: str) -> None:
        if self.server.store.key_of(nick) not in (None, self.client_key):
            raise Fatal("NICK_TAKEN", "ID-07")
        self.server.store.bind(nick, self.client_key)


@breaks("ID-11")
class ForgetsNicks(MiniServer):
    def __init__(self, level: int, limits: dict[str, int], seed: bytes, store: Store, words: list[str]) -> None:
        store.file.execute("DELETE FROM nicks")
        super().__init__(level, limits, seed, store, words)


# --- L3: members ---


@breaks("MEM-01")
class TellsNobodyWhoIsHere(Session):
    def tell_snapshot(self, view: View) -> None:
        pass


@breaks("MEM-01")
class LeavesOutTheNewMember(Room):
    """The snapshot has those who were here before."""

    def snapshot(self) -> list[Frame]:
        return super().snapshot()[:-1] if len(self.members) <= self.member_limit else super().snapshot()


@breaks("MEM-02")
class TellsMembersLate(Session):
    """Who came or went is told behind the next entry."""

    def tell_members(self, view: View) -> None:
        last = view.room.events[-1] if view.room.events else None
        if view.event is None or last is None or last.number("at_seq") < view.cursor:
            super().tell_members(view)

    def has_all(self) -> bool:
        return all(view.cursor >= min(view.room.head, view.limit_seq) for view in self.views.values())


@breaks("MEM-02")
class SaysThatAllBeganAtZero(Room):
    """At_seq is always 0."""

    def make_member(self, event: str, key: bytes, nick: str) -> Frame:
        return super().make_member(event, key, nick).without("at_seq").plus(codec.field_value("at_seq", 0))


@breaks("MEM-03")
class NeverTellsWhoLeft(Room):
    def leave(self, key: bytes) -> None:
        self.members.pop(key, None)


@breaks("MEM-03")
class NeverTellsWhoDied(Session):
    """Who vanishes without a word is a member for ever."""

    def vanish(self) -> None:
        for view in self.views.values():
            view.room.members.pop(self.client_key, None)
        super().vanish()


@breaks("MEM-04")
class LosesEvents(Session):
    """No resync where events fell off the list."""

    def tell_members(self, view: View) -> None:
        room = view.room
        if view.event is not None and room.name != HOST:
            view.event = max(view.event, room.events_ever - len(room.events))
        super().tell_members(view)


@breaks("MEM-05")
class NamesEverybody(MiniServer):
    """Member_limit is announced, and nothing follows from it."""

    class NamingRoom(Room):
        def snapshot(self) -> list[Frame]:
            return [self.make_member("here", key, nick) for key, nick in self.members.items()]

        def tell(self, event: str, key: bytes, nick: str) -> None:
            self.events.append(self.make_member(event, key, nick))
            self.events_ever += 1

    room_class = NamingRoom


@breaks("MEM-05")
class NamesNobodyAgain(Room):
    """Back at member_limit who left is named, and nobody who is here."""

    def tell(self, event: str, key: bytes, nick: str) -> None:
        super().tell(event, key, nick)
        if self.events[-1] is None:
            self.events[-1] = self.make_member(event, key, nick)


@breaks("MEM-07")
class LetsLeaveWithoutAWord(Session):
    def take_leave(self, leave: Frame) -> None:
        view = self.views.get(leave.need("room_id"))
        if view is None:
            raise Fatal("BAD_STATE", "MEM-08")
        self.leave(view)


@breaks("MEM-07")
class TalksOnAfterLeave(Session):
    """The answer to LEAVE is followed by one more entry."""

    def take_leave(self, leave: Frame) -> None:
        view = self.views.get(leave.need("room_id"))
        super().take_leave(leave)
        if view is not None and view.room.head:
            self.send_entry(view.room.entry(view.room.head))


@breaks("MEM-08")
class ForgivesLeave(Session):
    def take_leave(self, leave: Frame) -> None:
        if leave.need("room_id") in self.views:
            super().take_leave(leave)


@breaks("MEM-09")
class ShowsReplacements(Session):
    def leave(self, view: View) -> None:
        self.heir = None
        super().leave(view)


@breaks("MEM-09")
class ForgetsWhereTheOlderWas(Session):
    """A room that the newer session never joined keeps it as a member for ever."""

    def leave_all(self) -> None:
        self.inherited = {}
        super().leave_all()


# --- L3: rooms and their order ---


@breaks("MSG-29")
class HasAFixedList(Session):
    def join_refusal(self, name: str) -> str:
        return super().join_refusal(name) or ("" if name in (HOST, "lobby") else "NO_ROOM")


@breaks("MSG-29")
class HasFiftyRooms(Session):
    """A bound, and too low a one."""

    def join_refusal(self, name: str) -> str:
        return super().join_refusal(name) or ("NO_ROOM" if len(self.server.rooms) >= 50 else "")


@breaks("FLOW-43")
class TellsTwoOrders(Session):
    """Every second session gets the entries 4 and 5 the other way round."""

    def send_entry(self, octets: bytes) -> None:
        verdict = codec.decode(octets, "server", len(octets))
        assert isinstance(verdict, codec.Decoded)
        seq, view = verdict.frame.number("room_seq"), self.views[verdict.frame.need("room_id")]
        if self.number % 2 and seq in (4, 5) and view.room.head >= 5:
            octets = view.room.entry(9 - seq).replace(place(9 - seq), place(seq))
        super().send_entry(octets)


def place(seq: int) -> bytes:
    return codec.raw_field(*codec.field_value("room_seq", seq))


@breaks("FLOW-43")
class LosesWhatComesAtOnce(Session):
    """Of two entries that are committed together a session with an even number gets the second only."""

    def may_deliver(self, view: View) -> bool:
        if not self.number % 2 and view.cursor + 7 < min(view.room.head, view.limit_seq):
            view.cursor += 1
        return super().may_deliver(view)


@breaks("FLOW-38")
class WaitsForItsReaders(Session):
    """A write that blocks."""

    def write(self) -> None:
        if self.state == "READY" and self.out:
            self.sock.setblocking(True)
            with contextlib.suppress(OSError):
                self.sock.sendall(self.out)
                self.out.clear()
            self.sock.setblocking(False)
        super().write()


@breaks("FLOW-39")
class EndsNoSlowConsumer(Session):
    def evict(self) -> None:
        self.progress = time.monotonic()


@breaks("FLOW-39")
class EndsWhoIsOwedNothing(Session):
    """Silence alone is slowness to it."""

    def is_owed(self) -> bool:
        return True


@breaks("FLOW-39")
class CountsNoProgress(Session):
    """Slow_ms from the first DELIVER that is owed, whatever moves meanwhile."""

    def is_owed(self) -> bool:
        owed = any(view.is_owed for view in self.views.values())
        self.since = getattr(self, "since", time.monotonic()) if owed else time.monotonic()
        self.progress = self.since
        return owed


@breaks("FLOW-40")
class SkipsWhatIsPruned(Session):
    def evict(self) -> None:
        for view in self.views.values():
            view.cursor = max(view.cursor, view.room.oldest - 1)


@breaks("FLOW-40")
class PrunesBeforeItTells(MiniServer):
    """Who has credit is overtaken, too."""

    def tell(self, view: View) -> None:
        view.room.prune(self.keep)
        if view.is_overtaken:
            view.session.evict()
        else:
            super().tell(view)
