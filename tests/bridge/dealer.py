# SPDX-License-Identifier: MIT
"""A ZeroMQ client's way to the bridge: a socket on which the suite's peers speak as over TCP.

What they write is sent frame by frame through a DEALER, and what the DEALER gets can be read. After the
last frame of a session comes the end of the stream, which ZeroMQ has no sign for.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import zmq

from prosa_conformance import codec

HEADER = 8
LINGER_MS = 5000
FATAL_CLASSES = (1, 2, 3, 6)


class Dealer:
    """`socket` is the peers' end; `pause()` stops taking frames from the bridge."""

    def __init__(self, context: zmq.Context, endpoint: str, **options: int | bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.socket = socket.create_connection(listener.getsockname())
            self._ours = listener.accept()[0]
        self._dealer = context.socket(zmq.DEALER)
        self._dealer.linger = LINGER_MS
        for name, value in options.items():
            setattr(self._dealer, name, value)
        self._dealer.connect(endpoint)
        self._takes = threading.Event()
        self._takes.set()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Take nothing more from the bridge, and send nothing, until `go_on`."""
        self._takes.clear()

    def go_on(self) -> None:
        self._takes.set()

    def join(self) -> None:
        """After the peer has closed its socket: the DEALER is closed, too."""
        self._takes.set()
        self._thread.join()

    def _carry(self) -> None:
        poller = zmq.Poller()
        poller.register(self._ours, zmq.POLLIN)
        poller.register(self._dealer, zmq.POLLIN)
        stream = b""
        with self._dealer, self._ours, contextlib.suppress(OSError):
            while True:
                ready = dict(poller.poll())
                self._takes.wait()
                if self._dealer in ready:
                    frame = self._dealer.recv()
                    self._ours.sendall(frame)
                    if is_last(frame):
                        self._ours.shutdown(socket.SHUT_WR)
                        poller.unregister(self._dealer)
                if self._ours.fileno() in ready:
                    octets = self._ours.recv(65536)
                    if not octets:
                        return
                    stream = self._send_frames(stream + octets)

    def _send_frames(self, stream: bytes) -> bytes:
        """All that are whole; the rest of the stream."""
        while len(stream) >= HEADER:
            size = HEADER + struct.unpack(">I", stream[4:8])[0]
            if len(stream) < size:
                break
            self._dealer.send(stream[:size])
            stream = stream[size:]
        return stream


def is_last(octets: bytes) -> bool:
    frame = parse(octets)
    return frame.name == "BYE" or (frame.name == "ERROR" and frame.number("code") >> 8 in FATAL_CLASSES)


def parse(octets: bytes) -> codec.Frame:
    found = codec.decode(octets, "server", len(octets))
    assert isinstance(found, codec.Decoded), f"a part is one frame: {octets.hex()}"
    assert found.consumed == len(octets), f"and nothing else: {octets.hex()}"
    return found.frame
