# SPDX-License-Identifier: MIT
"""One end of a connection, and what both programs need of the system: settings, consoles, threads.

A Link has a thread that reads (`run`). Whatever else touches it, such as the console's thread or a timer, takes its
lock first. The program adds a method for each frame that it takes, named as the frame.
"""

from __future__ import annotations

import io
import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from registry import CODES, FRAMES, FrameType
from wire import HANDSHAKE_CAP, Fault, Frame, Value, decode, encode, is_fatal, need

HEARD = 4096  # octets asked for at once; one recv may bring less than a frame, or many
SENDING = struct.pack("ll", 10, 0)  # seconds that a peer may refuse to read before it counts as gone
READY_TYPES = FRAMES["JOIN"].type  # types below are those of the handshake
UNPRINTABLE = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")  # MSG-19


class Link:
    due: str | None  # the frame that has to come before READY, then None

    def __init__(self, sock: socket.socket, peer: str, due: str) -> None:
        self.sock, self.peer, self.due = sock, peer, due
        self.lock = threading.RLock()
        self.cap = HANDSHAKE_CAP  # WIRE-07; max_frame from READY on (WIRE-08)
        self.linger_ms = 2000
        self.is_closing = False  # BYE or a fatal ERROR is sent, or all is over
        self.is_deaf = False  # what still comes is discarded (ERR-06)
        self.has_begun = False  # a whole frame has come
        self.timer = threading.Timer(0, self.hang_up)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, SENDING)

    # What a program adds: how it ended (eof or reset); a fault that was answered with an ERROR; all that came is taken.
    def ended(self, how: str) -> None: ...

    def failed(self, fault: Fault) -> None: ...

    def idle(self) -> None: ...

    # --- octets in ---

    def run(self) -> None:
        """The reading thread: until the peer has ended, or nobody waits for it any longer."""
        how, waiting = "eof", bytearray()
        try:
            while octets := self.sock.recv(HEARD):
                with self.lock:
                    waiting += octets
                    self.take_all(waiting)
        except OSError:
            how = "reset"
        with self.lock:
            self.ended(how)
            self.finish()
            self.timer.cancel()
            self.sock.close()

    def take_all(self, waiting: bytearray) -> None:
        """Take each whole frame; the beginning of another stays until there is more of it."""
        while not self.is_deaf:
            frame = None
            try:
                frame = decode(bytes(waiting), self.peer, self.cap, self.admit)
                if frame is None:
                    break
                self.has_begun = True
                del waiting[: len(frame.octets)]
                if frame.name:  # WIRE-12: others are ignored
                    getattr(self, frame.name)(frame)
            except Fault as fault:
                self.refuse(fault, frame, waiting)
            except NotImplementedError as todo:
                self.give_up(todo)
        if self.is_deaf:
            waiting.clear()
        else:
            self.idle()

    def admit(self, kind: int, row: FrameType | None) -> None:
        """Whether this is the time, and the direction, for a frame of this type."""
        name = row.name if row else None
        need(not self.due or name in (self.due, "ERROR", "BYE"), "BAD_STATE", "WIRE-13")
        need(not row or row.sender in (self.peer, "both"), "BAD_STATE", "WIRE-15")
        need(self.due or not row or kind >= READY_TYPES, "BAD_STATE", "AUTH-01")

    def PING(self, frame: Frame) -> None:
        # TODO 1: give the octets of the PING back in a PONG. LIVE-01
        raise NotImplementedError("TODO 1 in link.py: answer PING with PONG; read LIVE-01")

    def PONG(self, frame: Frame) -> None:
        """LIVE-09: nobody asked for it."""

    # --- octets out ---

    def send(self, name: str, body: bytes | None = None, **fields: Value | None) -> None:
        """Send a frame, from its fields by name or from an encoded body; nothing after our own BYE (END-04)."""
        if not self.is_closing:
            self.send_octets(encode(name, body, **fields))

    def send_octets(self, octets: bytes) -> None:
        try:
            self.sock.sendall(octets)
        except OSError:
            self.hang_up()  # the reading thread notices, and tells how it ended

    # --- the end ---

    def refuse(self, fault: Fault, frame: Frame | None, waiting: bytearray) -> None:
        """A fault in what has come: one ERROR that names it (ERR-01, ERR-07, ERR-08)."""
        if fault.clause == "WIRE-02" and not self.has_begun:
            self.failed(fault)
            self.is_closing = self.is_deaf = True  # WIRE-03: whoever is there speaks another protocol
            self.hang_up()
            return
        kind = frame.type if frame else waiting[3] if len(waiting) > 3 else None
        named = {name: frame.get(name) for name in ("room", "room_id", "counter")} if frame else {}
        fault.about = {"ref_type": kind, **named, **fault.about}
        self.fail(fault, is_silent=kind in (FRAMES["ERROR"].type, FRAMES["BYE"].type))  # ERR-10

    def fail(self, fault: Fault, is_silent: bool = False) -> None:
        """Send the ERROR; a fatal one stands in the place of the BYE, and what still comes is discarded."""
        number = CODES[fault.code].number
        if not is_silent:
            self.send("ERROR", code=number, reason=str(fault), clause=fault.clause, **fault.about)
        if is_fatal(number):
            if not self.is_closing:
                self.failed(fault)
            self.is_deaf = True
            self.finish()

    def bye(self, code: str, reason: str | None = None) -> None:
        """BYE, and the end in order."""
        self.send("BYE", code=CODES[code].number, reason=reason)
        self.finish()

    def finish(self) -> None:
        """END-01: shut the sending side, read on until end of file, or for linger_ms."""
        if self.is_closing:
            return
        self.is_closing = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return
        self.timer = threading.Timer(self.linger_ms / 1000, self.hang_up)
        self.timer.daemon = True
        self.timer.start()

    def hang_up(self) -> None:
        """Wake the reading thread: for it the connection is at its end."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already

    def give_up(self, todo: NotImplementedError) -> None:
        """What this program does where something is left to write."""
        note(f"stopped, the connection ends here: {todo}")
        self.is_deaf = True
        self.finish()


# --- the system -------------------------------------------------------------------------


def visible(text: str) -> str:
    """Text with a visible stand-in for what must not be printed (MSG-19)."""
    return UNPRINTABLE.sub(lambda match: f"<{ord(match[0]):04x}>", text)


def note(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)


def die(code: int, why: str) -> NoReturn:
    note(why)
    sys.exit(code)


def check_level() -> None:
    """CON-03, before anything else."""
    if os.environ.get("PROSA_LEVEL", "L1") not in ("L0", "L1"):
        die(89, "this program has level L1")


def read_port() -> int:
    text = os.environ.get("PROSA_PORT", "65432")
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        die(2, f"PROSA_PORT is {text}: it is a number from 0 to 65535")
    return int(text)


def read_lines() -> Iterator[str]:
    """The lines of stdin. Only a line feed ends one; a text may hold any other character."""
    for line in io.FileIO(0, closefd=False):
        yield line.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")


def line_fault(line: str) -> str | None:
    """Why a line cannot be the text of a message."""
    octets = line.encode("utf-8", "surrogateescape")
    if not octets or len(octets) > 4096:
        return "an empty line" if not octets else "more than 4096 octets"
    if "\0" in line or any("\udc80" <= character <= "\udcff" for character in line):
        return "U+0000, or no UTF-8"
    return None
