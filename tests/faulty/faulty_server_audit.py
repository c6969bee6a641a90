# SPDX-License-Identifier: MIT
"""Faulty servers with `audit`: the chain, and when they sign what."""

from __future__ import annotations

from functools import partial

import fault
from mini_rooms import Room, View
from mini_session import Session
from mini_store import Store
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CONSTANTS, FEATURES

breaks = partial(fault.breaks, level="L3", features=("audit",))
EVERY = CONSTANTS["checkpoint_interval"]

# --- the chain ---


@breaks("AUD-02")
class ChainsForThoseWhoOffer(Session):
    """Prev_hash is left out for a client without `audit`."""

    def send_entry(self, octets: bytes) -> None:
        if not self.has("audit"):
            verdict = codec.decode(octets, "server", len(octets))
            assert isinstance(verdict, codec.Decoded), "it was written as a DELIVER"
            octets = codec.encode(verdict.frame.without("prev_hash"))
        super().send_entry(octets)


@breaks("AUD-02")
class NamesTheEntryBeforeTheLast(Room):
    before: bytes | None = None

    def make_deliver(self, message: Frame) -> Frame:
        deliver = super().make_deliver(message)
        named, self.before = self.before or self.hash, self.hash
        return deliver.without("prev_hash").plus(codec.field_value("prev_hash", named))


@breaks("AUD-02")
class ChainsTheFirstToNothing(Room):
    """The prev_hash of the first entry is all zeros."""

    def make_deliver(self, message: Frame) -> Frame:
        deliver = super().make_deliver(message)
        if self.last > 1:
            return deliver
        return deliver.without("prev_hash").plus(codec.field_value("prev_hash", bytes(32)))


@breaks("AUD-02")
class BeginsTheChainAnew(Room):
    """When a room is opened again its chain begins at h_0."""

    def __init__(self, store: Store, seed: bytes, name: str, owner: bytes, audit: bool, member_limit: int) -> None:
        super().__init__(store, seed, name, owner, audit, member_limit)
        self.hash = crypto.chain_start(self.id)


# --- what is signed ---


@breaks("AUD-03")
class SignsWithNothing(Room):
    def make_checkpoint(self, seq: int) -> Frame:
        checkpoint = super().make_checkpoint(seq)
        return checkpoint.without("server_sig").plus(codec.field_value("server_sig", bytes(64)))


@breaks("AUD-03")
class SignsTheHeadWithoutALabel(Room):
    def make_checkpoint(self, seq: int) -> Frame:
        unsigned = super().make_checkpoint(seq).without("server_sig")
        signature = crypto.sign(self.seed, codec.before(unsigned, "server_sig"))
        return unsigned.plus(codec.field_value("server_sig", signature))


def signed_anew(room: Room, checkpoint: Frame, field: str, value: bytes | int) -> Frame:
    other = checkpoint.without(field).without("server_sig").plus(codec.field_value(field, value))
    return crypto.sign_checkpoint(room.seed, other)


@breaks("AUD-03")
class StatesAStaleChain(Room):
    """The hash of the entry before."""

    def make_checkpoint(self, seq: int) -> Frame:
        checkpoint = super().make_checkpoint(seq)
        stale = self.store.hash(self.number, seq - 1) if seq > 1 else crypto.chain_start(self.id)
        return signed_anew(self, checkpoint, "chain", stale) if seq else checkpoint


@breaks("AUD-03")
class TellsTwoHistories(Session):
    """Every second session is told another chain."""

    def send(self, frame: Frame) -> None:
        if frame.name == "CHECKPOINT" and not self.number % 2:
            room = self.views[frame.need("room_id")].room
            frame = signed_anew(room, frame, "chain", crypto.sha256(frame.need("chain")))
        super().send(frame)


# --- when it is signed ---


@breaks("AUD-04")
class StatesNothingAtJoin(Session):
    def tell_checkpoint(self, view: View) -> None:
        if view.cursor >= view.start_seq or view.start_seq > view.room.head + 1:
            super().tell_checkpoint(view)
        else:
            view.checkpoint_due = False


@breaks("AUD-04")
class StatesTheHeadLate(Session):
    """At JOIN the CHECKPOINT comes behind what is replayed."""

    def tell_checkpoint(self, view: View) -> None:
        if view.cursor >= view.start_seq or view.replay_end == 0 or view.cursor >= view.limit_seq:
            super().tell_checkpoint(view)


@breaks("AUD-04")
class StatesAnEntryTooFew(Session):
    """At JOIN the CHECKPOINT is of the entry before the head."""

    def tell_checkpoint(self, view: View) -> None:
        is_new = view.checkpoint_due and view.cursor < view.start_seq and view.room.head
        if is_new and self.has("audit"):
            self.send(view.room.make_checkpoint(view.room.head - 1))
            view.checkpoint_due = False
        super().tell_checkpoint(view)


@breaks("AUD-04")
class StatesNothingAfterAReplay(Session):
    def is_checkpoint_due(self, view: View) -> bool:
        return view.cursor != view.replay_end and super().is_checkpoint_due(view)


@breaks("AUD-04")
class StatesEverySecondTime(Session):
    """Behind the multiples of 64."""

    def is_checkpoint_due(self, view: View) -> bool:
        return super().is_checkpoint_due(view) and (view.cursor <= view.replay_end or view.cursor % (2 * EVERY) == 0)


@breaks("AUD-04")
class StatesItOneTooLate(Session):
    def is_checkpoint_due(self, view: View) -> bool:
        return view.cursor == view.replay_end or (view.cursor > view.replay_end and view.cursor % EVERY == 1)


@breaks("AUD-04")
class GoesByTheHead(Session):
    """A CHECKPOINT whenever the head has passed a multiple of 32, wherever a member is who lags behind."""

    def is_checkpoint_due(self, view: View) -> bool:
        self.stated = getattr(self, "stated", {})
        before, self.stated[view] = self.stated.get(view, view.replay_end), view.room.head
        return view.cursor == view.replay_end or view.room.head // EVERY > before // EVERY


@breaks("AUD-04")
class LeavesWithoutAStatement(Session):
    """No CHECKPOINT before a BYE."""

    def state_heads(self) -> None:
        return


@breaks("AUD-04")
class StatesOneRoomAtTheEnd(Session):
    def state_heads(self) -> None:
        for view in list(self.views.values())[:1]:
            self.send(view.room.make_checkpoint(view.room.head))


@breaks("AUTH-11")
class StatesItToAll(Session):
    """CHECKPOINTs also where the client did not offer `audit`."""

    def has(self, feature: str) -> bool:
        return super().has(feature) or (feature == "audit" and bool(self.server.features & FEATURES["audit"]))


# --- the boundary of a pruned log ---


@breaks("AUD-07")
class KeepsNoBoundary(Session):
    def send(self, frame: Frame) -> None:
        room = self.views[frame.need("room_id")].room if frame.name == "CHECKPOINT" else None
        if room is None or frame.number("seq") != room.oldest - 1:
            super().send(frame)


@breaks("AUD-07")
class StatesTheOldestItself(Room):
    """Off by one: the CHECKPOINT is of the first entry that is kept."""

    def make_checkpoint(self, seq: int) -> Frame:
        return super().make_checkpoint(seq + 1 if seq and seq == self.oldest - 1 else seq)


@breaks("AUD-07")
class StatesTheBoundaryLast(Session):
    """It comes behind the replay."""

    def tell_checkpoint(self, view: View) -> None:
        is_new = view.checkpoint_due and view.cursor < view.start_seq <= view.replay_end and view.room.oldest > 1
        if is_new and self.has("audit"):
            self.send(view.room.make_checkpoint(view.room.head))
            view.checkpoint_due = False
        super().tell_checkpoint(view)
        if view.cursor == view.replay_end and view.room.oldest > 1 and self.has("audit"):
            self.send(view.room.make_checkpoint(view.room.oldest - 1))
