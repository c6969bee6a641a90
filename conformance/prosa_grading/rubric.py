# SPDX-License-Identifier: MIT
"""A rubric: whose tests are run, points by level, and how much a clause weighs within its level. A TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from prosa_conformance.contract import FEATURES, LEVELS
from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError

DEFAULT = Path(__file__).parent / "rubric.toml"
ROLES = ("server", "client", "codec")
KEYS = ("roles", "points", "weights", "only")


@dataclass(frozen=True)
class Rubric:
    roles: tuple[str, ...]
    points: Mapping[str, float]  # by level or feature, in the text's order
    weights: Mapping[str, float]  # by pattern of clauses
    only: str = ""  # clauses, as `conform --only` takes them; all when empty

    def weight(self, clause: str) -> float:
        """Of the longest pattern that fits."""
        fitting = [pattern for pattern in self.weights if fnmatchcase(clause, pattern)]
        return self.weights[max(fitting, key=len)] if fitting else 1.0

    @property
    def digest(self) -> str:
        """Two rubrics with the same one give the same points."""
        said = [self.roles, dict(self.points), dict(self.weights), self.only]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def load(path: Path = DEFAULT) -> Rubric:
    """UsageError says what is wrong with it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(_("{path}: not TOML: {error}").format(path=path, error=error)) from None
    try:
        return _rubric(table)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def narrowed(rubric: Rubric, level: str, roles: tuple[str, ...], only: str) -> Rubric:
    """The same for less, as words of the command line ask for it."""
    points = {name: number for name, number in rubric.points.items() if name in FEATURES or name <= (level or name)}
    return Rubric(roles or rubric.roles, points, rubric.weights, only or rubric.only)


def _rubric(table: Mapping[str, Any]) -> Rubric:
    unknown = sorted(set(table) - set(KEYS))
    if unknown:
        words = _("unknown key {unknown}; known are {known}")
        raise UsageError(words.format(unknown=", ".join(unknown), known=", ".join(KEYS)))
    roles = table.get("roles", [])
    if not isinstance(roles, list) or not roles or any(role not in ROLES for role in roles):
        raise UsageError(_("{key} is a list of {known}").format(key="roles", known=", ".join(ROLES)))
    only = table.get("only", "")
    if not isinstance(only, str):
        raise UsageError(_("{key} is a string").format(key="only"))
    points = _numbers(table, "points")
    for name in points:
        if name not in (*LEVELS, *FEATURES):
            words = _("points.{name}: there are {known}")
            raise UsageError(words.format(name=name, known=", ".join((*LEVELS, *FEATURES))))
    if not sum(points.values()):
        raise UsageError(_("[points] gives no points to any level"))
    ordered = {name: points[name] for name in (*LEVELS, *FEATURES) if points.get(name)}
    return Rubric(tuple(roles), ordered, _numbers(table, "weights"), only)


def _numbers(table: Mapping[str, Any], key: str) -> dict[str, float]:
    values = table.get(key, {})
    if not isinstance(values, dict):
        raise UsageError(_("{key} is a table of numbers").format(key=f"[{key}]"))
    for name, value in values.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e6:
            words = _("{key}.{name} is {value!r}: it is a number from 0 on")
            raise UsageError(words.format(key=key, name=name, value=value))
    return {name: float(value) for name, value in values.items()}
