# SPDX-License-Identifier: MIT
"""A small server at L1 on the suite's own codec: one client at a time, one room, one question.

Its use is to be broken: faulty.py holds variants of it that break one clause each. With the
word `echo` it answers every question itself, with the same text.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import sys
import time
from pathlib import Path

from mini_session import HEARD, Session
from prosa_conformance import codec, crypto
from prosa_conformance.registry import LIMITS, TIMERS

NOT_THERE, BAD_SETTINGS, CANNOT_LISTEN = 89, 2, 3


class MiniServer:
    session_class: type[Session] = Session

    def __init__(self, limits: dict[str, int], seed: bytes, echo: bool) -> None:
        self.limits = limits
        self.seed = seed
        self.key = crypto.public_key(seed)
        self.echo = echo
        self.sessions = 0
        self.session: Session | None = None
        self.operator: bytes | None = b""  # what was typed of a line; None without an operator
        self.over = False

    def serve(self, listener: socket.socket, wake: int) -> None:
        """One client at a time, until `exit` or SIGTERM; then its goodbye."""
        while not (self.over and self.session is None):
            reads: list[socket.socket | int] = [wake]
            if self.operator is not None and not self.over:
                reads.append(0)
            reads.append(listener if self.session is None else self.session.sock)
            ready = select.select(reads, [], [], self.time_left())[0]
            if wake in ready:
                os.read(wake, HEARD)
                self.end("SHUTDOWN")
            if 0 in ready:
                self.read_console()
            if listener in ready and not self.over:
                self.accept(listener)
            self.tend(ready)

    def accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sessions += 1
        self.session = self.session_class(self, sock)

    def tend(self, ready: list[socket.socket | int]) -> None:
        session = self.session
        if session is None:
            return
        if session.sock in ready:
            session.readable()
        if session.deadline is not None and time.monotonic() >= session.deadline:
            session.expire()
        if session.state == "GONE":
            session.sock.close()
            self.session = None

    def time_left(self) -> float | None:
        deadline = self.session.deadline if self.session else None
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    # --- the operator ---

    def ask(self, session: Session) -> None:
        """Somebody should answer the session's pending question."""
        assert session.pending is not None
        if self.echo:
            session.answer(str(session.pending.value("text")))
        elif self.operator is None:
            session.no_answer()

    def read_console(self) -> None:
        octets = os.read(0, HEARD)
        if not octets:
            self.operator = None
            if self.session and self.session.pending:
                self.session.no_answer()
            return
        assert self.operator is not None
        *lines, self.operator = (self.operator + octets).split(b"\n")
        for line in lines:
            self.typed(line.decode())

    def typed(self, line: str) -> None:
        if line == "exit":
            self.end("NORMAL")
        elif self.session and line.startswith(f"@{self.session.nick} "):
            self.session.say(line.partition(" ")[2])
        elif self.session and self.session.pending:
            self.session.say(line)
        else:
            print("nobody has asked", file=sys.stderr)

    def end(self, code: str) -> None:
        self.over = True
        if self.session is not None and self.session.state != "CLOSING":
            self.session.finish(codec.frame("BYE", code=code))


def read_limits(text: str) -> dict[str, int]:
    """PROSA_TIMERS over the defaults; SystemExit(2) when it is wrong [CON-02]."""
    known = {**LIMITS, **TIMERS}
    limits = {name: limit.default for name, limit in known.items()}
    for setting in filter(None, text.split(",")):
        name, _, number = setting.partition("=")
        good = name in known and number.isdecimal() and known[name].min <= int(number) <= known[name].max
        if not good:
            print(f"PROSA_TIMERS: {setting!r} is not understood", file=sys.stderr)
            sys.exit(BAD_SETTINGS)
        limits[name] = int(number)
    return limits


def own_seed(folder: Path) -> bytes:
    """The private key, made at the first start, readable by its owner only [ID-01]."""
    path = folder / "key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


def listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        print(f"cannot listen on {host}:{port}: {error.strerror}", file=sys.stderr)
        sys.exit(CANNOT_LISTEN)
    return listener


def main(server_class: type[MiniServer] = MiniServer) -> None:
    if os.environ["PROSA_LEVEL"] not in ("L0", "L1"):
        sys.exit(NOT_THERE)
    limits = read_limits(os.environ["PROSA_TIMERS"])
    server = server_class(limits, own_seed(Path(os.environ["PROSA_DATA"])), "echo" in sys.argv[1:])
    woken, wake = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(wake, b"!"))
    listener = listen(os.environ["PROSA_HOST"], int(os.environ["PROSA_PORT"]))
    print("READY {}:{}".format(*listener.getsockname()), flush=True)
    server.serve(listener, woken)


if __name__ == "__main__":
    main()
