# SPDX-License-Identifier: MIT
"""What a session of the small server does in its rooms: JOIN, messages, acknowledgement, members, checkpoints.

The connection below it is mini_connection.py's.
"""

from __future__ import annotations

import time

from mini_connection import Connection, Fatal
from mini_rooms import HOST, Room, View
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CONSTANTS


class Session(Connection):
    # --- rooms ---

    def take_join(self, join: Frame) -> None:
        name = str(join.value("room"))
        if join.has("after_seq") and join.number("after_seq") and not join.has("epoch"):
            raise Fatal("BAD_FRAME", "RES-05")
        if any(view.room.name == name for view in self.views.values()):
            raise Fatal("BAD_STATE", "FLOW-02")
        code = self.join_refusal(name)
        if code:
            self.send(codec.frame("ERROR", room=name, code=code, reason="not this room", ref_type=join.type))
            return
        room = self.server.open_room(name, self.client_key if name == HOST else b"")
        granted = self.granted_window(join.number("send_window"))
        view = View(self, room, self.start_seq(join, room), join.number("recv_window"), granted)
        self.views[room.id] = view
        room.views.append(view)
        self.send(self.make_joined(view))
        room.enter(self.client_key, self.nick)
        self.inherited.pop(room.id, None)
        self.flush(view)

    def join_refusal(self, name: str) -> str:
        """The code of class 04 that answers a JOIN; empty when it is accepted."""
        if len(self.views) >= self.server.limits["max_rooms"]:
            return "TOO_MANY_ROOMS"
        if name.startswith("@"):
            return "" if name == HOST else "NO_ROOM"
        return "" if self.server.level >= 3 else "NOT_SUPPORTED"

    def granted_window(self, wanted: int) -> int:
        return min(wanted, self.server.limits["max_window"]) if self.server.level >= 2 else 1

    def start_seq(self, join: Frame, room: Room) -> int:
        """FLOW-06, RES-01, RES-02."""
        if not join.has("after_seq") or not self.has("resume"):
            return room.head + 1
        after = join.number("after_seq")
        if join.octets("epoch") != room.epoch or after > room.head:
            return room.oldest
        return max(after + 1, room.oldest)

    def make_joined(self, view: View) -> Frame:
        room = view.room
        return codec.frame(
            "JOINED",
            room=room.name,
            room_id=room.id,
            epoch=room.epoch,
            granted_window=view.granted,
            last_counter=view.last,
            limit_counter=view.limit_counter,
            head_seq=room.head,
            oldest_seq=room.oldest,
            start_seq=view.start_seq,
        )

    def take_leave(self, leave: Frame) -> None:
        view = self.views.get(leave.need("room_id"))
        if view is None:
            raise Fatal("BAD_STATE", "MEM-08")
        self.leave(view)
        if view.room.name != HOST:
            self.send(view.room.make_member("left", self.client_key, self.nick))

    def leave(self, view: View) -> None:
        """The room goes on without this session; a pending question is dropped [FLOW-30]."""
        del self.views[view.room.id]
        view.room.views.remove(view)
        self.server.drop_questions(view)
        if self.heir is None:
            view.room.leave(self.client_key)  # else the heir stands for it there [MEM-09]
        self.server.close_room(view.room)

    def leave_all(self) -> None:
        for view in list(self.views.values()):
            self.leave(view)
        for room in self.inherited.values():
            room.leave(self.client_key)
            self.server.close_room(room)
        self.inherited = {}

    # --- what the server tells ---

    def flush(self, view: View) -> None:
        """What this session may see now: members, checkpoints, then entries within its credit."""
        self.tell_members(view)
        self.tell_checkpoint(view)
        while self.has_space() and self.may_deliver(view):
            view.cursor += 1
            self.send_entry(view.room.entry(view.cursor))
            if self.is_checkpoint_due(view):
                view.checkpoint_due = True
                self.tell_checkpoint(view)
        if view.answer_seq and view.cursor >= view.answer_seq:
            view.answer_seq = 0
            self.raise_limit(view)

    def send_entry(self, octets: bytes) -> None:
        self.out += octets

    def may_deliver(self, view: View) -> bool:
        return view.cursor < min(view.room.head, view.limit_seq)

    def tell_members(self, view: View) -> None:
        room = view.room
        if room.name == HOST or not self.has_space() or view.event == room.events_ever:
            return
        missed = room.events_ever - (view.event or 0)
        fresh = [] if view.event is None else list(room.events)[-missed:]
        if view.event is None or missed > len(room.events) or None in fresh:
            self.tell_snapshot(view)
        else:
            for event in fresh:
                assert event is not None, "a resync was looked for"
                self.send(event)
        view.event = room.events_ever

    def tell_snapshot(self, view: View) -> None:
        """All members, after JOINED or when events were lost [MEM-01, MEM-04]."""
        if view.event is not None:
            self.send(view.room.make_resync())
        for frame in view.room.snapshot():
            self.send(frame)

    def is_checkpoint_due(self, view: View) -> bool:
        """AUD-04: behind the last entry of a replay, then behind each multiple of 32."""
        every = CONSTANTS["checkpoint_interval"]
        return view.cursor == view.replay_end or (view.cursor > view.replay_end and view.cursor % every == 0)

    def tell_checkpoint(self, view: View) -> None:
        """The head's, when one is due; before a replay from the boundary of a pruned log that one's, too [AUD-07]."""
        room = view.room
        if not self.has("audit") or not view.checkpoint_due:
            return
        if view.cursor < view.start_seq <= view.replay_end and room.oldest > 1:
            self.send(room.make_checkpoint(room.oldest - 1))
        self.send(room.make_checkpoint(room.head))
        view.checkpoint_due = False

    def ack(self, view: View) -> None:
        view.ack_due = False
        self.send(
            codec.frame(
                "ACK",
                room_id=view.room.id,
                limit_counter=view.limit_counter,
                acked_counter=view.last,
                acked_seq=view.last_seq,
            )
        )

    def raise_limit(self, view: View) -> None:
        view.limit_counter = view.last + view.granted
        self.ack(view)

    # --- messages ---

    def take_publish(self, publish: Frame) -> None:
        view = self.check_room(publish)
        self.check_author(publish)
        if not self.is_next(view, publish):
            return
        self.check_signature(publish)
        self.accept(view, publish)

    def check_room(self, frame: Frame) -> View:
        view = self.views.get(frame.need("room_id"))
        if view is None:
            raise Fatal("WRONG_ROOM", "MSG-05")
        return view

    def check_author(self, publish: Frame) -> None:
        if publish.octets("author_key") != self.client_key or publish.value("nick") != self.nick:
            raise Fatal("WRONG_AUTHOR", "MSG-04")

    def is_next(self, view: View, publish: Frame) -> bool:
        """Section 6.3: False for a message that is here already, and is acknowledged again."""
        counter = publish.number("counter")
        if counter > view.limit_counter:
            raise Fatal("FLOW_VIOLATION", "FLOW-21")
        if counter <= view.last:
            identity = self.server.store.id_of(view.room.number, self.client_key, counter)
            if identity != crypto.message_id(publish):
                raise Fatal("COUNTER_REUSE", "FLOW-23")
            self.server.settle()
            self.ack(view)
            return False
        if counter > view.last + 1:
            raise Fatal("COUNTER_GAP", "FLOW-24")
        return True

    def check_signature(self, publish: Frame) -> None:
        if not crypto.verify_message(publish):
            raise Fatal("BAD_SIG", "MSG-03")

    def accept(self, view: View, publish: Frame) -> None:
        """FLOW-25: appended now; acknowledged and delivered when the server has committed it."""
        view.last, view.last_seq = publish.number("counter"), self.server.append(view.room, publish)
        view.ack_due = True
        if not view.is_sync:
            view.limit_counter = view.last + view.granted
        if view.room.name == HOST:
            self.server.settle()
            self.server.ask(view, publish)

    def take_ack(self, ack: Frame) -> None:
        view = self.check_room(ack)
        if ack.number("seen_seq") > view.cursor:
            raise Fatal("ACK_TOO_HIGH", "FLOW-13")
        self.progress = time.monotonic()
        view.limit_seq = max(view.limit_seq, ack.number("limit_seq"))
        self.flush(view)

    def take_ping(self, ping: Frame) -> None:
        self.send(codec.frame("PONG", opaque=ping.octets("opaque")))

    def take_pong(self, pong: Frame) -> None:
        """LIVE-09: nobody asked for it, or somebody did: it is a sign of life like any other."""

    # --- the operator's side of @host ---

    def say(self, view: View, question: Frame | None, text: str) -> None:
        """A message of the operator; the answer, when there is a question [MSG-21]."""
        message = view.room.make_message(text, crypto.message_id(question) if question else None)
        seq = self.server.append(view.room, message)
        if question is not None and view.is_sync:
            view.answer_seq = seq
        self.server.settle()

    def no_answer(self, view: View, question: Frame) -> None:
        self.send(
            codec.frame(
                "ERROR",
                room_id=view.room.id,
                counter=question.number("counter"),
                code="NO_ANSWER",
                reason="nobody answers",
                ref_type=question.type,
            )
        )
        if view.is_sync:
            self.raise_limit(view)
