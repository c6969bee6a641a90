# SPDX-License-Identifier: MIT
"""The suite against programs in images, run as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import BUILD_S, ROOT, docker

CONFORMANCE = ROOT / "conformance"
DEADLINE_S = 900
# Of this tree alone: a person's own images have other names.
TESTER, SERVER, CLIENT = "prosa-test-conformance", "prosa-test-server", "prosa-test-client"


def build(tag: str, *words: str | Path, context: Path = ROOT) -> str:
    """Build an image in a folder; its tag. The layers stay in the engine's cache."""
    docker("build", "--quiet", "--tag", tag, *map(str, words), str(context), wait_s=BUILD_S)
    return tag


_runs: list[int] = []  # process ids: what a run makes has a name with its own


def names_of(run: int) -> str:
    """How the names of what a run makes begin: its tester's, and those of its programs."""
    return f"prosa-tester-{run}-"


def leftovers() -> list[str]:
    """Containers and volumes of all the runs that were begun here; other people's are none of our business."""
    containers = docker("ps", "--all", "--format", "{{.Names}}").split()
    volumes = docker("volume", "ls", "--format", "{{.Name}}").split()
    ours = tuple(map(names_of, _runs))
    return [name for name in (*containers, *volumes) if ours and name.startswith(ours)]


@dataclass(frozen=True)
class Outcome:
    code: int
    text: str
    report: Path

    def verdicts(self) -> dict[str, str]:
        result: dict[str, Any] = json.loads((self.report / "result.json").read_text(encoding="utf-8"))
        return {test["test"]: test["verdict"] for test in result["tests"]}


Conform = Callable[..., Outcome]


class Begun:
    """A run that goes on."""

    def __init__(self, report: Path, words: Sequence[str]) -> None:
        self.report = report
        self.process = subprocess.Popen(
            [sys.executable, "-m", "prosa_conformance", *words, "--report", str(report)],
            env={**os.environ, "LC_ALL": "C", "PYTHONPATH": str(CONFORMANCE), "PROSA_TESTER_IMAGE": TESTER},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        _runs.append(self.process.pid)

    @property
    def names(self) -> str:
        return names_of(self.process.pid)

    def ended(self) -> Outcome:
        text, _ = self.process.communicate(timeout=DEADLINE_S)
        return Outcome(self.process.returncode, text, self.report)

    def end(self, number: signal.Signals) -> Outcome:
        self.process.send_signal(number)
        return self.ended()


def run_suite(report: Path, *words: str) -> Outcome:
    return Begun(report, words).ended()
