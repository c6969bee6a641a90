# SPDX-License-Identifier: MIT
"""Bridges that begin, keep and end connections as they should not."""

from __future__ import annotations

import os
import socket
from functools import partial

import fault
from mini_bridge import Client, MiniBridge, is_hello
from prosa_conformance import codec
from prosa_conformance.registry import FRAMES

breaks = partial(fault.breaks, level="L3", features=("liveness", "resume", "audit"))


# --- ZMQ-04 ---


@breaks("ZMQ-04")
class SharesOneConnection(Client):
    """Whoever reads first has the answer."""

    def connect(self) -> socket.socket:
        first = self.bridge.__dict__.setdefault("first", None)
        if first is None:
            first = self.bridge.__dict__["first"] = super().connect()
        return socket.socket(fileno=os.dup(first.fileno()))


@breaks("ZMQ-04")
class BeginsOnce(Client):
    """A routing id has one session, and no other after that."""

    def begin(self, hello: bytes) -> None:
        if not self.is_known:
            super().begin(hello)


@breaks("ZMQ-04")
class TakesWhatWasOnItsWayForNew(Client):
    def take_first(self, frame: bytes) -> None:
        if self.is_known:
            self.begin(frame)
        else:
            super().take_first(frame)


# --- ZMQ-05 ---


@breaks("ZMQ-05")
class BeginsWithAnything(Client):
    """To judge what comes first is for the server."""

    def take_first(self, frame: bytes) -> None:
        self.begin(frame)


@breaks("ZMQ-05")
class WaitsForHello(Client):
    """Without a word."""

    def take_first(self, frame: bytes) -> None:
        if is_hello(frame):
            self.begin(frame)


@breaks("ZMQ-05")
class TakesItForABadFrame(Client):
    def refuse(self, code: str) -> None:
        super().refuse("BAD_FRAME" if code == "BAD_STATE" else code)


@breaks("ZMQ-05")
class ConnectsBeforeItLooks(Client):
    def take_first(self, frame: bytes) -> None:
        if not is_hello(frame):
            self.connect()
        super().take_first(frame)


# --- ZMQ-06 ---


@breaks("ZMQ-06")
class SaysNothingOfTheLoss(Client):
    def say_lost(self) -> None:
        return


@breaks("ZMQ-06")
class SaysGoodbyeTwice(Client):
    """Behind the server's own."""

    def lose_server(self) -> None:
        self.pump()
        self.has_ended = False
        super().lose_server()


@breaks("ZMQ-06")
class TakesEveryErrorForTheEnd(Client):
    def give(self, frame: bytes) -> bool:
        self.has_ended = self.has_ended or frame[3] == FRAMES["ERROR"].type
        return super().give(frame)


@breaks("ZMQ-06")
class IsTooHastyWithBadNews(Client):
    """What the server said before comes after it."""

    def pump(self) -> None:
        if self.sock is not None and not self.has_ended and self.is_at_end(self.sock):
            self.say_lost()
            self.has_ended = True
        super().pump()

    @staticmethod
    def is_at_end(sock: socket.socket) -> bool:
        try:
            return not sock.recv(1, socket.MSG_PEEK)
        except OSError:
            return False


@breaks("ZMQ-06")
class HasNoWordForTheUnreachable(Client):
    def connected(self) -> None:
        assert self.sock is not None
        if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.hang_up()
        else:
            super().connected()


@breaks("ZMQ-06")
class SaysNormal(MiniBridge):
    """The client takes it for the end that it asked for."""

    class Polite(Client):
        def say_lost(self) -> None:
            self.give(codec.encode(codec.frame("BYE", code="NORMAL")))

    client_class = Polite


# --- ZMQ-13 ---


@breaks("ZMQ-13")
class NeverSeesThemGo(Client):
    def see_gone(self) -> None:
        return


@breaks("ZMQ-13")
class CutsThemOff(Client):
    """Whoever has gone has nothing more to say."""

    def see_gone(self) -> None:
        super().see_gone()
        self.hang_up()

    def take_first(self, frame: bytes) -> None:
        if not self.is_gone:
            super().take_first(frame)


@breaks("ZMQ-13")
class RemembersThemForEver(Client):
    """Who comes back goes on, and is not told that there is nothing to go on with."""

    def may_go(self) -> bool:
        if super().may_go():
            self.hang_up()
            self.is_gone = False
        return False
