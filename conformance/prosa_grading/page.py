# SPDX-License-Identifier: MIT
"""Pages that need no network: of the class, who is where and what it has not understood; of a student, the grade."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from prosa_conformance.clauses import Clause, all_clauses, plain
from prosa_conformance.html import LEVEL_NAMES, environment
from prosa_conformance.language import _, chosen, ngettext
from prosa_grading.assignment import Assignment
from prosa_grading.grade import STATE_WORDS, Grade, State
from prosa_grading.points import MARK_WORDS, Mark, Share, rounded
from prosa_grading.results import Folder

FILE = "index.html"
OWN = Path(__file__).parent / "templates"
MOST_CLAUSES = 15
BAD = (Mark.BROKEN, Mark.NOT_SHOWN)
STYLES = {
    State.GRADED: "kept", State.OUT_OF_TIME: "known", State.NOT_STARTED: "broken", State.NOT_BUILT: "broken",
    State.REFUSED: "broken", State.MISSING: "none", State.NOT_GRADED: "known",
}  # fmt: skip
SIGNS = {"kept": "\u2713", "known": "!", "broken": "\u2717", "none": "\u2013"}
STUDENT_FILE = "grade.html"
FILES = (
    (STUDENT_FILE, "grade"),
    ("report.html", "report"),
    ("build.log", "build.log"),
    ("suite.log", "suite.log"),
    ("grade.json", "grade.json"),
)


@dataclass(frozen=True)
class Row:
    """A student."""

    grade: Grade
    files: list[tuple[str, str]]  # what a link says, and where it leads

    @property
    def style(self) -> str:
        if self.grade.state is State.GRADED and self.grade.points < self.grade.max:
            return "part"
        return STYLES[self.grade.state]

    @property
    def sign(self) -> str:
        return SIGNS.get(self.style, SIGNS["kept"])

    @property
    def report(self) -> str:
        return f"{quote(self.grade.student)}/report.html"

    @property
    def why(self) -> str:
        """A line below the state."""
        if self.style == "kept":
            return ""
        if self.style != "part":
            return self.grade.words
        broken, not_shown = (len(self.grade.clauses(mark)) for mark in (Mark.BROKEN, Mark.NOT_SHOWN))
        words = [
            ngettext("one requirement broken", "{count} requirements broken", broken).format(count=broken),
            ngettext("one not shown", "{count} not shown", not_shown).format(count=not_shown),
        ]
        return ", ".join(word for word, count in zip(words, (broken, not_shown), strict=True) if count)

    @property
    def state(self) -> str:
        return _(STATE_WORDS[self.grade.state])


@dataclass(frozen=True)
class Failing:
    """A clause, and who does not keep it."""

    clause: Clause
    broken: list[Row]
    not_shown: int

    @property
    def text(self) -> str:
        return plain(self.clause.text)


def of_student(grade: Grade) -> str:
    """For whom it is about; it lies beside the report of the suite."""
    row = Row(grade, [])
    missing = {
        name: [(all_clauses()[clause], mark) for clause, mark in share.marks.items() if mark in BAD]
        for name, share in grade.shares.items()
    }
    return environment(OWN).get_template("student.html").render(
        lang=chosen().replace("_", "-"),
        row=row,
        grade=grade,
        levels=[(name, _(LEVEL_NAMES.get(name, name)), its) for name, its in grade.shares.items()],
        missing=missing,
        words={mark: _(word) for mark, word in MARK_WORDS.items()},
        share=_share,
    )  # fmt: skip


def page(grades: Sequence[Grade], asked: Assignment, folder: Folder) -> str:
    rows = [Row(grade, _files(grade, folder.path)) for grade in grades]
    good = [grade for grade in grades if grade.is_graded]
    return environment(OWN).get_template("class.html").render(
        lang=chosen().replace("_", "-"),
        rows=rows,
        asked=asked,
        levels=[(name, _(LEVEL_NAMES.get(name, name)), asked.rubric.points[name]) for name in asked.due],
        facts=_facts(grades, good, asked),
        states=[(_(STATE_WORDS[state]), count) for state, count in Counter(grade.state for grade in grades).items()],
        spread=_spread(good),
        failing=_failing(rows)[:MOST_CLAUSES],
        ran=sum(grade.state in (State.GRADED, State.OUT_OF_TIME) for grade in grades),
        share=_share,
        is_local=any(grade.origin.mode == "unsafe-local" for grade in grades),
    )  # fmt: skip


def _files(grade: Grade, folder: Path) -> list[tuple[str, str]]:
    here = quote(grade.student)
    return [(words, f"{here}/{name}") for name, words in FILES if (folder / grade.student / name).exists()]


def _facts(grades: Sequence[Grade], good: Sequence[Grade], asked: Assignment) -> list[tuple[str, str]]:
    points = [grade.points for grade in good]
    seconds = [grade.seconds for grade in grades if grade.state is State.GRADED]
    origin = next((grade.origin for grade in grades if grade.origin.suite), None)
    return [
        (_("Students"), str(len(grades))),
        (_("Median"), f"{median(points):g} / {asked.max_points:g}" if points else "–"),
        (_("Asked for"), f"{', '.join(asked.due)}: {', '.join(asked.roles)}"),
        (_("Time of one"), f"{median(seconds):.0f} s" if seconds else "–"),
        (_("Suite"), origin.suite if origin else "–"),
        (_("Suite image"), origin.suite_image.removeprefix("sha256:")[:12] if origin and origin.suite_image else "–"),
        (_("Rubric"), asked.rubric.digest[:12]),
    ]


def _spread(good: Sequence[Grade]) -> list[tuple[str, int]]:
    """How many have how much of all points, in tenths: the best first column is the last."""
    counts = Counter(min(int(10 * grade.points / grade.max), 9) for grade in good)
    return [(f"{10 * tenth}–{10 * tenth + 10} %", counts[tenth]) for tenth in range(10)]


def _failing(rows: Sequence[Row]) -> list[Failing]:
    """By how many break them. Whose program did not come so far says nothing about a clause."""
    ran = [row for row in rows if row.grade.state in (State.GRADED, State.OUT_OF_TIME)]
    broken: dict[str, list[Row]] = {}
    not_shown: Counter[str] = Counter()
    for row in ran:
        for clause in row.grade.clauses(Mark.BROKEN):
            broken.setdefault(clause, []).append(row)
        not_shown.update(row.grade.clauses(Mark.NOT_SHOWN))
    found = [Failing(all_clauses()[clause], who, not_shown[clause]) for clause, who in broken.items()]
    return sorted(found, key=lambda one: (-len(one.broken), one.clause.id))


def _share(share: Share) -> dict[str, Any]:
    """A level of a student's as the table shows it."""
    full = share.points >= share.max
    style = "kept" if full else "broken" if share.points <= 0 else "part"
    return {"style": style, "points": f"{rounded(share.points):g}", "percent": round(100 * share.points / share.max)}
