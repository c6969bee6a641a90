# SPDX-License-Identifier: MIT
"""Floods: many senders at full credit, and few messages that are as long as they can be.

    flood = Flood(server, lobby, senders=4, each=200)
    flood.until(lambda: calm.end is not None, "...", calm)

Whoever sends here reads nothing but ACKs. The messages are signed before it begins: sending them is cheap.
`connect_stalled` is the other side: somebody who takes nothing.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable

from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.language import _
from prosa_conformance.outcome import Violation
from prosa_conformance.peer import AUTHOR_GREASE, Peer, Room
from prosa_conformance.registry import CONSTANTS
from prosa_conformance.server import Server

LOOK_S = 0.001  # how often one looks for what no select tells
ALL_THERE_IS = 65535  # as a send_window: what the server grants at most
NO_CREDIT = CONSTANTS["min_recv_window"]
LONG = 60_000  # octets beside the text, with a max_frame of 65,536
AT_ONCE = 16  # of those
RECEIVE, SEGMENT = 8192, 1400


class Flooder:
    """One sender. It is sent two entries, and gives no credit for more."""

    def __init__(self, peer: Peer, room: Room, count: int) -> None:
        self.peer, self.room = peer, room
        self.row: list[Frame] = []
        self.octets: list[bytes] = []
        self.sent = 0
        self.prepare(count)

    def prepare(self, count: int) -> None:
        """Sign so many more messages."""
        first = self.room.base_counter + len(self.row) + 1
        for number in range(first, first + count):
            frame = self.peer.make_publish(self.room, f"{self.peer.name} says {number}", counter=number)
            self.row.append(frame)
            self.octets.append(codec.encode(frame))

    @property
    def acked(self) -> int:
        return self.room.acked_counter - self.room.base_counter

    def pump(self) -> None:
        """Send all that the limit allows by now."""
        self.peer.frames_here()
        check_open(self.peer)
        upto = min(self.room.limit_counter - self.room.base_counter, len(self.row))
        if upto > self.sent:
            words = _("{count} messages, as many as the limit allows").format(count=upto - self.sent)
            self.peer.put(b"".join(self.octets[self.sent : upto]), words)
            self.peer.sent += self.row[self.sent : upto]
            self.room.last_counter += upto - self.sent
            self.sent = upto


class Flood:
    """Several of them, in one room."""

    def __init__(self, server: Server, room: Room, senders: int, each: int) -> None:
        self.case = server.case
        names = [f"flooder-{number}" for number in range(1, senders + 1)]
        join = {"send_window": ALL_THERE_IS, "recv_window": NO_CREDIT}
        stays = [(peer, peer.join(room.name, **join)) for peer in map(server.login, names)]
        self.flooders = [Flooder(peer, stay, each) for peer, stay in stays]

    @property
    def peers(self) -> list[Peer]:
        return [flooder.peer for flooder in self.flooders]

    @property
    def is_over(self) -> bool:
        """Everything was sent, and is acknowledged."""
        return all(flooder.acked == len(flooder.row) for flooder in self.flooders)

    @property
    def sent(self) -> dict[str, int]:
        """How many messages each has sent, by its name."""
        return {flooder.peer.name: flooder.sent for flooder in self.flooders}

    def until(self, reached: Callable[[], bool], missing: str, *others: Peer) -> None:
        """Send on until it is reached; what comes to `others` meanwhile is read."""
        deadline = self.case.deadline()
        while not reached():
            before = self._progress()
            for flooder in self.flooders:
                flooder.pump()
            for other in others:
                other.frames_here()
                check_open(other)
            if self._progress() != before:
                deadline = self.case.deadline()
            elif time.monotonic() > deadline:
                raise Violation(missing, expected=_("that the server goes on"), actual=_("silence"), symptom="silence")
            else:
                select.select([*self.peers, *others], [], [], LOOK_S)

    def run_down(self, *others: Peer) -> None:
        """Send the rest, and wait until all of it is acknowledged."""
        words = _("the server acknowledges no more of what was sent within the limit")
        self.until(lambda: self.is_over, words, *others)

    def _progress(self) -> int:
        return sum(flooder.sent + flooder.acked for flooder in self.flooders)


def check_open(peer: Peer) -> None:
    """Who keeps to its limit stays."""
    if peer.end is not None:
        raise Violation(
            _("the server ended the connection of {who}, who kept to the limit").format(who=peer.name),
            expected=_("credit as the only limit"),
            actual=_("the end, after {frame}").format(frame=peer.received[-1].name),
            symptom="closed",
        )


def connect_stalled(server: Server, name: str) -> Peer:
    """Somebody who will read nothing, and for whom the kernel keeps little."""
    return server.connect(name, receive_octets=RECEIVE, segment_octets=SEGMENT).login()


def make_long(peer: Peer, room: Room, counter: int) -> Frame:
    """A message as long as it may be: most of it is a field that nobody knows."""
    return peer.make_publish(room, "long", extra=[(AUTHOR_GREASE[-1], bytes(LONG))], counter=counter)


def fill(peer: Peer, room: Room, octets: int) -> None:
    """Long messages, of so many octets in all, a few at a time."""
    peer.grease = False
    last = room.last_counter + octets // LONG + 1
    while room.last_counter < last:
        upto = min(last, room.last_counter + min(room.granted, AT_ONCE))
        row = [codec.encode(make_long(peer, room, counter)) for counter in range(room.last_counter + 1, upto + 1)]
        peer.put(b"".join(row), _("{count} long messages").format(count=len(row)))
        room.last_counter = upto
        peer.expect_until("ACK", acked_counter=upto)
