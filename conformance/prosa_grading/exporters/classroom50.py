# SPDX-License-Identifier: MIT
"""Classroom 50: result.json of its autograder. Whole numbers; the score is the sum of its tests'.

Its runner tells a submission by these variables; where they are not set, the commit or the content stands for them.
"""

from __future__ import annotations

import os

from prosa_grading.exporters import told
from prosa_grading.grade import Grade
from prosa_grading.points import whole
from prosa_grading.results import as_json

SCHEMA = "classroom50/result/v1"


def result(grade: Grade, classroom: str, assignment: str) -> str:
    commit = os.environ.get("COMMIT_URL") or grade.origin.commit or grade.origin.content or "none"
    tests = [
        {
            "test-name": told.title(grade, name),
            "passed": share.kept == share.counted,
            "score": min(whole(share.points), whole(share.max)),
            "max-score": whole(share.max),
        }
        for name, share in grade.shares.items()
    ]
    return as_json(
        {
            "schema": SCHEMA,
            "classroom": classroom,
            "assignment": assignment,
            "submission": os.environ.get("SUBMISSION_TAG") or grade.student,
            "commit": commit,
            "release": os.environ.get("RELEASE_URL") or commit,
            "review": os.environ.get("REVIEW_URL") or commit,
            "datetime": grade.at.replace("+00:00", "Z"),
            "score": sum(int(str(test["score"])) for test in tests),
            "max-score": sum(int(str(test["max-score"])) for test in tests),
            "tests": tests,
        }
    )
