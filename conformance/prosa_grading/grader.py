# SPDX-License-Identifier: MIT
"""One student from what was handed in to a grade: taken, built, run, judged, kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import shlex
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from prosa_conformance import __version__
from prosa_conformance.language import _
from prosa_conformance.outcome import Exit
from prosa_grading import images, job, local, page, program
from prosa_grading.assignment import Assignment
from prosa_grading.grade import Grade, Origin, State
from prosa_grading.images import NotBuilt, Shelf
from prosa_grading.job import Ended, Wish
from prosa_grading.points import is_inconclusive, shares
from prosa_grading.program import Program
from prosa_grading.results import Folder, write
from prosa_grading.submissions import Kind, Submission, Unreachable, fetch
from prosa_grading.unpack import Refused
from prosa_grading.watch import Watch

DESCRIPTION = ".prosa-grading.toml"
BUILD_LOG = "build.log"


@dataclass(frozen=True)
class Plan:
    """What is the same for the whole class."""

    assignment: Assignment
    folder: Folder
    secret: bytes
    attempt: int
    wish: Wish
    is_local: bool
    suite_image: str = ""
    shelf: Shelf = field(default_factory=Shelf)
    again: frozenset[str] = frozenset()  # students who are graded anew; all when it has "*"

    @property
    def asked(self) -> str:
        """Digest of what decides which tests are run, and how."""
        said: list[object] = [self.assignment.level, self.assignment.features, sorted(self.assignment.roles)]
        said += [self.wish.only, self.wish.time_scale, self.wish.seconds]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def origin(self, student: str, content: str, commit: str) -> Origin:
        return Origin(
            content=content,
            commit=commit,
            suite=__version__,
            suite_image=self.suite_image,
            asked=self.asked,
            seed=seed(self.secret, student, self.attempt),
            attempt=self.attempt,
            mode="unsafe-local" if self.is_local else "containers",
        )


@dataclass(frozen=True)
class Taken:
    """What was handed in, as it is here now: a folder, or an image."""

    origin: Origin
    folder: Path
    image: images.Image | None = None
    words: tuple[str, ...] = ()  # for the entry point of an image


def seed(secret: bytes, student: str, attempt: int) -> int:
    """Nobody knows it who has not the secret; whoever has it can repeat the run."""
    return int.from_bytes(hmac.digest(secret, f"{student}\0{attempt}".encode(), "sha256")[:4], "big")


def grade(submission: Submission, plan: Plan, watch: Watch) -> tuple[Grade, bool]:
    """The grade, which is kept; and whether it was there before. Interrupted keeps nothing."""
    with plan.folder.workplace() as work:
        results = work / "results"
        results.mkdir()
        started = time.monotonic()
        try:
            taken = _take(submission, plan, work, results, watch)
            before = plan.folder.before(submission.student.id, plan.assignment)
            if before is not None and before.origin == taken.origin and not plan.again & {"*", submission.student.id}:
                found = replace(before, name=submission.student.name)
                _write_page(plan.folder.of(found.student), found)
                plan.folder.refresh(found)
                return found, True
            found = _run(submission, taken, plan, results, watch)
        except Refused as error:
            found = _without_tests(submission, plan, State.REFUSED, str(error))
        except Unreachable as error:
            found = _without_tests(submission, plan, State.NOT_GRADED, str(error))
        found = replace(
            found,
            seconds=time.monotonic() - started,
            rubric=plan.assignment.rubric.digest,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        _write_page(results, found)
        plan.folder.keep(results, found)
        return found, False


def _write_page(folder: Path, found: Grade) -> None:
    write(folder / page.STUDENT_FILE, page.of_student(found))


def _without_tests(submission: Submission, plan: Plan, state: State, words: str) -> Grade:
    origin = plan.origin(submission.student.id, "", "")
    return Grade(
        submission.student.id, submission.student.name, state, words, shares([], plan.assignment), origin=origin
    )


def _take(submission: Submission, plan: Plan, work: Path, results: Path, watch: Watch) -> Taken:
    student = submission.student.id
    if submission.kind is Kind.MISSING:
        return Taken(plan.origin(student, "", ""), work)
    if submission.kind is Kind.IMAGE:
        if plan.is_local:
            raise Unreachable(_("an image takes a container engine"))
        name, *words = submission.words()
        image = images.named(name, results / BUILD_LOG, watch)
        return Taken(plan.origin(student, " ".join([image.identity, *words]), ""), work, image, tuple(words))
    content, commit = fetch(submission, work / "submission", watch)
    return Taken(plan.origin(student, content, commit), work / "submission")


def _run(submission: Submission, taken: Taken, plan: Plan, results: Path, watch: Watch) -> Grade:
    """Build it, and have the suite run it."""
    base = replace(_without_tests(submission, plan, State.MISSING, _("nothing was handed in")), origin=taken.origin)
    if submission.kind is Kind.MISSING:
        return base
    try:
        said = (
            program.bare(plan.assignment, taken.words) if taken.image else program.read(taken.folder, plan.assignment)
        )
        base = replace(base, language=said.language, level=said.level)
        if plan.is_local:
            programs = local.prepared(taken.folder, said, results / BUILD_LOG, watch)
        else:
            programs, identity = _images(submission, taken, said, plan, results / BUILD_LOG, watch)
            base = replace(base, image=identity)
        wanted = {role: words for role, words in programs.items() if role in plan.assignment.roles}
        description = taken.folder / DESCRIPTION
        description.write_text(
            program.description(submission.student.id, said, wanted, are_images=not plan.is_local), encoding="utf-8"
        )
        return _judged(base, job.run(description, taken.origin.seed, results, plan.wish, watch), plan)
    except Refused as error:
        return replace(base, state=State.REFUSED, words=str(error))
    except NotBuilt as error:
        return replace(base, state=State.NOT_BUILT, words=str(error))


def _images(
    submission: Submission, taken: Taken, said: Program, plan: Plan, log: Path, watch: Watch
) -> tuple[dict[str, str], str]:
    """By role the image and what goes to its entry point; and the digest of what was built."""
    tag = images.tag_of(str(plan.folder.path), submission.student.id, taken.origin.content)
    image = taken.image or images.built(taken.folder, said, tag, log, watch, plan.shelf)
    names = {role: shlex.join([image.name, *words]) for role, words in said.arguments.items()}
    for role, words in said.commands.items():
        if not image.has_entry_point:
            names[role] = shlex.join([image.name, *words])
        elif role == "server":  # which its Dockerfile starts
            names[role] = image.name
        else:
            bare = images.without_entry_point(image, log.parents[1], log, watch, plan.shelf)
            names[role] = shlex.join([bare.name, *words])
    return names, image.identity


def _judged(base: Grade, ended: Ended, plan: Plan) -> Grade:
    """What the end of a run means for a student."""
    tests = ended.result["tests"] if ended.result else []
    found = shares(tests, plan.assignment)
    base = replace(base, shares=found)
    if ended.is_late:
        words = _("the time for all of it ({seconds} s) was over; what was shown until then counts")
        return replace(base, state=State.OUT_OF_TIME, words=words.format(seconds=f"{plan.wish.seconds:g}"))
    if ended.result is None:
        words = _("the suite could not be run: {words}").format(words=ended.last_words)
        return replace(base, state=State.NOT_GRADED, words=words)
    if ended.code == Exit.NOT_STARTED:
        return replace(base, state=State.NOT_STARTED, words=_not_started(ended))
    if ended.result["trouble"] or is_inconclusive(found):
        words = _("the suite or this machine got in the way: {words}").format(words=ended.last_words)
        return replace(base, state=State.NOT_GRADED, words=words)
    return replace(base, state=State.GRADED, words=ended.result["sentence"])


def _not_started(ended: Ended) -> str:
    """What the first failure says, and what came instead."""
    failures = [test["failure"] for test in ended.result["tests"] if test["failure"]] if ended.result else []
    if not failures:
        return ended.last_words
    return ": ".join(filter(None, (failures[0]["sentence"], failures[0]["actual"])))[:300]
