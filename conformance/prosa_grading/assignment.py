# SPDX-License-Identifier: MIT
"""What a class is asked for: the clauses that the suite tests for a rubric, by level. The same for every student."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from prosa_conformance.case import Settings
from prosa_conformance.clauses import all_clauses
from prosa_conformance.contract import FEATURES, LEVELS, Implementation
from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError
from prosa_conformance.plugin import Selection
from prosa_conformance.run import Run
from prosa_conformance.terminal import Terminal
from prosa_grading.rubric import Rubric


@dataclass(frozen=True)
class Assignment:
    rubric: Rubric
    due: Mapping[str, tuple[str, ...]]  # the clauses of each level or feature that gives points
    tested: frozenset[str]  # levels that have a test for these roles

    @property
    def level(self) -> str:
        """Up to which the suite is run."""
        return max(level for level in self.tested if level in LEVELS)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(name for name in self.due if name in FEATURES)

    @property
    def roles(self) -> tuple[str, ...]:
        return self.rubric.roles

    @property
    def max_points(self) -> float:
        return sum(self.rubric.points[name] for name in self.due)

    def level_for(self, declared: tuple[str, ...]) -> str:
        """The level at which a program is run that claims these: its highest, and no higher than is asked for.
        Empty when nothing is tested so low."""
        highest = min(max(declared, default=self.level), self.level)
        return highest if any(level <= highest for level in self.tested if level in LEVELS) else ""


def ask(rubric: Rubric) -> Assignment:
    """UsageError when no test at all is for this rubric."""
    levels = [name for name in rubric.points if name in LEVELS]
    features = tuple(name for name in rubric.points if name in FEATURES)
    highest = max(levels, default=LEVELS[-1] if features else "L1")
    run = Run(
        Settings(Implementation("", Path.cwd(), dict.fromkeys(rubric.roles, "-")), Path.cwd(), highest, 0),
        Selection(LEVELS[: LEVELS.index(highest) + 1], features, rubric.roles, only=rubric.only, whole=False),
        strict=False,
        report=Path(),
        terminal=Terminal(sys.stderr),
    )
    cards = run.cards()
    patterns = (rubric.only or "*").split(",")
    cited = {claim.id for card in cards for claim in card.claims}
    wanted = [
        one for one in all_clauses().values() if one.id in cited and any(fnmatchcase(one.id, p) for p in patterns)
    ]
    due = {name: tuple(one.id for one in wanted if one.level == name) for name in rubric.points}
    due = {name: clauses for name, clauses in due.items() if any(map(rubric.weight, clauses))}
    if not due:
        raise UsageError(_("the rubric gives points for nothing that a test shows for {roles}").format(
            roles=", ".join(rubric.roles)))  # fmt: skip
    return Assignment(rubric, due, frozenset(card.level for card in cards))
