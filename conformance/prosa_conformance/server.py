# SPDX-License-Identifier: MIT
"""The server under test: its process, and the handle by which one test uses it."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prosa_conformance import codec
from prosa_conformance.bridge import Bridge
from prosa_conformance.case import END_S, Case, Settings, Watched
from prosa_conformance.codec import Frame
from prosa_conformance.contract import timers_text
from prosa_conformance.language import _
from prosa_conformance.launch import await_ready, server_values, spawn
from prosa_conformance.match import ABSENT
from prosa_conformance.outcome import NotApplicable, Unsupported, Violation
from prosa_conformance.peer import Peer, Room
from prosa_conformance.places import discard
from prosa_conformance.process import Ended, Program, end_symptom, still_running
from prosa_conformance.queues import has_time_wait
from prosa_conformance.registry import CODES, FEATURES, TIMERS
from prosa_conformance.transcript import Kind
from prosa_conformance.transport import Way, open_socket

MANY_CLIENTS = "L3"  # the level from which on nobody is told BUSY for being the second
GROUP_WINDOW, GROUP_CREDIT = 64, 65536
WIDE = {"send_window": GROUP_WINDOW, "recv_window": GROUP_CREDIT}


class ServerProcess:
    """One life of a server on one address; or something that was already running.

    Over ZeroMQ a bridge of its own is before it, which outlives its lives.
    """

    def __init__(self, settings: Settings, timers: Mapping[str, int], data: Path | None = None) -> None:
        self.settings = settings
        self.timers = dict(timers)
        self.program: Program | None = None
        self.bridge: Bridge | None = None
        self.retired = False
        self.stderr_mark = self.bridge_mark = 0  # what stands before it belongs to former tests
        self.data = data or settings.folder("server")
        if settings.subject.connect is not None:
            self.host, self.port = settings.subject.connect
        else:
            self.host, self.port = settings.ports.take()
            self.start()
            if settings.transport == "zmq":
                self._start_bridge()

    def start(self) -> None:
        """Start the program on its address, also a second time after its end."""
        scaled = {name: self.scaled(name, value) for name, value in self.timers.items()}
        keep = str(scaled.pop("keep_messages", ""))
        values = server_values(self.settings, self.host, self.port, self.data, timers_text(scaled), keep)
        self.program = spawn(self.settings, "server", values)
        try:
            self.address = await_ready(self.settings, self.program)
        except BaseException:
            self.program.end()
            raise

    def _start_bridge(self) -> None:
        try:
            self.bridge = Bridge(self.settings, self.address)
        except BaseException:
            self.stop()
            raise

    @property
    def entrance(self) -> tuple[str, int]:
        """Where clients connect."""
        if self.program is None:
            return self.host, self.port
        return self.bridge.address if self.bridge is not None else self.address

    def scaled(self, name: str, value: int) -> int:
        """Of this machine's time, within what the text allows."""
        if name not in TIMERS:
            return value
        timer = TIMERS[name]
        return min(max(int(value * self.settings.time_scale), min(value, timer.min)), max(value, timer.max))

    @property
    def usable(self) -> bool:
        programs = [one.program for one in (self, self.bridge) if one is not None]
        return not self.retired and all(program is None or program.ended is None for program in programs)

    def pass_on(self, spoilt: bool) -> None:
        """A test has ended; the next one may share the process unless it is spoilt."""
        self.retired = self.retired or spoilt
        if self.program is not None:
            self.stderr_mark = self.program.stderr_mark
        if self.bridge is not None:
            self.bridge_mark = self.bridge.program.stderr_mark

    def stop(self) -> None:
        """End it, and take away what it has written."""
        if self.program is not None:
            self.program.end()
        if self.bridge is not None:
            self.bridge.end()
            discard(self.data)


def need_timers(server: Server, timers: Mapping[str, int]) -> None:
    """A server that runs already has the timers of its own choice, which may be those that a test needs: it
    announces them [AUTH-14]."""
    if not timers or server.process.settings.subject.connect is None:
        return
    asker = server.connect("asker")
    asker.hello()
    challenge = asker.expect_challenge()
    asker.send(codec.frame("BYE", code=CODES["NORMAL"].number))
    asker.expect_closed()
    wanted = {name: server.process.scaled(name, value) for name, value in timers.items()}
    lacking = [f"{name}={value}" for name, value in wanted.items() if not _announces(challenge, name, value)]
    if lacking:
        words = _("it needs a server that was started with {timers}")
        raise NotApplicable(words.format(timers=", ".join(lacking)))


def _announces(challenge: Frame, name: str, value: int) -> bool:
    return name != "keep_messages" and challenge.number(name) == value


class Server:
    """What a test does with a server. `answers` tells how questions get their answer."""

    def __init__(self, case: Case, process: ServerProcess) -> None:
        self.case = case
        self.process = process
        self.answers = process.settings.subject.answers
        self._watched: Watched | None = None
        if process.program is not None:
            self._watched = case.watch(process.program, process.stderr_mark)
        if process.bridge is not None:
            case.watch(process.bridge.program, process.bridge_mark, _("the bridge"))

    # --- connections ---

    @property
    def target(self) -> str:
        """name:port as a person would type it."""
        host, port = self.entrance
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def address(self) -> tuple[str, int]:
        """The server's own."""
        return self.process.address if self.process.program is not None else (self.process.host, self.process.port)

    @property
    def entrance(self) -> tuple[str, int]:
        """Where clients connect: there, or at the bridge before it."""
        return self.process.entrance

    def connect(
        self,
        name: str = "alice",
        *,
        seed: bytes | None = None,
        receive_octets: int = 0,
        segment_octets: int = 0,
        source: str = "",
    ) -> Peer:
        """A new connection; nothing is sent yet. `source` is the address to come from.

        `receive_octets` is the SO_RCVBUF of who will not read. With small segments the kernel keeps little on
        the server's side, too.
        """
        way = Way(receive_octets, segment_octets, source)
        self.case.transcript.add(name, Kind.CONNECT, _("to {address}").format(address=self.target))
        try:
            sock = open_socket(self.case.settings.transport, self.entrance, way, self.case.seconds())
        except OSError as error:
            raise Violation(
                _("{who} could not connect to the server").format(who=name),
                expected=_("a connection to {address}").format(address=self.target),
                actual=error.strerror or _("no answer in time"),
                symptom="refused",
            ) from None
        return Peer(self.case, sock, name, self.target, seed or self.case.seed(name))

    def connect_again(self, peer: Peer) -> Peer:
        """Another connection of the same person: same key, same nick."""
        again = self.connect(f"{peer.name}-again", seed=peer.seed)
        again.nick = peer.nick
        return again

    def login(self, name: str = "alice", *, features: int = 0) -> Peer:
        """A connection that is READY."""
        return self.connect(name).login(features=features)

    def login_beside(self, name: str, *, features: int = 0) -> Peer:
        """A further one; not applicable where one client at a time is served [LIM-02]."""
        peer = self.connect(name)
        peer.hello(features=features)
        if not peer.expect_challenge_or_busy():
            words = _("{who} is told BUSY, and there is only one other client")
            assert self.case.settings.level < MANY_CLIENTS, words.format(who=name)
            raise NotApplicable(_("the server has one place, and says BUSY"))
        peer.auth()
        peer.expect_welcome()
        return peer

    def joined(self, name: str = "alice", room: str = "@host") -> tuple[Peer, Room]:
        """A connection that is READY and in a room."""
        peer = self.login(name)
        return peer, peer.join(room)

    def login_with(self, name: str, *features: str) -> Peer:
        """The same with these features active: what the subject declares has to be there, what it does not, may."""
        peer = self.login(name, features=sum(FEATURES[feature] for feature in features))
        missing = {feature for feature in features if not peer.challenge.number("features") & FEATURES[feature]}
        if missing:
            is_declared = missing & set(self.case.settings.subject.features)
            words = _("CHALLENGE does not offer {features}").format(features=", ".join(sorted(missing)))
            raise Unsupported(words) if is_declared else NotApplicable(words)
        return peer

    def members(self, room: str, *names: str, features: Sequence[str] = (), **join: Any) -> list[tuple[Peer, Room]]:
        """Members of a named room of this test's own, in at least this order, with more credit than they need."""
        if self.case.settings.level < MANY_CLIENTS:
            raise NotApplicable(_("it needs named rooms, which are there from {level} on").format(level=MANY_CLIENTS))
        peers = [self.login_with(name, *features) for name in names]
        return [(peer, peer.join(self.case.room_name(room), **{**WIDE, **join})) for peer in peers]

    def come_back(self, before: Peer, room: Room, *features: str, **join: Any) -> tuple[Peer, Room]:
        """The same person goes on where this stay ended, or where `after_seq` says, with much credit."""
        peer = self.connect_again(before)
        peer.login(features=sum(FEATURES[feature] for feature in features))
        return peer, peer.join(room.name, **{"epoch": room.epoch, "after_seq": room.seen_seq, **WIDE, **join})

    def read_log(self, room: Room, name: str = "reader", features: Sequence[str] = ("resume",)) -> tuple[Peer, Room]:
        """A newcomer to a named room who asks for all that there is, and has got it."""
        reader = self.login_with(name, *features)
        log = reader.join(room.name, after_seq=0, **WIDE)
        reader.barrier()
        return reader, log

    # --- questions and answers ---

    def answer(self, text: str) -> None:
        """The operator types an answer; a server that answers by itself needs none."""
        if self.answers == "operator":
            self.type_line(text)

    def pass_console(self, name: str = "dave") -> None:
        """All that was typed is behind: a console may be read later than connections, but its lines in order."""
        if self.answers == "operator":
            peer, _room = self.joined(name)
            self.type_line(f"@{peer.nick} news")
            peer.expect("DELIVER", author_key=peer.server_key, text="news", reply_to=ABSENT)
            peer.leave_politely()

    def exchange(self, peer: Peer, room: Room, question: str = "are you there?", **changes: Any) -> tuple[Frame, Frame]:
        """A whole question in @host, `changes` as for `Peer.make_publish`; see `see_answered`."""
        return self.see_answered(peer, peer.publish(room, question, **changes))

    def see_answered(self, peer: Peer, publish: Frame, reply: str | None = None) -> tuple[Frame, Frame]:
        """The rest of a question that was sent: its DELIVER and ACK, the answer; (question, answer)."""
        delivered = peer.expect_own(publish, text=str(publish.value("text")))
        return delivered, peer.expect_answer(publish, self.reply_to(publish, reply))

    def reply_to(self, publish: Frame, reply: str | None = None) -> str:
        """The operator answers a question; the text of the answer, which is a server's own where it echoes."""
        question = str(publish.value("text"))
        if self.answers == "echo":
            return question
        text = f"I am: {question}" if reply is None else reply
        self.answer(text)
        return text

    def good_session(self, name: str) -> None:
        """A whole signed session on a fresh connection, from HELLO to BYE."""
        peer = self.login(name)
        self.see_served(peer)
        peer.leave_politely()

    def see_served(self, peer: Peer) -> None:
        """It joins @host, and asks there when somebody answers."""
        room = peer.join()
        if self.can_answer:
            self.exchange(peer, room)
        else:
            peer.barrier()

    @property
    def can_answer(self) -> bool:
        return self.answers == "echo" or self.process.program is not None

    # --- the process ---

    @property
    def program(self) -> Program:
        if self.process.program is None:
            raise NotApplicable(_("the server is not a process of ours"))
        return self.process.program

    def type_line(self, line: str) -> None:
        """Type a line at the operator's console."""
        self.case.transcript.add("the operator", Kind.TYPED, repr(line))
        if not self.program.type_line(line, self.case.seconds()):
            raise Violation(
                _("the server does not read its console"),
                expected=_("lines on stdin are taken [CON-06]"),
                actual=_("stdin is closed") if self.program.ended else _("stdin is full"),
                symptom="console",
            )

    def close_stdin(self) -> None:
        self.case.transcript.add("the operator", Kind.TYPED, _("end of file"))
        self.program.close_stdin()

    def terminate(self) -> None:
        self.expect_end()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.expect_end()
        for wire in self.case.wires:
            wire.is_killed = True
        self._signal(signal.SIGKILL)
        self.program.wait_end(END_S)

    def lose_data(self) -> None:
        """Everything in its data folder is gone, the key as well."""
        self.case.transcript.add("the suite", Kind.PROGRAM, _("empties the server's data folder"))
        for path in self.process.data.iterdir():
            discard(path)

    def descriptors(self) -> int:
        """How many its processes have open; 0 where nobody tells."""
        return self.program.open_descriptors()

    def freeze(self) -> None:
        """SIGSTOP: its connections stay open, and nobody reads them."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        words = _("sends {signal} to the server").format(signal=number.name)
        self.case.transcript.add("the suite", Kind.PROGRAM, words)
        self.program.signal(number)

    def expect_end(self) -> None:
        """From here on the program may end without that being a crash."""
        if self._watched is not None:
            self._watched.end_expected = True
        self.process.retired = True

    def check_alive(self) -> None:
        """The process runs, and no sanitizer has spoken in this test."""
        if self._watched is not None:
            self._watched.check(_("the server"))

    def expect_exit(self, code: int) -> Ended:
        """Wait until the program has ended with this exit code."""
        self.expect_end()
        ended = self.program.wait_end(self.case.seconds(END_S))
        words = _("ends: {how}").format(how=ended) if ended else _("still runs")
        self.case.transcript.add("the server", Kind.PROGRAM, words)
        if ended is None or ended.code != code:
            raise Violation(
                _("the server did not end with exit code {code}").format(code=code),
                expected=_("exit code {code}").format(code=code),
                actual=str(ended) if ended else still_running(self.case.seconds(END_S)),
                symptom=end_symptom(ended),
            )
        return ended

    def said(self) -> list[str]:
        """Every line of its stdout after READY and of its stderr, once SIGTERM has ended it."""
        self.terminate()
        self.expect_exit(0)
        self.program.end()
        printed = list(iter(lambda: self.program.next_line(0), None))
        return [*printed, *self.program.stderr_since()]

    def start_again(self) -> None:
        """Start the same server on the same address and data folder after its end."""
        self.program.end()
        self.process.stderr_mark = 0
        self.process.start()
        self.process.retired = True
        self._watched = self.case.watch(self.program)
        words = _("starts the server again on {address}").format(address=self.target)
        self.case.transcript.add("the suite", Kind.PROGRAM, words)

    def await_time_wait(self) -> None:
        """Wait until a connection of the server's port is in TIME_WAIT: what SO_REUSEADDR is for."""
        deadline = self.case.deadline()
        while not has_time_wait(self.address[1]):
            if time.monotonic() > deadline:
                raise NotApplicable(_("this system shows no connection in TIME_WAIT"))
