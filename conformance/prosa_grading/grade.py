# SPDX-License-Identifier: MIT
"""A student's grade, as grade.json keeps it: all that tables, pages and exporters are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from prosa_conformance.language import N_
from prosa_grading.points import Mark, Share, rounded, whole

SCHEMA = "prosa-grading/grade/1"


class State(StrEnum):
    GRADED = "graded"
    OUT_OF_TIME = "out of time"
    NOT_STARTED = "not started"
    NOT_BUILT = "not built"
    REFUSED = "refused"
    MISSING = "missing"
    NOT_GRADED = "not graded"


STATE_WORDS = {
    State.GRADED: N_("graded"),
    State.OUT_OF_TIME: N_("out of time"),
    State.NOT_STARTED: N_("did not start"),
    State.NOT_BUILT: N_("did not build"),
    State.REFUSED: N_("could not be taken"),
    State.MISSING: N_("nothing handed in"),
    State.NOT_GRADED: N_("not graded"),
}


@dataclass(frozen=True)
class Origin:
    """What the grade is about and by what it was found: the same origin is not graded again."""

    content: str = ""  # digest of what was handed in
    commit: str = ""
    suite: str = ""
    suite_image: str = ""  # digest; empty without containers
    asked: str = ""  # digest of the tests that were asked for
    seed: int = 0
    attempt: int = 1
    mode: str = "containers"


@dataclass(frozen=True)
class Grade:
    student: str
    name: str
    state: State
    words: str  # one sentence for the student
    shares: Mapping[str, Share] = field(default_factory=dict)
    seconds: float = 0.0
    language: str = ""
    level: str = ""  # at which it was run
    image: str = ""  # digest
    origin: Origin = Origin()
    rubric: str = ""  # digest
    at: str = ""  # when it was graded, UTC

    @property
    def points(self) -> float:
        return rounded(sum(share.points for share in self.shares.values()))

    @property
    def max(self) -> float:
        return rounded(sum(share.max for share in self.shares.values()))

    @property
    def whole_points(self) -> int:
        return whole(self.points)

    @property
    def is_graded(self) -> bool:
        """Whether the points are the student's; else the machine or the teacher has something to do first."""
        return self.state is not State.NOT_GRADED

    @property
    def has_report(self) -> bool:
        return self.state in (State.GRADED, State.OUT_OF_TIME, State.NOT_STARTED)

    def clauses(self, *marks: Mark) -> list[str]:
        return [clause for share in self.shares.values() for clause, mark in share.marks.items() if mark in marks]


def table(grade: Grade) -> dict[str, Any]:
    """What grade.json holds (see grade.schema.json)."""
    levels = {
        name: {
            "points": rounded(share.points),
            "max": rounded(share.max),
            "kept": share.kept,
            "counted": share.counted,
            "clauses": {clause: mark.value for clause, mark in share.marks.items()},
        }
        for name, share in grade.shares.items()
    }
    return {
        "schema": SCHEMA,
        "student": grade.student,
        "name": grade.name,
        "state": grade.state.value,
        "words": grade.words,
        "points": grade.points if grade.is_graded else None,
        "max": grade.max,
        "levels": levels,
        "seconds": round(grade.seconds, 1),
        "language": grade.language,
        "level": grade.level,
        "image": grade.image,
        "origin": asdict(grade.origin),
        "rubric": grade.rubric,
        "at": grade.at,
    }
