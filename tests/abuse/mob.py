# SPDX-License-Identifier: MIT
"""Thousands of connections that are up to no good, in one epoll on a thread of its own; each ends when the server
ends it, or, with a habit of hasty ends, at once."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from prosa_conformance import codec, crypto
from prosa_conformance.registry import CODES, CONSTANTS, FEATURES
from server import Server
from stage import TIME_SCALE

RESET_AT_CLOSE = struct.pack("ii", 1, 0)
COMING_AT_ONCE = 64  # before the others are looked after
TICK_S = 0.02  # a slow loris sends an octet of each of its connections so often
DEADLINE_S = 240 * TIME_SCALE
READ_SIZE = 65536
IP_BIND_ADDRESS_NO_PORT = 24

HELLO = codec.encode(
    codec.frame(
        "HELLO",
        versions=(1,),
        nonce=bytes(range(32)),
        client_key=crypto.public_key(bytes(32)),
        features=FEATURES["liveness"],
        target="abuse.example:1",
    )
)


@dataclass(frozen=True)
class Habit:
    says: bytes = b""  # at once
    drips: bytes = b""  # an octet now and then
    ends: str = ""  # itself, when that was said: "reset" or "eof"


SILENT = Habit()
GREETS = Habit(says=HELLO)
SLOW_LORIS = Habit(drips=HELLO[:-1])


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
    sock.close()


def source_of(number: int) -> str:
    """An address of the loopback network that no server and no calm client has."""
    return f"127.{201 + number // 62500 % 50}.{1 + number // 250 % 250}.{1 + number % 250}"


@dataclass
class One:
    """A connection."""

    sock: socket.socket
    habit: Habit
    dripped: int = 0
    told: bytes = b""


@dataclass
class Tally:
    came: int = 0
    held_most: int = 0  # that stood at once, as TCP sees it
    ends: Counter[tuple[str, ...]] = field(default_factory=Counter)  # what each was told, and how it ended

    def turned_away(self) -> int:
        """They were told nothing."""
        return sum(count for end, count in self.ends.items() if len(end) == 1)


def words_of(told: bytes) -> tuple[str, ...]:
    """The frames that a connection was sent, an ERROR or BYE with its code."""
    words = []
    while told:
        verdict = codec.decode(told, "server", CONSTANTS["max_frame_ceiling"])
        if not isinstance(verdict, codec.Decoded):
            words.append(type(verdict).__name__)  # cut, or no frame
            break
        words.append(name_of(verdict.frame))
        told = told[verdict.consumed :]
    return tuple(words)


def name_of(frame: codec.Frame) -> str:
    if frame.name not in ("ERROR", "BYE"):
        return frame.name
    number = frame.number("code")
    return next((f"{frame.name} {code.name}" for code in CODES.values() if code.number == number), f"{number:#06x}")


class Mob:
    """Come with `come`, which returns when the server has ended the last one; `watch` is called all the time."""

    def __init__(
        self, server: Server, habit: Habit, source: Callable[[int], str], watch: Callable[[], None] = lambda: None
    ) -> None:
        self.server = server
        self.habit = habit
        self.source = source
        self.watch = watch
        self.tally = Tally()
        self.is_half_there = threading.Event()  # for whoever comes when the places are taken
        self._poll = select.epoll()
        self._all: dict[int, One] = {}

    def come(self, count: int) -> Tally:
        deadline = time.monotonic() + DEADLINE_S
        try:
            while self.tally.came < count or self._all:
                for _ in range(min(COMING_AT_ONCE, count - self.tally.came)):
                    self._connect()
                if 2 * self.tally.came >= count:
                    self.is_half_there.set()
                drips = self.habit.drips and self.tally.came == count
                self._look(0 if self.tally.came < count else TICK_S if drips else 1)
                if drips:
                    self._drip()
                self.watch()
                assert time.monotonic() < deadline, f"{len(self._all)} of {count} are still there"
        finally:
            self.is_half_there.set()
            for one in self._all.values():
                reset(one.sock)
            self._poll.close()
        return self.tally

    def _connect(self) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((self.source(self.tally.came), 0))
        sock.connect_ex((self.server.host, self.server.port))
        self.tally.came += 1
        self._all[sock.fileno()] = One(sock, self.habit)
        self._poll.register(sock, select.EPOLLIN | select.EPOLLOUT)

    def _look(self, seconds: float) -> None:
        for descriptor, ready in self._poll.poll(seconds, 1024):
            one = self._all[descriptor]
            try:
                if ready & select.EPOLLOUT:
                    self._begin(one)
                if one.sock.fileno() >= 0 and ready & ~select.EPOLLOUT:
                    self._hear(one)
            except OSError:
                self._end(one, "reset")
        self.tally.held_most = max(self.tally.held_most, len(self._all))

    def _begin(self, one: One) -> None:
        """The connection stands."""
        self._poll.modify(one.sock, select.EPOLLIN)
        if one.habit.says:
            one.sock.send(one.habit.says)
        if one.habit.ends == "reset":
            self._forget(one)
            reset(one.sock)
        elif one.habit.ends:
            self._end(one, one.habit.ends)

    def _hear(self, one: One) -> None:
        octets = one.sock.recv(READ_SIZE)
        one.told += octets
        if not octets:
            self._end(one, "eof")

    def _drip(self) -> None:
        for one in list(self._all.values()):
            try:
                one.dripped += one.sock.send(one.habit.drips[one.dripped : one.dripped + 1])
            except BlockingIOError:
                continue  # it does not stand yet
            except OSError:
                self._end(one, "reset")

    def _forget(self, one: One) -> None:
        del self._all[one.sock.fileno()]
        self._poll.unregister(one.sock)

    def _end(self, one: One, how: str) -> None:
        self._forget(one)
        self.tally.ends[(*words_of(one.told), how)] += 1
        one.sock.close()
