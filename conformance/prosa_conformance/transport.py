# SPDX-License-Identifier: MIT
"""How a scripted client gets to the server: over TCP, or over ZeroMQ through a bridge (chapter 12).

A test does not know: it is given a connected socket. Over ZeroMQ that is one end of a pair within this process,
whose other end a DEALER serves (see dealer.py).
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError

TRANSPORTS = ("tcp", "zmq")
# Whom each one has tests for. Clients and codecs speak over none, or over TCP.
ROLES_OF = {"tcp": ("codec", "server", "client"), "zmq": ("server", "relay")}


# What fills all buffers between a server and one who does not read, in octets: over ZeroMQ the bridge and its
# sockets keep some, too [ZMQ-07].
FILLING = {"tcp": 3_200_000, "zmq": 10_000_000}


@dataclass(frozen=True)
class Way:
    """What a client wants of its connection: see `Server.connect`."""

    receive_octets: int = 0
    segment_octets: int = 0
    source: str = ""


class PeerSocket(socket.socket):
    """The peers' end of a pair, over ZeroMQ."""

    is_lost = False  # the stream ends because a bridge said so: BYE GATEWAY_LOST
    trouble: Sequence[bytes] = ()  # it ends because a bridge sent a message of these parts, which is not one frame

    def shutdown(self, how: int) -> None:
        """A DEALER has no half of a connection to close."""


def check_installed(transport: str) -> None:
    """UsageError where Python lacks what it takes."""
    if transport == "zmq" and find_spec("zmq") is None:
        raise UsageError(
            _("--transport zmq needs pyzmq, which is not installed (python3-zmq of Debian, or pip install pyzmq)")
        )


def open_socket(transport: str, address: tuple[str, int], way: Way, seconds: float) -> socket.socket:
    """A connection to the server, or to the bridge before it; OSError where nobody takes it."""
    if transport == "tcp":
        return _over_tcp(address, way, seconds)
    from prosa_conformance.dealer import Dealer  # which is built on this

    return Dealer(address, way.receive_octets).socket


def _over_tcp(address: tuple[str, int], way: Way, seconds: float) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    if way.receive_octets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, way.receive_octets)
    if way.segment_octets:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, way.segment_octets)
    if way.source:
        sock.bind((way.source, 0))
    sock.settimeout(seconds)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock
