# SPDX-License-Identifier: MIT
"""Faulty servers with `resume`: what they replay, and what they have after a restart."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import fault
import mini_server
from mini_rooms import HOST, Room, View
from mini_server import MiniServer
from mini_session import Session
from mini_store import Store, lock
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame

breaks = partial(fault.breaks, level="L3", features=("resume",))


def view_of(session: Session, join: Frame) -> View | None:
    return next((view for view in session.views.values() if view.room.name == join.value("room")), None)


# --- where a JOIN goes on ---


@breaks("RES-01")
class AlwaysStartsLive(Session):
    def start_seq(self, join: Frame, room: Room) -> int:
        return room.head + 1


@breaks("RES-01")
class StartsAtAfterSeq(Session):
    """Off by one: the last entry that the client has comes again."""

    def start_seq(self, join: Frame, room: Room) -> int:
        start = super().start_seq(join, room)
        return start - 1 if join.has("epoch") and start > room.oldest else start


@breaks("RES-01")
class PromisesWhatIsGone(Session):
    """JOINED says after_seq + 1 where oldest_seq is higher."""

    def take_join(self, join: Frame) -> None:
        self.asked = join.number("after_seq") + 1 if join.has("epoch") else 0
        super().take_join(join)

    def make_joined(self, view: View) -> Frame:
        joined = super().make_joined(view)
        if self.asked and self.asked < view.room.oldest:
            return joined.without("start_seq").plus(codec.field_value("start_seq", self.asked))
        return joined


@breaks("RES-01")
class ShowsLiveFirst(Session):
    """What is said meanwhile goes out before the rest of a replay."""

    def flush(self, view: View) -> None:
        done, end = view.cursor, view.replay_end
        if done < end < view.room.head and view.limit_seq < view.room.head:
            view.replay_end = 0
            super().send_entry(view.room.entry(view.room.head))
        super().flush(view)


@breaks("RES-01")
class LeavesOneOut(Session):
    """The last entry of a replay is taken for a live one, and is not there."""

    def flush(self, view: View) -> None:
        if view.cursor == view.replay_end - 1 and view.cursor >= view.start_seq:
            view.cursor += 1
        super().flush(view)

    def may_deliver(self, view: View) -> bool:
        if view.cursor == view.replay_end - 1 and view.cursor >= view.start_seq:
            view.cursor += 1
        return super().may_deliver(view)


@breaks("RES-01")
class ReplaysOneTwice(Session):
    def send_entry(self, octets: bytes) -> None:
        super().send_entry(octets)
        if any(
            view.cursor == view.replay_end and view.room.entry(view.cursor) == octets for view in self.views.values()
        ):
            super().send_entry(octets)


@breaks("RES-02")
class TrustsAnyEpoch(Session):
    def start_seq(self, join: Frame, room: Room) -> int:
        if join.has("epoch") and join.number("after_seq") <= room.head:
            return max(join.number("after_seq") + 1, room.oldest)
        return super().start_seq(join, room)


@breaks("RES-02")
class StartsLiveBeyondHead(Session):
    def start_seq(self, join: Frame, room: Room) -> int:
        beyond = join.has("after_seq") and join.number("after_seq") > room.head
        return room.head + 1 if beyond else super().start_seq(join, room)


@breaks("RES-02")
class StartsLiveWithoutAnEpoch(Session):
    def start_seq(self, join: Frame, room: Room) -> int:
        return super().start_seq(join, room) if join.has("epoch") else room.head + 1


# --- once, and for ever ---


@breaks("RES-10")
class TellsAgainWhatIsSentAgain(Session):
    """A message that comes once more is known, acknowledged, and delivered to all."""

    def is_next(self, view: View, publish: Frame) -> bool:
        fresh = super().is_next(view, publish)
        if not fresh:
            for other in view.room.views:
                other.session.send_entry(view.room.entry(view.last_seq))
        return fresh


@breaks("RES-10")
class AcknowledgesBeforeTheDiskHasIt(Store):
    """Entries stay in an open transaction, and go with kill -9."""

    holds_entries = False

    def add_entry(self, room: int, seq: int, time: int, author: bytes, counter: int, *octets: bytes) -> None:
        super().add_entry(room, seq, time, author, counter, *octets)
        self.holds_entries = True

    def commit(self) -> None:
        if not self.holds_entries:
            super().commit()


class Former(Store):
    """Knows where each room ended in the former life."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self.former = dict(self.file.execute("SELECT room, max(seq) FROM entries GROUP BY room"))


@breaks("RES-09")
class BeginsAnew(Store):
    """Every start makes new rooms."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self.forget_rooms()


@breaks("RES-09", "RES-10")
class LosesTheLastEntry(Store):
    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        last = "SELECT room, max(seq) FROM entries GROUP BY room"
        self.file.execute(f"DELETE FROM entries WHERE (room, seq) IN ({last})")
        self.commit()


@breaks("RES-09")
class SwapsEntries(Former):
    """The last two of a former life come back in the other order."""

    def deliver(self, room: int, seq: int) -> bytes | None:
        last = self.former.get(room, 0)
        other = 2 * last - 1 - seq
        if last < 2 or seq not in (last - 1, last):
            return super().deliver(room, seq)
        octets = super().deliver(room, other)
        return octets and octets.replace(place(other), place(seq))


def place(seq: int) -> bytes:
    return codec.raw_field(*codec.field_value("room_seq", seq))


@breaks("RES-09")
class TellsAnotherTime(Former):
    """Entries of a former life get the time at which they are read."""

    def deliver(self, room: int, seq: int) -> bytes | None:
        octets = super().deliver(room, seq)
        if octets is None or seq > self.former.get(room, 0):
            return octets
        verdict = codec.decode(octets, "server", len(octets))
        assert isinstance(verdict, codec.Decoded), "it was written as a DELIVER"
        time = codec.field_value("server_time", verdict.frame.number("server_time") + 1)
        return codec.encode(verdict.frame.without("server_time").plus(time))


@breaks("RES-09")
class ForgetsCounters(MiniServer):
    """To JOINED every author begins at 1 again."""

    class ForgetfulSession(Session):
        def make_joined(self, view: View) -> Frame:
            joined, store = super().make_joined(view), view.room.store
            assert isinstance(store, Former)
            if not store.former.get(view.room.number):
                return joined
            zero, granted = codec.field_value("last_counter", 0), codec.field_value("limit_counter", view.granted)
            return joined.without("last_counter").without("limit_counter").plus(zero, granted)

    session_class = ForgetfulSession
    store_class = Former


@breaks("MSG-20")
class LeavesOutACounter(Room):
    """The server's own counter jumps when a room is opened again."""

    def __init__(self, store: Store, seed: bytes, name: str, owner: bytes, audit: bool, member_limit: int) -> None:
        super().__init__(store, seed, name, owner, audit, member_limit)
        self.own_counter += self.own_counter > 0


@breaks("MSG-24")
class KnowsTheEpochBeforehand(Room):
    """When the log is lost the same epoch comes again."""

    def make_epoch(self) -> bytes:
        return crypto.sha256(self.name.encode(), self.owner)[:16]


@breaks("FLOW-30")
class AnswersInTheNextLife(Session):
    """A question without an answer gets one when its author comes back."""

    def take_join(self, join: Frame) -> None:
        super().take_join(join)
        view = view_of(self, join)
        if view is None or view.room.name != HOST or not view.last or view.last_seq != view.room.head:
            return
        verdict = codec.decode(view.room.entry(view.last_seq), "server", 1 << 16)
        assert isinstance(verdict, codec.Decoded), "it was written as a DELIVER"
        self.say(view, verdict.frame, "by the way")


# --- what is gone ---


@breaks("FLOW-23")
class ForgetsPrunedIds(Session):
    """A counter whose entry is pruned can be used again: nobody notices."""

    def is_next(self, view: View, publish: Frame) -> bool:
        seq = publish.number("counter")
        if seq <= view.last and self.is_pruned(view, seq):
            self.ack(view)
            return False
        return super().is_next(view, publish)

    def is_pruned(self, view: View, counter: int) -> bool:
        query = "SELECT deliver IS NULL FROM entries WHERE room = ? AND author = ? AND counter = ?"
        return bool(self.server.store.one(query, view.room.number, self.client_key, counter))


@breaks("FLOW-22")
class TakesWhatIsGoneForOther(Store):
    """Of a pruned entry it knows no id, and refuses the message that comes again."""

    def id_of(self, room: int, author: bytes, counter: int) -> bytes | None:
        query = "SELECT id FROM entries WHERE room = ? AND author = ? AND counter = ? AND deliver IS NOT NULL"
        return self.one(query, room, author, counter)


# --- one server, one folder ---


def never_locks(folder: Path) -> int:
    return 0


def locks_in_silence(folder: Path) -> int:
    """Exit code 1, and no word."""
    try:
        return lock(folder)
    except BlockingIOError:
        sys.exit(1)


def takes_it_for_a_port(folder: Path) -> int:
    """The exit code of a server that cannot listen."""
    try:
        return lock(folder)
    except BlockingIOError:
        print("something is in use", file=sys.stderr)
        sys.exit(3)


@breaks("RES-14")
def shares_its_folder() -> None:
    mini_server.lock = never_locks
    mini_server.main()


@breaks("RES-14")
def ends_without_a_word() -> None:
    mini_server.lock = locks_in_silence
    mini_server.main()


@breaks("RES-14")
def ends_with_another_code() -> None:
    mini_server.lock = takes_it_for_a_port
    mini_server.main()
