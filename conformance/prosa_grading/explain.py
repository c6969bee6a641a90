# SPDX-License-Identifier: MIT
"""The rubric in words: which clause gives how many points."""

from __future__ import annotations

import textwrap

from prosa_conformance.clauses import all_clauses, plain
from prosa_conformance.language import _, ngettext
from prosa_grading.assignment import Assignment
from prosa_grading.points import rounded

WIDTH = 100
TEXT = 78


def explained(assignment: Assignment) -> str:
    rubric = assignment.rubric
    words = _("{points:g} points in all, for {roles}. A clause is kept when all of its tests passed.")
    lines = [words.format(points=assignment.max_points, roles=", ".join(rubric.roles))]
    for name, clauses in assignment.due.items():
        total = sum(map(rubric.weight, clauses))
        count = ngettext("one clause", "{count} clauses", len(clauses)).format(count=len(clauses))
        lines += [
            "",
            _("{level}: {points:g} points, {clauses}").format(level=name, points=rubric.points[name], clauses=count),
        ]
        for clause in clauses:
            worth = rounded(rubric.points[name] * rubric.weight(clause) / total)
            text = textwrap.shorten(plain(all_clauses()[clause].text), TEXT, placeholder=" ...")
            lines.append(f"  {worth:5.2f}  {clause:9} {text}")
    missing = [name for name in rubric.points if name not in assignment.due]
    if missing:
        words = _("No points for {levels}: there is no test of it for {roles}.")
        lines += ["", words.format(levels=", ".join(missing), roles=", ".join(rubric.roles))]
    return "\n".join(lines)
