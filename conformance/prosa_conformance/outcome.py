# SPDX-License-Identifier: MIT
"""What a test can come to, and the exceptions by which a test says so.

Every exception but `HarnessBroken` is an ordinary end of a test; none of them is shown as a
Python traceback. Anything else that a test raises is a fault of the suite, never of the program
under test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Verdict(StrEnum):
    PASS = "pass"
    NON_STRICT = "non-strict"
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    NOT_APPLICABLE = "not applicable"
    SKIPPED = "skipped"
    INCONCLUSIVE = "inconclusive"


class Exit(IntEnum):
    """The exit codes of the command; never a count, never pytest's own."""

    CONFORMS = 0
    VIOLATES = 1
    USAGE = 2
    NOT_STARTED = 3
    HARNESS = 4


@dataclass(frozen=True)
class Guilty:
    """Octets to show in hexadecimal, and those of them that are at fault."""

    octets: bytes
    offset: int = 0
    length: int = 0
    name: str = ""


class Violation(AssertionError):
    """The program under test broke a clause.

    `sentence` says what happened in plain words; `symptom` chooses the hint (see hints.py);
    `last_words` are the stderr of a program that no test could watch yet.
    """

    def __init__(
        self,
        sentence: str,
        *,
        expected: str = "",
        actual: str = "",
        guilty: Guilty | None = None,
        symptom: str = "",
        last_words: Sequence[str] = (),
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.expected = expected
        self.actual = actual
        self.guilty = guilty
        self.symptom = symptom
        self.last_words = last_words


class Unsupported(Exception):
    """The program says honestly that it does not have this (exit code 89, NOT_SUPPORTED)."""


class NotApplicable(Exception):
    """The test asks for something that cannot be done with this subject (kill, console...)."""


class SkippedBecause(Exception):
    """A test on which this one rests has failed."""


class Inconclusive(Exception):
    """The machine got in the way (no free port, no memory); says nothing about the program."""


class UsageError(Exception):
    """The command line or prosa.toml is wrong."""


@dataclass(frozen=True)
class Mark:
    """The octets at fault among others, and what they are."""

    offset: int
    length: int
    name: str


@dataclass(frozen=True)
class Moment:
    """An event of the transcript as files keep it: octets in hexadecimal, a row of equal events once."""

    at: float
    actor: str
    kind: str
    what: str
    times: int = 1
    octets: str = ""
    size: int = 0  # of all octets, where only the first ones are kept
    guilty: Mark | None = None


class Standing(StrEnum):
    """What the tests of a clause have shown about it, taken together."""

    KEPT = "kept"
    BROKEN = "broken"
    KNOWN = "known failure"
    NOT_SHOWN = "not shown"


@dataclass
class Failure:
    """The parts of a failure's text, in the order in which they are shown."""

    sentence: str
    steps: list[str] = field(default_factory=list)
    expected: str = ""
    actual: str = ""
    hexdump: str = ""
    hint: str = ""
    clauses: list[str] = field(default_factory=list)
    diagram: str = ""
    stderr: str = ""
    replay: str = ""
    traceback: str = ""
    events: list[Moment] = field(default_factory=list)
    octets: str = ""  # those of the hexdump, in hexadecimal, with their mark
    guilty: Mark | None = None


@dataclass
class Result:
    """One test's end."""

    test: str
    clauses: tuple[str, ...]
    role: str
    level: str
    verdict: Verdict
    seconds: float
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    failure: Failure | None = None
    known: str = ""
    steps: list[str] = field(default_factory=list)  # of a test that did not fail, shortly

    @property
    def counts_against(self) -> bool:
        """True when this result alone keeps the subject from conforming."""
        return self.verdict is Verdict.FAIL and not self.known


def standings(results: Iterable[Result]) -> dict[str, Standing]:
    """What was shown of each clause that a test has shown something about."""
    shown: dict[str, Standing] = {}
    for result in results:
        for clause in result.clauses:
            if result.counts_against:
                shown[clause] = Standing.BROKEN
            elif result.verdict is Verdict.FAIL and shown.get(clause) is not Standing.BROKEN:
                shown[clause] = Standing.KNOWN
            elif result.verdict in (Verdict.PASS, Verdict.NON_STRICT):
                shown.setdefault(clause, Standing.KEPT)
    return shown


def not_kept(shown: Mapping[str, Standing]) -> list[str]:
    """The clauses that are broken, by known failures too."""
    return sorted(clause for clause, standing in shown.items() if standing is not Standing.KEPT)
