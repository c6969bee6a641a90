# SPDX-License-Identifier: MIT
"""A client over ZeroMQ: prosa-client, whose connection is carried frame by frame over a DEALER to a bridge.

    python3 -m demo.props.dealer BRIDGE:PORT WORDS... of prosa-client

ZeroMQ has no end of a stream: after the last frame of a session the client sees one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading

import zmq

from prosa_conformance import codec

HEADER = 8
AT_ONCE = 65536  # octets
LINGER_MS = 2000
FATAL_CLASSES = (1, 2, 3, 6)


def main(bridge: str, *words: str) -> int:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, f"tcp://{bridge}"), daemon=True).start()
    host, port = listener.getsockname()
    here = {"PROSA_HOST": host, "PROSA_PORT": str(port)}
    return subprocess.run(["prosa-client", *words], env={**os.environ, **here}, check=False).returncode


def _accept(listener: socket.socket, endpoint: str) -> None:
    context = zmq.Context()
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=carry, args=(stream, context, endpoint), daemon=True).start()


def carry(stream: socket.socket, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
    """From one to the other, until the client's connection ends."""
    poller = zmq.Poller()
    octets = b""
    with stream, context.socket(zmq.DEALER) as dealer, contextlib.suppress(OSError):
        dealer.linger = LINGER_MS
        dealer.connect(endpoint)
        poller.register(stream, zmq.POLLIN)
        poller.register(dealer, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if dealer in ready:
                frame = dealer.recv()
                stream.sendall(frame)
                if is_last(frame):
                    stream.shutdown(socket.SHUT_WR)
                    poller.unregister(dealer)
            if stream.fileno() in ready:
                more = stream.recv(AT_ONCE)
                if not more:
                    return
                octets = _send_frames(dealer, octets + more)


def _send_frames(dealer: zmq.Socket[bytes], octets: bytes) -> bytes:
    """All that are whole, each as a message of one part; the rest."""
    while len(octets) >= HEADER:
        size = HEADER + struct.unpack(">I", octets[4:HEADER])[0]
        if len(octets) < size:
            break
        dealer.send(octets[:size])
        octets = octets[size:]
    return octets


def is_last(octets: bytes) -> bool:
    """Whether a session ends with this frame of the server's."""
    verdict = codec.decode(octets, "server", len(octets))
    if not isinstance(verdict, codec.Decoded) or verdict.frame.name not in ("BYE", "ERROR"):
        return False
    return verdict.frame.name == "BYE" or verdict.frame.number("code") >> 8 in FATAL_CLASSES


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
