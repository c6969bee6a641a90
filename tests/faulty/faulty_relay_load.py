# SPDX-License-Identifier: MIT
"""Bridges that hoard, lose, or let one harm the others."""

from __future__ import annotations

import select
import socket
from functools import partial

import zmq

import fault
import mini_bridge
from mini_bridge import Client, MiniBridge

breaks = partial(fault.breaks, level="L3", features=("liveness", "resume", "audit"))
LOW, HIGH = 20_000, 100_000


# --- ZMQ-07, ZMQ-14 ---


@breaks("ZMQ-07", "ZMQ-14", "ZMQ-10")
class ReadsOn(Client):
    """While the client takes nothing."""

    def events(self) -> int:
        events = super().events()
        return events | zmq.POLLIN if events or self.is_stalled else events

    def readable(self) -> None:
        stalled, stream = self.is_stalled, self.__dict__.setdefault("kept", bytearray())
        if not stalled:
            super().readable()
            return
        assert self.sock is not None
        try:
            stream += self.sock.recv(mini_bridge.AT_ONCE)
        except OSError:
            return

    def pump(self) -> None:
        self.stream += bytes(self.__dict__.pop("kept", b""))
        super().pump()


@breaks("ZMQ-07")
class LosesWhatIsNotTaken(Client):
    """What the client does not take now it has never."""

    def give(self, frame: bytes) -> bool:
        super().give(frame)
        self.is_stalled = False
        return self.sock is not None


@breaks("ZMQ-14")
class HoardsInZeroMQ(MiniBridge):
    """A high-water mark that nobody reaches."""

    def set_options(self) -> None:
        super().set_options()
        self.router.sndhwm = HIGH


# --- ZMQ-09 ---


@breaks("ZMQ-09")
class HasALowFuse(Client):
    """Within credit is too much for it."""

    def pass_on(self, frame: bytes) -> None:
        if len(self.to_server) > LOW:
            self.refuse("FLOW_VIOLATION")
        else:
            super().pass_on(frame)


@breaks("ZMQ-09")
class DropsBeyondTheFuse(Client):
    def pass_on(self, frame: bytes) -> None:
        if len(self.to_server) < LOW:
            super().pass_on(frame)


# --- ZMQ-10 ---


@breaks("ZMQ-10")
class KeepsWhateverComes(Client):
    def pass_on(self, frame: bytes) -> None:
        self.to_server += frame
        self.flush()


@breaks("ZMQ-10")
class WaitsForWhoTakesNothing(MiniBridge):
    """And everybody with it."""

    def send(self, identity: bytes, frame: bytes) -> None:
        try:
            super().send(identity, frame)
        except zmq.Again:
            self.wait_for(identity, frame)

    def wait_for(self, identity: bytes, frame: bytes) -> None:
        while not self.over:
            select.select([], [], [], mini_bridge.PAUSE_S)
            try:
                super().send(identity, frame)
            except zmq.Again:
                continue
            return


@breaks("ZMQ-10")
class WaitsForTheServer(Client):
    def connect(self) -> socket.socket:
        sock = super().connect()
        sock.setblocking(True)
        return sock


@breaks("ZMQ-10")
class HasNoWordForTheCrowd(Client):
    def refuse(self, code: str) -> None:
        if code != "BUSY":
            super().refuse(code)


@breaks("ZMQ-10")
class EndsTheFirstForTheLast(Client):
    """It makes room for a newcomer."""

    def begin(self, hello: bytes) -> None:
        connected = self.bridge.connected()
        if len(connected) >= mini_bridge.PLACES:
            connected[0].lose_server()
        super().begin(hello)


@breaks("ZMQ-10", falls=True)
class FallsOverWhoHasGone(MiniBridge):
    """EHOSTUNREACH is an error, and nobody deals with it."""

    class Frail(Client):
        def give(self, frame: bytes) -> bool:
            try:
                self.bridge.send(self.identity, frame)
            except zmq.Again:
                self.is_stalled = True
                return False
            return True

        def see_gone(self) -> None:
            return

    client_class = Frail
