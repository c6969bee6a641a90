# SPDX-License-Identifier: MIT
"""A subscriber to the feed of a bridge, which trusts nothing: two parts, one DELIVER, a signature that verifies."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from prosa_conformance import codec, crypto
from prosa_conformance.bridge import Bridge, Feed
from prosa_conformance.bugs import marked
from prosa_conformance.case import Case
from prosa_conformance.codec import Frame
from prosa_conformance.dealer import context
from prosa_conformance.language import _
from prosa_conformance.match import describe
from prosa_conformance.outcome import Guilty, NotApplicable, Unsupported, Violation
from prosa_conformance.peer import Peer, Room
from prosa_conformance.server import Server
from prosa_conformance.transcript import Kind

with contextlib.suppress(ModuleNotFoundError):  # whoever lacks it has all the rest: see transport.check_installed
    import zmq

HEARD_S = 0.1  # how long one listens for what was just said


@dataclass(frozen=True)
class Heard:
    """One message of the feed."""

    room_id: bytes
    deliver: Frame

    @property
    def seq(self) -> int:
        return self.deliver.number("room_seq")


def start_feed(server: Server, *names: str) -> Bridge:
    """A bridge of this test's own before `server`, with a feed of these rooms of the test's own.

    Any name that begins with `@` is taken as it is.
    """
    settings = server.case.settings
    host, port = settings.ports.take()
    rooms = tuple(name if name.startswith("@") else server.case.room_name(name) for name in names)
    try:
        bridge = Bridge(settings, server.address, Feed(f"tcp://{host}:{port}", rooms))
    except Unsupported:
        raise NotApplicable(_("the bridge has no feed")) from None
    server.case.watch(bridge.program, name=_("the bridge"))
    return bridge


class Subscriber:
    """`heard` is all that came; every message is checked as it is taken."""

    end: Kind | None = None

    def __init__(self, case: Case, endpoint: str, name: str = "subscriber", topic: bytes = b"") -> None:
        self.case, self.name, self.topic = case, name, topic
        self.is_killed = False
        self.heard: list[Heard] = []
        self._socket = context().socket(zmq.SUB)
        self._socket.linger = 0
        self._socket.subscribe(topic)
        self._socket.connect(endpoint)
        case.transcript.add(name, Kind.CONNECT, _("to {address}").format(address=endpoint))
        case.wires.append(self)

    def stop_listening(self) -> None:
        """The subscription is dropped: what is said from now on is lost on this one, sooner or later."""
        self._socket.unsubscribe(self.topic)

    def listen_again(self) -> None:
        self._socket.subscribe(self.topic)

    def next(self, seconds: float | None = None) -> Heard | None:
        """The next message; None when nothing comes."""
        if not self._socket.poll(int(self.case.seconds(seconds) * 1000)):
            return None
        return self._check(self._socket.recv_multipart())

    def take_all(self) -> list[Heard]:
        """What has come, and comes within a moment."""
        taken = []
        while (heard := self.next(HEARD_S)) is not None:
            taken.append(heard)
        return taken

    def _check(self, parts: list[bytes]) -> Heard:
        octets = b"".join(parts)
        verdict = codec.decode(parts[-1], "server", len(parts[-1]))
        is_frame = isinstance(verdict, codec.Decoded) and verdict.consumed == len(parts[-1])
        words = describe(verdict.frame) if isinstance(verdict, codec.Decoded) else _("a message")
        self.case.transcript.add(self.name, Kind.RECEIVED, words, octets)
        if len(parts) != 2 or not isinstance(verdict, codec.Decoded) or not is_frame or verdict.frame.name != "DELIVER":
            raise Violation(
                _("the feed sent a message that is not room_id and one DELIVER"),
                expected=_("two parts: 32 octets of room_id, and a DELIVER frame"),
                actual=_("parts of {sizes} octets").format(sizes=", ".join(str(len(part)) for part in parts)),
                guilty=Guilty(octets),
            )
        deliver = verdict.frame
        if parts[0] != deliver.octets("room_id"):
            words = _("the first part of a message of the feed is not the room_id of its DELIVER")
            raise Violation(words, expected=deliver.need("room_id").hex(), actual=parts[0].hex())
        if not crypto.verify_message(deliver):
            words = _("the author's signature of a DELIVER in the feed does not verify")
            raise Violation(words, guilty=marked(deliver, "author_sig").guilty, symptom="forged")
        self.heard.append(Heard(parts[0], deliver))
        return self.heard[-1]

    def close(self) -> None:
        if not self._socket.closed:
            self.case.transcript.add(self.name, Kind.CLOSE, "")
            self._socket.close()


def say_until_heard(speaker: Peer, room: Room, *subscribers: Subscriber) -> None:
    """Somebody speaks until these have heard it: a feed joins, and a subscription arrives, in their own time."""
    case = speaker.case
    deadline = case.deadline(10.0)
    number = 0
    for subscriber in subscribers:
        before = len(subscriber.heard)
        while len(subscriber.heard) == before:
            if not case.left(deadline):
                raise Violation(_("nothing of what is said in the room comes over the feed"), symptom="silence")
            speaker.say(room, f"is anybody listening? {number}")
            number += 1
            subscriber.next(HEARD_S)
