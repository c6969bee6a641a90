# SPDX-License-Identifier: MIT
"""PrairieLearn: results.json of an external grader. The score is a share of 1."""

from __future__ import annotations

from prosa_grading.exporters import told
from prosa_grading.grade import Grade
from prosa_grading.points import rounded
from prosa_grading.results import as_json


def results(grade: Grade) -> str:
    tests = [
        {
            "name": name,
            "description": told.title(grade, name),
            "points": rounded(share.points),
            "max_points": rounded(share.max),
            "message": "",
            "output": told.details(grade, name),
        }
        for name, share in grade.shares.items()
    ]
    score = min(1.0, rounded(grade.points / grade.max, "0.0001"))
    return as_json({"gradable": True, "score": score, "message": grade.words, "output": "", "tests": tests})
