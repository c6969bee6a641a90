# SPDX-License-Identifier: MIT
"""Autolab: it reads the scores from the last line that an autograder prints."""

from __future__ import annotations

import json

from prosa_grading.grade import Grade
from prosa_grading.points import rounded


def last_line(grade: Grade) -> str:
    return json.dumps({"scores": {name: rounded(share.points) for name, share in grade.shares.items()}})
