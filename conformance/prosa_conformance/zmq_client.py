# SPDX-License-Identifier: MIT
"""A ZeroMQ client as a bridge sees it: a DEALER in a test's hand, message by message and part by part.

A `Peer` speaks over ZeroMQ as it does over TCP, and sees frames alone; this is for the tests of chapter 12.
"""

from __future__ import annotations

import contextlib
import time

from prosa_conformance import codec
from prosa_conformance.bugs import Faulty
from prosa_conformance.case import Case
from prosa_conformance.codec import Frame
from prosa_conformance.dealer import LINGER_MS, context, endpoint_of, is_frame
from prosa_conformance.kinds import Value
from prosa_conformance.language import _
from prosa_conformance.match import Like, Rule, describe
from prosa_conformance.outcome import Guilty, Violation
from prosa_conformance.transcript import Kind

with contextlib.suppress(ModuleNotFoundError):  # whoever lacks it has all the rest: see transport.check_installed
    import zmq


class ZmqClient:
    """`options` are those of a ZeroMQ socket: routing_id=b"...", rcvhwm=1, ..."""

    end: Kind | None = None  # ZeroMQ tells of none

    def __init__(self, case: Case, address: tuple[str, int], name: str, **options: int | bytes) -> None:
        self.case, self.name = case, name
        self.is_killed = False
        self._socket = context().socket(zmq.DEALER)
        self._socket.linger = LINGER_MS
        for option, value in options.items():
            setattr(self._socket, option, value)
        self._socket.connect(endpoint_of(address))
        case.transcript.add(name, Kind.CONNECT, _("to {address}").format(address=f"{address[0]}:{address[1]}"))
        case.wires.append(self)

    # --- sending ---

    def send(self, frame: Frame | Faulty) -> None:
        """A message of one part."""
        octets = frame.octets if isinstance(frame, Faulty) else codec.encode(frame)
        self.send_parts(octets, what=frame.what if isinstance(frame, Faulty) else describe(frame))

    def send_parts(self, *parts: bytes, what: str) -> None:
        self.case.transcript.add(self.name, Kind.SENT, _(what), b"".join(parts))
        if not self._socket.poll(self._left_ms(self.case.deadline()), zmq.POLLOUT):
            words = _("{subject} takes nothing more of {who}").format(subject=self.case.subject, who=self.name)
            raise Violation(words, expected=_("the octets are read"), actual=_("silence"), symptom="stalled")
        self._socket.send_multipart(list(parts))

    # --- receiving ---

    def next_frame(self, missing: str = "", seconds: float | None = None) -> Frame:
        """The next message, which is one part, which is one frame; `missing` is what it should be."""
        octets = self.next_octets(missing, seconds)
        verdict = codec.decode(octets, "server", len(octets))
        if not isinstance(verdict, codec.Decoded):
            words = _("{subject} sent octets that are no good frame: {why}")
            why = verdict.why if isinstance(verdict, codec.Rejected) else _("of no known type")
            raise Violation(words.format(subject=self.case.subject, why=why), guilty=Guilty(octets))
        return verdict.frame

    def next_octets(self, missing: str = "", seconds: float | None = None) -> bytes:
        """The next message, which is one part with one frame of any kind."""
        missing = missing or _("a frame")
        parts = self._next_message(self.case.deadline(seconds))
        if parts is None:
            words = _("{subject} did not send {what} to {who}")
            words = words.format(subject=self.case.subject, what=missing, who=self.name)
            raise Violation(words, expected=missing, actual=_("silence"), symptom="silence")
        octets = b"".join(parts)
        if len(parts) != 1 or not is_frame(octets):
            raise Violation(
                _("the bridge sent {who} a message that is not one part with one frame").format(who=self.name),
                expected=_("one part, which is one frame [ZMQ-01]"),
                actual=_("parts of {sizes} octets").format(sizes=", ".join(str(len(part)) for part in parts)),
                guilty=Guilty(octets),
            )
        return octets

    def expect(self, name: str, /, seconds: float | None = None, **fields: Value | Rule) -> Frame:
        """The next message is this frame."""
        like = Like(name, **fields)
        frame = self.next_frame(str(like), seconds)
        if like.mismatch(frame):
            words = _("{subject} sent {who} {frame} where {what} was due").format(
                subject=self.case.subject, who=self.name, frame=frame.name, what=like
            )
            symptom = "other-error" if frame.name == name == "ERROR" else ""
            raise Violation(words, expected=str(like), actual=describe(frame), symptom=symptom)
        return frame

    def has_message(self, seconds: float) -> bool:
        """Whether one is there within so long; it is not taken."""
        return bool(self._socket.poll(int(seconds * 1000)))

    def _next_message(self, deadline: float) -> list[bytes] | None:
        if not self._socket.poll(self._left_ms(deadline)):
            return None
        parts = self._socket.recv_multipart()
        octets = b"".join(parts)
        verdict = codec.decode(octets, "server", len(octets))
        words = describe(verdict.frame) if isinstance(verdict, codec.Decoded) else _("a message")
        self.case.transcript.add(self.name, Kind.RECEIVED, words, octets)
        return parts

    @staticmethod
    def _left_ms(deadline: float) -> int:
        return max(0, int((deadline - time.monotonic()) * 1000))

    # --- its end ---

    def close(self) -> None:
        """What was sent still goes out."""
        if not self._socket.closed:
            self.case.transcript.add(self.name, Kind.CLOSE, "")
            self._socket.close()
