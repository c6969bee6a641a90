# SPDX-License-Identifier: MIT
"""A bridge between ZeroMQ clients and a server, both in a test's hand (chapter 12).

    alice, at_server = relay.pair("alice")
    at_server.send(frame)
    alice.expect("PONG")

Brackets: `relay.serves("before")` is a client whose frames go to the server and back.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prosa_conformance import codec
from prosa_conformance.bridge import Bridge
from prosa_conformance.bugs import SOUND
from prosa_conformance.case import END_S, WAIT_S, Case
from prosa_conformance.codec import Frame
from prosa_conformance.language import _
from prosa_conformance.outcome import Violation
from prosa_conformance.process import Ended, still_running
from prosa_conformance.registry import LIMITS
from prosa_conformance.scripted_server import ScriptedServer, Session
from prosa_conformance.transcript import Kind
from prosa_conformance.zmq_client import ZmqClient

HELLO = SOUND["HELLO"]


class Relay:
    """A running bridge, and the server behind it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.server = ScriptedServer(case)
        self.bridge = Bridge(case.settings, (self.server.host, self.server.port))
        self._watched = case.watch(self.bridge.program)

    def connect(self, name: str = "alice", **options: int | bytes) -> ZmqClient:
        """A client that has said nothing yet."""
        return ZmqClient(self.case, self.bridge.address, name, **options)

    def accept(self, name: str) -> Session:
        """The connection that the bridge makes for a client that has said HELLO."""
        session = self.server.accept(self.bridge.program, _("server of {who}").format(who=name), WAIT_S)
        session.cap = LIMITS["max_frame"].max
        session.answers_pings = False
        return session

    def begin(self, client: ZmqClient, hello: Frame = HELLO) -> Session:
        """A client says HELLO, and that comes to the server."""
        client.send(hello)
        session = self.accept(client.name)
        came = session.expect("HELLO")
        assert came == hello, _("the HELLO of {who} came to the server as another").format(who=client.name)
        return session

    def pair(self, name: str = "alice", **options: int | bytes) -> tuple[ZmqClient, Session]:
        """A client and its connection to the server, with HELLO on it."""
        client = self.connect(name, **options)
        return client, self.begin(client)

    def serves(self, name: str) -> None:
        """A client of its own is relayed, from HELLO to BYE."""
        client, session = self.pair(name)
        see_relayed(client, session)
        client.send(codec.frame("BYE", code="NORMAL"))
        session.expect("BYE")
        session.send(codec.frame("BYE", code="NORMAL"))
        client.expect("BYE", code="NORMAL")
        session.close()
        client.close()

    @contextmanager
    def bracket(self) -> Iterator[None]:
        """Around what a bridge refuses: before and after it a client is relayed, and the bridge lives."""
        start = len(self.case.transcript.events)
        self.serves("before")
        self.case.transcript.fold(start, _("a client of its own is relayed"))
        yield
        self.check_alive()
        self.serves("after")

    def check_alive(self) -> None:
        self._watched.check(self.case.subject)

    def terminate(self) -> None:
        """SIGTERM."""
        self._watched.end_expected = True
        self.case.transcript.add("the suite", Kind.PROGRAM, _("sends {signal} to the bridge").format(signal="SIGTERM"))
        self.bridge.program.signal(signal.SIGTERM)

    def expect_exit(self, code: int) -> Ended:
        ended = self.bridge.program.wait_end(self.case.seconds(END_S))
        if ended is None or ended.code != code:
            raise Violation(
                _("the bridge did not end with exit code {code}").format(code=code),
                expected=_("exit code {code}").format(code=code),
                actual=str(ended) if ended else still_running(self.case.seconds(END_S)),
            )
        return ended

    def stop(self) -> None:
        self.server.stop_listening()
        self.bridge.end()


def see_relayed(client: ZmqClient, session: Session) -> None:
    """A question there and an answer back: whatever was on the way before has come."""
    opaque = client.case.rng.randbytes(8)
    client.send(codec.frame("PING", opaque=opaque))
    session.expect("PING", opaque=opaque)
    session.send(codec.frame("PONG", opaque=opaque))
    client.expect("PONG", opaque=opaque)


def check_came(session: Session, octets: bytes) -> None:
    """The bridge sends these octets to the server, and no others before them."""
    came = bytearray()
    with suppress(TimeoutError):
        while len(came) < len(octets) and session.end is None:
            came += session.take(session.case.seconds())
    if came != octets:
        words = _("the server got other octets than were sent to it")
        expected, actual = _("{count} octets"), _("{count} octets, of which the first {same} are the same")
        same = next((at for at, pair in enumerate(zip(came, octets, strict=False)) if pair[0] != pair[1]), len(came))
        raise Violation(
            words, expected=expected.format(count=len(octets)), actual=actual.format(count=len(came), same=same)
        )
