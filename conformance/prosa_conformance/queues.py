# SPDX-License-Identifier: MIT
"""What the kernel knows: octets that a program has not read, TIME_WAIT, open descriptors.

Linux tells the first through its socket diagnostics (man 7 sock_diag). Where nobody tells, the answer
is 0: nothing to wait for.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST_FLAG = 1
ALL_STATES = 0xFFFFFFFF
NO_COOKIE = b"\xff" * 8
MESSAGE_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
REQUEST = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
SOCKET_ID = struct.Struct("!HH16s16s")  # source and destination: ports, addresses
ANSWER = struct.Struct("=4x48x4xI")  # of inet_diag_msg: the receive queue
PATIENCE_S = 1.0
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
TIME_WAIT = "06"
PROCESSES = Path("/proc")
GROUP_FIELD = 2  # of /proc/PID/stat, counted from the state


def unread_octets(sock: socket.socket) -> int:
    """Octets in the receive queue of the other end of a loopback connection."""
    try:
        return _ask(sock)
    except (AttributeError, OSError, struct.error):  # no netlink: not Linux
        return 0


def has_time_wait(port: int) -> bool:
    """Whether a connection of this local port is in TIME_WAIT."""
    end = f":{port:04X}"
    lines = [line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()]
    return any(words[1].endswith(end) and words[3] == TIME_WAIT for words in lines)


def open_descriptors(group: int) -> int:
    """The open descriptors of all processes of a group that we may look into."""
    count = 0
    for process in PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            behind_name = (process / "stat").read_text().rpartition(")")[2].split()
            if int(behind_name[GROUP_FIELD]) == group:
                count += len(list((process / "fd").iterdir()))
    return count


def _ask(sock: socket.socket) -> int:
    there, here = sock.getpeername(), sock.getsockname()
    source, destination = (socket.inet_pton(sock.family, end[0]) for end in (there, here))
    body = REQUEST.pack(sock.family, socket.IPPROTO_TCP, 0, 0, ALL_STATES)
    body += SOCKET_ID.pack(there[1], here[1], source, destination) + bytes(4) + NO_COOKIE
    header = MESSAGE_HEADER.pack(MESSAGE_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, REQUEST_FLAG, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(PATIENCE_S)
        netlink.send(header + body)
        answer = netlink.recv(4096)
    if MESSAGE_HEADER.unpack_from(answer)[1] != SOCK_DIAG_BY_FAMILY:
        return 0
    queue: int = ANSWER.unpack_from(answer, MESSAGE_HEADER.size)[0]
    return queue
