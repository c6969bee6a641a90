# SPDX-License-Identifier: MIT
"""The folder of a class: one folder a student, whole or not there at all, so that a grading can go on where it was."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError
from prosa_conformance.places import discard
from prosa_grading.assignment import Assignment
from prosa_grading.grade import SCHEMA, Grade, Origin, State, table
from prosa_grading.points import shares

WORK = ".work"
SECRET = "secret"
GRADE = "grade.json"


class Folder:
    """Opened by `opened`; belongs to one grading at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, student: str) -> Path:
        return self.path / student

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A folder that ends with the work; on the same disk, so that what is done can be moved."""
        work = Path(tempfile.mkdtemp(dir=self.path / WORK))
        try:
            yield work
        finally:
            discard(work)

    def keep(self, results: Path, grade: Grade) -> None:
        """Put a student's whole folder in the place of an older one."""
        write(results / GRADE, as_json(table(grade)))
        target, old = self.of(grade.student), self.path / WORK / secrets.token_hex(8)
        if target.exists():
            target.rename(old)
        results.rename(target)
        discard(old)

    def refresh(self, grade: Grade) -> None:
        """A grade that stands, with its name and points as they are now."""
        write(self.of(grade.student) / GRADE, as_json(table(grade)))

    def before(self, student: str, assignment: Assignment) -> Grade | None:
        """The grade of an earlier run, with the points of now's rubric; None when there is none to rely on."""
        folder = self.of(student)
        try:
            said = json.loads((folder / GRADE).read_text(encoding="utf-8"))
            if said["schema"] != SCHEMA or said["state"] == State.NOT_GRADED:
                return None
            has_tests = (folder / "result.json").exists()
            tests = json.loads((folder / "result.json").read_text(encoding="utf-8"))["tests"] if has_tests else []
            return Grade(
                student=student,
                name=said["name"],
                state=State(said["state"]),
                words=said["words"],
                shares=shares(tests, assignment),
                seconds=said["seconds"],
                language=said["language"],
                level=said["level"],
                image=said["image"],
                origin=Origin(**said["origin"]),
                rubric=assignment.rubric.digest,
                at=said["at"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def secret(self, given: Path | None) -> bytes:
        """Of which seeds are made: the teacher's, or one of this folder's own."""
        path = given or self.path / SECRET
        if given is None and not path.exists():
            write(path, secrets.token_hex(32) + "\n", mode=0o600)
        try:
            octets = path.read_bytes().strip()
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        if len(octets) < 16:
            raise UsageError(_("{path}: a secret has 16 octets or more").format(path=path))
        return octets


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """UsageError when another grading is at work there."""
    (path / WORK).mkdir(parents=True, exist_ok=True)
    with (path / WORK / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(_("{path}: another grading is at work there").format(path=path)) from None
        for left in (path / WORK).iterdir():  # by one that was killed
            if left.name != "lock":
                discard(left)
        yield Folder(path)


def as_json(made: Mapping[str, Any]) -> str:
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """The whole file, or what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
