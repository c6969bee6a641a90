# SPDX-License-Identifier: MIT
"""One student's run of the suite: as `./run conform` does it, with a deadline for the whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prosa_conformance import tester
from prosa_conformance.language import chosen
from prosa_conformance.outcome import UsageError, Verdict
from prosa_grading.watch import Done, Watch

MORE_TIME = 3  # in the second try
NOT_PASSED = (Verdict.FAIL, Verdict.SKIPPED, Verdict.INCONCLUSIVE)
PACKAGES = Path(__file__).parents[1]  # where Python finds the suite


@dataclass(frozen=True)
class Ended:
    code: int
    is_late: bool
    seconds: float
    last_words: str
    result: Mapping[str, Any] | None  # result.json, when the suite came so far

    @property
    def trouble(self) -> tuple[bool, int, int]:
        """The less, the better: no result at all, what the suite ends with, and tests that did not pass."""
        tests = self.result["tests"] if self.result else []
        return self.result is None, max(self.code, 0), sum(test["verdict"] in NOT_PASSED for test in tests)


@dataclass(frozen=True)
class Wish:
    """What is the same for all students."""

    seconds: float
    time_scale: float
    only: str
    jobs: int | None = None


def run(description: Path, seed: int, results: Path, wish: Wish, watch: Watch) -> Ended:
    """The suite on what the description names. What does not pass has a second try with more time, and the better of
    the two counts: a machine that was busy takes nobody's points."""
    reports = [results.with_name(name) for name in ("first", "second")]
    ended = [_once(description, seed, reports[0], wish, watch)]
    if any(ended[0].trouble) and not ended[0].is_late:
        patient = replace(wish, time_scale=wish.time_scale * MORE_TIME)
        ended.append(_once(description, seed, reports[1], patient, watch))
    better = min(range(len(ended)), key=lambda number: ended[number].trouble)
    for path in reports[better].iterdir():
        path.rename(results / path.name)
    return ended[better]


def _once(description: Path, seed: int, report: Path, wish: Wish, watch: Watch) -> Ended:
    report.mkdir()
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
