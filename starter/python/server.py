# SPDX-License-Identifier: MIT
"""A PROSA/1 server of level L1: private rooms (@host) with a window of one, answered by the operator at the console.

A thread accepts, each connection has one that reads, one reads the console, and the main thread waits for the end.
The log of a room lives in memory and begins anew with each JOIN, as MSG-26 allows.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import signing
from link import Link, check_level, die, line_fault, note, read_lines, read_port, visible
from registry import LIMITS, TIMERS
from signing import HOST, room_id
from wire import HEADER, VERSION, Fault, Frame, Value, encode, encode_fields, is_fatal, need

ANNOUNCED = {**LIMITS, **TIMERS}


def now() -> int:
    return int(time.time() * 1000)


@dataclass
class Room:
    """One life of a client's @host room: both sides' numbers, and the DELIVERs that wait for credit."""

    id: bytes
    epoch: bytes
    limit_seq: int  # the highest room_seq that may be delivered (FLOW-07, FLOW-18)
    last: int = 0  # the client's last accepted counter, the id of that message, and its place
    last_id: bytes = b""
    last_seq: int = 0
    limit: int = 1  # the highest counter that the client may send
    question: Frame | None = None  # the one that is not answered yet
    answers: int = 0  # the server's own counter (MSG-20)
    head: int = 0  # the last place that is taken
    time: int = 0
    owed: list[tuple[bytes, bool]] = field(default_factory=list)  # bodies of DELIVERs, and whether they are answers
    delivered: int = 0


class Connection(Link):
    def __init__(self, server: Server, sock: socket.socket) -> None:
        super().__init__(sock, "client", "HELLO")
        self.server = server
        self.linger_ms = server.announced["linger_ms"]
        self.room: Room | None = None
        self.nick = ""
        self.key = self.hello = self.challenge = b""
        self.deadline = threading.Timer(server.announced["handshake_ms"] / 1000, self.expire)
        self.deadline.daemon = True
        self.deadline.start()

    def expire(self) -> None:
        """AUTH-20: who said nothing good is told nothing."""
        with self.lock:
            if self.due == "HELLO":
                self.hang_up()
            elif self.due:
                self.fail(Fault("TIMEOUT", "AUTH-20"))

    # --- the handshake ---

    def HELLO(self, frame: Frame) -> None:
        self.key, self.hello = frame["client_key"], frame.octets
        need(VERSION in frame["versions"], "UNSUPPORTED", "AUTH-05")
        need(signing.key_is_good(self.key) and self.key != self.server.public_key, "BAD_KEY", "AUTH-06")
        unsigned = encode(
            "CHALLENGE",
            versions=(VERSION,),
            nonce=os.urandom(32),
            features=0,
            version=VERSION,
            server_key=self.server.public_key,
            **self.server.announced,
            handshake_sig=bytes(64),
        )
        self.challenge = signing.sign_challenge(self.server.key, self.hello, unsigned)
        # TODO 2: send these octets (self.send_octets); from here on AUTH is due (self.due). AUTH-08
        raise NotImplementedError("TODO 2 in server.py: answer HELLO with CHALLENGE; read AUTH-08")

    def AUTH(self, frame: Frame) -> None:
        """AUTH-17: the signature first, the nick afterwards."""
        need(signing.auth_is_signed(self.key, self.hello, self.challenge, frame), "BAD_SIG", "AUTH-16")
        need(frame["nick"] != "host", "NICK_TAKEN", "ID-09")
        self.deadline.cancel()
        self.nick, self.due, self.cap = frame["nick"], None, self.server.announced["max_frame"]
        note(f"{self.nick} is here")
        # TODO 3: send WELCOME with self.server.next_session() and now(). AUTH-18
        raise NotImplementedError("TODO 3 in server.py: answer AUTH with WELCOME; read AUTH-18")

    # --- the room ---

    def JOIN(self, frame: Frame) -> None:
        name = frame["room"]
        need(not frame.get("after_seq") or frame.get("epoch"), "BAD_FRAME", "RES-05")
        need(not self.room or name != HOST, "BAD_STATE", "FLOW-02")
        need(not self.room or self.server.announced["max_rooms"] > 1, "TOO_MANY_ROOMS", "FLOW-03")
        need(name.startswith("@"), "NOT_SUPPORTED", "FLOW-08")
        need(name == HOST, "NO_ROOM", "MSG-25")
        epoch = os.urandom(16)  # MSG-24
        identity = room_id(self.server.public_key, epoch, HOST, self.key)
        self.room = Room(identity, epoch, limit_seq=frame["recv_window"])
        # TODO 4: send JOINED: the room is HOST, the window is 1, and nothing was said yet. FLOW-01, FLOW-05, FLOW-06
        raise NotImplementedError("TODO 4 in server.py: answer JOIN with JOINED; read FLOW-01, FLOW-05 and FLOW-06")

    def LEAVE(self, frame: Frame) -> None:
        self.joined(frame, "BAD_STATE", "MEM-08")
        self.settle()
        self.room = None

    def PUBLISH(self, frame: Frame) -> None:
        """The checks of section 6.3, from the top; before the counter MSG-05 and MSG-04, behind it MSG-03."""
        room, counter = self.joined(frame, "WRONG_ROOM", "MSG-05"), frame["counter"]
        is_own = frame["nick"] == self.nick and frame["author_key"] == self.key
        need(is_own, "WRONG_AUTHOR", "MSG-04")
        need(counter <= room.limit, "FLOW_VIOLATION", "FLOW-21")
        identity = signing.message_id(frame)
        need(counter != room.last or identity == room.last_id, "COUNTER_REUSE", "FLOW-23")
        if counter <= room.last:
            self.acknowledge()  # FLOW-22; older ids are forgotten
            return
        need(counter == room.last + 1, "COUNTER_GAP", "FLOW-24")
        need(signing.message_is_signed(frame), "BAD_SIG", "MSG-03")
        self.accept(room, frame, identity)
        if not self.server.has_operator:
            self.no_answer()

    def accept(self, room: Room, frame: Frame, identity: bytes) -> None:
        """A good message gets its place, and becomes the question (FLOW-25)."""
        self.append(frame.octets[HEADER:])
        room.last, room.last_id, room.last_seq, room.question = frame["counter"], identity, room.head, frame
        self.server.asked(self, frame)
        # TODO 5: acknowledge it, then deliver it: there are methods for both. FLOW-25
        raise NotImplementedError("TODO 5 in server.py: acknowledge and deliver a PUBLISH; read FLOW-25")

    def ACK(self, frame: Frame) -> None:
        room = self.joined(frame, "WRONG_ROOM", "FLOW-15")
        need(frame["seen_seq"] <= room.delivered, "ACK_TOO_HIGH", "FLOW-13")
        room.limit_seq = max(room.limit_seq, frame["limit_seq"])  # FLOW-12
        self.deliver()

    def joined(self, frame: Frame, code: str, clause: str) -> Room:
        """The room of a frame, or Fault."""
        if self.room is None or self.room.id != frame["room_id"]:
            raise Fault(code, clause)
        return self.room

    # --- what the server says ---

    def append(self, authored: bytes, is_answer: bool = False) -> None:
        """A place in the room for the author's octets, and the server's two fields (MSG-11 to MSG-13)."""
        room = self.room
        room.head, room.time = room.head + 1, max(room.time, now())
        body = authored + encode_fields({"room_seq": room.head, "server_time": room.time})
        room.owed.append((body, is_answer))

    def deliver(self) -> None:
        """What credit allows (FLOW-18)."""
        room = self.room
        while room.owed and room.delivered < room.limit_seq:
            body, is_answer = room.owed.pop(0)
            room.delivered += 1
            self.send("DELIVER", body)
            if is_answer:
                self.raise_limit()

    def raise_limit(self) -> None:
        """Behind an answer, or NO_ANSWER, the client may ask again (FLOW-28)."""
        # TODO 6: one more than room.last is the new limit; tell it with an ACK. FLOW-28
        raise NotImplementedError("TODO 6 in server.py: raise the limit behind an answer; read FLOW-28")

    def acknowledge(self) -> None:
        room = self.room
        numbers = {"limit_counter": room.limit, "acked_counter": room.last, "acked_seq": room.last_seq}
        self.send("ACK", room_id=room.id, **numbers)

    def say(self, text: str) -> None:
        """The server's own message; the answer, when a question is pending (MSG-20, MSG-21)."""
        room, question = self.room, self.settle()
        room.answers += 1
        fields: dict[str, Value | None] = {"nick": "host", "room_id": room.id, "counter": room.answers}
        reply_to = signing.message_id(question) if question else None
        message = signing.compose(self.server.key, **fields, sent_at=now(), text=text, reply_to=reply_to)
        self.append(message, is_answer=question is not None)
        self.deliver()

    def no_answer(self) -> None:
        """FLOW-29: nobody is there to answer."""
        question = self.settle()
        about = {"room_id": question["room_id"], "counter": question["counter"]}
        self.fail(Fault("NO_ANSWER", "FLOW-29", "nobody answers here", **about))
        self.raise_limit()

    def settle(self) -> Frame | None:
        """The question is pending no longer; with its session or its room it ends unanswered (FLOW-30)."""
        question = self.room.question if self.room else None
        if question:
            self.room.question = None
            self.server.questions.remove(self)
        return question

    # --- the end ---

    def ERROR(self, frame: Frame) -> None:
        note(f"{self.nick or 'a stranger'} reports: {frame['reason']}")
        if self.due or is_fatal(frame["code"]):  # ERR-03, ERR-04
            self.leave("gives up")
            self.finish()

    def BYE(self, frame: Frame) -> None:
        self.leave("says goodbye")
        if self.due:
            self.finish()  # END-06
            return
        # TODO 7: answer with BYE NORMAL (self.bye). END-02
        raise NotImplementedError("TODO 7 in server.py: answer BYE with BYE; read END-02")

    def leave(self, how: str) -> None:
        """The session is over: what still comes is discarded."""
        if self.nick and not self.is_deaf:
            note(f"{self.nick} {how}")
        self.deadline.cancel()
        self.settle()
        self.is_deaf = True

    def failed(self, fault: Fault) -> None:
        self.leave(f"is sent away: {fault.code}, {fault}")

    def ended(self, how: str) -> None:
        self.leave(f"vanished without a goodbye: {how}")  # END-15

    def farewell(self, code: str) -> None:
        """The server ends: goodbye to who is in a session."""
        with self.lock:
            self.leave(f"is told goodbye: {code}")
            if self.due:
                self.finish()
            else:
                self.bye(code, "the server ends")


class Server:
    def __init__(self, listener: socket.socket, announced: dict[str, int]) -> None:
        self.listener, self.announced = listener, announced
        self.key = signing.load_key(Path(os.environ.get("PROSA_DATA", ".")) / "server.key")
        self.public_key = bytes(self.key.verify_key)
        self.sessions = 0
        self.threads: dict[Connection, threading.Thread] = {}
        self.questions: list[Connection] = []  # whose question is pending, oldest first
        self.has_operator = True
        self.last_word = "SHUTDOWN"

    def next_session(self) -> int:
        self.sessions += 1
        return self.sessions

    def accept(self) -> None:
        """The accepting thread: a thread for each connection."""
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return  # the server ends
            connection = Connection(self, sock)
            thread = threading.Thread(target=self.serve, args=[connection], daemon=True)
            self.threads[connection] = thread
            thread.start()

    def serve(self, connection: Connection) -> None:
        connection.run()
        del self.threads[connection]

    def asked(self, connection: Connection, question: Frame) -> None:
        self.questions.append(connection)
        print(visible(f"{connection.nick}: {question['text']}"), flush=True)

    def listen_to_operator(self) -> None:
        """The console's thread (END-19, END-08, END-12)."""
        for line in read_lines():
            if line == "exit":
                self.last_word = "NORMAL"
                os.kill(os.getpid(), signal.SIGTERM)
                return
            fault = self.typed(line)
            if fault:
                note(f"not sent: {fault}")
        self.has_operator = False
        for connection in list(self.questions):
            with connection.lock:
                if connection.room and connection.room.question:
                    connection.no_answer()

    def typed(self, line: str) -> str | None:
        """A line is for the oldest pending question, or after "@nick " for that client; or why not."""
        match = re.fullmatch(r"@([a-z0-9_-]{1,32}) (.*)", line, re.DOTALL)
        nick, text = match.groups() if match else (None, line)
        newest = reversed(list(self.threads))  # an older one of the same nick may be gone unnoticed
        named = [one for one in newest if one.nick == nick] if nick else self.questions
        to = next((one for one in named if one.room and not one.is_deaf), None)
        if to is None:
            return f"{nick} is not here" if nick else "no question is pending"
        if fault := line_fault(text):
            return fault
        with to.lock:
            if to.is_deaf or not to.room:
                return "the client has just gone"
            try:
                to.say(text)
            except NotImplementedError as todo:
                to.give_up(todo)
        return None

    def end(self) -> None:
        """Goodbye to all, and wait until each has heard it, or its linger is over."""
        self.listener.shutdown(socket.SHUT_RDWR)
        threads = dict(self.threads)
        for connection in threads:
            connection.farewell(self.last_word)
        for thread in threads.values():
            thread.join()


def read_timers(text: str) -> dict[str, int]:
    """What PROSA_TIMERS asks for, or the numbers of chapter 9 (CON-02)."""
    announced = {name: limit.default for name, limit in ANNOUNCED.items()}
    for setting in text.split(",") if text else []:
        match = re.fullmatch("([a-z_]+)=([0-9]+)", setting)
        limit = ANNOUNCED.get(match[1]) if match else None
        if limit is None or not limit.min <= int(match[2]) <= limit.max:
            die(2, f"PROSA_TIMERS: {setting} is not to be had")
        announced[limit.name] = int(match[2])
    return announced


def listen() -> socket.socket:
    """CON-07, END-18."""
    host = os.environ.get("PROSA_HOST", "127.0.0.1").strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, read_port(), type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        die(3, f"cannot listen: {error}")
    return listener


def main() -> None:
    check_level()
    announced = read_timers(os.environ.get("PROSA_TIMERS", ""))
    if not signing.library_is_good():
        die(1, "KEY-07: this Ed25519 library accepts what others refuse")
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # in all threads: only the main one waits for them
    server = Server(listen(), announced)
    host, port = server.listener.getsockname()[:2]
    note(f"the fingerprint of this server's key is {signing.fingerprint(server.public_key)}")
    print(f"READY {f'[{host}]' if ':' in host else host}:{port}", flush=True)  # CON-05
    for work in (server.accept, server.listen_to_operator):
        threading.Thread(target=work, daemon=True).start()
    signal.sigwait(ends)
    server.end()
    sys.exit(0)


if __name__ == "__main__":
    main()
