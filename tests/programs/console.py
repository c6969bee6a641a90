# SPDX-License-Identifier: MIT
"""A program as a person has it in front of them: started with pipes or at a terminal, typed to, and
read until it has said what is waited for. Nothing here sleeps: every wait is for octets or an end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

DEADLINE_S = 30.0
CHUNK = 65536
ROWS, COLUMNS = 24, 60
END_OF_FILE = b"\x04"
INTERRUPT = b"\x03"


def _take_terminal() -> None:
    """In the child: its stdin becomes the terminal that Ctrl-C belongs to."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Console:
    """`out` and `err` are all that came so far; at a terminal everything is in `out`."""

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        terminal: bool = False,
        size: tuple[int, int] = (ROWS, COLUMNS),
    ) -> None:
        self.out = b""
        self.err = b""
        self._mark = {"out": 0, "err": 0}
        self._master = -1
        self.slave = -1
        self.rows, self.columns = size
        if terminal:
            self._master, self.slave = pty.openpty()
            self.resize(*size)
        stream = self.slave if terminal else subprocess.PIPE
        self.process = subprocess.Popen(
            list(words),
            env=dict(env),
            stdin=stream,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            preexec_fn=_take_terminal if terminal else None,
        )
        self._open = {}
        if terminal:
            self._open[self._master] = "out"
        else:
            assert self.process.stdout and self.process.stderr
            self._open[self.process.stdout.fileno()] = "out"
            self._open[self.process.stderr.fileno()] = "err"

    # --- the terminal ---

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """The terminal goes away."""
        self._open.clear()
        for fd in (self._master, self.slave):
            os.close(fd)
        self._master = self.slave = -1

    # --- typing ---

    def type(self, text: str | bytes) -> None:
        octets = text.encode() if isinstance(text, str) else text
        if self._master >= 0:
            os.write(self._master, octets)
            return
        assert self.process.stdin
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def line(self, text: str | bytes) -> None:
        self.type((text.encode() if isinstance(text, str) else text) + b"\n")

    def close_stdin(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    # --- reading ---

    def expect(self, text: str | bytes, stream: str = "out") -> bytes:
        """Wait until `text` comes; all from the last `expect` up to it."""
        wanted = text.encode() if isinstance(text, str) else text
        deadline = time.monotonic() + DEADLINE_S
        while True:
            have: bytes = getattr(self, stream)
            start = self._mark[stream]
            at = have.find(wanted, start)
            if at >= 0:
                self._mark[stream] = at + len(wanted)
                return have[start : at + len(wanted)]
            assert self.read(deadline), f"{wanted!r} did not come.\nout: {self.out!r}\nerr: {self.err!r}"

    def ended(self) -> int:
        """Wait for its end; the exit code. After that `out` and `err` are complete."""
        deadline = time.monotonic() + DEADLINE_S
        if self._master >= 0:
            return self._ended_at_terminal(deadline)
        while self._open and self.read(deadline):
            pass
        try:
            return self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end.\nout: {self.out!r}\nerr: {self.err!r}") from None

    def _ended_at_terminal(self, deadline: float) -> int:
        # This side holds the terminal open, so that its end is no end of file here.
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while not select.select([pidfd], [], [], 0)[0]:
                left = deadline - time.monotonic()
                assert left > 0, f"it did not end.\nout: {self.out!r}"
                select.select([pidfd, self._master], [], [], left)
                self._read_what_is_there()
        finally:
            os.close(pidfd)
        self._read_what_is_there()
        return self.process.wait()

    def _read_what_is_there(self) -> None:
        while self._open and select.select([self._master], [], [], 0)[0]:
            self.read(time.monotonic())

    def read(self, deadline: float) -> bool:
        """Read once; False at the end of all streams or at the deadline."""
        ready = select.select(list(self._open), [], [], max(0.0, deadline - time.monotonic()))[0]
        for fd in ready:
            try:
                octets = os.read(fd, CHUNK)
            except OSError:  # how Linux ends a terminal
                octets = b""
            if not octets:
                del self._open[fd]
            name = self._open.get(fd, "out")
            setattr(self, name, getattr(self, name) + octets)
        return bool(ready) and bool(self._open)

    # --- its end ---

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def dispose(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        for fd in (self._master, self.slave):
            if fd >= 0:
                os.close(fd)
