# SPDX-License-Identifier: MIT
"""Several students at once. What one does or does not do is no other's loss, and what is done is kept."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from prosa_conformance.language import _
from prosa_grading.grade import Grade, State
from prosa_grading.grader import Plan, grade
from prosa_grading.points import shares
from prosa_grading.submissions import Submission
from prosa_grading.watch import Interrupted, Watch

Begun = Callable[[Submission], None]


def grade_all(
    submissions: Sequence[Submission], plan: Plan, jobs: int, watch: Watch, begun: Begun
) -> Iterator[tuple[Grade, bool]]:
    """The grades in the order in which they are found, and whether each was there before.

    KeyboardInterrupt goes on to the caller when all that ran has come to its end.
    """
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="grade")
    try:
        futures = [pool.submit(_one, submission, plan, watch, begun) for submission in submissions]
        yield from _results(futures)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        watch.stop()
        raise
    finally:
        pool.shutdown()


def _results(futures: Sequence[Future[tuple[Grade, bool]]]) -> Iterator[tuple[Grade, bool]]:
    for future in as_completed(futures):
        yield future.result()


def _one(submission: Submission, plan: Plan, watch: Watch, begun: Begun) -> tuple[Grade, bool]:
    begun(submission)
    try:
        return grade(submission, plan, watch)
    except Interrupted:
        raise
    except Exception:  # a fault of ours in one student's grading is told there
        return ungraded(submission, plan, traceback.format_exc().strip().splitlines()[-1]), False


def ungraded(submission: Submission, plan: Plan, words: str = "") -> Grade:
    """For who has no grade yet, and whose grading will be tried again by the next run."""
    student = submission.student
    said = words or _("interrupted; the next run goes on here")
    return Grade(
        student.id,
        student.name,
        State.NOT_GRADED,
        said,
        shares([], plan.assignment),
        rubric=plan.assignment.rubric.digest,
    )
