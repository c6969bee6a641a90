# SPDX-License-Identifier: MIT
"""A door for TCP clients to a bridge: what each of them says goes through a DEALER of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

from prosa_conformance.dealer import Dealer

AT_ONCE = 65536  # octets


class Door:
    """Listens on `address` until it is left."""

    def __init__(self, bridge: tuple[str, int]) -> None:
        self._bridge = bridge
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()

    def __enter__(self) -> Door:
        threading.Thread(target=self._open, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # whoever waits in accept() is told
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                dealer = Dealer(self._bridge).socket
                for source, target in ((client, dealer), (dealer, client)):
                    threading.Thread(target=carry, args=(source, target), daemon=True).start()


def carry(source: socket.socket, target: socket.socket) -> None:
    """Until the source has ended; the target is told, and may go on speaking."""
    with contextlib.suppress(OSError):
        while octets := source.recv(AT_ONCE):
            target.sendall(octets)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
