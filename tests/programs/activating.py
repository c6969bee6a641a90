# SPDX-License-Identifier: MIT
"""A service manager in one breath: makes what its words name, and becomes the program that finds it from
descriptor 3 on.

    activating.py tcp:127.0.0.1 pipe:FILE ... -- PROGRAM WORDS...

tcp listens on a free port, tcp-unready does not listen, udp is no stream; a pipe is stdin, too. Each port is
printed on stderr."""

from __future__ import annotations

import os
import socket
import sys

FIRST = 3


def make(word: str) -> int:
    kind, _, place = word.partition(":")
    if kind == "pipe":
        fd = os.open(place, os.O_RDWR)
        os.dup2(fd, 0)
        return fd
    stream = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    sock = socket.socket(socket.AF_INET6 if ":" in place else socket.AF_INET, stream)
    sock.bind((place, 0))
    if kind == "tcp":
        sock.listen()
    print(f"port {sock.getsockname()[1]}", file=sys.stderr, flush=True)
    return sock.detach()


def main() -> None:
    at = sys.argv.index("--")
    # High numbers first, so that none is in another's way.
    made = [make(word) for word in sys.argv[1:at]]
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(made)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i)
    os.closerange(FIRST + len(made), 200)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(made))}
    os.execv(sys.argv[at + 1], sys.argv[at + 1 :])


main()
