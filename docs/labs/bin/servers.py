#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Four echo servers that do the same, and a client that measures them.

    servers.py [CLIENTS] [QUESTIONS]

blocking: one client after the other.   threads: a thread for each.
processes: a process for each.          events: one thread that waits for all of them at once.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable


def echo(sock: socket.socket) -> None:
    with sock:
        while octets := sock.recv(4096):
            sock.sendall(octets)


def blocking(listener: socket.socket) -> None:
    while True:
        echo(listener.accept()[0])


def threads(listener: socket.socket) -> None:
    while True:
        threading.Thread(target=echo, args=[listener.accept()[0]], daemon=True).start()


def processes(listener: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a child has ended
    while True:
        sock = listener.accept()[0]
        if os.fork() == 0:
            listener.close()
            echo(sock)
            os._exit(0)
        sock.close()


def events(listener: socket.socket) -> None:
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                ready.register(listener.accept()[0], selectors.EVENT_READ)
            elif octets := key.fileobj.recv(4096):
                key.fileobj.sendall(octets)  # a server for strangers would not wait here either: it keeps the rest
            else:
                ready.unregister(key.fileobj)
                key.fileobj.close()


# --- the client that measures -----------------------------------------------------------


def ask(sock: socket.socket) -> None:
    sock.sendall(b"what time is it?")
    assert sock.recv(4096) == b"what time is it?", "the echo is another text"


def second_is_served(address: tuple[str, int]) -> bool:
    """Whether a second client has its answer while the first is there and says nothing."""
    with socket.create_connection(address) as first, socket.create_connection(address) as second:
        ask(first)
        second.sendall(b"?")
        second.settimeout(0.3)
        try:
            return second.recv(1) == b"?"
        except TimeoutError:
            return False


def measure(address: tuple[str, int], clients: int, questions: int) -> tuple[float, float]:
    """Seconds for connections of one question each, and for many questions on one connection."""
    start = time.perf_counter()
    for _ in range(clients):
        with socket.create_connection(address) as sock:
            ask(sock)
    short = time.perf_counter() - start
    with socket.create_connection(address) as sock:
        start = time.perf_counter()
        for _ in range(questions):
            ask(sock)
        return short, time.perf_counter() - start


def serve(server: Callable[[socket.socket], None], clients: int, questions: int) -> tuple[bool, float, float]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    child = os.fork()
    if child == 0:
        server(listener)
    try:
        address = listener.getsockname()
        measure(address, 20, 200)  # what happens for the first time takes longer, and is not what is compared
        return second_is_served(address), *measure(address, clients, questions)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        listener.close()


def main() -> None:
    clients, questions = (int(word) for word in (*sys.argv[1:], "200", "2000")[:2])
    print(f"{'server':10} {'a second client':16} {clients} short connections   {questions} questions on one")
    first: tuple[float, float] | None = None
    for server in (blocking, threads, processes, events):
        at_once, short, long = serve(server, clients, questions)
        first = first or (short, long)
        ratios = f"{short:7.3f} s  {short / first[0]:5.1f} x      {long:7.3f} s  {long / first[1]:5.1f} x"
        print(f"{server.__name__:10} {'served at once' if at_once else 'waits':16} {ratios}", flush=True)


if __name__ == "__main__":
    main()
