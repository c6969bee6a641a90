#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the conformance suite again and again: no verdict may differ from the first run's.

    tools/repeat.py N [WORDS...]     WORDS as for the suite; without a subject among them, prosa.toml

Each run has a seed of its own. The report of a run that differs stays, as build/repeat/differs-NUMBER.
Exit: 0 all alike and the program conforms, 1 not, 2 wrong words; else what the suite ends with.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import suite
from suite import ROOT, interruption

SUBJECTS = ("--sut", "--cmd", "--client-cmd", "--codec-cmd", "--connect")
JUDGED = (0, 1)  # exit codes of a run that came to its end
LAST_LINES = 20  # of a run that came to nothing
Verdicts = dict[str, str]


def run(words: Sequence[str], seed: int, report: Path) -> tuple[int, Verdicts]:
    """One run of the suite: its exit code and each test's verdict."""
    shutil.rmtree(report, ignore_errors=True)
    report.parent.mkdir(parents=True, exist_ok=True)
    ran = suite.run([*words, "--seed", str(seed)], report)
    if ran.result is None:
        print("\n".join(ran.lines[-LAST_LINES:]))
        return ran.code or 1, {}
    return ran.code, {test["test"]: test["verdict"] for test in ran.result["tests"]}


def differences(first: Verdicts, now: Verdicts, words: Sequence[str], seed: int) -> list[str]:
    """A line for each test that came to something else, and how to see it again."""
    lines = []
    for test in sorted({*first, *now}):
        before, after = first.get(test, "not run"), now.get(test, "not run")
        if before != after:
            replay = shlex.join(["./run", "conform", *words, "--seed", str(seed), "--test", test])
            lines += [f"  {test}: first {before}, now {after}, seed {seed}", f"    {replay}"]
    return lines


def repeat(count: int, words: Sequence[str], folder: Path) -> int:
    first: Verdicts = {}
    verdicts = differing = 0
    ends: set[int] = set()
    for number in range(1, count + 1):
        seed, started, report = secrets.randbelow(1 << 32), time.monotonic(), folder / "run"
        code, now = run(words, seed, report)
        if code not in JUDGED and (not first or not now):
            print(f"run {number} of {count} came to nothing: the suite ended with {code}")
            return code
        first = first or now
        told = differences(first, now, words, seed)
        verdicts, differing, ends = verdicts + len(now), differing + len(told) // 2, ends | {code}
        seconds = time.monotonic() - started
        print(f"run {number} of {count}: {len(now)} verdicts, {len(told) // 2} differ, {seconds:.1f} s, seed {seed}")
        if told:
            kept = folder / f"differs-{number}"
            shutil.rmtree(kept, ignore_errors=True)
            report.rename(kept)
            print("\n".join([*told, f"    its report: {kept}"]))
        sys.stdout.flush()
    print(f"{count} runs, {verdicts:,} verdicts, {differing:,} differ")
    if len(ends) == 1 and ends != {0} and not differing:
        print("every run ends alike, and none of them well: the suite's exit codes are " + ", ".join(map(str, ends)))
    return 0 if ends == {0} and not differing else 1


def main(argv: Sequence[str]) -> int:
    if not argv or not argv[0].isdecimal() or int(argv[0]) < 1:
        print("usage: repeat.py N [WORDS of the suite...], N from 1 on", file=sys.stderr)
        return 2
    words = list(argv[1:])
    if not any(word.split("=")[0] in SUBJECTS for word in words):
        words = ["--sut", str(ROOT / "prosa.toml"), *words]
    return repeat(int(argv[0]), words, Path(os.environ.get("PROSA_REPEAT", ROOT / "build" / "repeat")))


if __name__ == "__main__":
    interruption.listen()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("repeat: interrupted")
