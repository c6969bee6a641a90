# SPDX-License-Identifier: MIT
"""./run grade: words to a plan, a plan to grades, and one of four exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

from prosa_conformance import tester
from prosa_conformance.cli import Parser, choose_language
from prosa_conformance.contract import LEVELS
from prosa_conformance.language import LANGUAGES, N_, _
from prosa_conformance.outcome import UsageError
from prosa_grading import assignment, exporters, grades, images, page, pool, results, roster, rubric, submissions
from prosa_grading.assignment import Assignment
from prosa_grading.explain import explained
from prosa_grading.grade import Grade
from prosa_grading.grader import Plan
from prosa_grading.job import Wish
from prosa_grading.progress import Progress, summary
from prosa_grading.results import Folder
from prosa_grading.submissions import Submission
from prosa_grading.watch import Watch

EPILOG = N_("""exit codes: 0 every submission has its grade; 1 some could not be graded: the same command tries again;
2 wrong words, or something is missing; 4 the grading itself broke, or was interrupted: the same command goes on""")
DEADLINE_S = 1800


class Exit(IntEnum):
    GRADED = 0
    SOME_NOT = 1
    USAGE = 2
    HARNESS = 4


def parser() -> Parser:
    words = Parser(
        prog="./run grade",
        description=_("Grade a class: each entry of SUBMISSIONS is a student's folder, archive, git URL or image."),
        epilog=_(EPILOG),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument(
        "submissions", metavar="SUBMISSIONS", type=Path, nargs="?", help=_("the folder of what was handed in")
    )
    words.add_argument("--roster", type=Path, metavar="CSV", help=_("who is in the class: columns student and name"))
    words.add_argument(
        "--out", type=Path, default=Path("grades"), metavar="DIR", help=_("for all results (default grades)")
    )
    asked = words.add_argument_group(_("what is asked for"))
    asked.add_argument("--rubric", type=Path, default=rubric.DEFAULT, metavar="TOML", help=_("points and weights"))
    asked.add_argument("--explain", action="store_true", help=_("print the rubric, clause by clause, and grade nobody"))
    asked.add_argument("--level", choices=LEVELS, default="", help=_("the rubric up to this level"))
    asked.add_argument(
        "--role", action="append", choices=rubric.ROLES, default=[], help=_("instead of the rubric's roles")
    )
    asked.add_argument("--only", metavar="CLAUSE", default="", help=_("only these clauses: 'FLOW-*,ERR-01'"))
    how = words.add_argument_group(_("how"))
    jobs = _("how many students at once (default: half of the processors)")
    how.add_argument("-j", type=int, dest="jobs", default=max(1, (os.cpu_count() or 2) // 2), metavar="N", help=jobs)
    how.add_argument(
        "--secret", type=Path, metavar="FILE", help=_("of which seeds are made (default: one of DIR's own)")
    )
    how.add_argument(
        "--attempt", type=int, default=1, metavar="N", help=_("another number makes other seeds (default 1)")
    )
    how.add_argument(
        "--again", action="append", default=[], metavar="STUDENT", help=_("grade anew, done or not; '*' is all")
    )
    deadline = _("seconds for all tests of a student (default {seconds})").format(seconds=DEADLINE_S)
    how.add_argument("--deadline", type=float, default=DEADLINE_S, metavar="S", help=deadline)
    scale, scaled = os.environ.get("PROSA_TIME_SCALE", "1"), _("multiplies every wait and timer")
    how.add_argument("--time-scale", type=float, default=scale, metavar="X", help=scaled)
    how.add_argument("--keep-images", action="store_true", help=_("leave the students' images in the engine"))
    local = _("without containers: submissions run as you, and can read and write what you can")
    how.add_argument("--unsafe-local", action="store_true", help=local)
    how.add_argument("--lang", choices=LANGUAGES, help=_("the language of all words (default: the locale's)"))
    exporters.add_words(words.add_argument_group(_("for other systems")))
    return words


def main(argv: Sequence[str]) -> int:
    """One of the exit codes, whatever happens."""
    try:
        return _main(argv)
    except UsageError as error:
        _tell("{}\n{}".format(error, _("(--help tells the words)")))
        return Exit.USAGE
    except KeyboardInterrupt:
        _tell(_("interrupted: what is done is kept, and the same command goes on"))
    except Exception:
        _tell(traceback.format_exc())
    return Exit.HARNESS


def _tell(words: str) -> None:
    print(f"grade: {words}", file=sys.stderr)


def _main(argv: Sequence[str]) -> int:
    choose_language(argv)
    options = parser().parse_args(argv)
    if (
        options.jobs < 1
        or options.attempt < 1
        or not 0 < options.deadline < float("inf")
        or not 0 < options.time_scale < 1e6
    ):
        raise UsageError(_("-j, --attempt, --deadline and --time-scale are above 0"))
    asked = assignment.ask(
        rubric.narrowed(rubric.load(options.rubric), options.level, tuple(options.role), options.only)
    )
    if options.explain:
        print(explained(asked))
        return Exit.GRADED
    if options.submissions is None:
        raise UsageError(_("SUBMISSIONS is due: the folder of what was handed in"))
    students = roster.load(options.roster) if options.roster else None
    handed_in = submissions.find(options.submissions, students)
    _expect_known(options.again, handed_in)
    wanted = exporters.wanted(options)
    watch = Watch()
    suite_image = "" if options.unsafe_local else _expect_engine(watch)
    with results.opened(options.out.resolve()) as folder:
        plan = Plan(
            assignment=asked,
            folder=folder,
            secret=folder.secret(options.secret),
            attempt=options.attempt,
            wish=Wish(options.deadline, options.time_scale, asked.rubric.only),
            is_local=options.unsafe_local,
            suite_image=suite_image,
            again=frozenset(options.again),
        )
        if options.unsafe_local:
            _tell(_("--unsafe-local: submissions run as you, and can read and write what you can"))
        try:
            return _grade(handed_in, plan, options.jobs, watch, wanted)
        finally:
            if not options.keep_images:
                plan.shelf.clear()


def _expect_known(again: Sequence[str], handed_in: Sequence[Submission]) -> None:
    strangers = sorted(set(again) - {"*", *(one.student.id for one in handed_in)})
    if strangers:
        raise UsageError(_("--again: there is no student {students}").format(students=", ".join(strangers)))


def _expect_engine(watch: Watch) -> str:
    """The digest of the suite's image; UsageError says what there is to do."""
    try:
        is_there = images.answers(watch)
    except OSError:
        is_there = False
    if not is_there:
        raise UsageError(_(
            "no container engine answers. Submissions are other people's programs, and are run in containers: "
            "./run images says how to get an engine. --unsafe-local runs them as processes of yours, which can "
            "read and write what you can."
        ))  # fmt: skip
    image = images.inspect(tester.IMAGE, watch)
    if image is None:
        raise UsageError(_("there is no image {name} yet: `./run images` makes it").format(name=tester.IMAGE))
    return image.identity


def _grade(
    handed_in: Sequence[Submission], plan: Plan, jobs: int, watch: Watch, wanted: Sequence[exporters.Exporter]
) -> int:
    progress = Progress(sys.stdout, len(handed_in))
    found: dict[str, Grade] = {}
    try:
        for grade, was_there in pool.grade_all(
            handed_in, plan, jobs, watch, lambda one: progress.begun(one.student.id)
        ):
            found[grade.student] = grade
            progress.done(grade, was_there)
    finally:
        progress.end()
        all_of_them = [found.get(one.student.id) or pool.ungraded(one, plan) for one in handed_in]
        _write(all_of_them, plan.assignment, plan.folder, wanted)
    print(f"\n{summary(all_of_them, plan.assignment)}")
    words = _("Grades: {csv}; the class: {page}")
    print("\n" + words.format(csv=plan.folder.path / grades.FILE, page=plan.folder.path / page.FILE))
    return Exit.GRADED if all(grade.is_graded for grade in all_of_them) else Exit.SOME_NOT


def _write(
    all_of_them: Sequence[Grade], asked: Assignment, folder: Folder, wanted: Sequence[exporters.Exporter]
) -> None:
    """The files of the whole class."""
    results.write(folder.path / grades.FILE, grades.as_csv(all_of_them, asked))
    results.write(folder.path / page.FILE, page.page(all_of_them, asked, folder))
    for exporter in wanted:
        exporter.write(all_of_them, folder)
