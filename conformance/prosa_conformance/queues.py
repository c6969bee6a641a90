# SPDX-License-Identifier: MIT
"""What the kernel knows: octets that nobody has read yet, TIME_WAIT, a program's descriptors and memory.

Linux tells the first through its socket diagnostics (man 7 sock_diag); where nobody tells, the answer
is None.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST_FLAG = 1
ALL_STATES = 0xFFFFFFFF
NO_COOKIE = b"\xff" * 8
MESSAGE_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
REQUEST = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
SOCKET_ID = struct.Struct("!HH16s16s")  # source and destination: ports, addresses
ANSWER = struct.Struct("=4x48x4xII")  # of inet_diag_msg: the receive queue, the send queue
NOT_SENT = 0x894B  # SIOCOUTQNSD
NUMBER = struct.Struct("=i")
PATIENCE_S = 1.0
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
TIME_WAIT = "06"
PROCESSES = Path("/proc")
OWN_MEMORY = ("RssAnon:", "VmSwap:")
GROUP_FIELD = 2  # of /proc/PID/stat, counted from the state


def unread_octets(sock: socket.socket) -> int | None:
    """Octets that went into a loopback connection here, and that the program at its other end has not read."""
    queues = _other_end(sock)
    return None if queues is None else queues[0] + _waiting(sock, NOT_SENT)


def octets_on_their_way(sock: socket.socket) -> int | None:
    """Octets that the program at the other end has written, and that were not read here."""
    queues = _other_end(sock)
    return None if queues is None else queues[1] + _waiting(sock, termios.FIONREAD)


def has_time_wait(port: int) -> bool:
    """Whether a connection of this local port is in TIME_WAIT."""
    end = f":{port:04X}"
    lines = [line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()]
    return any(words[1].endswith(end) and words[3] == TIME_WAIT for words in lines)


def open_descriptors(group: int) -> int:
    """The open descriptors of all processes of a group that we may look into."""
    count = 0
    for process in _processes(group):
        with contextlib.suppress(OSError):  # not ours
            count += len(list((process / "fd").iterdir()))
    return count


def octets_held(group: int) -> int | None:
    """The memory of all processes of a group, but for files that are mapped into it; None where nobody tells."""
    sizes = []
    for process in _processes(group):
        with contextlib.suppress(OSError):  # gone meanwhile
            lines = [line.split() for line in (process / "status").read_text().splitlines()]
            sizes += [int(words[1]) * 1024 for words in lines if words[:1] and words[0] in OWN_MEMORY]
    return sum(sizes) if sizes else None


def _processes(group: int) -> Iterator[Path]:
    for process in PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            behind_name = (process / "stat").read_text().rpartition(")")[2].split()
            if int(behind_name[GROUP_FIELD]) == group:
                yield process


def _waiting(sock: socket.socket, request: int) -> int:
    """Octets in a queue of this end."""
    (octets,) = NUMBER.unpack(fcntl.ioctl(sock, request, bytes(NUMBER.size)))
    return int(octets)


def _other_end(sock: socket.socket) -> tuple[int, int] | None:
    """What waits in the two queues of the other end: received, sent."""
    try:
        return _ask(sock)
    except (AttributeError, OSError, struct.error):  # no netlink: not Linux; or the other end is gone
        return None


def _ask(sock: socket.socket) -> tuple[int, int] | None:
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
        return None
    received, sent = ANSWER.unpack_from(answer, MESSAGE_HEADER.size)
    return received, sent
