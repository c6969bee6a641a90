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
LABEL = "prosa.tester"  # of all that a run makes
# Of this tree alone: a person's own images have other names.
TESTER, SERVER, CLIENT = "prosa-test-conformance", "prosa-test-server", "prosa-test-client"


def build(tag: str, *words: str | Path, context: Path = ROOT) -> str:
    """Build an image in a folder; its tag. The layers stay in the engine's cache."""
    docker("build", "--quiet", "--tag", tag, *map(str, words), str(context), wait_s=BUILD_S)
    return tag


def leftovers() -> str:
    """Containers of programs and testers, and their volumes."""
    programs = docker("ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}} {{.Image}} {{.Status}}")
    testers = docker("ps", "--all", "--filter", "name=prosa-tester-", "--format", "{{.Names}} {{.Status}}")
    return programs + testers + docker("volume", "ls", "--filter", f"label={LABEL}", "--format", "{{.Name}}")


@dataclass(frozen=True)
class Outcome:
    code: int
    text: str
    report: Path

    def verdicts(self) -> dict[str, str]:
        result: dict[str, Any] = json.loads((self.report / "result.json").read_text(encoding="utf-8"))
        return {test["test"]: test["verdict"] for test in result["tests"]}


Conform = Callable[..., Outcome]


def command(report: Path, words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "prosa_conformance", *words, "--report", str(report)]


def environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "PYTHONPATH": str(CONFORMANCE), "PROSA_TESTER_IMAGE": TESTER}


def run_suite(report: Path, *words: str) -> Outcome:
    done = subprocess.run(
        command(report, words),
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, report)


class Begun:
    """A run that goes on."""

    def __init__(self, report: Path, words: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command(report, words),
            env=environment(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        text, _ = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, text
