# SPDX-License-Identifier: MIT
"""What was handed in: each entry of a folder is a student's, as a folder, an archive, a git URL or an image's name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError
from prosa_grading.roster import Student
from prosa_grading.unpack import ARCHIVES, Refused, take
from prosa_grading.watch import Watch

GIT, IMAGE = ".git", ".image"
GIT_S = 300
GIT_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
# The folder that Moodle makes for each participant of an assignment.
LONGEST = 100
TAKEN = ("exports", "secret", "grades.csv", "index.html")  # in the folder of the results
OF_MOODLE = re.compile(r".+_(\d+)_assignsubmission_[a-z]+_?")


class Kind(StrEnum):
    FOLDER = "folder"
    ARCHIVE = "archive"
    GIT = "git"
    IMAGE = "image"
    MISSING = "missing"


@dataclass(frozen=True)
class Submission:
    student: Student
    kind: Kind
    path: Path = Path()

    def words(self) -> list[str]:
        """Those of a file that names what is elsewhere; Refused when there are none."""
        text = self.path.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        try:
            words = shlex.split(lines[0]) if lines else []
        except ValueError as error:
            raise Refused(f"{self.path.name}: {error}") from None
        if not words:
            raise Refused(_("{file} is empty").format(file=self.path.name))
        return words


class Unreachable(Exception):
    """What was handed in cannot be had from here and now; that may not be the student's fault."""


def find(folder: Path, roster: Sequence[Student] | None) -> list[Submission]:
    """One for each student: of the roster, or else of the folder. UsageError when one is nobody's."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    found: dict[str, tuple[Kind, Path]] = {}
    for path in entries:
        name, kind = _read(path)
        if name in found:
            words = _("{one} and {other} are of the same student")
            raise UsageError(words.format(one=found[name][1], other=path))
        found[name] = (kind, path)
    if not found:
        raise UsageError(_("{folder}: there is no submission in it").format(folder=folder))
    for student in roster or ():
        _fit(student.id, _("the roster"))
    if roster is None:
        return [Submission(Student(name), *where) for name, where in found.items()]
    strangers = sorted(set(found) - {student.entry for student in roster})
    if strangers:
        words = _("{folder}: the roster has no student for {entries}: add rows, or take them away")
        raise UsageError(words.format(folder=folder, entries=", ".join(strangers)))
    return [Submission(student, *found.get(student.entry, (Kind.MISSING, Path()))) for student in roster]


def _read(path: Path) -> tuple[str, Kind]:
    """The student and the kind of an entry."""
    if path.is_dir():
        moodle = OF_MOODLE.fullmatch(path.name)
        return _fit(moodle[1] if moodle else path.name, path), Kind.FOLDER
    for suffix, kind in ((GIT, Kind.GIT), (IMAGE, Kind.IMAGE), *((one, Kind.ARCHIVE) for one in ARCHIVES)):
        if path.name.lower().endswith(suffix):
            return _fit(path.name[: -len(suffix)], path), kind
    words = _("{path} is no submission: there are folders, archives ({archives}), NAME.git and NAME.image")
    raise UsageError(words.format(path=path, archives=" ".join(ARCHIVES)))


def _fit(name: str, where: object) -> str:
    """A student's name is that of a folder, beside others of ours."""
    is_odd = not name.isprintable() or name.startswith(".") or "/" in name or len(name.encode()) > LONGEST
    if not name or is_odd or name in TAKEN:
        raise UsageError(_("{path}: {name!r} is no name for a student").format(path=where, name=name))
    return name


def fetch(submission: Submission, into: Path, watch: Watch) -> tuple[str, str]:
    """Bring its files into a new folder: their digest, and the commit where there is one.

    Refused when it cannot be taken, Unreachable when it could not be had.
    """
    if submission.kind is not Kind.GIT:
        return take(submission.path, into), ""
    url, *branch = submission.words()
    if url.startswith("-"):
        raise Refused(_("{url!r} is no URL of git's").format(url=url))
    clone = into.with_name(into.name + ".git")
    command = [
        "git",
        "clone",
        "--quiet",
        "--depth=1",
        *(f"--branch={name}" for name in branch[:1]),
        "--",
        url,
        str(clone),
    ]
    done = watch.run(command, seconds=GIT_S, environment=GIT_ENVIRONMENT)
    if done.code != 0:
        words = _("git could not bring {url}: {words}")
        raise Unreachable(words.format(url=url, words=done.text.strip() or _("it took too long")))
    commit = watch.run(["git", "-C", str(clone), "rev-parse", "HEAD"], seconds=GIT_S).text.strip()
    return take(clone, into), commit
