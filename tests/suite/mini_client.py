# SPDX-License-Identifier: MIT
"""A small client on the suite's own codec: levels L1 to L4 with liveness, resume and audit.

As with mini_server.py, its use is to be broken: each check is a method of its own. From L2 on lines that
begin with `/` are commands: `/join ROOM`, `/leave`, `/quit`; `//text` says `/text`.
"""

from __future__ import annotations

import os
import random
import select
import sys
import time
from pathlib import Path
from typing import NoReturn

from mini_keeper import HOST, RECV_WINDOW, Keeper, Room
from mini_link import (
    BAD_SETTINGS,
    GOOD,
    HEARD,
    NOT_THERE,
    PROTOCOL,
    Fatal,
    Over,
    code_name,
    emit,
    end_of,
    say,
)
from prosa_conformance import codec, crypto, kinds
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CODES, EVENTS, FIELDS

SEND_WINDOW = 32
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.5, 30.0
EVENT_NAMES = {number: name for name, number in EVENTS.items()}
LEVELS = ("L0", "L1", "L2", "L3", "L4")


class MiniClient(Keeper):
    def __init__(self, folder: Path, host: str, port: int, nick: str, room: str, level: int = 1) -> None:
        super().__init__(folder, host, port, nick, level)
        self.current = Room(room)  # where lines go
        self.rooms = [self.current]
        self.typed: bytes | None = b""
        self.is_leaving = False
        self.is_resuming = self.is_away = False
        self.tries = 0

    # --- the course ---

    def run(self) -> int:
        while True:
            over = self.attempt()
            if not self.may_come_back(over):
                return self.end(over)
            ended = self.back_off(over)
            if ended is not None:
                return self.end(ended)

    def attempt(self) -> Over:
        """One connection, from the look-up of the name to its end."""
        try:
            self.connect()
            self.is_away = False
            self.handshake()
            self.is_resuming = self.has("resume")
            for room in self.rooms:
                self.join(room)
            self.talk()
        except Over as over:
            return over
        except Fatal as fatal:
            return self.refuse(str(fatal))

    def talk(self) -> NoReturn:
        """Lines out, frames in, until one side says goodbye."""
        while True:
            while (frame := self.next_frame()) is not None:
                self.take(frame)
            self.speak()
            listens = self.typed is not None and not self.sent_bye
            if self.wait(*([0] if listens else [])):
                self.listen_to_person()

    # --- coming back ---

    def may_come_back(self, over: Over) -> bool:
        """RES-11 and RES-13: after a session with `resume`, unless somebody wanted the end."""
        if not self.is_resuming or self.is_leaving:
            return False
        if over.code is None:
            return over.how != "error"
        number = CODES[over.code].number if over.code in CODES else int(over.code)
        retry = CODES[over.code].retry if over.code in CODES else None
        return number >> 8 not in (1, 2) and retry is not False

    def back_off(self, over: Over) -> Over | None:
        """Wait before the next try, and listen; the end, if the person wants it now."""
        self.hang_up(over, again=True)
        self.is_away = True
        until = time.monotonic() + max(self.pause(), over.after_ms / 1000)
        self.tries += 1
        while (left := until - time.monotonic()) > 0:
            if select.select([0] if self.typed is not None else [], [], [], left)[0]:
                self.listen_to_person()
            if self.is_leaving or (self.typed is None and not any(room.has_unsent for room in self.rooms)):
                return Over("goodbye", GOOD, None, "ended while the server was away")
        return None

    def pause(self) -> float:
        """RES-11: exponential, with full jitter."""
        return random.uniform(0, min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2**self.tries))

    # --- the person ---

    def listen_to_person(self) -> None:
        octets = os.read(0, HEARD)
        if not octets:
            self.typed = None
            return
        assert self.typed is not None
        *lines, self.typed = (self.typed + octets).split(b"\n")
        for line in lines:
            self.take_line(line.removesuffix(b"\r"))

    def take_line(self, line: bytes) -> None:
        has_commands = self.level >= 2
        if line == b"exit":
            self.exit()
        elif has_commands and line.startswith(b"/") and not line.startswith(b"//"):
            self.command(*line[1:].decode(errors="replace").split(" "))
        elif line:
            self.keep_line(line[1:] if has_commands and line.startswith(b"//") else line)

    def keep_line(self, text: bytes) -> None:
        fault = kinds.fault(FIELDS["text"], text)
        if fault is not None:
            emit("error", **{"from": "client"}, code=fault.code, reason=f"not sent: {fault.why}")
            return
        self.current.lines.append(text.decode())

    def command(self, verb: str, *words: str) -> None:
        if verb == "quit":
            self.exit()
        elif verb == "join" and len(words) == 1 and not kinds.fault(FIELDS["room"], words[0].encode()):
            self.enter(words[0])
        elif verb == "leave" and self.current.state == "IN":
            self.leave(self.current)
        else:
            say(f"/{verb} {' '.join(words)}: no such command here")

    def exit(self) -> None:
        """END-07: what may be sent is sent, nothing is waited for."""
        if self.is_leaving:
            return
        self.is_leaving = True
        if self.sock is not None and not self.sent_bye:
            self.speak()
            self.say_bye()
        unsent = sum(len(room.lines) for room in self.rooms)
        if unsent:
            say(f"{unsent} lines were not sent")

    def speak(self) -> None:
        """Send what the limits allow; goodbye at end of file when all is done."""
        if self.sent_bye:
            return
        for room in self.rooms:
            self.send_again(room)
            while room.state == "IN" and room.lines and room.counter < room.limit_counter:
                self.publish(room, room.lines.pop(0))
        if self.typed is None and all(room.is_done for room in self.rooms):
            self.is_leaving = True
            self.say_bye()

    # --- rooms ---

    def enter(self, name: str) -> None:
        known = next((room for room in self.rooms if room.name == name), None)
        if known is None:
            known = Room(name)
            self.rooms.append(known)
            if self.sock is not None:
                self.join(known)
        self.current = known

    def leave(self, room: Room) -> None:
        room.state = "LEAVING"
        self.send(codec.frame("LEAVE", room_id=room.id))
        if room.name == HOST:
            self.send(codec.frame("PING", opaque=b"left"))  # its PONG stands for the answer [MSG-18]

    def left(self, room: Room) -> None:
        self.rooms.remove(room)
        if self.rooms:
            self.current = self.rooms[-1]
        else:
            self.is_leaving = True
            self.say_bye()

    def join(self, room: Room) -> None:
        room.state = "JOINING"
        room.asked = self.place(room) if self.has("resume") else None
        epoch, after_seq = room.asked or (None, None)
        window = SEND_WINDOW if self.level >= 2 else 1
        windows = {"send_window": window, "recv_window": RECV_WINDOW}
        self.send(codec.frame("JOIN", room=room.name, epoch=epoch, after_seq=after_seq, **windows))

    def take_joined(self, joined: Frame) -> None:
        name = str(joined.value("room"))
        room = next((one for one in self.rooms if one.name == name and one.state == "JOINING"), None)
        if room is None:
            raise Fatal("BAD_STATE")
        epoch = joined.need("epoch")
        room.id = crypto.room_id(self.server_key, epoch, name, self.key if name == HOST else None)
        self.check_room_id(room, joined)
        self.tries = 0
        room.state, room.granted = "IN", joined.number("granted_window")
        room.next_seq = joined.number("start_seq")
        room.limit_seq = room.next_seq + RECV_WINDOW - 1
        room.limit_counter = joined.number("limit_counter")
        room.counters, room.members, room.checkpoints, room.hashes = {}, {}, {}, {}
        self.find_chain(room, epoch)
        lost_history = self.history_is_lost(room, joined)
        emit(
            "joined",
            room=name,
            room_id=room.id.hex(),
            epoch=epoch.hex(),
            server_key=self.server_key.hex(),
            last_counter=str(joined.number("last_counter")),
            start_seq=str(room.next_seq),
            lost_history=lost_history,
        )
        self.take_stock(room, epoch, joined.number("last_counter"))

    def check_room_id(self, room: Room, joined: Frame) -> None:
        if joined.octets("room_id") != room.id:
            raise Fatal("WRONG_ROOM")

    def publish(self, room: Room, text: str) -> None:
        room.counter += 1
        message = codec.frame(
            "PUBLISH",
            extra=[(0x2A2B, b"")],
            nick=self.nick,
            room_id=room.id,
            author_key=self.key,
            counter=room.counter,
            sent_at=int(time.time() * 1000),
            text=text,
        )
        signed = crypto.sign_message(self.seed, message)
        self.keep_message(room, signed)
        room.sent = room.counter
        self.send(signed)

    # --- frames ---

    def take(self, frame: Frame) -> None:
        name = frame.name or ""
        if name in ("JOINED", "DELIVER", "ACK", "PING", "PONG", "MEMBER", "CHECKPOINT"):
            getattr(self, f"take_{name.lower()}")(frame)
        elif name in ("ERROR", "BYE"):
            self.take_end(frame)
        else:
            raise Fatal("BAD_STATE")

    def room_of(self, frame: Frame) -> Room:
        """MSG-18"""
        room_id = frame.octets("room_id")
        room = next((one for one in self.rooms if one.id == room_id and one.state != "JOINING"), None)
        if room is None:
            raise Fatal("WRONG_ROOM")
        return room

    def take_deliver(self, deliver: Frame) -> None:
        room = self.room_of(deliver)
        if room.state == "LEAVING":
            return
        self.check_place(room, deliver.number("room_seq"))
        room.next_seq += 1
        self.check_chain(room, deliver)
        self.note_counter(room, deliver)
        self.show(room, deliver)
        self.give_credit(room)

    def check_place(self, room: Room, seq: int) -> None:
        """MSG-17 before FLOW-19."""
        if seq != room.next_seq:
            raise Fatal("SEQ_GAP")
        if seq > room.limit_seq:
            raise Fatal("FLOW_VIOLATION")

    def note_counter(self, room: Room, deliver: Frame) -> None:
        """MSG-28, and where our own messages stand."""
        author, counter = deliver.need("author_key"), deliver.number("counter")
        last = room.counters.get(author)
        room.counters[author] = counter
        if self.level >= 3 and last is not None and counter != last + 1:
            reason = f"message {counter} follows message {last} of {deliver.value('nick')}"
            error = {"from": "client", "code": "COUNTER_GAP", "reason": reason}
            emit("error", **error, room=room.name, counter=str(counter))
        if author == self.key:
            room.places[counter] = deliver.number("room_seq")

    def give_credit(self, room: Room) -> None:
        """FLOW-17"""
        seen = room.next_seq - 1
        if room.limit_seq - seen <= RECV_WINDOW // 2 and not self.sent_bye:
            room.limit_seq = seen + RECV_WINDOW
            self.keep_place(room)
            self.send(codec.frame("ACK", room_id=room.id, seen_seq=seen, limit_seq=room.limit_seq))

    def show(self, room: Room, deliver: Frame) -> None:
        counter = str(deliver.number("counter"))
        if not self.signature_is_good(deliver):
            emit("error", **{"from": "client"}, code="BAD_SIG", reason="forged", room=room.name, counter=counter)
            return
        if not self.displayable:
            emit("error", **{"from": "client"}, code="UNSUPPORTED", reason="cannot display", room=room.name)
            return
        members = {name: deliver.value(name) for name in ("nick", "text", "display") if deliver.has(name)}
        numbers = {name: str(deliver.number(name)) for name in ("room_seq", "counter", "sent_at", "server_time")}
        reply_to = deliver.octets("reply_to")
        emit(
            "message",
            room=room.name,
            **numbers,
            **members,
            author_key=deliver.need("author_key").hex(),
            id=crypto.message_id(deliver).hex(),
            own=deliver.octets("author_key") == self.key,
            **({"reply_to": reply_to.hex()} if reply_to else {}),
        )

    def signature_is_good(self, deliver: Frame) -> bool:
        return crypto.verify_message(deliver)

    def take_ack(self, ack: Frame) -> None:
        room = self.room_of(ack)
        acked = ack.number("acked_counter")
        self.check_ack(room, acked)
        room.limit_counter = max(room.limit_counter, ack.number("limit_counter"))
        if acked > room.acked:
            room.acked = acked
            emit("acked", room=room.name, counter=str(acked), room_seq=str(ack.number("acked_seq")))
            self.settle(room)

    def check_ack(self, room: Room, acked: int) -> None:
        if acked > room.sent:
            raise Fatal("ACK_TOO_HIGH")

    def take_member(self, member: Frame) -> None:
        room = self.room_of(member)
        change = EVENT_NAMES.get(member.number("event"))
        if change is None:
            return
        key, nick = member.octets("member_key"), member.value("nick")
        who = {"nick": nick, "member_key": key.hex()} if key else {}
        if key and change == "left":
            room.members.pop(key.hex(), None)
        elif key:
            room.members[key.hex()] = str(nick)
        else:
            room.members.clear()
        count = {"count": member.number("count")} if member.has("count") else {}
        emit("member", room=room.name, change=change, **who, **count)
        if room.state == "LEAVING" and change == "left" and key == self.key:
            self.left(room)

    def take_ping(self, ping: Frame) -> None:
        if not self.sent_bye:
            self.send(codec.frame("PONG", opaque=ping.octets("opaque")))

    def take_pong(self, pong: Frame) -> None:
        """LIVE-09: ignored, but for the one that stands for the answer to a LEAVE of @host."""
        room = next((one for one in self.rooms if one.name == HOST and one.state == "LEAVING"), None)
        if room is not None and pong.octets("opaque") == b"left":
            self.left(room)

    def take_checkpoint(self, checkpoint: Frame) -> None:
        self.judge_checkpoint(self.room_of(checkpoint), checkpoint)

    # --- errors and goodbyes ---

    def take_error(self, error: Frame) -> bool:
        """Tell about an ERROR; True when it refuses or only delays something."""
        self.tell_error(error)
        return error.number("code") >> 8 in (4, 5)

    def take_end(self, frame: Frame) -> None:
        if frame.name == "BYE":
            over = end_of(frame)
            if self.sent_bye:
                over = Over("goodbye", GOOD, "NORMAL", "goodbye")  # our own counts [END-11]
            else:
                self.say_bye()
            raise over
        if not self.take_error(frame):
            raise end_of(frame)
        self.take_refusal(frame)

    def take_refusal(self, error: Frame) -> None:
        """A JOIN was refused: the room is none of ours; goodbye when there is no other [CON-12]."""
        name, number = error.value("room"), error.number("code")
        room = next((one for one in self.rooms if one.state == "JOINING" and name in (None, one.name)), None)
        if room is None or number >> 8 != 4:
            return
        self.rooms.remove(room)
        if self.rooms:
            self.current = self.rooms[-1]
            return
        self.is_leaving = True
        self.say_bye()
        raise Over("goodbye", PROTOCOL, code_name(number), "the room was refused")

    def hang_up(self, over: Over, again: bool) -> None:
        say(over.reason)
        if self.sock is not None:
            self.drain()
        for room in self.rooms:
            self.keep_place(room)
        self.rooms = [room for room in self.rooms if room.state != "LEAVING"] or self.rooms
        for room in self.rooms:
            room.state = "JOINING"
        emit("disconnected", how=over.how, again=again)

    def end(self, over: Over) -> int:
        if not self.is_away:
            self.hang_up(over, again=False)
        emit("closed", exit=over.exit_code, code=over.code, reason=over.reason)
        return over.exit_code


def main(client_class: type[MiniClient] = MiniClient) -> None:
    env = os.environ
    level = env.get("PROSA_LEVEL", LEVELS[-1])
    if level not in LEVELS:
        sys.exit(NOT_THERE)
    if not crypto.library_is_cofactorless():
        sys.exit("this library accepts signatures that it must not [KEY-07]")
    folder = Path(env.get("PROSA_DATA", "."))
    nick, room, port = env.get("PROSA_NICK", "anybody"), env.get("PROSA_ROOM", HOST), env.get("PROSA_PORT", "65432")
    fits = not kinds.fault(FIELDS["nick"], nick.encode()) and not kinds.fault(FIELDS["room"], room.encode())
    if not (fits and port.isdecimal() and 0 < int(port) < 65536):
        say(f"bad settings: nick {nick!r}, room {room!r}, port {port!r}")
        sys.exit(BAD_SETTINGS)
    host = env.get("PROSA_HOST", "127.0.0.1")
    sys.exit(client_class(folder, host, int(port), nick, room, max(1, LEVELS.index(level))).run())


if __name__ == "__main__":
    main()
