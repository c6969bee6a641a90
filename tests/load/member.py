# SPDX-License-Identifier: MIT
"""A member that checks everything: signatures, order, credit, ids, on the suite's own codec.

It keeps its messages and how far it has read over any number of connections, and sends again what was not
accepted, byte-identical [RES-08]. What it is told and what it finds wrong goes into the scene's history.
It refuses to be quick: thousands of connections at once are the business of crowd.c.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from connection import Connection
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from scene import Scene
from server import Server


def make_publish(seed: bytes, nick: str, room_id: bytes, counter: int, text: str) -> Frame:
    """A signed PUBLISH of now."""
    publish = codec.frame(
        "PUBLISH",
        nick=nick,
        room_id=room_id,
        author_key=crypto.public_key(seed),
        counter=counter,
        sent_at=time.time_ns() // 1_000_000,
        text=text,
    )
    return crypto.sign_message(seed, publish)


@dataclass
class Kept:
    """What a member keeps of a room for good."""

    seen_seq: int | None = None  # None: never joined
    epoch: bytes = b""
    publishes: list[Frame] = field(default_factory=list)  # counter 1 first
    texts: list[str] = field(default_factory=list)  # said, and not yet a PUBLISH: the room_id is not known
    acked: int = 0


class Member:
    """One key; normally one connection, several in a row, or several at once."""

    def __init__(
        self,
        scene: Scene,
        nick: str,
        rooms: Sequence[str],
        send_window: int = 64,
        recv_window: int = 64,
        receive_buffer: int = 0,
    ) -> None:
        self.scene = scene
        self.nick = nick
        self.seed = crypto.sha256(f"{scene.seed} {nick}".encode())
        self.key = crypto.public_key(self.seed)
        self.kept = {room: Kept() for room in rooms}
        self.send_window, self.recv_window = send_window, recv_window
        self.receive_buffer = receive_buffer  # octets; 0: as the system has it
        self.goes_on = True
        self.acknowledges = True
        self.provokes = ""  # code of a BYE or an ERROR that it asks for; the ERROR ends its part
        self.connections: list[Connection] = []
        self.ends: list[tuple[str, str]] = []  # of its connections: how, and the code or reason
        self.reads = asyncio.Event()
        self.reads.set()
        self.note("started", author_key=self.key.hex())

    # --- its life ---

    async def live(self, server: Server) -> None:
        """One connection after the other, while the server is up, until `leave`."""
        while self.goes_on:
            await server.up.wait()
            await self.connect(server)

    async def connect(self, server: Server) -> None:
        """One connection, from beginning to end."""
        try:
            sock = await self._reach(server)
            reader, writer = await asyncio.open_connection(sock=sock)
        except OSError:
            self.note("disconnected", how="refused", again=True)
            return
        await Connection(self, reader, writer, f"{server.host}:{server.port}").run()

    async def _reach(self, server: Server) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        if self.receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (server.host, server.port))
        except OSError:
            sock.close()
            raise
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def leave(self) -> None:
        """BYE NORMAL, and no way back."""
        self.goes_on = False
        self.note("left")
        for connection in self.connections:
            connection.is_leaving = True
            connection.say_goodbye()

    def cut(self) -> None:
        """Every connection is reset, as when a cable is pulled and the peer finds out."""
        for connection in self.connections:
            connection.reset()

    def stall(self) -> None:
        """It reads nothing more, until `release`."""
        self.reads.clear()
        for connection in self.connections:
            connection.pause()

    def release(self) -> None:
        self.reads.set()
        for connection in self.connections:
            connection.resume()

    def is_joined(self) -> bool:
        return any(connection.joined.keys() == self.kept.keys() for connection in self.connections)

    # --- what it says and sees ---

    def say(self, room: str, text: str) -> None:
        self.note("said", room=room, text=text)
        self.kept[room].texts.append(text)
        for connection in self.connections:
            connection.publish()

    def overrun(self, room: str, texts: Sequence[str]) -> None:
        """Texts within the limit, and behind them one message that no limit can allow [FLOW-21]."""
        for text in texts:
            self.note("said", room=room, text=text)
        self.kept[room].texts += texts
        for connection in self.connections:
            connection.overrun(room)

    def compose(self, room: str, room_id: bytes) -> None:
        """Every text becomes the one PUBLISH that it will ever be [RES-07]."""
        kept = self.kept[room]
        for text in kept.texts:
            kept.publishes.append(self.make_publish(room_id, len(kept.publishes) + 1, text))
        kept.texts.clear()

    def make_publish(self, room_id: bytes, counter: int, text: str) -> Frame:
        return make_publish(self.seed, self.nick, room_id, counter, text)

    def note(self, kind: str, **members: object) -> None:
        self.scene.note(self.nick, {"event": kind, **members})
