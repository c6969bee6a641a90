# SPDX-License-Identifier: MIT
"""Grades small classes as a teacher does."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "conformance"), str(HERE.parent / "containers")]

from prosa_conformance import language  # noqa: E402
from shared import engine_that_answers, pytest_sessionfinish  # noqa: E402, F401

DEADLINE_S = 600
# Few tests, with clauses that the class breaks or keeps.
RUBRIC = """roles = ["server"]
only = "AUTH-08,AUTH-16,CON-05,CON-07"
[points]
L1 = 40
[weights]
"CON-*" = 0.5
"AUTH-16" = 2
"""
IN_SHORT = ("--time-scale", "0.5", "-j", "2")


@dataclass(frozen=True)
class Graded:
    """What a grading has left."""

    code: int
    text: str
    out: Path

    def grade(self, student: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / student / "grade.json").read_text(encoding="utf-8"))
        return found

    def rows(self) -> list[dict[str, str]]:
        with (self.out / "grades.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def table(self) -> dict[str, tuple[str, str]]:
        """State and points by student."""
        return {row["student"]: (row["state"], row["points"]) for row in self.rows()}


class Begun:
    """A grading that goes on."""

    def __init__(self, folder: Path, words: tuple[str, ...], env: dict[str, str]) -> None:
        self.out = folder / "grades"
        self._said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "prosa_grading", *words, "--out", str(self.out)],
            env={**os.environ, "LC_ALL": "C", "PYTHONPATH": str(ROOT / "conformance"), **env},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def await_line(self, words: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said += line
            if words in line:
                return
        raise AssertionError(f"{words!r} was not said:\n{self._said}")

    def ended(self) -> Graded:
        text, _ = self.process.communicate(timeout=DEADLINE_S)
        return Graded(self.process.returncode, self._said + text, self.out)

    def end(self, number: signal.Signals) -> Graded:
        self.process.send_signal(number)
        return self.ended()


def grade_class(folder: Path, *words: str, env: dict[str, str] | None = None) -> Graded:
    return Begun(folder, words, env or {}).ended()


def rubric(folder: Path, text: str = RUBRIC) -> str:
    path = folder / "rubric.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Begun]]:
    begun: list[Begun] = []

    def start(*words: str) -> Begun:
        begun.append(Begun(tmp_path, words, {}))
        return begun[-1]

    yield start
    for one in begun:
        one.process.kill()
        one.process.wait()


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    language.choose("en")
    yield
    language.choose("en")
