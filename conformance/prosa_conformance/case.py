# SPDX-License-Identifier: MIT
"""One running test: its transcript, its random numbers, its deadlines, and what it opened."""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from prosa_conformance.contract import Implementation
from prosa_conformance.language import N_, _
from prosa_conformance.outcome import Violation
from prosa_conformance.places import Ports
from prosa_conformance.process import Program
from prosa_conformance.spoken import translated
from prosa_conformance.transcript import Transcript

if TYPE_CHECKING:
    from prosa_conformance.endpoint import Wire
    from prosa_conformance.engine import Engine
    from prosa_conformance.subscriber import Subscriber
    from prosa_conformance.zmq_client import ZmqClient

WAIT_S = 3.0
START_S = 10.0
END_S = 5.0
SUBJECTS = {"server": N_("the server"), "client": N_("the client"), "codec": N_("the codec"), "relay": N_("the bridge")}


@dataclass
class Settings:
    """What holds for all tests of a run. `transport` is one of transport.TRANSPORTS."""

    subject: Implementation
    directory: Path
    level: str = "L1"
    seed: int = 0
    time_scale: float = 1.0
    transport: str = "tcp"
    ports: Ports = field(default_factory=lambda: Ports(0))
    engine: Engine | None = None  # of programs in images
    _folders: int = 0

    def share(self, number: int, of: int) -> Settings:
        """The same for one of several processes, with folders, addresses and ports of its own."""
        directory = Path(tempfile.mkdtemp(prefix=f"worker-{number}-", dir=self.directory))
        return replace(self, directory=directory, ports=self.ports.share(number, of), _folders=0)

    def folder(self, name: str) -> Path:
        """A new empty folder."""
        self._folders += 1
        path = self.directory / f"{self._folders:04}-{name}"
        path.mkdir()
        return path


@dataclass
class Watched:
    """A program that this test uses, and where its stderr was when the test began."""

    program: Program
    stderr_mark: int
    end_expected: bool = False
    name: str = ""  # of what it is, where it is not the subject of the test

    def check(self, subject: str) -> None:
        """Violation when the program crashed, ended by itself, or a sanitizer spoke."""
        subject = self.name or subject
        words = self.program.sanitizer_words(self.stderr_mark)
        ended = self.program.ended
        if words:
            raise Violation(
                _("a sanitizer found a fault in {subject}").format(subject=subject),
                expected=_("no word of a sanitizer"),
                actual=words,
                symptom="sanitizer",
            )
        if ended is None or self.program.killed_by_us:
            return
        if ended.memory_mb:
            words = _("the engine killed {subject}: it wanted more than {limit} MB of memory")
            raise Violation(
                words.format(subject=subject, limit=ended.memory_mb),
                expected=_("it goes on"),
                actual=str(ended),
                symptom="memory",
            )
        if ended.signal_name and ended.signal_name != "SIGTERM":
            raise Violation(
                _("{subject} crashed: {signal}").format(subject=subject, signal=ended.signal_name),
                expected=_("no crash"),
                actual=str(ended),
                symptom="crash",
            )
        if not self.end_expected:
            raise Violation(
                _("{subject} ended by itself").format(subject=subject),
                expected=_("it goes on"),
                actual=str(ended),
                symptom="early-end",
            )


class Case:
    def __init__(self, settings: Settings, test: str, role: str) -> None:
        self.settings = settings
        self.test = test
        self.role = role
        self.subject = _(SUBJECTS[role])
        self.transcript = Transcript()
        self.wires: list[Wire | ZmqClient | Subscriber] = []
        self.watched: list[Watched] = []
        self.notes: list[str] = []
        self.rng = random.Random(f"{settings.seed} {test}")

    def seconds(self, seconds: float | None = None) -> float:
        """A wait's length, by default WAIT_S, on this machine."""
        return (WAIT_S if seconds is None else seconds) * self.settings.time_scale

    def deadline(self, seconds: float | None = None) -> float:
        """A deadline on the monotonic clock."""
        return time.monotonic() + self.seconds(seconds)

    @staticmethod
    def left(deadline: float) -> float:
        """Seconds until it; 0 when it is over."""
        return max(0.0, deadline - time.monotonic())

    @staticmethod
    def stopwatch() -> Callable[[], float]:
        """Call what it returns for the seconds since. They prove that something came too soon, never too late."""
        started = time.monotonic()
        return lambda: time.monotonic() - started

    def seed(self, name: str) -> bytes:
        """The 32 octets of a private key: the same for the same name, test and seed of the run."""
        text = f"prosa-conformance {self.settings.seed} {self.test} {name}"
        return hashlib.sha256(text.encode()).digest()

    def nick(self, name: str) -> str:
        """A nick that no other test of the run uses."""
        return f"{name[:23]}-{self.seed(name).hex()[:8]}"

    def room_name(self, name: str) -> str:
        """A room that no other test of the run uses."""
        return self.nick(name)

    def not_strict(self, note: str) -> None:
        """The text is not kept to the letter, yet harmlessly so: the test passes as non-strict."""
        self.notes.append(translated(note))

    def watch(self, program: Program, stderr_mark: int = 0, name: str = "") -> Watched:
        """Look at this program when the test ends; what it said before the mark is not ours."""
        watched = Watched(program, stderr_mark, name=name)
        self.watched.append(watched)
        return watched

    def close_wires(self) -> None:
        for wire in self.wires:
            wire.close()
