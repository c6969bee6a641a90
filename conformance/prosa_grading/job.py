# SPDX-License-Identifier: MIT
"""One student's run of the suite: as `./run conform` does it, with a deadline for the whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prosa_conformance import tester
from prosa_conformance.language import chosen
from prosa_conformance.outcome import Exit, UsageError, Verdict
from prosa_grading.watch import Done, Watch

PACKAGES = Path(__file__).parents[1]  # where Python finds the suite


@dataclass(frozen=True)
class Ended:
    code: int
    is_late: bool
    seconds: float
    last_words: str
    result: Mapping[str, Any] | None  # result.json, when the suite came so far

    @property
    def is_doubtful(self) -> bool:
        """The machine may have had a hand in it: worth a second try."""
        if self.is_late:
            return False
        if self.result is None or self.code in (Exit.NOT_STARTED, Exit.HARNESS):
            return True
        return any(test["verdict"] == Verdict.INCONCLUSIVE for test in self.result["tests"])


@dataclass(frozen=True)
class Wish:
    """What is the same for all students."""

    seconds: float
    time_scale: float
    only: str
    jobs: int | None = None


def run(description: Path, seed: int, report: Path, wish: Wish, watch: Watch) -> Ended:
    """The suite on what the description names; twice when the first time leaves a doubt."""
    ended = _once(description, seed, report, wish, watch)
    return _once(description, seed, report, wish, watch) if ended.is_doubtful else ended


def _once(description: Path, seed: int, report: Path, wish: Wish, watch: Watch) -> Ended:
    command = [sys.executable, "-m", "prosa_conformance", "--sut", str(description), "--report", str(report)]
    command += ["--seed", str(seed), "--time-scale", str(wish.time_scale), "--lang", chosen()]
    command += ["--only", wish.only] if wish.only else []
    command += ["--jobs", str(wish.jobs)] if wish.jobs else []
    done = watch.run(
        command,
        seconds=wish.seconds,
        log=report / "suite.log",
        environment={"PYTHONPATH": str(PACKAGES), "PYTHONDONTWRITEBYTECODE": "1"},
        kill=_kill,
    )
    result = _result(report)
    _hide(report, description)
    return Ended(done.code, done.is_late, done.seconds, _last_words(done), result)


def _kill(process: int) -> None:
    with suppress(UsageError):  # there is no engine, and so no container
        tester.kill(process)


def _result(report: Path) -> Mapping[str, Any] | None:
    try:
        result: Mapping[str, Any] = json.loads((report / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or cut off in the middle
        return None
    return result


def _hide(report: Path, description: Path) -> None:
    """Where a teacher keeps things is nothing for a student's report: who runs it at home has another place."""
    for name in ("result.json", "junit.xml", "report.html", "suite.log"):
        path = report / name
        if path.exists():
            octets = path.read_bytes()
            for place, words in ((description, "prosa.toml"), (description.parent, "."), (report, ".")):
                octets = octets.replace(str(place).encode(), words.encode())
            path.write_bytes(octets)


def _last_words(done: Done) -> str:
    return next((line.strip() for line in reversed(done.text.splitlines()) if line.strip()), "")[:300]
