# SPDX-License-Identifier: MIT
"""Faulty servers of level L1."""

from __future__ import annotations

import os
import signal
import time

from fault import breaks
from mini_rooms import View
from mini_session import Fatal, Session
from prosa_conformance import codec
from prosa_conformance.codec import Frame


@breaks("AUTH-16")
class AcceptsAnyAuth(Session):
    def auth_is_good(self, auth: Frame) -> bool:
        return True


@breaks("MSG-03")
class AcceptsAnySignature(Session):
    def check_signature(self, publish: Frame) -> None:
        pass


@breaks("FLOW-27")
class RaisesTheLimitAtOnce(Session):
    def accept(self, view: View, publish: Frame) -> None:
        super().accept(view, publish)
        self.raise_limit(view)


@breaks("SEC-03", falls=True)
class CrashesOnAFault(Session):
    """A fault of the peer takes the whole server down."""

    def refuse(self, fatal: Fatal) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


@breaks("MSG-03")
class SaysAnotherCode(Session):
    """Not the code of the text, yet of the right class: non-strict."""

    def refuse(self, fatal: Fatal) -> None:
        super().refuse(Fatal("DENIED" if fatal.code == "BAD_SIG" else fatal.code, fatal.clause))


@breaks("ERR-01")
class ClosesWithoutAWord(Session):
    def refuse(self, fatal: Fatal) -> None:
        self.finish(None)


@breaks("ERR-06")
class ResetsInsteadOfReadingOn(Session):
    def refuse(self, fatal: Fatal) -> None:
        super().refuse(fatal)
        self.write()
        self.state = "GONE"


@breaks("FLOW-28")
class ForgetsTheAck(Session):
    def raise_limit(self, view: View) -> None:
        pass


@breaks("AUTH-12")
class SignsBadly(Session):
    def make_challenge(self) -> Frame:
        return super().make_challenge().without("handshake_sig").plus(codec.field_value("handshake_sig", bytes(64)))


@breaks("AUTH-20")
class ExtendsItsDeadline(Session):
    """Each octet of a stranger begins the deadline anew."""

    def readable(self) -> None:
        super().readable()
        if self.state == "NEW":
            self.deadline = time.monotonic() + self.server.limits["handshake_ms"] / 1000


@breaks("AUTH-08")
class CountsLittleEndian(Session):
    """`length` goes out with its octets the wrong way round."""

    def send(self, frame: Frame) -> None:
        octets = codec.encode(frame)
        self.out += octets[:4] + octets[4:8][::-1] + octets[8:]
