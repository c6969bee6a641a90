# SPDX-License-Identifier: MIT
"""From what the tests came to, to points. Nothing of the machine's takes a student's points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from prosa_conformance.language import N_
from prosa_conformance.outcome import Verdict
from prosa_grading.assignment import Assignment

MOST_INCONCLUSIVE = 0.1  # of the clauses that are due: above that there is no grade


class Mark(StrEnum):
    """What became of a clause."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_SHOWN = "not shown"
    INCONCLUSIVE = "inconclusive"  # counts as kept: the machine got in the way
    NOT_APPLICABLE = "not applicable"  # not counted at all: it cannot be tested here


MARK_WORDS = {
    Mark.KEPT: N_("kept"),
    Mark.BROKEN: N_("broken"),
    Mark.NOT_SHOWN: N_("not shown"),
    Mark.INCONCLUSIVE: N_("inconclusive"),
    Mark.NOT_APPLICABLE: N_("not applicable"),
}
GOOD = (Mark.KEPT, Mark.INCONCLUSIVE)


@dataclass(frozen=True)
class Share:
    """What a level came to."""

    points: float
    max: float
    marks: Mapping[str, Mark]  # by clause

    @property
    def kept(self) -> int:
        return sum(mark in GOOD for mark in self.marks.values())

    @property
    def counted(self) -> int:
        return sum(mark is not Mark.NOT_APPLICABLE for mark in self.marks.values())


def shares(tests: Iterable[Mapping[str, Any]], assignment: Assignment) -> dict[str, Share]:
    """By level or feature; of the tests of a result.json."""
    verdicts: dict[str, list[Verdict]] = {}
    for test in tests:
        for clause in test["clauses"]:
            verdicts.setdefault(clause, []).append(Verdict(test["verdict"]))
    return {
        name: _share({clause: _mark(verdicts.get(clause, [])) for clause in clauses}, name, assignment)
        for name, clauses in assignment.due.items()
    }


def _mark(verdicts: list[Verdict]) -> Mark:
    if Verdict.FAIL in verdicts:
        return Mark.BROKEN
    applicable = [one for one in verdicts if one is not Verdict.NOT_APPLICABLE]
    if verdicts and not applicable:
        return Mark.NOT_APPLICABLE
    if not applicable or any(one in (Verdict.SKIPPED, Verdict.UNSUPPORTED) for one in applicable):
        return Mark.NOT_SHOWN
    return Mark.INCONCLUSIVE if Verdict.INCONCLUSIVE in applicable else Mark.KEPT


def _share(marks: dict[str, Mark], name: str, assignment: Assignment) -> Share:
    weight = assignment.rubric.weight
    full = assignment.rubric.points[name]
    due = sum(weight(clause) for clause, mark in marks.items() if mark is not Mark.NOT_APPLICABLE)
    good = sum(weight(clause) for clause, mark in marks.items() if mark in GOOD)
    return Share(full * good / due if due else 0.0, full, marks)


def is_inconclusive(found: Mapping[str, Share]) -> bool:
    """The machine got in the way of so much that the rest says little."""
    counts = Counter(mark for share in found.values() for mark in share.marks.values())
    return counts[Mark.INCONCLUSIVE] > MOST_INCONCLUSIVE * counts.total()


def rounded(points: float, places: str = "0.01") -> float:
    """As people round: half a point up."""
    return float(Decimal(repr(round(points, 9))).quantize(Decimal(places), ROUND_HALF_UP))


def whole(points: float) -> int:
    return int(rounded(points, "1"))
