# SPDX-License-Identifier: MIT
"""grades.csv: a row a student."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from prosa_grading.assignment import Assignment
from prosa_grading.grade import Grade
from prosa_grading.points import Mark, rounded

FILE = "grades.csv"
FIRST = ("student", "name", "state", "points", "max")
LAST = (
    "kept", "broken", "not_shown", "inconclusive", "seconds", "level", "seed", "attempt", "content", "commit", "image",
    "suite", "suite_image", "rubric", "mode", "words",
)  # fmt: skip


def as_csv(grades: Sequence[Grade], assignment: Assignment) -> str:
    """Names of columns are the same in every language: programs read them. Who is not graded has no points."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*FIRST, *assignment.due, *LAST])
    writer.writerows(_row(grade, assignment) for grade in grades)
    return text.getvalue()


def _row(grade: Grade, assignment: Assignment) -> list[object]:
    shown = [rounded(grade.shares[name].points) if grade.is_graded else "" for name in assignment.due]
    marks = [len(grade.clauses(mark)) for mark in (Mark.KEPT, Mark.BROKEN, Mark.NOT_SHOWN, Mark.INCONCLUSIVE)]
    origin = grade.origin
    return [
        grade.student, grade.name, grade.state.value, grade.points if grade.is_graded else "", grade.max,
        *shown, *marks, round(grade.seconds, 1), grade.level, origin.seed, origin.attempt, origin.content,
        origin.commit, grade.image, origin.suite, origin.suite_image, grade.rubric, origin.mode, grade.words,
    ]  # fmt: skip
