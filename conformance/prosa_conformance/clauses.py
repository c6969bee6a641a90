# SPDX-License-Identifier: MIT
"""The requirements of the text, and the marks by which a test says which of them it shows.

    @clause("FLOW-21", quote="MUST be refused with FLOW_VIOLATION", needs=["operator"])
    def test_...(server): ...

The level is the clause's own, the role is the clause's when it binds one side only; both can
be given. The quotation is checked against the text when tests are collected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import pytest

from prosa_conformance.contract import FEATURES, LEVELS, ROLES
from prosa_conformance.language import N_
from prosa_conformance.places import PACKAGE

MARK = "clause"
ZMQ = "ZMQ"  # the level of what only a bridge has to do
TIMERS_MARK = "timers"
GATE_MARK = "gate"
TCP_MARK = "tcp_only"
# What a test may need beyond a connection, and what it means.
NEEDS = {
    "operator": N_("an operator's console on stdin that answers questions"),
    "answers": N_("a server that answers: by its operator or by itself"),
    "stdin": N_("the program's stdin"),
    "process": N_("a process of our own: signals, exit codes, a restart"),
}
Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Clause:
    id: str
    who: str
    level: str
    testability: str
    text: str
    file: str
    line: int


@dataclass(frozen=True)
class Claim:
    """One @clause of a test; `quote` is None for a vector, which is data and quotes nothing."""

    id: str
    quote: str | None
    level: str | None
    role: str | None
    needs: tuple[str, ...]


def clause(
    identity: str, *, quote: str = "", level: str | None = None, role: str | None = None, needs: Sequence[str] = ()
) -> Callable[[Test], Test]:
    """Mark a test as showing a clause; several may be stacked."""
    return _mark(MARK, Claim(identity, quote, level, role, tuple(needs)))


def shown_by_vector(identities: Sequence[str], level: str) -> list[pytest.MarkDecorator]:
    """The marks of a test that runs a vector of these clauses."""
    claims = [Claim(identity, None, level, "codec", ()) for identity in identities]
    return [getattr(pytest.mark, MARK).with_args(claim) for claim in claims]


def timers(**values: int) -> Callable[[Test], Test]:
    """Start the server with these timers and limits; those in ms are multiplied by the time scale.

    `keep_messages` is PROSA_KEEP_MESSAGES.
    """
    return _mark(TIMERS_MARK, values)


def gate(test: Test) -> Test:
    """Mark a test without whose success no other test of its role makes sense."""
    return _mark(GATE_MARK, None)(test)


def tcp_only(test: Test) -> Test:
    """Mark a test about what only TCP shows: octets rather than frames, half of a connection that is closed,
    addresses, what the kernel keeps. Over ZeroMQ it is not applicable. Of one case: marks=pytest.mark.tcp_only."""
    return _mark(TCP_MARK, None)(test)


def _mark(name: str, value: object) -> Callable[[Test], Test]:
    mark: Callable[[Test], Test] = getattr(pytest.mark, name).with_args(value)
    return mark


@cache
def all_clauses() -> Mapping[str, Clause]:
    """Every clause by id, from the generated clauses.json."""
    table = json.loads((PACKAGE / "clauses.json").read_text(encoding="utf-8"))
    return {identity: _clause(identity, entry) for identity, entry in table.items()}


def _clause(identity: str, entry: Mapping[str, Any]) -> Clause:
    return Clause(
        identity, entry["who"], entry["level"], entry["testability"], entry["text"], entry["file"], entry["line"]
    )


def plain(text: str) -> str:
    """Text without line breaks, so that a quotation matches wherever the lines end."""
    return " ".join(text.split())


def faults(claims: Sequence[Claim]) -> list[str]:
    """What is wrong with a test's marks: unknown ids, misquotations, unknown needs."""
    if not claims:
        return ["cites no clause"]
    found = []
    for claim in claims:
        known = all_clauses().get(claim.id)
        if known is None:
            found.append(f"cites {claim.id}, which the text does not have")
        elif claim.quote == "":
            found.append(f"does not quote {claim.id}")
        elif claim.quote is not None and plain(claim.quote) not in plain(known.text):
            found.append(f"misquotes {claim.id}: {claim.quote!r} is not in the text")
        found += [f"needs {need!r}, which nobody knows" for need in claim.needs if need not in NEEDS]
        if claim.role is not None and claim.role not in ROLES:
            found.append(f"names the role {claim.role!r}")
    return found


def level_of(claims: Sequence[Claim], role: str) -> str:
    """The level or feature of a test: what it says itself, else the highest of its clauses.

    L0 is judged without a connection: a clause of L0 that a server or client shows counts as L1.
    """
    given = next((claim.level for claim in claims if claim.level), None)
    if given is not None:
        return given
    if role == "relay":
        return ZMQ
    levels = [all_clauses()[claim.id].level for claim in claims]
    features = [level for level in levels if level in FEATURES]
    if features:
        return features[0]
    highest = max((level for level in levels if level in LEVELS), default="L1")
    return highest if role == "codec" else max(highest, "L1")


def role_of(claims: Sequence[Claim], default: str) -> str:
    """The role of the program under test: what the test says, else the clause's, else its file's."""
    given = next((claim.role for claim in claims if claim.role), None)
    if given is not None:
        return given
    who = next((all_clauses()[claim.id].who for claim in claims), default)
    return who if who in ROLES else default
