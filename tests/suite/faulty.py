# SPDX-License-Identifier: MIT
"""Faulty servers: each variant of the small server breaks the clause that its docstring begins with.

    PYTHONPATH=conformance python3 tests/suite/faulty.py NAME [echo]
"""

from __future__ import annotations

import os
import signal
import sys
import time

from mini_rooms import View
from mini_server import MiniServer, main
from mini_session import Fatal, Session
from prosa_conformance import codec
from prosa_conformance.codec import Frame


class AcceptsAnyAuth(Session):
    """AUTH-16"""

    def auth_is_good(self, auth: Frame) -> bool:
        return True


class AcceptsAnySignature(Session):
    """MSG-03"""

    def check_signature(self, publish: Frame) -> None:
        pass


class RaisesTheLimitAtOnce(Session):
    """FLOW-27"""

    def accept(self, view: View, publish: Frame) -> None:
        super().accept(view, publish)
        self.raise_limit(view)


class CrashesOnAFault(Session):
    """SEC-03: a fault of the peer takes the whole server down."""

    def refuse(self, fatal: Fatal) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class SaysAnotherCode(Session):
    """MSG-03: not the code of the text, yet of the right class: non-strict."""

    def refuse(self, fatal: Fatal) -> None:
        super().refuse(Fatal("DENIED" if fatal.code == "BAD_SIG" else fatal.code, fatal.clause))


class ClosesWithoutAWord(Session):
    """ERR-01"""

    def refuse(self, fatal: Fatal) -> None:
        self.finish(None)


class ResetsInsteadOfReadingOn(Session):
    """ERR-06"""

    def refuse(self, fatal: Fatal) -> None:
        super().refuse(fatal)
        self.write()
        self.state = "GONE"


class ForgetsTheAck(Session):
    """FLOW-28"""

    def raise_limit(self, view: View) -> None:
        pass


class SignsBadly(Session):
    """AUTH-12"""

    def make_challenge(self) -> Frame:
        return super().make_challenge().without("handshake_sig").plus(codec.field_value("handshake_sig", bytes(64)))


class ExtendsItsDeadline(Session):
    """AUTH-20: each octet of a stranger begins the deadline anew."""

    def readable(self) -> None:
        super().readable()
        if self.state == "NEW":
            self.deadline = time.monotonic() + self.server.limits["handshake_ms"] / 1000


class CountsLittleEndian(Session):
    """AUTH-08: `length` goes out with its octets the wrong way round."""

    def send(self, frame: Frame) -> None:
        octets = codec.encode(frame)
        self.out += octets[:4] + octets[4:8][::-1] + octets[8:]


VARIANTS = {
    name: kind for name, kind in globals().items() if isinstance(kind, type) and kind.__module__ == __name__
}


if __name__ == "__main__":

    class FaultyServer(MiniServer):
        session_class = VARIANTS[sys.argv[1]]

    main(FaultyServer)
