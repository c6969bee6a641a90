# SPDX-License-Identifier: MIT
"""Whether the program at the other end of a loopback connection has read what was sent to it.

Linux tells it in /proc/net/tcp. Where it is not told, the answer is 0: nothing to wait for.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

TABLE = Path("/proc/net/tcp")


def unread_octets(sock: socket.socket) -> int:
    """Octets in the receive queue of the other end of an IPv4 loopback connection."""
    try:
        there, here = _entry(sock.getpeername()), _entry(sock.getsockname())
        table = TABLE.read_text()
    except (OSError, ValueError):
        return 0
    for line in table.splitlines()[1:]:
        columns = line.split()
        if columns[1] == there and columns[2] == here:
            return int(columns[4].partition(":")[2], 16)
    return 0


def _entry(address: tuple[str, int]) -> str:
    if ":" in address[0]:
        raise ValueError("not IPv4")
    host = struct.unpack("=I", socket.inet_aton(address[0]))[0]
    return f"{host:08X}:{address[1]:04X}"
