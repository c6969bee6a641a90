# SPDX-License-Identifier: MIT
"""Gradescope: results.json of its autograder."""

from __future__ import annotations

from prosa_grading.exporters import told
from prosa_grading.grade import Grade
from prosa_grading.points import rounded
from prosa_grading.results import as_json


def results(grade: Grade) -> str:
    tests = [
        {
            "name": told.title(grade, name),
            "score": rounded(share.points),
            "max_score": rounded(share.max),
            "status": "passed" if share.kept == share.counted else "failed",
            "number": str(number),
            "output": told.details(grade, name),
            "output_format": "text",
            "tags": [name],
            "visibility": "visible",
        }
        for number, (name, share) in enumerate(grade.shares.items(), start=1)
    ]
    return as_json(
        {
            "score": grade.points,
            "execution_time": round(grade.seconds),
            "output": grade.words,
            "visibility": "visible",
            "tests": tests,
        }
    )
