# SPDX-License-Identifier: MIT
"""Bridges whose feed says something else than the room."""

from __future__ import annotations

from functools import partial

import fault
import mini_bridge
from mini_bridge import Feed
from mini_link import Link
from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FIELDS

breaks = partial(fault.breaks, level="L3", features=("liveness", "resume", "audit"))


# --- ZMQ-11 ---


@breaks("ZMQ-11")
class SendsThreeParts(Feed):
    def publish(self, deliver: Frame) -> None:
        self.publisher.send_multipart([deliver.need("room_id"), b"", codec.encode(deliver)])


@breaks("ZMQ-11")
class SendsDeliverAlone(Feed):
    def publish(self, deliver: Frame) -> None:
        self.publisher.send(codec.encode(deliver))


@breaks("ZMQ-11")
class NamesTheRoom(Feed):
    """By its name."""

    def publish(self, deliver: Frame) -> None:
        self.publisher.send_multipart([self.rooms[0].encode(), codec.encode(deliver)])


@breaks("ZMQ-11")
class SendsWhatWasPublished(Feed):
    """Without the server's fields."""

    def publish(self, deliver: Frame) -> None:
        server_zone = [FIELDS[name].tag for name in ("room_seq", "server_time", "prev_hash")]
        fields = tuple(field for field in deliver.fields if field[0] not in server_zone)
        publish = codec.encode(codec.Frame(codec.frame("PING", opaque=b"").type, fields))
        self.publisher.send_multipart([deliver.need("room_id"), publish])


@breaks("ZMQ-11")
class EncodesDeliverAnew(Feed):
    """Without the fields that nobody knows; so no signature verifies."""

    def publish(self, deliver: Frame) -> None:
        known = tuple(field for field in deliver.fields if field[0] in {one.tag for one in FIELDS.values()})
        octets = codec.encode(codec.Frame(deliver.type, known))
        self.publisher.send_multipart([deliver.need("room_id"), octets])


@breaks("ZMQ-11")
class CountsByItself(Feed):
    """A room_seq of its own, from the first message that it saw."""

    def publish(self, deliver: Frame) -> None:
        self.count = self.__dict__.get("count", 0) + 1
        changed = deliver.without("room_seq").plus(codec.field_value("room_seq", self.count))
        self.publisher.send_multipart([deliver.need("room_id"), codec.encode(changed)])


@breaks("ZMQ-11")
class FeedsOneRoomOnly(Feed):
    def take(self, link: Link, frame: Frame) -> None:
        if frame.name != "JOINED" or not self.limits or frame.need("room_id") in self.limits:
            super().take(link, frame)
        else:
            self.limits[frame.need("room_id")] = 0

    def publish(self, deliver: Frame) -> None:
        if deliver.need("room_id") == next(iter(self.limits)):
            super().publish(deliver)


# --- ZMQ-12 ---


@breaks("ZMQ-12")
def feeds_the_host_when_it_is_asked() -> None:
    mini_bridge.feed_rooms = lambda text: [name for name in text.split(",") if name]
    mini_bridge.main()
