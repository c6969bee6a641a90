#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which ports there are, who may use them, and why a server that has just ended may not start again at once."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

KERNEL = Path("/proc/sys/net/ipv4")
HERE = "127.0.0.1"


def bind(port: int, reuse: bool) -> str:
    """What the kernel says when a server wants this port."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            sock.bind((HERE, port))
            sock.listen()
        except OSError as error:
            return errno.errorcode[error.errno]
    return "it may"


def leave_in_time_wait() -> int:
    """A port whose last connection the server has closed first: the kernel remembers it for a minute."""
    with socket.create_server((HERE, 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        port = listener.getsockname()[1]
        served = listener.accept()[0]
        served.close()
        client.recv(1)  # end of file
    return port


def main() -> None:
    first = (KERNEL / "ip_unprivileged_port_start").read_text().strip()
    low, high = (KERNEL / "ip_local_port_range").read_text().split()
    print(f"ports below {first} are for programs with the right to bind them (root has it)")
    print(f"ports {low} to {high} are handed out to clients, so a server's own port is better elsewhere")
    with socket.create_server((HERE, 0)) as other:
        port = other.getsockname()[1]
        print(f"a port that another server listens on: {bind(port, False)}, with SO_REUSEADDR {bind(port, True)}")
    port = leave_in_time_wait()
    print(f"a port with a connection in TIME_WAIT: {bind(port, False)}, with SO_REUSEADDR {bind(port, True)}")
    print(f"port 0, which means any that is free: {bind(0, False)}")


if __name__ == "__main__":
    main()
