# SPDX-License-Identifier: MIT
"""What a grading says: a line a student, with a bar below them on a terminal, and a table at the end."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Sequence
from typing import TextIO

from prosa_conformance.language import _, ngettext
from prosa_conformance.visible import visible
from prosa_grading.assignment import Assignment
from prosa_grading.grade import STATE_WORDS, Grade, State
from prosa_grading.points import rounded

CLEAR = "\r\033[K"
BAR = 24
NONE = "\u2013"


class Progress:
    """Threads tell it who has begun; one tells who is done."""

    def __init__(self, out: TextIO, total: int) -> None:
        self._out = out
        self._total = total
        self._done = 0
        self._running: list[str] = []
        self._lock = threading.Lock()
        self._is_terminal = out.isatty()

    def begun(self, student: str) -> None:
        with self._lock:
            self._running.append(student)
            self._bar()

    def done(self, grade: Grade, was_there: bool) -> None:
        with self._lock:
            if grade.student in self._running:
                self._running.remove(grade.student)
            self._done += 1
            again = " " + _("(as before)") if was_there else ""
            self._say(f"[{self._done}/{self._total}] {line(grade)}{again}")
            self._bar()

    def end(self) -> None:
        if self._is_terminal:
            self._write(CLEAR)

    def _say(self, words: str) -> None:
        self._write((CLEAR if self._is_terminal else "") + words + "\n")

    def _bar(self) -> None:
        """Of what is done, and who is being graded."""
        if not self._is_terminal:
            return
        full = BAR * self._done // max(self._total, 1)
        words = f"[{'#' * full}{'.' * (BAR - full)}] {self._done}/{self._total}  {visible(', '.join(self._running))}"
        self._write(CLEAR + words[: shutil.get_terminal_size().columns - 1])

    def _write(self, words: str) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more; the files are what counts
            self._out.write(words)
            self._out.flush()


def line(grade: Grade) -> str:
    told = "" if grade.state is State.GRADED else f"  {grade.words}"
    points = f"{grade.points:g}/{grade.max:g}" if grade.is_graded else NONE
    state = _(STATE_WORDS[grade.state])
    return visible(f"{grade.student:20} {points:>11}  {state}, {grade.seconds:.0f} s{told}")


def summary(grades: Sequence[Grade], assignment: Assignment) -> str:
    """The table, and what is left to do."""
    names = list(assignment.due)
    rows = [(_("student"), _("state"), *names, _("points"))]
    for grade in grades:
        shown = [*(grade.shares[name].points for name in names), grade.points]
        cells = [f"{rounded(points):g}" if grade.is_graded else NONE for points in shown]
        rows.append((grade.student, _(STATE_WORDS[grade.state]), *cells))
    most = [*(assignment.rubric.points[name] for name in names), assignment.max_points]
    rows.append((_("of"), "", *(f"{points:g}" for points in most)))
    lines = _aligned(rows)
    open_ones = sum(not grade.is_graded for grade in grades)
    if open_ones:
        words = ngettext(
            "one student could not be graded: the same command tries again",
            "{count} students could not be graded: the same command tries again",
            open_ones,
        )
        lines += ["", words.format(count=open_ones)]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        visible("  ".join(f"{cell:{'<' if n < 2 else '>'}{widths[n]}}" for n, cell in enumerate(row))) for row in rows
    ]
