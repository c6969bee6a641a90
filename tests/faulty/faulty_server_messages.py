# SPDX-License-Identifier: MIT
"""Faulty servers: what stands in a message, in which room it is, and who may say it."""

from __future__ import annotations

from fault import breaks
from mini_connection import Fatal
from mini_rooms import HOST, Room, View, now_ms
from mini_server import MiniServer
from mini_session import Session
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FIELDS_BY_TAG

DAY_MS = 86_400_000

# --- whose message it is ---


@breaks("MSG-04")
class TakesAnyAuthor(Session):
    def check_author(self, publish: Frame) -> None:
        pass


@breaks("MSG-04")
class LooksAtTheKeyOnly(Session):
    """Another nick beside the session's key is good enough."""

    def check_author(self, publish: Frame) -> None:
        if publish.octets("author_key") != self.client_key:
            raise Fatal("WRONG_AUTHOR", "MSG-04")


@breaks("MSG-05")
class TakesAnyRoom(Session):
    """A message of a room that is not joined goes into one that is."""

    def check_room(self, frame: Frame) -> View:
        return next(iter(self.views.values()), None) or super().check_room(frame)


@breaks("MSG-05")
class IgnoresOtherRooms(Session):
    """Instead of refusing what is of another room."""

    def take_publish(self, publish: Frame) -> None:
        if publish.need("room_id") in self.views:
            super().take_publish(publish)


@breaks("MSG-07")
class RefusesOldMessages(Session):
    def check_author(self, publish: Frame) -> None:
        super().check_author(publish)
        if abs(publish.number("sent_at") - now_ms()) > DAY_MS:
            raise Fatal("BAD_STATE", "MSG-07")


@breaks("MSG-08")
class RefusesSingleMessages(Session):
    """A forged one is refused without the end of the connection."""

    def check_signature(self, publish: Frame) -> None:
        pass

    def is_next(self, view: View, publish: Frame) -> bool:
        fresh = super().is_next(view, publish)
        if fresh and not crypto.verify_message(publish):
            error = codec.frame("ERROR", room_id=view.room.id, code="NO_ANSWER", reason="forged", ref_type=publish.type)
            self.send(error)
            return False
        return fresh


@breaks("MSG-15")
class PassesNewFieldsOn(Session):
    """An even tag that it does not know is as good as an odd one."""

    def decide(self) -> None:
        check = codec._check_unknown_even
        codec._check_unknown_even = lambda row, tag, at: None if row.name == "PUBLISH" else check(row, tag, at)
        try:
            super().decide()
        finally:
            codec._check_unknown_even = check


# --- what members get ---


@breaks("MSG-11")
class DropsWhatItDoesNotKnow(Room):
    """It encodes the message anew, without the fields that are unknown to it."""

    def make_deliver(self, message: Frame) -> Frame:
        deliver = super().make_deliver(message)
        return Frame(deliver.type, tuple((tag, value) for tag, value in deliver.fields if tag in FIELDS_BY_TAG))


@breaks("MSG-12")
class CountsRoomsFromZero(Room):
    def make_deliver(self, message: Frame) -> Frame:
        deliver = super().make_deliver(message)
        return deliver.without("room_seq").plus(codec.field_value("room_seq", self.last - 1))


@breaks("MSG-12")
class SkipsANumber(Room):
    """After the third entry of a room."""

    def make_deliver(self, message: Frame) -> Frame:
        deliver = super().make_deliver(message)
        return deliver.without("room_seq").plus(codec.field_value("room_seq", self.last + (self.last > 3)))


@breaks("MSG-13")
class TakesTheTimeOfTheAuthor(Room):
    """The time goes back when a message says so."""

    def make_deliver(self, message: Frame) -> Frame:
        deliver = super().make_deliver(message)
        return deliver.without("server_time").plus(codec.field_value("server_time", message.number("sent_at")))


# --- the server's own ---


@breaks("MSG-20")
class AnswersInAnotherName(Room):
    def make_message(self, text: str, reply_to: bytes | None) -> Frame:
        message = super().make_message(text, reply_to).without("nick").plus(codec.field_value("nick", "operator"))
        return crypto.sign_message(self.seed, message.without("author_sig"))


@breaks("MSG-20")
class CountsFromTwo(Room):
    def make_message(self, text: str, reply_to: bytes | None) -> Frame:
        self.own_counter = self.own_counter or 1
        return super().make_message(text, reply_to)


@breaks("MSG-20")
class DoesNotSign(Room):
    def make_message(self, text: str, reply_to: bytes | None) -> Frame:
        message = super().make_message(text, reply_to)
        return message.without("author_sig").plus(codec.field_value("author_sig", bytes(64)))


@breaks("MSG-21")
class AnswersWithoutTheQuestion(Room):
    def make_message(self, text: str, reply_to: bytes | None) -> Frame:
        return super().make_message(text, None)


@breaks("MSG-21")
class AnswersAnotherQuestion(Room):
    """reply_to is the id of the question before."""

    before = b""

    def make_message(self, text: str, reply_to: bytes | None) -> Frame:
        other, self.before = self.before or reply_to, reply_to or b""
        return super().make_message(text, other)


@breaks("MSG-19")
class PrintsWhatItReads(MiniServer):
    """Control characters and all."""

    def append(self, room: Room, message: Frame) -> int:
        print(message.value("nick"), message.value("text"), flush=True)
        return super().append(room, message)


# --- rooms ---


@breaks("MSG-24")
class CountsItsEpochs(Room):
    """The first life of each room has the same epoch."""

    def make_epoch(self) -> bytes:
        return (1).to_bytes(16, "big")


@breaks("MSG-25")
class MakesReservedRooms(Session):
    def join_refusal(self, name: str) -> str:
        return "" if name.startswith("@") else super().join_refusal(name)


@breaks("MSG-25")
class RefusesWithAnotherCode(Session):
    def join_refusal(self, name: str) -> str:
        code = super().join_refusal(name)
        return "NOT_SUPPORTED" if code == "NO_ROOM" else code


@breaks("MEM-06")
class TellsWhoIsAtTheHost(Session):
    def tell_members(self, view: View) -> None:
        if view.room.name == HOST and view.event is None:
            self.send(view.room.make_member("here", self.client_key, self.nick))
            view.event = 0
        super().tell_members(view)


@breaks("RES-05")
class AsksForNoEpoch(Session):
    """An after_seq without an epoch is meant for this one."""

    def take_join(self, join: Frame) -> None:
        if join.has("after_seq") and not join.has("epoch"):
            join = join.without("after_seq")
        super().take_join(join)


@breaks("RES-06")
class ReplaysUnasked(Session):
    """A client that has no resume is given the old entries, too."""

    def start_seq(self, join: Frame, room: Room) -> int:
        is_asked = join.has("after_seq") and join.number("after_seq") < room.head
        return max(join.number("after_seq") + 1, room.oldest) if is_asked else room.head + 1
