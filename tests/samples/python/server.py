# SPDX-License-Identifier: MIT
"""A PROSA/1 server of level L3 with `resume`: private rooms (@host), answered by the operator who types at the
console, and named rooms that are made at their first JOIN. All runs on one event loop.
"""
from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections import deque
from pathlib import Path

import crypto
from rooms import HOST, Journal, Room, Seat

import link
import wire
from link import LEVEL, RESUME, note
from wire import CODES, Fault, Frame, need

MOST_ROOMS = 10_000  # MSG-29


class Server:
    def __init__(self, folder: Path, announced: dict[str, int]) -> None:
        self.announced = announced
        self.journal = Journal(folder / "journal")
        self.keys = crypto.KeyPair.load(folder / "server.key")
        self.links: set[Session] = set()  # every connection
        self.sessions: dict[bytes, Session] = {}  # those that are READY, by key
        self.rooms: dict[tuple[str, bytes], Room] = {}
        self.nicks: dict[str, bytes] = {}
        self.session_count = 0
        self.has_operator = True
        self.pending: deque[Seat] = deque()  # whose question it is, oldest first
        self.listener: asyncio.Server | None = None
        self.ending, self.over = False, asyncio.Event()
        self.replay()

    def replay(self) -> None:
        rooms = {}
        for kind, *words in self.journal.read():
            if kind == "nick":
                self.nicks[words[0]] = bytes.fromhex(words[1])
            elif kind == "room":
                owner = bytes.fromhex(words[1].strip("-"))
                room = self.rooms[words[0], owner] = Room(self, words[0], owner, bytes.fromhex(words[2]))
                rooms[room.id.hex()] = room
            else:
                rooms[words[0]].add(bytes.fromhex(words[1]))

    def room(self, name: str, owner: bytes) -> Room:
        """The room of this name, made when there is none (MSG-24, MSG-29)."""
        if (name, owner) not in self.rooms:
            need(len(self.rooms) < MOST_ROOMS, "NO_ROOM", "MSG-29", "there are too many rooms already")
            self.rooms[name, owner] = room = Room(self, name, owner, os.urandom(16))
            if not room.is_host:  # @host is written with its first entry (MSG-27)
                room.introduce()
        return self.rooms[name, owner]

    # ---- the operator [END-19]
    def typed(self, octets: bytes) -> None:
        line = octets.decode(errors="replace")
        if line == "exit":
            self.end("NORMAL", "the conversation is over")
            return
        named = re.fullmatch(r"@([a-z0-9_-]{1,32}) (.*)", line, re.DOTALL)
        if named:
            line = named[2]
            theirs = [s for s in self.seats_of_host() if s.session.nick == named[1]]
            seat = next(iter([s for s in theirs if s.questions] or theirs), None)
        else:
            seat = self.pending[0] if self.pending else None
        fault = link.line_fault(octets)
        if not line:
            return
        if fault or not seat:
            note(f"not sent: {fault or (f'{named[1]} is not here' if named else 'no question is pending')}")
        else:
            self.speak(seat, line)

    def seats_of_host(self) -> list[Seat]:
        return [seat for session in self.sessions.values() for seat in session.seats.values() if seat.room.is_host]

    def speak(self, seat: Seat, text: str) -> None:
        """The server's own message, and the answer to the seat's oldest question if there is one (MSG-20, MSG-21)."""
        room, question = seat.room, self.take_question(seat)
        counter = len(room.placed_by(self.keys.key)) + 1
        room.commit(crypto.compose(self.keys, {
            "nick": "host", "room_id": room.id, "counter": counter, "sent_at": int(time.time() * 1000), "text": text,
            "reply_to": question and question[0]}))
        if question and seat.is_sync:
            seat.raise_after = room.head
        room.show()

    def no_answer(self, seat: Seat) -> None:
        """FLOW-29: the question has no answer, and the limit rises all the same."""
        _, counter = self.take_question(seat)
        seat.session.fail(Fault("NO_ANSWER", "FLOW-29", "nobody answers here", room_id=seat.room.id, counter=counter))
        if seat.is_sync:
            seat.session.raise_limit(seat)

    def take_question(self, seat: Seat) -> tuple[bytes, int] | None:
        if not seat.questions:
            return None
        self.pending.remove(seat)  # its oldest place in the queue
        return seat.questions.popleft()

    def operator_left(self) -> None:
        self.has_operator = False  # END-12
        while self.pending:
            self.no_answer(self.pending[0])

    def end(self, code: str, reason: str) -> None:
        """END-08, END-10: goodbye to all, then the end."""
        self.ending = True
        self.listener.close()
        for session in list(self.links):
            session.leave(f"is told goodbye ({code})")
            if session.due:
                session.transport.abort()
            elif not session.closing:
                session.bye(code, reason)
        self.end_if_alone()

    def end_if_alone(self) -> None:
        if self.ending and not self.links:
            self.over.set()


class Session(link.Link):
    """A client's connection; a session in the words of the text from WELCOME on."""

    def __init__(self, server: Server) -> None:
        super().__init__("client", "HELLO")
        self.server, self.limits = server, server.announced
        self.seats: dict[bytes, Seat] = {}  # by room_id
        self.inherited: list[Room] = []  # of a session that this one replaced, not joined yet (MEM-09)
        self.nick, self.key = None, b""
        self.gone, self.written, self.progress = 0, 0, self.now()
        server.links.add(self)

    def connection_made(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(self.limits["output_limit"])
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.server.links.discard(self)
        self.server.end_if_alone()

    # ---- the handshake [4]
    def on_hello(self, frame: Frame) -> None:
        key, ours = frame["client_key"], self.server.keys
        need(wire.VERSION in frame["versions"], "UNSUPPORTED", "AUTH-05")
        need(crypto.key_is_good(key) and key != ours.key, "BAD_KEY", "AUTH-06")
        self.features = frame["features"] & link.FEATURES  # AUTH-11
        challenge = wire.encode("CHALLENGE", {
            "versions": [wire.VERSION], "nonce": os.urandom(32), "features": link.FEATURES, "version": wire.VERSION,
            "server_key": ours.key, **self.limits, "handshake_sig": bytes(64)})
        signature = ours.sign(crypto.challenge_proof(frame.octets, challenge))  # AUTH-12
        self.hello, self.challenge, self.key = frame.octets, challenge[:-64] + signature, key
        self.due = "AUTH"
        self.send_octets(self.challenge)

    def on_auth(self, frame: Frame) -> None:
        server, nick, key = self.server, frame["nick"], self.key
        # AUTH-17: the signature first, the nick afterwards
        need(crypto.auth_is_signed(key, self.hello, self.challenge, frame), "BAD_SIG", "AUTH-16")
        need(nick != "host", "NICK_TAKEN", "ID-09")
        need(server.nicks.get(nick, key) == key, "NICK_TAKEN", "ID-07")
        need(nick in server.nicks or key not in server.nicks.values(), "DENIED", "ID-08")
        if nick not in server.nicks:
            server.journal.write("nick", nick, key)  # ID-06, ID-11
            server.nicks[nick] = key
        if key in server.sessions:  # END-14
            older = server.sessions[key]
            self.inherited = [*older.inherited, *(seat.room for seat in older.seats.values() if not seat.room.is_host)]
            older.inherited = []
            older.leave("is replaced", quietly=True)
            older.bye("REPLACED", "a newer session of this key took over")
        self.nick, self.due, self.cap = nick, None, self.limits["max_frame"]
        self.progress = self.heard = self.now()
        server.sessions[key] = self
        server.session_count += 1
        self.send("WELCOME", session=server.session_count, time=int(time.time() * 1000))
        note(f"{self.name} is here")

    @property
    def name(self) -> str:
        return f"{self.nick}#{crypto.suffix(self.key)}" if self.nick else "a stranger"

    # ---- rooms [6.1, 6.7, 6.8]
    def on_join(self, frame: Frame) -> None:
        name, after = frame["room"], frame["after_seq"]
        need(not after or frame["epoch"], "BAD_FRAME", "RES-05")
        need(all(seat.room.name != name for seat in self.seats.values()), "BAD_STATE", "FLOW-02")
        need(name[0] == "@" or LEVEL >= "L3", "NOT_SUPPORTED", "FLOW-08")
        need(name == HOST or name[0] != "@", "NO_ROOM", "MSG-25")
        need(len(self.seats) < self.limits["max_rooms"], "TOO_MANY_ROOMS", "FLOW-03")
        room = self.server.room(name, self.key if name == HOST else b"")
        window = min(frame["send_window"], self.limits["max_window"] if LEVEL >= "L2" else 1)
        start = room.head + 1  # FLOW-06, RES-06
        if self.features & RESUME and after is not None:  # RES-01, RES-02; nothing is ever pruned
            start = after + 1 if frame["epoch"] == room.epoch and after <= room.head else 1
        last = len(room.placed_by(self.key))
        seat = Seat(self, room, window, start - 1, start + frame["recv_window"] - 1, last + window)  # FLOW-05, FLOW-07
        self.seats[room.id] = seat
        self.send("JOINED", room=name, room_id=room.id, epoch=room.epoch, granted_window=window, last_counter=last,
                  limit_counter=last + window, head_seq=room.head, oldest_seq=1, start_seq=start)
        room.seats.append(seat)
        if room in self.inherited:  # MEM-09: to the others nothing has happened
            self.inherited.remove(room)
            room.snapshot(seat)
        elif not room.is_host:
            room.enter(seat, self.key, self.nick)

    def on_leave(self, frame: Frame) -> None:
        need(frame["room_id"] in self.seats, "BAD_STATE", "MEM-08")
        room = self._give_up(frame["room_id"])
        if not room.is_host:
            room.tell(self, "left", nick=self.nick, member_key=self.key)  # MEM-07
            room.depart(self.key)

    def _give_up(self, room_id: bytes) -> Room:
        seat = self.seats.pop(room_id)
        seat.room.seats.remove(seat)
        while self.server.take_question(seat):  # FLOW-30
            pass
        return seat.room

    def seat(self, frame: Frame, clause: str) -> Seat:
        need(frame["room_id"] in self.seats, "WRONG_ROOM", clause)
        return self.seats[frame["room_id"]]

    # ---- messages [5.1, 6.3]
    def on_publish(self, frame: Frame) -> None:
        seat, counter = self.seat(frame, "MSG-05"), frame["counter"]
        need(frame["author_key"] == self.key and frame["nick"] == self.nick, "WRONG_AUTHOR", "MSG-04")
        need(counter <= seat.limit_counter, "FLOW_VIOLATION", "FLOW-21")
        placed, message = seat.room.placed_by(self.key), crypto.message_id(frame)
        if counter <= len(placed):
            need(placed[counter - 1][0] == message, "COUNTER_REUSE", "FLOW-23")
            self.acknowledge(seat)  # FLOW-22
            return
        need(counter == len(placed) + 1, "COUNTER_GAP", "FLOW-24")
        need(crypto.message_is_signed(frame), "BAD_SIG", "MSG-03")
        seat.room.commit(frame.octets[wire.HEADER :])  # FLOW-25
        if not seat.is_sync:
            seat.limit_counter = counter + seat.window  # FLOW-32; in sync the answer raises it (FLOW-27)
        self.acknowledge(seat)
        seat.room.show()
        if seat.room.is_host:
            self._ask(seat, message, counter, frame["text"])

    def _ask(self, seat: Seat, message: bytes, counter: int, text: str) -> None:
        seat.questions.append((message, counter))
        self.server.pending.append(seat)
        print(wire.visible(f"{self.name}: {text}"), flush=True)
        if not self.server.has_operator or len(seat.questions) > seat.window:
            self.server.no_answer(seat)

    def acknowledge(self, seat: Seat) -> None:
        placed = seat.room.placed_by(self.key)
        self.send("ACK", room_id=seat.room.id, limit_counter=seat.limit_counter, acked_counter=len(placed),
                  acked_seq=placed[-1][1] if placed else 0)

    def raise_limit(self, seat: Seat) -> None:
        seat.limit_counter = len(seat.room.placed_by(self.key)) + 1
        self.acknowledge(seat)

    def on_ack(self, frame: Frame) -> None:
        seat = self.seat(frame, "FLOW-15")
        need(frame["seen_seq"] <= seat.seen, "ACK_TOO_HIGH", "FLOW-13")
        seat.limit_seq = max(seat.limit_seq, frame["limit_seq"])  # FLOW-12
        self.progress = self.now()
        self.flush()

    def flush(self) -> None:
        """Delivers what credit and the connection permit (FLOW-18); behind an answer the limit rises (FLOW-28)."""
        for seat in self.seats.values():
            if seat.stale and not self.blocked:
                seat.room.snapshot(seat, resync=True)
            while seat.seen < min(seat.room.head, seat.limit_seq) and not self.blocked and not self.closing:
                self.send_octets(wire.encode("DELIVER", seat.room.entries[seat.seen]))
                seat.seen += 1
                if seat.seen == seat.raise_after:
                    self.raise_limit(seat)

    # ---- the end [7.1]
    def on_error(self, frame: Frame) -> None:
        note(f"{self.name} reports {CODES.get(frame['code'], frame['code'])}: {frame['reason']}")
        if self.due or link.is_fatal(frame["code"]):  # ERR-03, ERR-04
            self.leave("gives up")
            self.finish()

    def on_bye(self, frame: Frame) -> None:
        self.leave(f"says goodbye ({CODES.get(frame['code'], frame['code'])})")
        if self.due or self.closing:
            self.finish()  # END-05, END-06
        else:
            self.bye("NORMAL")  # END-02

    def leave(self, how: str, quietly: bool = False) -> None:
        """The session is over; the members of its rooms hear of it, unless it was replaced."""
        if self.server.sessions.get(self.key) is not self:
            return
        note(f"{self.name} {how}")
        del self.server.sessions[self.key]
        for room in self.inherited + [self._give_up(room_id) for room_id in list(self.seats)]:
            if not room.is_host and not quietly:
                room.depart(self.key)  # MEM-03, MEM-09
            if room.is_host and not room.entries:
                del self.server.rooms[room.name, room.owner]  # MSG-27

    def failed(self, fault: Fault) -> None:
        self.leave(f"is sent away: {fault.name}, {fault}")

    def ended(self, how: str) -> None:
        self.leave("vanished without a goodbye")  # END-15

    # ---- the clock
    def tick(self) -> None:
        super().tick()
        waiting = self.transport.get_write_buffer_size()
        owed = waiting or any(seat.seen < seat.room.head for seat in self.seats.values())
        gone = self.written - waiting
        if not owed or gone != self.gone:
            self.gone, self.progress = gone, self.now()
        elif not self.closing and not self.due and self.now() - self.progress >= self.limits["slow_ms"]:
            self.leave("takes nothing")
            self.bye("SLOW_CONSUMER", "nothing was taken for too long")  # FLOW-39

    def send_octets(self, octets: bytes) -> None:
        self.written += len(octets)
        super().send_octets(octets)

    def too_late(self) -> None:
        """AUTH-20: who has said nothing good is told nothing."""
        if self.due == "HELLO":
            self.reset()
        else:
            self.fail(Fault("TIMEOUT", "AUTH-20"))

    def silent(self) -> None:
        self.leave("fell silent")
        self.bye("IDLE", "silent for too long")


def read_timers(text: str) -> dict[str, int]:
    """CON-02: what PROSA_TIMERS asks for, and the defaults for the rest."""
    values = {name: default for name, (_, default, _, _) in wire.ANNOUNCED.items()}
    for setting in text.split(",") if text else []:
        name, _, digits = setting.partition("=")
        _, _, least, most = wire.ANNOUNCED.get(name, (0, 0, 1, 0))
        if not re.fullmatch("[0-9]+", digits) or not least <= int(digits) <= most:
            link.bad_settings(f"PROSA_TIMERS: {setting}")
        values[name] = int(digits)
    return values


async def main() -> None:
    link.check_level()
    loop, env = asyncio.get_running_loop(), os.environ
    port = link.port_of(env.get("PROSA_PORT") or "65432")
    server = Server(Path(env.get("PROSA_DATA") or "."), read_timers(env.get("PROSA_TIMERS", "")))
    try:
        host = (env.get("PROSA_HOST") or "127.0.0.1").strip("[]")
        server.listener = await loop.create_server(lambda: Session(server), host, port, reuse_address=True)
    except OSError as error:
        note(f"cannot listen: {error}")
        sys.exit(3)  # CON-07
    loop.add_signal_handler(signal.SIGTERM, server.end, "SHUTDOWN", "the server ends")
    host, port = server.listener.sockets[0].getsockname()[:2]
    note(f"the fingerprint of this server's key is {crypto.fingerprint(server.keys.key)}")
    print(f"READY {f'[{host}]' if ':' in host else host}:{port}", flush=True)  # CON-05
    link.read_console(server.typed, server.operator_left)
    await server.over.wait()


if __name__ == "__main__":
    asyncio.run(main())
