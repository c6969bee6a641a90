# SPDX-License-Identifier: MIT
"""A PROSA/1 client of level L1: a line of stdin is a question, sent when the limit allows it.

Events go to stdout as JSON, one object a line (13.4); words for people go to stderr. The main thread reads the
connection, another one the console. The session is over when `exit` is typed, when stdin ends and all is answered, or
when the server says so or vanishes.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import signing
from link import UNPRINTABLE, Link, check_level, die, line_fault, note, read_lines, read_port
from registry import CODES, EVENTS
from signing import HOST, room_id
from wire import VERSION, Fault, Frame, Value, code_name, encode, is_fatal, is_word, need

RECV_WINDOW = 64
EVENT_NAMES = {number: name for name, number in EVENTS.items()}
FOLDER = Path(os.environ.get("PROSA_DATA", "."))
WISHED = os.environ.get("PROSA_ROOM", HOST)


def emit(event: str, **members: Value | None) -> None:
    """One event (CON-09, CON-10): u64 as digits, octets in hexadecimal, nothing unprintable."""
    told = {name: value.hex() if isinstance(value, bytes) else value for name, value in members.items()}
    line = json.dumps({"event": event, **told}, ensure_ascii=False)
    print(UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", line), flush=True)


def grease() -> dict[str, bytes]:
    """WIRE-27: a field that means nothing, so that nobody forgets to ignore what he does not know."""
    return {secrets.choice(["0x0a0b", "0x1a1b", "0x2a2b", "0x3a3b"]): b"grease"}


def exit_code(number: int) -> int:
    """ERR-09, CON-12."""
    if number == CODES["NORMAL"].number:
        return 0
    return {2: 4, 6: 6}.get(number >> 8, 1)


@dataclass
class Outcome:
    how: str
    code: str | int | None
    reason: str
    exit: int


class Pins:
    """The server's key under each target, in a file: a line has the target and the key (ID-02, ID-04)."""

    def __init__(self, target: str) -> None:
        self.target, self.path = target, FOLDER / "pins"

    def read(self) -> dict[str, str]:
        return dict(line.split() for line in self.path.read_text().splitlines()) if self.path.exists() else {}

    def get(self) -> bytes | None:
        pinned = self.read().get(self.target)
        return bytes.fromhex(pinned) if pinned else None

    def keep(self, key: bytes) -> None:
        pins = {**self.read(), self.target: key.hex()}
        self.path.write_text("".join(f"{target} {pinned}\n" for target, pinned in pins.items()))
        note(f"first contact with {self.target}; the fingerprint of its key is {signing.fingerprint(key)}")


class Session(Link):
    def __init__(self, sock: socket.socket, target: str, nick: str) -> None:
        super().__init__(sock, "server", "CHALLENGE")
        self.key = signing.load_key(FOLDER / "client.key")
        self.public_key = bytes(self.key.verify_key)
        self.nick, self.pins = nick, Pins(target)
        self.outcome: Outcome | None = None
        self.lines: list[str] = []  # typed, not sent
        self.has_input_ended = False
        self.is_refused = False  # the JOIN had an ERROR for an answer
        self.server_key = b""
        self.room = b""  # its id; what follows is known from JOINED on
        self.sent = self.acked = self.limit = 0  # counters of our own messages
        self.seen = self.told = self.limit_seq = 0  # places: the last that came, that an ACK told, that may come
        self.max_frame = self.cap
        words = {"nonce": os.urandom(32), "client_key": self.public_key, "features": 0, "target": target}
        self.hello = encode("HELLO", versions=(VERSION,), **words, **grease())
        self.send_octets(self.hello)  # AUTH-01

    # --- the handshake ---

    def CHALLENGE(self, frame: Frame) -> None:
        """AUTH-13: key, pin, signature, version, in this order."""
        key, pinned = frame["server_key"], self.pins.get()
        need(signing.key_is_good(key) and key != self.public_key, "BAD_KEY", "AUTH-13")
        if pinned and key != pinned:
            both = f"{signing.fingerprint(key)} instead of {signing.fingerprint(pinned)}"
            note(f"this is not the key that was pinned: {both}")
            raise Fault("PIN_MISMATCH", "ID-05", both)
        need(signing.challenge_is_signed(self.hello, frame), "BAD_SIG", "AUTH-13")
        need(frame["version"] == VERSION and VERSION in frame["versions"], "DOWNGRADE", "AUTH-13")
        if not pinned:
            self.pins.keep(key)
        self.server_key, self.linger_ms, self.max_frame = key, frame["linger_ms"], frame["max_frame"]
        self.due = "WELCOME"
        # TODO 8: send AUTH; signing.sign_auth makes its fields of our key, both frames and our nick. AUTH-15
        raise NotImplementedError("TODO 8 in client.py: answer CHALLENGE with AUTH; read AUTH-15")

    def WELCOME(self, frame: Frame) -> None:
        self.due, self.cap = None, self.max_frame
        self.send("JOIN", room=WISHED, send_window=1, recv_window=RECV_WINDOW)

    def JOINED(self, frame: Frame) -> None:
        need(not self.room and not self.is_refused and frame["room"] == WISHED, "BAD_STATE", "FLOW-01")
        identity = room_id(self.server_key, frame["epoch"], WISHED, self.public_key)
        need(identity == frame["room_id"], "WRONG_ROOM", "MSG-23")
        self.room = identity
        self.sent = self.acked = frame["last_counter"]
        self.limit = frame["limit_counter"]
        self.seen = self.told = frame["start_seq"] - 1
        self.limit_seq = self.seen + RECV_WINDOW
        numbers = {name: str(frame[name]) for name in ("last_counter", "start_seq")}
        keys = {"room_id": identity, "epoch": frame["epoch"], "server_key": self.server_key}
        emit("joined", room=WISHED, **keys, **numbers, lost_history=False)
        self.go_on()

    # --- what the server says ---

    def DELIVER(self, frame: Frame) -> None:
        self.check_room(frame, "MSG-18")
        seq = frame["room_seq"]
        need(seq == self.seen + 1, "SEQ_GAP", "MSG-17")
        need(seq <= self.limit_seq, "FLOW_VIOLATION", "FLOW-19")
        self.seen = seq
        is_signed = signing.message_is_signed(frame)  # MSG-16
        if is_signed and frame.is_displayable:
            self.show(frame)
        else:  # MSG-14, CON-11
            code, reason = ("UNSUPPORTED", "cannot be displayed") if is_signed else ("BAD_SIG", "is not its author's")
            about = {"code": code, "reason": f"message {seq} {reason}", "counter": str(frame["counter"])}
            emit("error", **{"from": "client"}, room=WISHED, **about)
        if self.seen - self.told >= RECV_WINDOW // 2:  # FLOW-17
            self.tell_seen()

    def show(self, frame: Frame) -> None:
        numbers = {name: str(frame[name]) for name in ("room_seq", "counter", "sent_at", "server_time")}
        texts = {name: frame[name] for name in ("nick", "author_key", "text", "display", "reply_to") if frame.get(name)}
        identity = signing.message_id(frame)
        is_own = frame["author_key"] == self.public_key
        emit("message", room=WISHED, **numbers, **texts, id=identity, own=is_own)

    def ACK(self, frame: Frame) -> None:
        self.check_room(frame, "FLOW-15")
        need(frame["acked_counter"] <= self.sent, "ACK_TOO_HIGH", "FLOW-14")
        while self.acked < frame["acked_counter"]:  # FLOW-12
            self.acked += 1
            emit("acked", room=WISHED, counter=str(self.acked), room_seq=str(frame["acked_seq"]))
        self.limit = max(self.limit, frame["limit_counter"])
        self.go_on()

    def MEMBER(self, frame: Frame) -> None:
        self.check_room(frame, "MSG-18")
        if frame["event"] in EVENT_NAMES:
            members = {name: frame[name] for name in ("nick", "member_key", "count") if name in frame.fields}
            emit("member", room=WISHED, change=EVENT_NAMES[frame["event"]], **members)

    def CHECKPOINT(self, frame: Frame) -> None:
        """For clients with audit."""

    def check_room(self, frame: Frame, clause: str) -> None:
        need(self.room and frame["room_id"] == self.room, "WRONG_ROOM", clause)

    def idle(self) -> None:
        """All that came is taken: one ACK for many messages (FLOW-16)."""
        if self.seen > self.told:
            self.tell_seen()

    def tell_seen(self) -> None:
        self.told, self.limit_seq = self.seen, self.seen + RECV_WINDOW
        # TODO 9: send an ACK with room_id, seen_seq and limit_seq. FLOW-17, WIRE-31
        raise NotImplementedError("TODO 9 in client.py: acknowledge what was delivered; read FLOW-17 and WIRE-31")

    # --- what the person says ---

    def listen_to_person(self) -> None:
        """The console's thread (CON-08)."""
        for line in read_lines():
            with self.lock:
                self.typed(line)
        with self.lock:
            self.has_input_ended = True
            self.try_to(self.go_on)

    def typed(self, line: str) -> None:
        if line == "exit":
            if self.lines:
                note(f"{len(self.lines)} lines were not sent")
            self.try_to(self.goodbye)
        elif fault := line_fault(line):
            note(f"not sent: {fault}")
        else:
            self.lines.append(line)
            self.try_to(self.go_on)

    def try_to(self, step: object) -> None:
        try:
            step()
        except NotImplementedError as todo:
            self.give_up(todo)

    def go_on(self) -> None:
        """Send lines as far as the limit goes (FLOW-20); goodbye when stdin has ended and all is answered (END-13)."""
        while self.room and self.lines and self.sent < self.limit and not self.is_closing:
            self.publish(self.lines.pop(0))
        is_answered = self.sent == self.acked and self.sent < self.limit
        if self.has_input_ended and self.room and is_answered and not self.lines:
            self.goodbye()

    def publish(self, text: str) -> None:
        self.sent += 1
        words = {"nick": self.nick, "room_id": self.room, "counter": self.sent, "sent_at": int(time.time() * 1000)}
        body = signing.compose(self.key, **words, text=text, **grease())
        # TODO 10: send a PUBLISH with this body. FLOW-20, MSG-01
        raise NotImplementedError(f"TODO 10 in client.py: send PUBLISH with these {len(body)} octets; read FLOW-20")

    # --- the end ---

    def goodbye(self, code: str = "NORMAL", status: int = 0) -> None:
        self.outcome = self.outcome or Outcome("goodbye", code, "the conversation is over", status)
        # TODO 11: send BYE NORMAL (self.bye), with a reason if you like. END-07, END-13
        raise NotImplementedError("TODO 11 in client.py: say BYE; read END-07")

    def BYE(self, frame: Frame) -> None:
        number, reason = frame["code"], frame.get("reason") or ""
        self.outcome = self.outcome or Outcome("goodbye", code_name(number), reason, exit_code(number))
        note(f"the server says goodbye: {code_name(number)} {reason}")  # END-09, END-11
        self.is_deaf = True
        if self.due:
            self.finish()  # END-06
        else:
            self.bye("NORMAL")  # END-02

    def ERROR(self, frame: Frame) -> None:
        number, reason = frame["code"], frame["reason"]
        about = {name: frame[name] for name in ("room",) if name in frame.fields}
        counter = {"counter": str(frame["counter"])} if "counter" in frame.fields else {}
        emit("error", **{"from": "server"}, code=code_name(number), reason=reason, **about, **counter)
        if self.due or is_fatal(number):  # ERR-03, ERR-09
            self.outcome = self.outcome or Outcome("error", code_name(number), reason, exit_code(number))
            self.is_deaf = True
            self.finish()
        elif number >> 8 == 4 and frame.get("room") == WISHED and not self.room:
            self.is_refused = True  # CON-12: the only room is refused
            self.goodbye(code_name(number), 1)

    def failed(self, fault: Fault) -> None:
        """The server broke a rule, and has had its ERROR."""
        emit("error", **{"from": "client"}, code=fault.code, reason=f"{fault} ({fault.clause})")
        self.outcome = Outcome("error", fault.code, str(fault), exit_code(CODES[fault.code].number))

    def give_up(self, todo: NotImplementedError) -> None:
        self.outcome = Outcome("error", None, str(todo), 1)
        super().give_up(todo)

    def ended(self, how: str) -> None:
        """END-15, END-16: no goodbye was said before."""
        self.outcome = self.outcome or Outcome(how, None, "the server vanished without a goodbye", 5)


def target_of(host: str, port: int) -> str:
    """ID-03: what the person typed, in the form of the wire."""
    try:
        name = f"[{host.lower()}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        name = host.lower().removesuffix(".").encode("idna").decode() if host.isprintable() else host
    return f"{name}:{port}"


def connect(host: str, port: int) -> socket.socket:
    how, why = "refused", ""
    try:
        return socket.create_connection((host, port))
    except socket.gaierror as error:
        how, why = "unresolved", str(error)
    except OSError as error:
        why = str(error)
    note(f"cannot connect: {why}")
    finish(Outcome(how, None, why, 3))
    raise AssertionError


def finish(outcome: Outcome) -> None:
    note(f"the end: {outcome.reason}")
    emit("disconnected", how=outcome.how, again=False)
    emit("closed", exit=outcome.exit, code=outcome.code, reason=outcome.reason)
    sys.exit(outcome.exit)


def main() -> None:
    check_level()
    host, port = os.environ.get("PROSA_HOST", "127.0.0.1").strip("[]"), read_port()
    target, nick = target_of(host, port), os.environ.get("PROSA_NICK", "student")
    for kind, word in (("target", target), ("nick", nick), ("room", WISHED)):
        if not is_word(kind, word):
            die(2, f"this is no {kind}: {word}")
    if not signing.library_is_good():
        die(1, "KEY-07: this Ed25519 library accepts what others refuse")
    session = Session(connect(host, port), target, nick)
    threading.Thread(target=session.listen_to_person, daemon=True).start()
    session.run()
    assert session.outcome is not None, "a connection that is over has an outcome"
    finish(session.outcome)


if __name__ == "__main__":
    main()
