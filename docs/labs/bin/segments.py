#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TCP carries octets, not messages: what one recv() brings has nothing to do with what one send() was given."""

from __future__ import annotations

import socket
import struct


def message(text: str) -> bytes:
    """A length in two octets, then the text."""
    return struct.pack(">H", len(text)) + text.encode()


def take(waiting: bytearray) -> list[str]:
    """The whole messages of what has come; the beginning of another one stays."""
    whole = []
    while len(waiting) >= 2 and len(waiting) >= (end := 2 + struct.unpack_from(">H", waiting)[0]):
        whole.append(waiting[2:end].decode())
        del waiting[:end]
    return whole


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    sender = socket.create_connection(listener.getsockname())
    receiver = listener.accept()[0]
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    sender.sendall(b"".join(message(f"number {number}") for number in range(1, 21)) + message("half")[:3])
    octets = receiver.recv(4096)
    waiting = bytearray(octets)
    print(f"one recv brought {len(octets)} octets: {len(take(waiting))} messages, and {len(waiting)} octets of another")
    sender.sendall(message("half")[3:])
    waiting += receiver.recv(4096)
    print(f"the next recv brought the rest of it: {take(waiting)}")

    calls, octet_by_octet, got = 0, message("slowly"), []
    for octet in octet_by_octet:
        sender.sendall(bytes([octet]))
        waiting += receiver.recv(4096)
        calls += 1
        got += take(waiting)
    print(f"{calls} recvs brought one message: {got}")

    sender.sendall(message("one") + message("two"))
    naive = receiver.recv(4096)[2:].decode(errors="replace")
    print(f"who takes a recv for a message reads {naive!r}")


if __name__ == "__main__":
    main()
