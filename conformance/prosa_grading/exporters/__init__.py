# SPDX-License-Identifier: MIT
"""Grades in the shapes of other systems: one small module each, chosen by --export and --moodle.

Who could not be graded is in none of them: no grade is better than a wrong one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError
from prosa_conformance.places import discard
from prosa_grading.exporters import autolab, classroom50, gradescope, junit, moodle, prairielearn
from prosa_grading.grade import Grade
from prosa_grading.results import Folder, write

EXPORTS = "exports"
# By name: how a student's file is called, and what makes it.
PER_STUDENT: dict[str, tuple[str, Callable[[Grade, argparse.Namespace], str]]] = {
    "autolab": ("autolab.txt", lambda grade, _options: autolab.last_line(grade) + "\n"),
    "classroom50": (
        "result.json",
        lambda grade, options: classroom50.result(grade, options.classroom, options.assignment),
    ),
    "gradescope": ("results.json", lambda grade, _options: gradescope.results(grade)),
    "prairielearn": ("results.json", lambda grade, _options: prairielearn.results(grade)),
}


@dataclass(frozen=True)
class Exporter:
    name: str
    write: Callable[[Sequence[Grade], Folder], None]


def add_words(group: Any) -> None:
    names = (*PER_STUDENT, "junit")
    group.add_argument("--export", action="append", choices=names, default=[], metavar="NAME",
                       help=_("in DIR/{folder}: {names}").format(folder=EXPORTS, names=", ".join(names)))  # fmt: skip
    group.add_argument(
        "--moodle", type=Path, metavar="CSV", help=_("the grading worksheet that Moodle exported, to fill")
    )
    group.add_argument("--classroom", default="", metavar="NAME", help=_("for classroom50: its short name"))
    group.add_argument("--assignment", default="", metavar="NAME", help=_("for classroom50: the assignment's"))


def wanted(options: argparse.Namespace) -> list[Exporter]:
    """UsageError before anybody is graded when one of them cannot be made."""
    if "classroom50" in options.export and not (options.classroom and options.assignment):
        raise UsageError(_("--export classroom50 takes --classroom and --assignment"))
    found = [_exporter(name, options) for name in dict.fromkeys(options.export)]
    if options.moodle is not None:
        worksheet = moodle.read(options.moodle)
        found.append(Exporter("moodle", lambda grades, folder: _moodle(worksheet, grades, folder)))
    return found


def _exporter(name: str, options: argparse.Namespace) -> Exporter:
    if name == "junit":
        return Exporter(name, lambda grades, folder: write(folder.path / EXPORTS / "junit.xml", junit.document(grades)))
    file, make = PER_STUDENT[name]

    def each(grades: Sequence[Grade], folder: Folder) -> None:
        for grade in grades:
            path = folder.path / EXPORTS / name / grade.student / file
            if grade.is_graded:
                write(path, make(grade, options))
            else:
                discard(path)  # an older one would be taken for this one

    return Exporter(name, each)


def _moodle(worksheet: moodle.Worksheet, grades: Sequence[Grade], folder: Folder) -> None:
    text, nowhere = moodle.filled(worksheet, grades)
    write(folder.path / EXPORTS / worksheet.path.name, text)
    if nowhere:
        print(_("The worksheet has no row for {students}.").format(students=", ".join(nowhere)))
