# SPDX-License-Identifier: MIT
"""A client over ZeroMQ: prosa-client, whose connection is carried frame by frame over a DEALER to a bridge.

    python3 -m demo.props.dealer BRIDGE:PORT WORDS... of prosa-client
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading

from prosa_conformance.dealer import Dealer

AT_ONCE = 65536  # octets


def main(bridge: str, *words: str) -> int:
    host, _, port = bridge.rpartition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, (host, int(port))), daemon=True).start()
    here = dict(zip(("PROSA_HOST", "PROSA_PORT"), map(str, listener.getsockname()), strict=True))
    return subprocess.run(["prosa-client", *words], env={**os.environ, **here}, check=False).returncode


def _accept(listener: socket.socket, bridge: tuple[str, int]) -> None:
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=carry, args=(stream, Dealer(bridge).socket), daemon=True).start()


def carry(stream: socket.socket, bridge: socket.socket) -> None:
    """Both ways, until the last frame of the session has come from the bridge."""
    threading.Thread(target=_pass_on, args=(stream, bridge), daemon=True).start()
    with stream, bridge:
        _pass_on(bridge, stream)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while octets := source.recv(AT_ONCE):
            target.sendall(octets)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
