# SPDX-License-Identifier: MIT
"""One end of a connection, the same for server and client, and what both programs take from their surroundings.

A Link reads frames and gives each to the method `on_NAME` of the class that is made of it; it keeps the connection
alive, and closes it in order.
"""
from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable

import wire
from wire import CODE, TYPE, Fault, Frame, Layout, need

LIVENESS, RESUME = 1, 2  # bits of `features` [8.2]
LEVELS = ["L0", "L1", "L2", "L3"]
LEVEL = os.environ.get("PROSA_LEVEL") or "L3"
FEATURES = LIVENESS | RESUME if LEVEL >= "L2" else 0  # offered from L2 on
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def is_fatal(code: int) -> bool:
    return code >> 8 not in (4, 5)  # ERR-04, ERR-05


class Link(asyncio.Protocol):
    """What a subclass adds: `on_NAME(frame)`, `failed(fault)`, `ended(how)` and `flush()`."""

    def __init__(self, peer: str, due: str) -> None:
        self.peer, self.due = peer, due  # `due`: the frame that has to come before READY, then None
        self.limits = {name: default for name, (_, default, _, _) in wire.ANNOUNCED.items()}
        self.cap, self.features = wire.HANDSHAKE_CAP, 0
        self.input, self.begun = bytearray(), False
        self.closing = False  # our BYE or fatal ERROR is sent, or all is over
        self.deaf = False  # what still comes is discarded (ERR-06)
        self.blocked = False  # the peer does not take what we send: nothing more is read from it
        self.pinged = False
        self.heard = self.started = self.now()
        self.linger_until = float("inf")

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time() * 1000

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tick()

    # ---- reading
    def data_received(self, data: bytes) -> None:
        self.heard, self.pinged = self.now(), False  # LIVE-06
        self.input += data
        self.process()

    def process(self) -> None:
        while not self.deaf and not self.blocked:
            frame = None
            try:
                frame = wire.decode(self.input, self.cap, self.peer, self._admit)
                if frame is None:
                    break
                self.begun = True
                del self.input[: len(frame.octets)]
                if frame.name and self._wants(frame.name):  # WIRE-12: others are ignored
                    getattr(self, f"on_{frame.name.lower()}")(frame)
            except Fault as fault:
                self._refuse(fault, frame)
            except Exception:
                traceback.print_exc()
                self._refuse(Fault("INTERNAL"), frame)
        if self.deaf:
            self.input.clear()
        self.flush()

    def _admit(self, number: int, layout: Layout | None) -> None:
        """Is this the time, and the direction, for a frame of this type?"""
        if self.due:
            need(layout and layout.name in (self.due, "ERROR", "BYE"), "BAD_STATE", "WIRE-13")
        need(not layout or layout.sender in (self.peer, "both"), "BAD_STATE", "WIRE-15")
        need(self.due or not layout or number > TYPE["WELCOME"], "BAD_STATE", "AUTH-01")

    def _wants(self, name: str) -> bool:
        """END-04: after its own BYE a client reads on, while a server waits for the end alone."""
        return not self.closing or self.peer == "server" or name in ("ERROR", "BYE")

    def _refuse(self, fault: Fault, frame: Frame | None) -> None:
        """Names the culprit (ERR-07); says nothing about octets of another protocol, or a malformed ERROR or BYE."""
        if fault.clause == "WIRE-02" and not self.begun:  # WIRE-03
            self.failed(fault)
            self.closing = self.deaf = True
            self.transport.abort()
            return
        number = frame.type if frame else self.input[3] if len(self.input) > 3 else None
        in_header = not frame and fault.clause in ("WIRE-02", "WIRE-04", "WIRE-06")
        if frame:
            fault.about = {name: frame[name] for name in ("room", "room_id", "counter")} | fault.about
        self.fail(fault, number, silent=not in_header and number in (TYPE["ERROR"], TYPE["BYE"]))  # ERR-10

    def eof_received(self) -> bool:
        self.ended("eof")
        self.finish(at_once=True)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.ticking.cancel()
        self.closing = self.deaf = True
        self.ended("reset" if error else "eof")

    # ---- writing
    def send(self, name: str, **fields: object) -> None:
        self.send_octets(wire.encode(name, fields))

    def send_octets(self, octets: bytes) -> None:
        if not self.closing:
            self.transport.write(octets)

    def pause_writing(self) -> None:
        self.blocked = True
        if not self.closing:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.blocked = False
        self.heard = self.now()  # LIVE-05: time in which we did not read does not count
        self.transport.resume_reading()
        self.process()

    # ---- what every peer does
    def on_ping(self, frame: Frame) -> None:
        self.flush()
        self.send("PONG", opaque=frame["opaque"])  # LIVE-01, behind all that is visible (LIVE-03)

    def on_pong(self, frame: Frame) -> None:
        """LIVE-09: it was heard, that is all."""

    def tick(self) -> None:
        """Looks at the clock, often enough for the shortest timer, and after all that has arrived was read."""
        timers = [value for name, value in self.limits.items() if name.endswith("_ms")]
        self.ticking = asyncio.get_running_loop().call_later(min(timers) / 8000, self.tick)
        now, silence = self.now(), 0 if self.blocked else self.now() - self.heard
        if self.closing:
            if now >= self.linger_until:
                self.reset()
        elif self.due:
            if now - self.started >= self.limits["handshake_ms"]:
                self.too_late()
        elif self.features & LIVENESS and silence >= self.limits["dead_after_ms"]:
            self.silent()  # LIVE-05
        elif self.features & LIVENESS and silence >= self.limits["ping_after_ms"] and not self.pinged:
            self.pinged = True
            self.send("PING", opaque=b"")  # LIVE-04

    # ---- closing
    def fail(self, fault: Fault, ref_type: int | None = None, silent: bool = False) -> None:
        """ERR-01, ERR-06: one ERROR in the place of the BYE, then deaf until the end."""
        if not silent:
            self.send("ERROR", code=fault.code, reason=str(fault), clause=fault.clause, ref_type=ref_type,
                      **fault.about)
        if is_fatal(fault.code):
            if not self.closing:
                self.failed(fault)
            self.deaf = True
            self.finish()

    def bye(self, name: str, reason: str | None = None) -> None:
        self.send("BYE", code=CODE[name], reason=reason)
        self.finish()

    def finish(self, at_once: bool = False) -> None:
        """END-01: shut the sending side down, and read on until the peer has done so, or for linger_ms."""
        if at_once or (self.closing and self.linger_until < float("inf")):
            self.transport.close()
        else:
            self.linger_until = self.now() + self.limits["linger_ms"]
            self.transport.write_eof()
            self.transport.resume_reading()
        self.closing = True

    def reset(self) -> None:
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.transport.abort()


# ---------------------------------------------------------------- programs [13]
def check_level() -> None:
    if LEVEL not in LEVELS:
        sys.exit(89)  # CON-03


def note(text: str) -> None:
    """A word for people, on stderr."""
    print(wire.visible(text), file=sys.stderr, flush=True)


def bad_settings(why: str) -> None:
    note(why)
    sys.exit(2)


def port_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        bad_settings(f"PROSA_PORT is no port: {text}")
    return int(text)


def line_fault(octets: bytes) -> str | None:
    """Why a line cannot be the text of a message, if so."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return "more than 4096 octets" if len(octets) > 4096 else "U+0000" if "\0" in text else None


def read_console(on_line: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
    """The lines of stdin, read by a thread since a file cannot be waited for; only a line feed ends one (CON-08)."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        rest = b""
        while data := os.read(0, 65536):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(on_line, line.removesuffix(b"\r"))
        if rest:
            loop.call_soon_threadsafe(on_line, rest)
        loop.call_soon_threadsafe(on_end)

    threading.Thread(target=read, daemon=True).start()
