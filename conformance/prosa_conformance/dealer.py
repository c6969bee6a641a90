# SPDX-License-Identifier: MIT
"""A ZeroMQ client's way to a bridge: a socket on which the suite's peers speak as over TCP.

What they write is sent frame by frame through a DEALER, and what the DEALER gets can be read. ZeroMQ has no sign
for the end of a stream, so the last frame of a session is followed by one here; BYE GATEWAY_LOST, by which a
bridge says that the stream of the server has ended [ZMQ-06], is that end itself. A DEALER cannot close one
direction only: `shutdown` of a peer's socket does nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections import deque
from functools import cache

from prosa_conformance import codec
from prosa_conformance.registry import CODES
from prosa_conformance.transport import PeerSocket

with contextlib.suppress(ModuleNotFoundError):  # whoever lacks it has all the rest: see transport.check_installed
    import zmq

HEADER = 8
LINGER_MS = 5000
FATAL_CLASSES = (1, 2, 3, 6)
AT_ONCE = 65536  # octets


def context() -> zmq.Context[zmq.Socket[bytes]]:
    """One for each process: what is forked has none of its parent's."""
    return _context_of(os.getpid())


@cache
def _context_of(_process: int) -> zmq.Context[zmq.Socket[bytes]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made.set(zmq.MAX_SOCKETS, 4096)
    return made


def endpoint_of(address: tuple[str, int]) -> str:
    host, port = address
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


class Dealer:
    """Connects at once; `socket` is the peers' end. Closing that closes the DEALER, when all is sent."""

    def __init__(self, address: tuple[str, int], receive_octets: int = 0, **options: int | bytes) -> None:
        self._dealer = context().socket(zmq.DEALER)
        self._dealer.linger = LINGER_MS
        if ":" in address[0]:
            self._dealer.ipv6 = True
        if receive_octets:
            self._dealer.rcvbuf, self._dealer.rcvhwm = receive_octets, 1
        for name, value in options.items():
            setattr(self._dealer, name, value)
        self.socket, self._ours = _pair(receive_octets)
        self._ours.setblocking(False)
        self._to_peer = b""
        self._stream = b""  # of the peer's, the frame that is not whole yet
        self._frames: deque[bytes] = deque()  # the whole ones
        self._peer_is_there = self._peer_takes = self._session_is_there = True
        self._dealer.connect(endpoint_of(address))
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self) -> None:
        with self._dealer, self._ours:
            while self._peer_is_there or self._frames:
                self._step(dict(self._poller().poll()))

    def _poller(self) -> zmq.Poller:
        """What was taken is given before more is taken, on both sides."""
        poller = zmq.Poller()
        may_take = self._session_is_there and self._peer_takes and not self._to_peer
        may_hear = self._peer_is_there and not self._frames
        dealer = may_take * zmq.POLLIN | bool(self._frames) * zmq.POLLOUT
        ours = may_hear * zmq.POLLIN | bool(self._to_peer) * zmq.POLLOUT
        for one, events in ((self._dealer, dealer), (self._ours, ours)):
            if events:
                poller.register(one, events)
        return poller

    def _step(self, ready: dict[object, int]) -> None:
        dealer, ours = ready.get(self._dealer, 0), ready.get(self._ours.fileno(), 0)
        if dealer & zmq.POLLOUT:
            self._dealer.send(self._frames.popleft())
        if dealer & zmq.POLLIN:
            self._take(self._dealer.recv_multipart())
        if ours & ~zmq.POLLOUT and not self._frames:
            self._hear()
        if self._to_peer:
            self._give()
        if not self._session_is_there and not self._to_peer:
            with contextlib.suppress(OSError):
                self._ours.shutdown(socket.SHUT_WR)

    def _take(self, parts: list[bytes]) -> None:
        if len(parts) != 1 or not is_frame(parts[0]):
            self.socket.trouble, self._session_is_there = parts, False
            return
        part = parts[0]
        code = closing_code(part)
        self._session_is_there = code is None
        self.socket.is_lost = code == CODES["GATEWAY_LOST"].number
        if not self.socket.is_lost:
            self._to_peer += part

    def _give(self) -> None:
        """Who has closed takes nothing more, and what it said before is still heard."""
        try:
            self._to_peer = self._to_peer[self._ours.send(self._to_peer) :]
        except BlockingIOError:
            return
        except OSError:
            self._to_peer, self._peer_takes = b"", False

    def _hear(self) -> None:
        try:
            octets = self._ours.recv(AT_ONCE)
        except ConnectionError:
            octets = b""
        self._peer_is_there = bool(octets)
        if not octets and self._stream:  # what never became a frame
            self._frames.append(self._stream)
        self._stream += octets
        while len(self._stream) >= HEADER:
            size = HEADER + struct.unpack(">I", self._stream[4:HEADER])[0]
            if len(self._stream) < size:
                break
            self._frames.append(self._stream[:size])
            self._stream = self._stream[size:]


def _pair(receive_octets: int) -> tuple[PeerSocket, socket.socket]:
    """Both ends of a connection within this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = PeerSocket(socket.AF_INET)
        if receive_octets:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        peer.connect(listener.getsockname())
        ours = listener.accept()[0]
    if receive_octets:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, receive_octets)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer, ours


def is_frame(part: bytes) -> bool:
    """Whether it is one, from the first octet to the last, as its header says [ZMQ-01]."""
    return len(part) >= HEADER and HEADER + struct.unpack(">I", part[4:HEADER])[0] == len(part)


def closing_code(part: bytes) -> int | None:
    """The code of a frame of a server's that is the last of its session; None where it goes on."""
    verdict = codec.decode(part, "server", len(part))
    if not isinstance(verdict, codec.Decoded) or verdict.frame.name not in ("BYE", "ERROR"):
        return None
    code = verdict.frame.number("code")
    return code if verdict.frame.name == "BYE" or code >> 8 in FATAL_CLASSES else None
