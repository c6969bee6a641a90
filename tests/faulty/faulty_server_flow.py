# SPDX-License-Identifier: MIT
"""Servers that are wrong about JOIN, credit, acknowledgement and questions (sections 6.1 to 6.4)."""

from __future__ import annotations

from fault import breaks
from mini_connection import Fatal
from mini_rooms import HOST, View
from mini_server import MiniServer
from mini_session import Session
from mini_store import Store
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value


def changed(frame: Frame, **values: Value) -> Frame:
    """The same frame with other values in these fields."""
    return frame.without(*values).plus(*(codec.field_value(name, value) for name, value in values.items()))


# --- 6.1 JOIN ---


@breaks("FLOW-01")
class LeavesJoinsUnanswered(Session):
    """A room that cannot be joined gets no answer."""

    def take_join(self, join: Frame) -> None:
        if not self.join_refusal(str(join.value("room"))):
            super().take_join(join)


@breaks("FLOW-01")
class RefusesWithoutTheName(Session):
    def send(self, frame: Frame) -> None:
        super().send(frame.without("room") if frame.name == "ERROR" else frame)


@breaks("FLOW-01")
class RefusesLate(Session):
    """What is refused is told behind the next JOIN."""

    def take_join(self, join: Frame) -> None:
        before = len(self.out)
        super().take_join(join)
        late = getattr(self, "late", b"")
        if self.join_refusal(str(join.value("room"))) and not late:
            self.late = bytes(self.out[before:])
            del self.out[before:]
        else:
            self.late = b""
            self.out += late


@breaks("FLOW-02")
class JoinsTwice(Session):
    """Who is in already is told so."""

    def take_join(self, join: Frame) -> None:
        joined = next((view for view in self.views.values() if view.room.name == join.value("room")), None)
        if joined is None:
            super().take_join(join)
        else:
            self.send(self.make_joined(joined))


@breaks("FLOW-02")
class RefusesTheSecondKindly(Session):
    """With a code of class 04, and the connection goes on."""

    def join_refusal(self, name: str) -> str:
        return "NO_ROOM" if self.is_in(name) else super().join_refusal(name)

    def take_join(self, join: Frame) -> None:
        if self.is_in(str(join.value("room"))):
            self.send(codec.frame("ERROR", room=join.value("room"), code="NO_ROOM", reason="once is enough"))
        else:
            super().take_join(join)

    def is_in(self, name: str) -> bool:
        return any(view.room.name == name for view in self.views.values())


@breaks("FLOW-03", level="L3")
class OpensRoomsWithoutEnd(Session):
    def join_refusal(self, name: str) -> str:
        code = super().join_refusal(name)
        return "" if code == "TOO_MANY_ROOMS" else code


@breaks("FLOW-03", level="L3")
class OpensOneRoomMore(Session):
    def join_refusal(self, name: str) -> str:
        code = super().join_refusal(name)
        return "" if code == "TOO_MANY_ROOMS" and len(self.views) == self.server.limits["max_rooms"] else code


@breaks("FLOW-04", level="L2")
class GrantsMoreThanIsWanted(Session):
    def granted_window(self, wanted: int) -> int:
        return self.server.limits["max_window"]


@breaks("FLOW-04", level="L2")
class GrantsWhatIsWanted(Session):
    """Whatever it announced as max_window."""

    def granted_window(self, wanted: int) -> int:
        return wanted


@breaks("FLOW-05")
class CountsTheWindowFromZero(Session):
    """The first limit is one too low: the client may say nothing."""

    def make_joined(self, view: View) -> Frame:
        return changed(super().make_joined(view), limit_counter=view.limit_counter - 1)


@breaks("FLOW-05", level="L2", features=("resume",))
class ForgetsWhereItWas(Session):
    """The limit in JOINED is the window, whatever was said before."""

    def make_joined(self, view: View) -> Frame:
        return changed(super().make_joined(view), limit_counter=view.granted)


@breaks("FLOW-06", level="L2", features=("resume",))
class BeginsAtTheBeginning(Session):
    def start_seq(self, join: Frame, room: object) -> int:
        whole = join if join.has("after_seq") else join.plus(codec.field_value("after_seq", 0))
        return super().start_seq(whole, room)  # type: ignore[arg-type]


@breaks("FLOW-06")
class LeavesTheNextEntryOut(Session):
    def make_joined(self, view: View) -> Frame:
        return changed(super().make_joined(view), start_seq=view.start_seq + 1)


@breaks("FLOW-07")
class GivesItselfOneMore(Session):
    """The first limit for DELIVER is start_seq + recv_window."""

    def make_joined(self, view: View) -> Frame:
        view.limit_seq += 1
        return super().make_joined(view)


@breaks("FLOW-07")
class GivesItselfOneLess(Session):
    def make_joined(self, view: View) -> Frame:
        view.limit_seq -= 1
        return super().make_joined(view)


@breaks("FLOW-08")
class HidesWhatItCannot(Session):
    """It has no named rooms yet, and says that this one is not there."""

    def join_refusal(self, name: str) -> str:
        code = super().join_refusal(name)
        return "NO_ROOM" if code == "NOT_SUPPORTED" else code


# --- 6.2 acknowledgement ---


@breaks("FLOW-09", level="L2")
class AcknowledgesWhatItRefuses(Session):
    """The ACK goes out before the signature is looked at."""

    def check_signature(self, publish: Frame) -> None:
        limit, counter = view_limit(self, publish), publish.number("counter")
        self.send(
            codec.frame(
                "ACK", room_id=publish.octets("room_id"), limit_counter=limit, acked_counter=counter, acked_seq=counter
            )
        )
        super().check_signature(publish)


def view_limit(session: Session, publish: Frame) -> int:
    return session.views[publish.need("room_id")].limit_counter


@breaks("FLOW-09", level="L3", features=("resume",))
class AcknowledgesFromMemory(Store):
    """Rooms reach the disk at once, messages when the next room is made."""

    def add_room(self, name: str, owner: bytes, epoch: bytes) -> int:
        number = super().add_room(name, owner, epoch)
        super().commit()
        return number

    def commit(self) -> None:
        pass


@breaks("FLOW-10")
class NamesTheCounterTwice(Session):
    """Acked_seq is the counter again."""

    def send(self, frame: Frame) -> None:
        super().send(changed(frame, acked_seq=frame.number("acked_counter")) if frame.name == "ACK" else frame)


@breaks("FLOW-12")
class TakesTheLastNumber(Session):
    """A lower limit_seq is the limit from then on."""

    def take_ack(self, ack: Frame) -> None:
        super().take_ack(ack)
        self.views[ack.need("room_id")].limit_seq = ack.number("limit_seq")


@breaks("FLOW-13")
class BelievesWhatWasSeen(Session):
    def take_ack(self, ack: Frame) -> None:
        view = self.check_room(ack)
        super().take_ack(changed(ack, seen_seq=min(ack.number("seen_seq"), view.cursor)))


@breaks("FLOW-13")
class ForgivesOneTooMany(Session):
    def take_ack(self, ack: Frame) -> None:
        seen = ack.number("seen_seq")
        one_too_many = seen == self.check_room(ack).cursor + 1
        super().take_ack(changed(ack, seen_seq=seen - one_too_many))


@breaks("FLOW-15")
class IgnoresForeignAcks(Session):
    def take_ack(self, ack: Frame) -> None:
        if ack.need("room_id") in self.views:
            super().take_ack(ack)


@breaks("FLOW-18")
class DeliversWithoutCredit(Session):
    def may_deliver(self, view: View) -> bool:
        return view.cursor < view.room.head


@breaks("FLOW-18")
class AnswersWithoutCredit(Session):
    """Answers go out whatever the limit is."""

    def may_deliver(self, view: View) -> bool:
        return super().may_deliver(view) or 0 < view.cursor < view.answer_seq


# --- 6.3 the checks of a PUBLISH ---


@breaks("FLOW-21")
class DropsWhatIsBeyond(Session):
    def is_next(self, view: View, publish: Frame) -> bool:
        return publish.number("counter") <= view.limit_counter and super().is_next(view, publish)


@breaks("FLOW-21")
class CallsItAGap(Session):
    """Beyond the limit is to it what leaves a counter out."""

    def is_next(self, view: View, publish: Frame) -> bool:
        if publish.number("counter") > view.limit_counter:
            raise Fatal("COUNTER_GAP", "FLOW-24")
        return super().is_next(view, publish)


@breaks("FLOW-21", level="L2")
class LosesWhatWasGood(Session):
    """With the violation goes what came before it on the same connection."""

    def is_next(self, view: View, publish: Frame) -> bool:
        if publish.number("counter") > view.limit_counter:
            self.out.clear()
            for one in self.views.values():
                one.cursor, one.ack_due = max(one.room.head, one.room.last), False
        return super().is_next(view, publish)


@breaks("FLOW-23")
class ForgivesReuse(Session):
    """Another message with a known counter is acknowledged like the first."""

    def is_next(self, view: View, publish: Frame) -> bool:
        if publish.number("counter") <= view.last:
            self.ack(view)
            return False
        return super().is_next(view, publish)


@breaks("FLOW-25")
class SparesTheAuthor(Session):
    """Who said something need not hear it."""

    def send_entry(self, octets: bytes) -> None:
        verdict = codec.decode(octets, "server", len(octets))
        assert isinstance(verdict, codec.Decoded)
        if verdict.frame.octets("author_key") != self.client_key:
            super().send_entry(octets)


@breaks("FLOW-25")
class AcknowledgesWithTheAnswer(Session):
    """The question has no ACK of its own."""

    def ack(self, view: View) -> None:
        if view.limit_counter > view.last:
            super().ack(view)


@breaks("FLOW-26", level="L2")
class ShowsBeforeItLooks(Session):
    """The author sees the message before the signature is looked at, in the place that it would have."""

    def check_signature(self, publish: Frame) -> None:
        view = self.views[publish.need("room_id")]
        shown = view.room.make_deliver(publish)
        self.out += codec.encode(changed(shown, room_seq=view.room.last + 1))
        view.cursor += crypto.verify_message(publish)
        super().check_signature(publish)


# --- 6.4 questions ---


@breaks("FLOW-29")
class SaysNothingWhenNobodyIsThere(Session):
    def no_answer(self, view: View, question: Frame) -> None:
        if view.is_sync:
            self.raise_limit(view)


@breaks("FLOW-29")
class StopsWhenNobodyIsThere(Session):
    """NO_ANSWER, and the limit stays."""

    def raise_limit(self, view: View) -> None:
        if view.answer_seq or view.room.own_counter:
            super().raise_limit(view)


@breaks("FLOW-29")
class NamesNoQuestion(Session):
    def no_answer(self, view: View, question: Frame) -> None:
        before = len(self.out)
        super().no_answer(view, question)
        verdict = codec.decode(bytes(self.out[before:]), "server", self.server.limits["max_frame"])
        assert isinstance(verdict, codec.Decoded)
        self.out[before : before + verdict.consumed] = codec.encode(verdict.frame.without("counter"))


@breaks("FLOW-30", level="L3")
class AnswersWhoLeft(MiniServer):
    """A LEAVE of @host leaves the question with the operator; the answer goes to the next JOIN."""

    def drop_questions(self, view: View) -> None:
        if view.session.state != "READY":
            super().drop_questions(view)

    def say_to(self, view: View | None, text: bytes) -> None:
        if view is not None and view.session.views.get(view.room.id) is not view:
            now = next((one for one in view.session.views.values() if one.room.name == HOST), view)
            self.questions = [(now if one is view else one, asked) for one, asked in self.questions]
            view = now
        super().say_to(view, text)


@breaks("FLOW-31")
class TakesTheSecondQuestion(Session):
    """The limit is announced, and not looked at."""

    def is_next(self, view: View, publish: Frame) -> bool:
        if publish.number("counter") == view.last + 1:
            return True
        return super().is_next(view, publish)


@breaks("FLOW-31")
class DropsTheSecondQuestion(Session):
    def is_next(self, view: View, publish: Frame) -> bool:
        if view.is_sync and publish.number("counter") == view.limit_counter + 1:
            return False
        return super().is_next(view, publish)
