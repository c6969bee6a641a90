# SPDX-License-Identifier: MIT
"""One end of a connection in the suite's hand: blocking, one deadline a wait, all written down.

`Wire` moves octets and tells FIN from RST; `Endpoint` moves frames and knows what to expect.
Neither knows the protocol's course: that is in peer.py (as a client) and scripted_server.py.
"""

from __future__ import annotations

import secrets
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby, pairwise

from prosa_conformance import codec
from prosa_conformance.bugs import HEADER_FIELDS, Faulty, span
from prosa_conformance.case import Case
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value
from prosa_conformance.language import _, ngettext
from prosa_conformance.match import Like, Rule, describe
from prosa_conformance.outcome import Guilty, Violation
from prosa_conformance.queues import octets_on_their_way, unread_octets
from prosa_conformance.registry import CODES, CONSTANTS
from prosa_conformance.transcript import Kind
from prosa_conformance.transport import PeerSocket

# Frames that may come between any two others; they are answered or kept, and passed over.
BACKGROUND = frozenset({"ACK", "MEMBER", "CHECKPOINT", "PING", "PONG"})
OWED = frozenset({"DELIVER", "ACK", "MEMBER"})
MOST_PATIENT = 10  # waits, for who sends such frames without an end
UNREAD_POLL_S = 0.001
UNREAD_PATIENCE_S = 0.25


class Wire:
    """A connected socket: octets, their end, and the ways to be a bad neighbour."""

    def __init__(self, case: Case, sock: socket.socket, name: str) -> None:
        self.case = case
        self.name = name
        self.end: Kind | None = None
        self.is_killed = False  # the other end was killed: it may end in mid-frame
        self.octets_put = 0
        self._socket = sock
        self._open = True
        self._was_refused = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        case.wires.append(self)

    def put(self, octets: bytes, what: str, guilty: Guilty | None = None) -> None:
        """Send octets. That the other end has closed is not an error here: reading will tell."""
        self.case.transcript.add(self.name, Kind.SENT, _(what), octets, guilty)
        self._push(octets)

    def _push(self, octets: bytes) -> bool:
        self._socket.settimeout(self.case.seconds())
        try:
            self._socket.sendall(octets)
        except TimeoutError:
            raise Violation(
                _("{subject} stopped reading while {who} was sending").format(subject=self.case.subject, who=self.name),
                expected=_("the octets are read"),
                actual=_("nothing moved for {seconds:.1f} s").format(seconds=self.case.seconds()),
                symptom="stalled",
            ) from None
        except OSError:
            self._refused()
            return False
        self.octets_put += len(octets)
        return True

    @property
    def was_reset(self) -> bool:
        """Whether an RST has come, also one behind a FIN, which reading alone does not show."""
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
            self._refused()  # to ask takes the error away
        return self._was_refused or self.end is Kind.RESET

    def _refused(self) -> None:
        if not self._was_refused and self.end is not Kind.RESET:
            self.case.transcript.add(self.name, Kind.RESET, "")
        self._was_refused = True

    def take(self, seconds: float) -> bytes:
        """The octets that are there, waiting up to `seconds` for the first; empty at the end."""
        if self.end is not None:
            return b""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            octets = self._socket.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            self._ended(Kind.RESET)
            return b""
        if not octets and isinstance(self._socket, PeerSocket):
            self._ended_over_zeromq(self._socket)
        elif not octets:
            self._ended(Kind.FIN)
        return octets

    def _ended_over_zeromq(self, sock: PeerSocket) -> None:
        self._ended(Kind.LOST if sock.is_lost else Kind.FIN)
        if sock.trouble:
            octets = b"".join(sock.trouble)
            raise Violation(
                _("the bridge sent {who} a message that is not one part with one frame").format(who=self.name),
                expected=_("one part, which is one frame [ZMQ-01]"),
                actual=_("parts of {sizes} octets").format(sizes=", ".join(str(len(part)) for part in sock.trouble)),
                guilty=Guilty(octets),
            )

    def _ended(self, how: Kind) -> None:
        self.end = how
        self.case.transcript.add(self.name, how, "")

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    # --- what is on its way ---

    def put_some(self, octets: bytes) -> int:
        """Send as much as the kernel takes without waiting; how many octets that was."""
        self._socket.setblocking(False)
        try:
            count = self._socket.send(octets)
        except OSError:  # it is full, or the other end has closed
            return 0
        self.octets_put += count
        return count

    @property
    def octets_read(self) -> int | None:
        """How much of what was sent the program at the other end has read, where the kernel tells."""
        unread = unread_octets(self._socket)
        return None if unread is None else self.octets_put - unread

    @property
    def octets_kept(self) -> int | None:
        """How much the kernel keeps of what was sent here, where it tells."""
        return octets_on_their_way(self._socket)

    # --- bad manners ---

    def put_piecewise(self, octets: bytes, what: str, cuts: Iterable[int] | None = None) -> None:
        """Send in pieces cut at these offsets (all of them when none are given).

        The next piece goes out when the program has read the last one, where that can be seen.
        """
        edges = [0, *(range(1, len(octets)) if cuts is None else cuts), len(octets)]
        words = _("{what}, in {count} pieces").format(what=_(what), count=len(edges) - 1)
        self.case.transcript.add(self.name, Kind.SENT, words, octets)
        for start, stop in pairwise(edges):
            if not self._push(octets[start:stop]):
                return
            self.wait_read()

    def wait_read(self) -> None:
        """Return when the other end has read all that was sent, has refused it, or cannot be seen to."""
        limit = time.monotonic() + UNREAD_PATIENCE_S
        while unread_octets(self._socket) and not self.was_reset and time.monotonic() < limit:
            awaited = [self._socket] if self.end is None else []  # behind the end it is always readable
            if select.select(awaited, [], [], UNREAD_POLL_S)[0]:
                return

    def dribble_until_closed(self, octets: bytes, pause: float) -> bool:
        """One octet each `pause` seconds; whether the other end spoke or closed before the last one."""
        words = _("one octet each {ms:.0f} ms").format(ms=pause * 1000)
        self.case.transcript.add(self.name, Kind.SENT, words, octets)
        for octet in octets:
            if not self._push(bytes([octet])) or select.select([self._socket], [], [], pause)[0]:
                return True
        return False

    def dribble(self, octets: bytes, pause: float) -> float:
        """One octet each `pause` seconds, whatever the other end says; the longest time between two of them."""
        words = _("one octet each {ms:.0f} ms").format(ms=pause * 1000)
        self.case.transcript.add(self.name, Kind.SENT, words, octets)
        longest, last = 0.0, time.monotonic()
        for octet in octets:
            select.select([], [], [], pause)
            self._push(bytes([octet]))
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    def wait_heard(self) -> None:
        """Return when the other end has sent something, without reading it."""
        select.select([self._socket], [], [], self.case.seconds())

    def half_close(self) -> None:
        """shutdown(SHUT_WR): nothing more is sent, everything is still read."""
        self.case.transcript.add(self.name, Kind.SHUT, "")
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def reset(self) -> None:
        """Close so that the other end sees RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close(Kind.ABORT)

    def close(self, how: Kind = Kind.CLOSE) -> None:
        if self._open:
            self._open = False
            self.case.transcript.add(self.name, how, "")
            self._socket.close()


class Endpoint(Wire):
    """Frames in and out. `peer_role` is the role of the other end: "client" or "server"."""

    def __init__(self, case: Case, sock: socket.socket, name: str, peer_role: str) -> None:
        super().__init__(case, sock, name)
        self.peer_role = peer_role
        self.cap = CONSTANTS["max_frame_handshake"]
        self.received: list[Frame] = []
        self.ignored: list[int] = []  # types of the ignorable frames that came
        self.sent: list[Frame] = []  # without those that have a fault
        self.answers_pings = True
        self.may_be_cut = False  # a reset in mid-frame is what may come here
        self._buffer = b""

    # --- sending ---

    def send(self, frame: Frame | Faulty) -> None:
        """Send a frame, or octets with a fault from bugs.py."""
        if isinstance(frame, Faulty):
            self.put(frame.octets, frame.what, frame.guilty)
        else:
            self.sent.append(frame)
            self.put(codec.encode(frame), describe(frame))

    def send_together(self, *frames: Frame | Faulty) -> None:
        """All frames in one segment."""
        parts = [f.octets if isinstance(f, Faulty) else codec.encode(f) for f in frames]
        names = [f.what if isinstance(f, Faulty) else describe(f) for f in frames]
        self.sent += [f for f in frames if not isinstance(f, Faulty)]
        octets, guilty = b"".join(parts), None
        for number, frame in enumerate(frames):
            if isinstance(frame, Faulty):
                before = sum(map(len, parts[:number]))
                guilty = replace(frame.guilty, octets=octets, offset=before + frame.guilty.offset)
                break
        self.put(octets, _("in one segment: {frames}").format(frames=", ".join(names)), guilty)

    def bye(self, code: str = "NORMAL") -> None:
        self.send(codec.frame("BYE", code=code))

    # --- receiving ---

    def next_frame(self, seconds: float | None = None) -> Frame:
        """The very next frame of a known type. A PING is answered, and returned all the same."""
        return self._due_frame(self.case.deadline(seconds), _("a frame"), [])

    def expect(self, name: str, /, seconds: float | None = None, **fields: Value | Rule) -> Frame:
        """Wait for a frame of this name with these fields; see `expect_in_any_order`."""
        return self.expect_in_any_order(Like(name, **fields), seconds=seconds)[0]

    def expect_in_any_order(self, *wanted: Like, seconds: float | None = None) -> list[Frame]:
        """Wait until a frame has come for each of `wanted`; they are returned in that order.

        ACK, MEMBER, CHECKPOINT, PING and PONG that are not asked for are passed over (see
        `received`); any other frame is a violation.
        """
        found: dict[int, Frame] = {}
        passed: list[str] = []
        deadline = self.case.deadline(seconds)
        while len(found) < len(wanted):
            due = [index for index in range(len(wanted)) if index not in found]
            missing = _(" and ").join(str(wanted[index]) for index in due)
            frame = self._due_frame(deadline, missing, passed)
            index = next((i for i in due if not wanted[i].mismatch(frame)), None)
            if index is not None:
                found[index] = frame
            elif frame.name in BACKGROUND:
                passed.append(describe(frame))
            else:
                raise self._wrong_frame(frame, [wanted[i] for i in due], missing)
        return [found[index] for index in range(len(wanted))]

    def _due_frame(self, deadline: float, missing: str, passed: list[str], *, refused: bool = False) -> Frame:
        """The next frame; without one a violation that says what was missing, after what; `refused`: it is an ERROR."""
        symptom = "accepted" if refused and passed else ""
        try:
            frame = self._read_frame(deadline)
        except TimeoutError:
            words = _("{subject} did not send {what} to {who}")
            words = words.format(subject=self.case.subject, what=missing, who=self.name)
            symptom = symptom or ("no-ack" if missing.startswith("ACK ") else "silence")
            raise self._violation(words, missing, _listed(passed, _("silence")), symptom) from None
        if frame is None:
            words = _("{subject} ended the connection where {what} was due")
            words = words.format(subject=self.case.subject, what=missing)
            symptom = symptom or ("no-error" if refused else "closed")
            raise self._violation(words, missing, _listed(passed, _end_words(self.end)), symptom)
        return frame

    def _wrong_frame(self, frame: Frame, wanted: list[Like], missing: str) -> Violation:
        symptom = "" if frame.name != "ERROR" else "other-error" if wanted[0].name == "ERROR" else "refuses-good"
        octets = codec.encode(frame)
        like = next((one for one in wanted if one.name == frame.name), wanted[0])
        part = like.mismatch(frame)
        is_there = part == "type" or (bool(part) and frame.has(part))
        mark = Guilty(octets, *span(octets, part), part) if is_there else Guilty(octets)
        return Violation(
            _("{subject} sent {who} {frame} where {what} was due").format(
                subject=self.case.subject, who=self.name, frame=frame.name, what=missing
            ),
            expected=missing,
            actual=describe(frame),
            guilty=mark,
            symptom=symptom,
        )

    def frames_here(self) -> list[Frame]:
        """The frames that have come by now; waits for nothing."""
        start = len(self.received)
        if self.end is None and select.select([self], [], [], 0)[0]:
            self._buffer += self.take(0)
        with suppress(TimeoutError):
            while self._read_frame(0) is not None:
                continue
        return self.received[start:]

    def barrier(self, seconds: float | None = None) -> list[Frame]:
        """PING, and all frames that came before its PONG."""
        opaque = secrets.token_bytes(8)
        start = len(self.received)
        self.send(codec.frame("PING", opaque=opaque))
        self._read_until(Like("PONG", opaque=opaque), _("the PONG of the suite's PING"), seconds)
        return self.received[start:-1]

    def expect_until(self, name: str, seconds: float | None = None, **fields: Value | Rule) -> Frame:
        """Read until such a frame comes, whatever comes before it."""
        like = Like(name, **fields)
        return self._read_until(like, str(like), seconds)

    def _read_until(self, like: Like, words: str, seconds: float | None) -> Frame:
        """One deadline for the wait; what the room owed before, however much it is, counts from its last frame."""
        deadline = self.case.deadline(seconds)
        limit = deadline + MOST_PATIENT * self.case.seconds(seconds)
        passed: list[str] = []
        while like.mismatch(frame := self._due_frame(deadline, words, passed)):
            passed.append(describe(frame))
            if frame.name in OWED:
                deadline = min(limit, self.case.deadline(seconds))
        return frame

    def expect_error(self, code: str, *also: str, closes: bool | None = None) -> Frame:
        """Wait for ERROR: the class must be that of `code`, another code of it is non-strict.

        `also` names codes that are just as good. Then the connection must end, or stay, as the
        class says (`closes` overrides).
        """
        frame = self.expect_until_error(f"ERROR {code}")
        number = frame.number("code")
        allowed = (code, *also)
        wanted = _(" or ").join(allowed)
        if number >> 8 not in {CODES[name].number >> 8 for name in allowed}:
            raise self._wrong_frame(frame, [Like("ERROR", code=code)], f"ERROR {wanted}")
        if number not in {CODES[name].number for name in allowed}:
            words = _("{frame} where the text says {code}")
            self.case.not_strict(words.format(frame=describe(frame), code=wanted))
        fatal = number >> 8 not in (4, 5)
        if fatal if closes is None else closes:
            self.expect_closed()
        return frame

    def expect_until_error(self, missing: str) -> Frame:
        """The ERROR; other frames that were on their way may come before it, a BYE may not."""
        deadline = self.case.deadline()
        passed: list[str] = []
        while True:
            frame = self._due_frame(deadline, missing, passed, refused=True)
            if frame.name == "ERROR":
                return frame
            if frame.name == "BYE":
                raise self._wrong_frame(frame, [Like("ERROR")], missing)
            passed.append(describe(frame))

    def expect_closed(self, *, silently: bool = False, seconds: float | None = None) -> Kind:
        """Wait for the end of the stream and say how it came: FIN or RST (or LOST, over ZeroMQ).

        `silently`: no frame, not even a fitting one, may come before it.
        """
        for frame in self._frames_to_the_end(seconds):
            if silently or frame.name not in BACKGROUND:
                words = _("{subject} sent {frame} where it should have closed")
                words = words.format(subject=self.case.subject, frame=frame.name)
                raise self._violation(words, _("the end of the stream"), describe(frame), "")
        assert self.end is not None
        return self.end

    def expect_until_end(self) -> Kind:
        """Read to the end of the stream, whatever comes before it, and say whether it was FIN or RST."""
        for _frame in self._frames_to_the_end(None):
            pass
        assert self.end is not None
        return self.end

    def _frames_to_the_end(self, seconds: float | None) -> Iterator[Frame]:
        """As patient as `_read_until` with what the room owed before."""
        deadline = self.case.deadline(seconds)
        limit = deadline + MOST_PATIENT * self.case.seconds(seconds)
        try:
            while (frame := self._read_frame(deadline)) is not None:
                yield frame
                if frame.name in OWED:
                    deadline = min(limit, self.case.deadline(seconds))
        except TimeoutError:
            words = _("{subject} did not close the connection of {who}")
            words = words.format(subject=self.case.subject, who=self.name)
            raise self._violation(words, _("the end of the stream"), _("still open"), "still-open") from None

    # --- inside ---

    def _violation(self, sentence: str, expected: str, actual: str, symptom: str) -> Violation:
        return Violation(sentence, expected=expected, actual=actual, symptom=symptom)

    def _read_frame(self, deadline: float) -> Frame | None:
        """The next known frame, None at the end of the stream; TimeoutError at the deadline."""
        while True:
            verdict = codec.decode(self._buffer, self.peer_role, self.cap)
            if isinstance(verdict, codec.Partial):
                octets = self.take(deadline - time.monotonic()) if deadline > time.monotonic() else None
                if octets is None:
                    raise TimeoutError
                if not octets:
                    self._check_end()
                    return None
                self._buffer += octets
                continue
            if isinstance(verdict, codec.Rejected):
                raise self._malformed(verdict)
            octets, self._buffer = self._buffer[: verdict.consumed], self._buffer[verdict.consumed :]
            if isinstance(verdict, codec.Ignored):
                self.ignored.append(verdict.type)
                words = _("ignorable frame {type}").format(type=verdict.type)
                self.case.transcript.add(self.name, Kind.RECEIVED, words, octets)
                continue
            self.case.transcript.add(self.name, Kind.RECEIVED, describe(verdict.frame), octets)
            self._take_frame(verdict.frame)
            return verdict.frame

    def _take_frame(self, frame: Frame) -> None:
        self.received.append(frame)
        if frame.name == "PING" and self.answers_pings:
            self.send(codec.frame("PONG", opaque=frame.octets("opaque")))
        self.observe(frame)

    def observe(self, frame: Frame) -> None:
        """A subclass keeps its own books here; it never judges."""

    def _check_end(self) -> None:
        if self._buffer and not self.is_killed and not (self.may_be_cut and self.end is Kind.RESET):
            raise Violation(
                _("{subject} ended the connection in the middle of a frame").format(subject=self.case.subject),
                expected=_("whole frames"),
                actual=_("{end} after {count} octets of a frame").format(
                    end=_end_words(self.end), count=len(self._buffer)
                ),
                guilty=Guilty(self._buffer, len(self._buffer) - 1, 1, _("last octet that came")),
                symptom="short",
            )

    def _is_swapped(self) -> bool:
        """Whether `length` would be within the cap if its octets stood the other way round."""
        offset, size = HEADER_FIELDS["length"]
        return int.from_bytes(self._buffer[offset : offset + size], "little") <= self.cap

    def _malformed(self, verdict: codec.Rejected) -> Violation:
        self.case.transcript.add(self.name, Kind.RECEIVED, _("octets that are no good frame"), self._buffer)
        words = _("{subject} sent octets that are no good frame: {why}")
        return Violation(
            words.format(subject=self.case.subject, why=verdict.why),
            expected=_("a frame as sections 3.1 to 3.6 have it"),
            actual=verdict.code,
            guilty=Guilty(self._buffer[:512], verdict.offset, verdict.length, verdict.field or verdict.why),
            symptom="byte-order" if verdict.code == "TOO_LARGE" and self._is_swapped() else "malformed",
        )


def _listed(passed: Sequence[str], end: str) -> str:
    """What came, and what came then, in one line; the same many times is said once."""
    if not passed:
        return end
    counted = [(words, len(list(same))) for words, same in groupby(passed)]
    frames = ", ".join(
        ngettext("{count} time {frame}", "{count} times {frame}", count).format(count=count, frame=words)
        if count > 1
        else words
        for words, count in counted
    )
    return _("{frames}, then {end}").format(frames=frames, end=end)


def _end_words(end: Kind | None) -> str:
    words = {Kind.RESET: _("connection reset (RST)"), Kind.LOST: _("the end of its connection (BYE GATEWAY_LOST)")}
    return words.get(end, _("end of file (FIN)")) if end is not None else _("end of file (FIN)")
