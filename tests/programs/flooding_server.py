# SPDX-License-Identifier: MIT
"""The small server, which before it takes a message sends PINGs until the client reads no more of them,
and only then reads all the PONGs."""

from __future__ import annotations

import select

from mini_server import MiniServer, main
from mini_session import Session
from prosa_conformance import codec
from prosa_conformance.codec import Frame

CHUNK = 65536
MOST = 1 << 26  # octets that no client takes before it insists on being heard
BLOCKED_S = 0.5  # a socket that takes nothing for so long has a reader that stopped


class FloodingSession(Session):
    def take_publish(self, publish: Frame) -> None:
        ping = codec.encode(codec.frame("PING", opaque=b"0123456789abcdef"))
        pings = ping * 1000
        sent = 0
        while sent < MOST and select.select([], [self.sock], [], BLOCKED_S)[1]:
            sent += self.sock.send(pings[sent % len(ping) :])
        whole = sent + -sent % len(ping)
        heard = 0
        while heard < whole:  # a PONG has as many octets as its PING
            readable, writable, _ = select.select([self.sock], [self.sock] if sent < whole else [], [])
            if writable:
                sent += self.sock.send(ping[sent % len(ping) :])
            if readable:
                octets = self.sock.recv(min(CHUNK, whole - heard))
                if not octets:
                    self.state = "GONE"
                    return
                heard += len(octets)
        super().take_publish(publish)


class FloodingServer(MiniServer):
    session_class = FloodingSession


if __name__ == "__main__":
    main(FloodingServer)
