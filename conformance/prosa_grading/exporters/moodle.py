# SPDX-License-Identifier: MIT
"""Moodle: fills the grading worksheet that the teacher exported from the assignment, and changes nothing else in it.

Moodle finds its rows by what it wrote there itself, so a worksheet is never made up. A student is found by the number
of the participant (as in the names of Moodle's own folders), the ID number, the user name or the mail address.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError
from prosa_grading.grade import Grade
from prosa_grading.points import rounded
from prosa_grading.roster import column, rows

# As Moodle writes them in English, in Brazil and in Portugal, in lower case.
IDENTIFIER = ("identifier", "identificador")
GRADE = ("grade", "nota", "avaliação")
MOST = ("maximum grade", "nota máxima", "avaliação máxima")
CHANGED = (
    "last modified (grade)", "última modificação (nota)", "última modificação (avaliação)",
    "última atualização (avaliação)",
)  # fmt: skip
ALSO = (
    ("id number", "número de identificação", "número id", "número de id"),
    ("username", "nome de usuário", "nome de utilizador", "identificação de usuário"),
    ("email address", "email", "endereço de email", "endereço de e-mail"),
)
BOM = "\ufeff"


@dataclass(frozen=True)
class Worksheet:
    path: Path
    header: list[str]
    body: list[list[str]]
    delimiter: str
    has_bom: bool


def read(path: Path) -> Worksheet:
    """UsageError when it is not what Moodle exports."""
    header, body, delimiter = rows(path)
    for names, example in ((IDENTIFIER, "Identifier"), (GRADE, "Grade"), (CHANGED, "Last modified (grade)")):
        if column(header, names) is None:
            words = _("{path}, row 1: there is no column {column}: is it the worksheet that Moodle exported?")
            raise UsageError(words.format(path=path, column=example))
    for number, row in enumerate(body, start=2):
        if row and len(row) != len(header):
            words = _("{path}, row {row}: {count} cells, and the header has {due}")
            raise UsageError(words.format(path=path, row=number, count=len(row), due=len(header)))
    return Worksheet(path, header, body, delimiter, path.read_bytes().startswith(BOM.encode()))


def filled(worksheet: Worksheet, grades: Sequence[Grade]) -> tuple[str, list[str]]:
    """The worksheet with grades, and the students for whom it has no row."""
    known = {grade.student.lower(): grade for grade in grades}
    place, found = column(worksheet.header, GRADE), set()
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=worksheet.delimiter, lineterminator="\n")
    writer.writerow(worksheet.header)
    for row in worksheet.body:
        grade = next((known[name] for name in _names(worksheet.header, row) if name in known), None)
        if grade is not None and place is not None:
            found.add(grade.student)
            if grade.is_graded:
                row = [*row[:place], _number(worksheet.header, row, grade), *row[place + 1 :]]
        writer.writerow(row)
    nowhere = [grade.student for grade in grades if grade.student not in found]
    return (BOM if worksheet.has_bom else "") + text.getvalue(), nowhere


def _names(header: list[str], row: list[str]) -> list[str]:
    """By which a student may be known in this row."""
    identifier = _cell(header, row, IDENTIFIER)
    return [
        name
        for name in (identifier.split()[-1] if identifier else "", *(_cell(header, row, one) for one in ALSO))
        if name
    ]


def _cell(header: list[str], row: list[str], names: tuple[str, ...]) -> str:
    place = column(header, names)
    return row[place].strip().lower() if place is not None and place < len(row) else ""


def _number(header: list[str], row: list[str], grade: Grade) -> str:
    """Out of the worksheet's own maximum, with its decimal mark."""
    most = _cell(header, row, MOST)
    try:
        points = grade.points / grade.max * float(most.replace(",", "."))
    except ValueError:  # no number, or no such column
        points = grade.points
    text = f"{rounded(points):.2f}"
    return text.replace(".", ",") if "," in most else text
