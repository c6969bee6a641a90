# SPDX-License-Identifier: MIT
"""Who is in the class: a CSV file as spreadsheets save it, with the columns `student` and `name`.

`student` is how a submission is named; where it has another name, that stands in the column `submission`.
Other columns may be there, and are left alone.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError

STUDENT = ("student", "id", "estudante", "aluno", "matrícula", "matricula")
NAME = ("name", "full name", "nome", "nome completo")
SUBMISSION = ("submission", "entrega", "envio")


@dataclass(frozen=True)
class Student:
    id: str
    name: str = ""
    submission: str = ""  # how it is named, where it is not named by the id

    @property
    def entry(self) -> str:
        return self.submission or self.id


def rows(path: Path) -> tuple[list[str], list[list[str]], str]:
    """Header, rows and delimiter of a CSV file; UsageError when it is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        words = _("{path}: not UTF-8 at octet {offset}: save it as CSV UTF-8")
        raise UsageError(words.format(path=path, offset=error.start)) from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UsageError(_("{path}: not CSV: {error}").format(path=path, error=error)) from None
    if not table or not any(table[0]):
        raise UsageError(_("{path}: the first row has to name the columns").format(path=path))
    return table[0], table[1:], delimiter


def column(header: list[str], names: tuple[str, ...]) -> int | None:
    """Where the first column stands that has one of these names."""
    told = [cell.strip().lower() for cell in header]
    return next((told.index(name) for name in names if name in told), None)


def load(path: Path) -> list[Student]:
    """UsageError names row and column of what is wrong."""
    header, body, _delimiter = rows(path)
    student, name, submission = (column(header, names) for names in (STUDENT, NAME, SUBMISSION))
    if student is None:
        words = _("{path}, row 1: there is no column `student`; there are {columns}")
        raise UsageError(words.format(path=path, columns=", ".join(header)))
    found: dict[str, Student] = {}
    for number, row in enumerate(body, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            words = _("{path}, row {row}: {count} cells, and the header has {due}")
            raise UsageError(words.format(path=path, row=number, count=len(row), due=len(header)))
        cells = [cell.strip() for cell in row]
        identity = cells[student]
        if not identity or identity in found:
            words = _("{path}, row {row}, column {column}: {value!r} is there twice")
            empty = _("{path}, row {row}, column {column}: there is no value")
            said = words if identity else empty
            raise UsageError(said.format(path=path, row=number, column=header[student], value=identity))
        named = cells[name] if name is not None else ""
        found[identity] = Student(identity, named, cells[submission] if submission is not None else "")
    if not found:
        raise UsageError(_("{path}: there is no student in it").format(path=path))
    return list(found.values())
