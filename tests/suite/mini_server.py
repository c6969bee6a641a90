# SPDX-License-Identifier: MIT
"""A small server on the suite's own codec: levels L1 to L4 with liveness, resume and audit, in one loop.

Its use is to be broken: faulty.py holds variants of it that break one clause each. Words:
`echo` answers every question itself, with the same text; `memory` keeps no log, and so has no resume;
`keep=N` prunes a room to its last N entries; `places=N` serves N clients at most; `restored` says that
the log is a copy. From L2 on lines that begin with `/` are commands: `/kick /ban /unbind NICK`.
"""

from __future__ import annotations

import os
import secrets
import selectors
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

from mini_connection import HEARD
from mini_rooms import HOST, Room, View
from mini_session import Session
from mini_store import Store, lock
from prosa_conformance import crypto, kinds
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FEATURES, FIELDS, LIMITS, TIMERS

BAD_SETTINGS, CANNOT_LISTEN, NOT_THERE = 2, 3, 89  # 1, failed, is what sys.exit makes of words
LEVELS = ("L0", "L1", "L2", "L3", "L4")
SENT_AHEAD = 65536  # octets that the kernel keeps for one connection, beside ours
STRANGERS, STRANGERS_OF_ONE_ADDRESS = 64, 8  # LIM-04, LIM-05


class MiniServer:
    session_class: type[Session] = Session
    room_class: type[Room] = Room
    store_class: type[Store] = Store

    def __init__(self, level: int, limits: dict[str, int], seed: bytes, store: Store, words: Sequence[str]) -> None:
        self.level = level
        self.limits = limits
        self.seed = seed
        self.key = crypto.public_key(seed)
        self.store = store
        self.echo = "echo" in words
        numbers = dict(word.split("=") for word in words if "=" in word)
        self.keep, self.places = int(numbers.get("keep", 0)), int(numbers.get("places", 512))
        self.features = self.offered_features("memory" not in words)
        self.numbers = 0
        self.sessions: list[Session] = []
        self.rooms: dict[tuple[str, bytes], Room] = {}  # those that a session is in
        self.unsettled: set[Room] = set()
        self.questions: list[tuple[View, Frame]] = []  # the oldest first
        self.operator: bytes | None = b""  # what was typed of a line; None without an operator
        self.over = False
        self.selector = selectors.PollSelector()

    def offered_features(self, is_durable: bool) -> int:
        if self.level < 2:
            return 0
        names = ["liveness", "audit", *(["resume"] if is_durable else [])]
        return sum(FEATURES[name] for name in names)

    def seconds(self, timer: str) -> float:
        return self.limits[timer] / 1000

    # --- the loop ---

    def serve(self, listener: socket.socket, wake: int) -> None:
        """Until `exit` or SIGTERM; then every session's goodbye."""
        self.selector.register(wake, selectors.EVENT_READ)
        more = False
        while not (self.over and not self.sessions):
            self.watch(listener, self.accepts())
            self.watch(sys.stdin, self.operator is not None and not self.over)
            for key, events in self.selector.select(0 if more else self.time_left()):
                if key.fileobj is listener:
                    self.accept(listener)
                elif key.fileobj is sys.stdin:
                    self.read_console()
                elif key.fileobj is wake:
                    os.read(wake, HEARD)
                    self.end("SHUTDOWN")
                elif events & selectors.EVENT_READ:
                    key.data.readable()
            more = self.turn()

    def turn(self) -> bool:
        """Decide, commit, tell, write; True when there is more to do at once."""
        for session in list(self.sessions):
            session.take_turn()
        self.settle()
        for session in list(self.sessions):
            for view in list(session.views.values()):
                session.flush(view)
        now = time.monotonic()
        for session in list(self.sessions):
            session.write()
            for when, due in list(session.deadlines()):
                if when <= now:
                    due()
                    session.write()
        for session in list(self.sessions):
            self.tend(session)
        return any(session.may_go_on() for session in self.sessions)

    def tend(self, session: Session) -> None:
        """What the loop waits for next at this connection; or nothing any more."""
        if session.state == "GONE":
            self.sessions.remove(session)
            self.watch(session.sock, False)
            session.sock.close()
            return
        events = selectors.EVENT_READ if session.wants_to_read() else 0
        events |= selectors.EVENT_WRITE if session.out else 0
        self.watch(session.sock, bool(events), events, session)

    def watch(self, file: object, wanted: bool, events: int = selectors.EVENT_READ, data: object = None) -> None:
        known = self.selector.get_map().get(file)  # type: ignore[call-overload]
        if known is not None and known.events == events and wanted:
            return
        if known is not None:
            self.selector.unregister(file)  # type: ignore[arg-type]
        if wanted:
            self.selector.register(file, events, data)  # type: ignore[arg-type]

    def time_left(self) -> float | None:
        due = [when for session in self.sessions for when, _ in session.deadlines()]
        return max(0.0, min(due) - time.monotonic()) if due else None

    # --- commitment ---

    def append(self, room: Room, message: Frame) -> int:
        """The message has its place in the room, and is not committed yet."""
        self.unsettled.add(room)
        return room.append(message)

    def settle(self) -> None:
        """Commit what was appended; only then does anybody see it [FLOW-26]."""
        if not self.unsettled:
            return
        self.store.commit()
        rooms, self.unsettled = self.unsettled, set()
        for room in rooms:
            room.commit()
            for view in list(room.views):
                self.tell(view)
            room.prune(self.keep)
            for view in list(room.views):
                if view.is_overtaken:
                    view.session.evict()  # FLOW-40

    def tell(self, view: View) -> None:
        """An entry of its room is visible now: the ACK of its author, DELIVER to all."""
        if view.ack_due:
            view.session.ack(view)
        view.session.flush(view)

    # --- connections ---

    def accepts(self) -> bool:
        """LIM-01: at L1 the next client waits unread."""
        return not self.over and not (self.level == 1 and self.sessions)

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, (address, *_) = listener.accept()
        except OSError:
            return
        if self.level >= 4 and not self.make_place(address):
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_AHEAD)
        self.sessions.append(self.session_class(self, sock))

    def make_place(self, address: str) -> bool:
        """Whether a newcomer is taken; the oldest that has sent no HELLO may have to go for it."""
        strangers = self.strangers()
        if self.is_crowd(strangers, address):
            return False
        if len(strangers) < STRANGERS:
            return True
        leaver = self.who_goes(strangers)
        if leaver is not None:
            leaver.vanish()
            self.tend(leaver)
        return leaver is not None

    def strangers(self) -> list[Session]:
        """Those who were never READY, the oldest first."""
        return [session for session in self.sessions if not session.nick]

    def is_crowd(self, strangers: list[Session], address: str) -> bool:
        near = sum(same_network(stranger.address, address) for stranger in strangers)
        return len(strangers) >= STRANGERS // 2 and near >= STRANGERS_OF_ONE_ADDRESS

    def who_goes(self, strangers: list[Session]) -> Session | None:
        return next((stranger for stranger in strangers if not stranger.hello), None)

    def has_place(self, key: bytes) -> bool:
        """AUTH-07; who replaces an older session needs no other place."""
        return sum(session.state == "READY" for session in self.sessions if session.client_key != key) < self.places

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def session_of(self, key: bytes) -> Session | None:
        """The READY session of a key; there is one at most [END-14]."""
        return next((one for one in self.sessions if one.client_key == key and one.state == "READY"), None)

    # --- rooms ---

    def open_room(self, name: str, owner: bytes) -> Room:
        room = self.rooms.get((name, owner))
        if room is None:
            audit = bool(self.features & FEATURES["audit"])
            room = self.room_class(self.store, self.seed, name, owner, audit, self.limits["member_limit"])
            self.rooms[name, owner] = room
            if name != HOST:
                room.keep()
                self.store.commit()
        return room

    def close_room(self, room: Room) -> None:
        """Nobody is in it; what is committed stays in the store."""
        if not room.views and not room.members and self.rooms.get((room.name, room.owner)) is room:
            self.settle()
            del self.rooms[room.name, room.owner]

    # --- the operator ---

    def ask(self, view: View, question: Frame) -> None:
        """Somebody should answer; no more questions of a session are kept than its window has [LIM-08]."""
        if self.echo:
            view.session.say(view, question, str(question.value("text")))
        elif self.operator is None:
            view.session.no_answer(view, question)
        else:
            mine = [one for one in self.questions if one[0] is view]
            if len(mine) >= view.granted:
                self.questions.remove(mine[0])
            self.questions.append((view, question))

    def drop_questions(self, view: View) -> None:
        self.questions = [one for one in self.questions if one[0] is not view]

    def read_console(self) -> None:
        octets = os.read(0, HEARD)
        if not octets:
            self.operator = None
            questions, self.questions = self.questions, []
            for view, question in questions:
                view.session.no_answer(view, question)
            return
        assert self.operator is not None
        *lines, self.operator = (self.operator + octets).split(b"\n")
        for line in lines:
            self.typed(line.removesuffix(b"\r"))

    def typed(self, line: bytes) -> None:
        has_commands = self.level >= 2
        if line == b"exit":
            self.end("NORMAL")
        elif has_commands and line.startswith(b"/") and not line.startswith(b"//"):
            self.command(*line[1:].decode(errors="replace").split(" ", 1))
        elif line.startswith(b"@"):
            nick, _, text = line[1:].partition(b" ")
            self.say_to(self.view_of(nick.decode(errors="replace")), text)
        elif line:
            view = self.questions[0][0] if self.questions else None
            self.say_to(view, line[1:] if has_commands and line.startswith(b"//") else line)

    def say_to(self, view: View | None, text: bytes) -> None:
        """END-19: the client's oldest question is answered, if it has one."""
        fault = kinds.fault(FIELDS["text"], text)
        if view is None or fault is not None:
            self.refuse_line(fault.why if fault else "nobody of that nick is here, or nobody has asked")
            return
        mine = next((one for one in self.questions if one[0] is view), None)
        if mine is not None:
            self.questions.remove(mine)
        view.session.say(view, mine[1] if mine else None, text.decode())

    def view_of(self, nick: str) -> View | None:
        views = (view for one in reversed(self.sessions) if one.nick == nick for view in one.views.values())
        return next((view for view in views if view.room.name == HOST), None)

    def command(self, verb: str, nick: str = "") -> None:
        key = self.store.key_of(nick)
        if verb not in ("kick", "ban", "unbind") or key is None:
            self.refuse_line(f"/{verb} {nick}: no such command, or nobody of that nick")
            return
        if verb == "unbind":
            self.store.unbind(nick)
            return
        if verb == "ban":
            self.store.ban(key)
        session = self.session_of(key)
        if session is not None:
            session.goodbye("KICKED")

    def refuse_line(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def end(self, code: str) -> None:
        self.over = True
        for session in list(self.sessions):
            session.goodbye(code)


def same_network(one: str, other: str) -> bool:
    """LIM-05: one address, for IPv6 one /64."""
    if ":" in one and ":" in other:
        return ip_address(other) in ip_network(f"{one.partition('%')[0]}/64", strict=False)
    return one == other


def read_limits(text: str) -> dict[str, int]:
    """PROSA_TIMERS over the defaults; SystemExit(2) when it is wrong [CON-02]."""
    known = {**LIMITS, **TIMERS}
    limits = {name: limit.default for name, limit in known.items()}
    for setting in filter(None, text.split(",")):
        name, _, number = setting.partition("=")
        good = name in known and number.isdecimal() and known[name].min <= int(number) <= known[name].max
        if not good:
            print(f"PROSA_TIMERS: {setting!r} is not understood", file=sys.stderr)
            sys.exit(BAD_SETTINGS)
        limits[name] = int(number)
    return limits


def own_seed(folder: Path) -> bytes:
    """The private key, made at the first start, readable by its owner only [ID-01]."""
    path = folder / "key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


def open_store(store_class: type[Store], folder: Path, words: Sequence[str]) -> Store:
    """The durable log, locked, or one in memory; exit code 1 when it cannot be had [RES-14]."""
    if "memory" in words:
        return store_class(None)
    try:
        lock(folder)
        store = store_class(folder / "log.sqlite")
    except BlockingIOError:
        sys.exit(f"{folder}: another server is running there")
    except sqlite3.DatabaseError as error:
        sys.exit(f"{folder / 'log.sqlite'}: {error}")
    if "restored" in words:
        store.forget_rooms()
    return store


def listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {host}:{port}: {error}", file=sys.stderr)
        sys.exit(CANNOT_LISTEN)
    listener.setblocking(False)
    return listener


def say_ready(host: str, port: int) -> None:
    print(f"READY [{host}]:{port}" if ":" in host else f"READY {host}:{port}", flush=True)


def main(server_class: type[MiniServer] = MiniServer) -> None:
    env, words = os.environ, sys.argv[1:]
    level = env.get("PROSA_LEVEL", LEVELS[-1])
    if level not in LEVELS:
        sys.exit(NOT_THERE)
    if not crypto.library_is_cofactorless():
        sys.exit("this library accepts signatures that it must not [KEY-07]")
    if env.get("PROSA_KEEP_MESSAGES"):
        words = [*words, f"keep={env['PROSA_KEEP_MESSAGES']}"]
    if level <= "L1":
        words = [*words, "memory"]
    limits = read_limits(env.get("PROSA_TIMERS", ""))
    folder = Path(env.get("PROSA_DATA", "."))
    store = open_store(server_class.store_class, folder, words)
    server = server_class(max(1, LEVELS.index(level)), limits, own_seed(folder), store, words)
    woken, wake = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(wake, b"!"))
    listener = listen(env.get("PROSA_HOST", "127.0.0.1"), int(env.get("PROSA_PORT", "65432")))
    say_ready(*listener.getsockname()[:2])
    server.serve(listener, woken)


if __name__ == "__main__":
    main()
