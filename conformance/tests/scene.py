# SPDX-License-Identifier: MIT
"""A room, two members and their books, for tests of what judges such books."""

from __future__ import annotations

import socket

from prosa_conformance import codec, crypto
from prosa_conformance.case import Case
from prosa_conformance.codec import Frame
from prosa_conformance.history import judge
from prosa_conformance.peer import Peer, Room

ROOM_ID = b"r" * 32
SERVER_SEED = b"s" * 32


class Scene:
    """alice and bob in a room; what they sent and saw is put into their books by hand."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.sockets: list[socket.socket] = []
        self.alice, self.a = self.member("alice")
        self.bob, self.b = self.member("bob")
        self.seq = 0

    def member(self, name: str) -> tuple[Peer, Room]:
        ours, theirs = tcp_pair()
        self.sockets += [ours, theirs]
        peer = Peer(self.case, ours, name, "localhost:1", self.case.seed(name))
        peer._challenge = codec.frame("CHALLENGE", server_key=crypto.public_key(SERVER_SEED))
        joined = codec.frame("JOINED", last_counter=0, start_seq=1)
        room = Room("lobby", ROOM_ID, bytes(16), 8, 0, 8, 1, 1000, joined)
        peer.joins.append(room)
        return peer, room

    def say(self, peer: Peer, text: str, counter: int = 0) -> Frame:
        """Sent, and the DELIVER of it: the next entry of the room."""
        room = peer.joins[-1]
        publish = peer.make_publish(room, text, counter=counter or room.last_counter + 1)
        room.last_counter = publish.number("counter")
        peer.sent.append(publish)
        self.seq += 1
        return deliver(publish, self.seq)

    def show(self, frame: Frame, *rooms: Room) -> None:
        for room in rooms or (self.a, self.b):
            room.frames.append(frame)

    def ack(self, room: Room, counter: int, seq: int, limit: int = 0) -> None:
        room.acked_counter = max(room.acked_counter, counter)
        limits = {"acked_counter": counter, "acked_seq": seq, "limit_counter": limit or counter + room.granted}
        room.frames.append(codec.frame("ACK", room_id=ROOM_ID, **limits))

    def judge(self, here: list[Peer] | None = None) -> None:
        judge([self.alice, self.bob], ROOM_ID, here)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        return ours, listener.accept()[0]


def deliver(publish: Frame, seq: int, time: int = 0) -> Frame:
    fields = [codec.field_value("room_seq", seq), codec.field_value("server_time", time or 1000 + seq)]
    return Frame(codec.frame("DELIVER").type, publish.fields).plus(*fields)
