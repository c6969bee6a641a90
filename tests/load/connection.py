# SPDX-License-Identifier: MIT
"""One connection of a checking member, from HELLO to the end, whoever ends it.

Every number that a server sends is held against the text; a breach ends the connection and is an `error` in
the history. It refuses to keep anything: what lasts is its member's.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES, CONSTANTS, EVENTS, FEATURES

if TYPE_CHECKING:
    from member import Member

READ_SIZE = 65536
OFFERED = FEATURES["liveness"] | FEATURES["resume"]
RESET_AT_CLOSE = struct.pack("ii", 1, 0)
PUBLISH_LAST_TAG = CONSTANTS["author_sig_tag"]


class Fault(Exception):
    """What the server does wrong, and the code that it earns; or, `from_server`, an ERROR that it sent."""

    def __init__(self, code: str, why: str, from_server: bool = False) -> None:
        super().__init__(why)
        self.code = code
        self.source = "server" if from_server else "client"


class Goodbye(Exception):
    """A BYE of the server; its code is its text."""


@dataclass
class Joined:
    """What holds of a room on one connection."""

    room: str
    id: bytes
    granted: int
    limit_counter: int
    sent: int
    due_seq: int
    limit_seq: int
    told_seq: int  # of the last ACK that went out


class Connection:
    """From the first octet to the last; `run` returns when it is over."""

    def __init__(self, member: Member, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> None:
        self.member = member
        self.joined: dict[str, Joined] = {}
        self.is_leaving = False
        self._said_goodbye = False
        self._reader, self._writer = reader, writer
        self._target = target
        self._buffer = b""
        self._by_id: dict[bytes, Joined] = {}
        self._asked: dict[str, int] = {}  # after_seq by room
        self._max_frame = CONSTANTS["max_frame_handshake"]
        self._server_key = b""

    async def run(self) -> None:
        self.member.connections.append(self)
        how, reason = "eof", ""
        try:
            await self._shake_hands()
            self._join()
            while (frame := await self._frame()) is not None:
                self._take(frame)
        except OSError as error:
            how, reason = "reset", str(error)
        except Goodbye as goodbye:
            how, reason = "goodbye", str(goodbye)
        except Fault as fault:
            how, reason = "error", self._complain(fault)
        finally:
            self.member.connections.remove(self)
            self.member.ends.append((how, reason))
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        if not self._may_end(how, reason):
            self.member.note("disconnected", how=how, again=self.member.goes_on, reason=reason)

    def _complain(self, fault: Fault) -> str:
        member = self.member
        if fault.code == member.provokes and fault.source == "server":
            member.goes_on = False
            member.note("left")
        else:
            member.note("error", **{"from": fault.source}, code=fault.code, reason=str(fault))
        return fault.code

    def _may_end(self, how: str, reason: str) -> bool:
        """An end that was asked for, by this side or by a newer session of this member [END-14]."""
        if reason == "REPLACED":
            return bool(self.member.connections)
        return (self.is_leaving and how in ("eof", "goodbye")) or (reason != "" and reason == self.member.provokes)

    def say_goodbye(self) -> None:
        """A question or an answer, never both [END-05]."""
        if not self._said_goodbye:
            self._said_goodbye = True
            self.send(codec.frame("BYE", code="NORMAL"))

    def pause(self) -> None:
        self._writer.transport.pause_reading()

    def resume(self) -> None:
        """With a buffer in which what waited comes before the day is over."""
        if self._writer.is_closing():
            return
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_SIZE)
        self._writer.transport.resume_reading()

    def reset(self) -> None:
        if self._writer.is_closing():
            return
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        self._writer.transport.abort()

    # --- octets ---

    def send(self, frame: Frame) -> None:
        self.send_octets(codec.encode(frame))

    def send_octets(self, octets: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(octets)

    async def _frame(self) -> Frame | None:
        """The next frame; None at the end of the stream."""
        while True:
            verdict = codec.decode(self._buffer, "server", self._max_frame)
            if isinstance(verdict, codec.Rejected):
                raise Fault(verdict.code, verdict.why)
            if not isinstance(verdict, codec.Partial):
                self._buffer = self._buffer[verdict.consumed :]
            if isinstance(verdict, codec.Decoded):
                return verdict.frame
            if isinstance(verdict, codec.Partial):
                await self.member.reads.wait()
                octets = await self._reader.read(READ_SIZE)
                if not octets:
                    return None
                self._buffer += octets

    async def _expect(self, name: str) -> Frame:
        frame = await self._frame()
        if frame is None:
            raise ConnectionResetError(f"end of file where {name} was due")
        if frame.name != name:
            self._take_end(frame)
            raise Fault("BAD_STATE", f"{frame.name} where {name} was due")
        return frame

    # --- handshake ---

    async def _shake_hands(self) -> None:
        member = self.member
        hello = codec.encode(
            codec.frame(
                "HELLO",
                versions=(1,),
                nonce=secrets.token_bytes(32),
                client_key=member.key,
                features=OFFERED,
                target=self._target,
            )
        )
        self._writer.write(hello)
        challenge = await self._expect("CHALLENGE")
        self._trust(hello, challenge)
        auth = crypto.sign_auth(member.seed, hello, codec.encode(challenge), codec.frame("AUTH", nick=member.nick))
        self.send(auth)
        await self._expect("WELCOME")
        self._max_frame = challenge.number("max_frame")

    def _trust(self, hello: bytes, challenge: Frame) -> None:
        key = challenge.need("server_key")
        if not crypto.verify_challenge(key, hello, challenge):
            raise Fault("BAD_SIG", "CHALLENGE does not verify")
        scene = self.member.scene
        scene.server_key = scene.server_key or key
        if key != scene.server_key:
            raise Fault("PIN_MISMATCH", "the server has another key than before")
        if not challenge.number("features") & FEATURES["resume"]:
            raise Fault("NOT_SUPPORTED", "the server has no resume")
        self._server_key = key

    def _join(self) -> None:
        for room, kept in self.member.kept.items():
            known = kept.seen_seq is not None
            self._asked[room] = kept.seen_seq if kept.seen_seq is not None else 0
            self.send(
                codec.frame(
                    "JOIN",
                    room=room,
                    send_window=self.member.send_window,
                    recv_window=self.member.recv_window,
                    after_seq=self._asked[room],
                    epoch=kept.epoch if known else None,
                )
            )

    # --- what comes ---

    def _take(self, frame: Frame) -> None:
        name = frame.name
        if name == "JOINED":
            self._take_joined(frame)
        elif name == "DELIVER":
            self._take_deliver(frame)
        elif name == "ACK":
            self._take_ack(frame)
        elif name == "PING":
            self.send(codec.frame("PONG", opaque=frame.need("opaque")))
        elif name == "MEMBER":
            self._take_member(frame)
        elif name not in ("CHECKPOINT", "PONG"):
            self._take_end(frame)
            raise Fault("BAD_STATE", f"{name} where none was due")

    def _take_end(self, frame: Frame) -> None:
        """A BYE or an ERROR: no member asks for what class 04 and 05 refuse."""
        if frame.name == "BYE":
            self.say_goodbye()
            raise Goodbye(_said(frame)[0])
        if frame.name == "ERROR":
            raise Fault(*_said(frame), from_server=True)

    def _take_member(self, frame: Frame) -> None:
        change = next((name for name, number in EVENTS.items() if number == frame.number("event")), "")
        self.member.note("member", room=self._room(frame).room, change=change, nick=frame.value("nick"))

    def _take_joined(self, frame: Frame) -> None:
        room = str(frame.value("room"))
        kept = self.member.kept[room]
        epoch, room_id = frame.need("epoch"), frame.need("room_id")
        last, granted, start = (frame.number(name) for name in ("last_counter", "granted_window", "start_seq"))
        if room_id != crypto.room_id(self._server_key, epoch, room):
            raise Fault("WRONG_ROOM", f"{room} has a room_id that is not its own [MSG-23]")
        if not 1 <= granted <= self.member.send_window:
            raise Fault("BAD_STATE", f"{granted} were granted of {self.member.send_window} [FLOW-04]")
        if frame.number("limit_counter") != last + granted:
            raise Fault("BAD_STATE", "limit_counter is not last_counter + granted_window [FLOW-05]")
        if start != max(self._asked[room] + 1, frame.number("oldest_seq")):
            raise Fault("SEQ_GAP", f"{room} begins at {start}, {self._asked[room]} is known [RES-01]")
        joined = Joined(room, room_id, granted, last + granted, last, start, start + self.member.recv_window - 1, start)
        self.joined[room] = self._by_id[room_id] = joined
        lost = frame.number("oldest_seq") > (kept.seen_seq or 0) + 1 or (kept.epoch and kept.epoch != epoch)
        kept.epoch = epoch
        kept.seen_seq = start - 1 if kept.seen_seq is None else kept.seen_seq
        self.member.note(
            "joined",
            room=room,
            room_id=room_id.hex(),
            epoch=epoch.hex(),
            server_key=self._server_key.hex(),
            last_counter=last,
            start_seq=max(start, kept.seen_seq + 1),  # another connection may have shown more since
            lost_history=bool(lost),
        )
        if last > kept.acked:  # as the table of events says: JOINED's last_counter covers a message, too
            kept.acked = last
            self.member.note("acked", room=room, counter=last)
        self.publish()

    def publish(self) -> None:
        """All that the limits allow [FLOW-20]."""
        for joined in () if self._said_goodbye else self.joined.values():
            self.member.compose(joined.room, joined.id)
            publishes = self.member.kept[joined.room].publishes
            if joined.sent > len(publishes):
                raise Fault("COUNTER_GAP", f"last_counter {joined.sent}, but {len(publishes)} were ever sent")
            until = min(joined.limit_counter, len(publishes))
            self.send_octets(b"".join(codec.encode(frame) for frame in publishes[joined.sent : until]))
            joined.sent = max(joined.sent, until)

    def overrun(self, room: str) -> None:
        """However far the server has come meanwhile: its limit is below last + granted + 1 [FLOW-11]."""
        member, joined = self.member, self.joined[room]
        member.compose(room, joined.id)
        publishes = member.kept[room].publishes
        assert len(publishes) <= joined.limit_counter, "what comes before must be within the limit"
        beyond = member.make_publish(joined.id, len(publishes) + joined.granted + 1, "beyond all limits")
        self.send_octets(b"".join(codec.encode(frame) for frame in (*publishes[joined.sent :], beyond)))
        joined.sent = len(publishes)

    def _room(self, frame: Frame) -> Joined:
        joined = self._by_id.get(frame.need("room_id"))
        if joined is None:
            raise Fault("WRONG_ROOM", f"{frame.name} for a room that is not joined [MSG-18]")
        return joined

    def _take_ack(self, frame: Frame) -> None:
        joined, acked = self._room(frame), frame.number("acked_counter")
        kept = self.member.kept[joined.room]
        if acked > joined.sent:
            raise Fault("ACK_TOO_HIGH", f"{acked} acknowledged, {joined.sent} sent [FLOW-14]")
        if frame.number("limit_counter") > joined.sent + joined.granted:
            raise Fault("FLOW_VIOLATION", "limit_counter beyond the granted window [FLOW-11]")
        joined.limit_counter = max(joined.limit_counter, frame.number("limit_counter"))
        if acked > kept.acked and not self.is_leaving:
            kept.acked = acked
            self.member.note("acked", room=joined.room, counter=acked, room_seq=frame.number("acked_seq"))
        self.publish()

    def _take_deliver(self, frame: Frame) -> None:
        joined, seq = self._room(frame), frame.number("room_seq")
        if seq != joined.due_seq:
            raise Fault("SEQ_GAP", f"{joined.room} {seq} where {joined.due_seq} was due [MSG-17]")
        if seq > joined.limit_seq:
            raise Fault("FLOW_VIOLATION", f"{joined.room} {seq} is above {joined.limit_seq} [FLOW-19]")
        if not crypto.verify_message(frame):
            raise Fault("BAD_SIG", f"{joined.room} {seq} does not verify [MSG-16]")
        joined.due_seq += 1
        if seq > (self.member.kept[joined.room].seen_seq or 0) and not self.is_leaving:
            self._show(joined, frame)
        self._acknowledge(joined)

    def _show(self, joined: Joined, frame: Frame) -> None:
        kept = self.member.kept[joined.room]
        own = frame.need("author_key") == self.member.key
        counter = frame.number("counter")
        if own and _publish_zone(frame) != kept.publishes[counter - 1].fields:
            raise Fault("BAD_FRAME", f"{joined.room} counter {counter}: other octets than were sent [MSG-11]")
        kept.seen_seq = frame.number("room_seq")
        numbers = {name: frame.number(name) for name in ("room_seq", "counter", "sent_at", "server_time")}
        self.member.note(
            "message",
            room=joined.room,
            **numbers,
            nick=frame.value("nick"),
            author_key=frame.need("author_key").hex(),
            id=crypto.message_id(frame).hex(),
            text=frame.value("text"),
            own=own,
        )

    def _acknowledge(self, joined: Joined) -> None:
        """[FLOW-17]"""
        is_due = joined.due_seq - joined.told_seq >= (self.member.recv_window + 1) // 2
        if is_due and self.member.acknowledges:
            joined.told_seq = joined.due_seq
            joined.limit_seq = joined.due_seq - 1 + self.member.recv_window
            self.send(codec.frame("ACK", room_id=joined.id, seen_seq=joined.due_seq - 1, limit_seq=joined.limit_seq))


def _publish_zone(deliver: Frame) -> tuple[codec.RawField, ...]:
    return tuple(field for field in deliver.fields if field[0] <= PUBLISH_LAST_TAG)


def _said(frame: Frame) -> tuple[str, str]:
    """Code and words of an ERROR or BYE."""
    number = frame.number("code")
    name = next((code.name for code in CODES.values() if code.number == number), f"{number:#06x}")
    return name, str(frame.value("reason") or name)
