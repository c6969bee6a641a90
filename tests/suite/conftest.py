# SPDX-License-Identifier: MIT
"""Runs the suite as a person does, and keeps all that it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CONFORMANCE = HERE.parents[1] / "conformance"
FAULTY = HERE.parent / "faulty"
sys.path.insert(0, str(CONFORMANCE))  # the small programs are built on its codec
DEADLINE_S = 120
FAST = ("--time-scale", "0.5")
# A few tests of the suite are enough to see how it counts and speaks.
SOME = ("-k", "four_frames or tampered_auth_signature or limit_rises or beyond_the_limit")


@dataclass(frozen=True)
class Outcome:
    code: int
    text: str
    report: Path

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.report / "result.json").read_text())

    def verdicts(self) -> dict[str, str]:
        return {test["test"]: test["verdict"] for test in self.result["tests"]}


Conform = Callable[..., Outcome]


def run_suite(report: Path, *words: str, env: dict[str, str] | None = None, cwd: Path = HERE) -> Outcome:
    """Run the suite, in English if the words ask for no other language."""
    done = subprocess.run(
        [sys.executable, "-m", "prosa_conformance", *words, "--report", str(report)],
        env={**os.environ, "LC_ALL": "C", "PYTHONPATH": str(CONFORMANCE), **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, report)


@pytest.fixture
def conform(tmp_path: Path) -> Conform:
    """conform("--cmd", "...") -> its exit code, its words, its report."""
    return partial(run_suite, tmp_path / "report")


@pytest.fixture(scope="module")
def violating(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Some tests of a server that takes any AUTH: one of them fails."""
    outcome = run_suite(tmp_path_factory.mktemp("report"), "--cmd", faulty("AcceptsAnyAuth"), *SOME, *FAST)
    assert outcome.code == 1, outcome.text
    return outcome


def python(script: str, *words: str) -> str:
    """The command of one of the programs here."""
    return " ".join([sys.executable, str(HERE / script), *words])


def faulty(name: str) -> str:
    """The command of a faulty program."""
    return " ".join([sys.executable, str(FAULTY / "start.py"), name])
