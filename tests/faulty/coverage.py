#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clauses by tests by faults: is there a test of every clause, and does a faulty program prove each one?

    tests/faulty/coverage.py            the table, the holes, a summary
    tests/faulty/coverage.py --holes    without the table

Holes: a testable clause without a test that spec/open-clauses.yaml does not list; a MUST without a
faulty program that without.yaml does not excuse; an excuse that is not needed. Exit: 0 none, 1 some.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tests" / "suite")]

from fault import faults  # noqa: E402
from prosa_conformance.clauses import Clause, all_clauses  # noqa: E402
from prosa_conformance.contract import FEATURES  # noqa: E402

WITHOUT = Path(__file__).with_name("without.yaml")
OPEN = ROOT / "spec" / "open-clauses.yaml"
Names = dict[str, set[str]]


def tests_of_clauses() -> Names:
    """By clause the tests that cite it, as the suite lists them; cases of one test are one."""
    words = ["--cmd", "true", "--client-cmd", "true", "--codec-cmd", "true", "--level", "L4", "--list"]
    done = subprocess.run(
        [sys.executable, "-m", "prosa_conformance", *words, "--features", ",".join(FEATURES)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "conformance")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"the suite cannot list its tests:\n{done.stdout}{done.stderr}")
    found: Names = defaultdict(set)
    for line in done.stdout.splitlines():
        test, _, cited = line.partition(" ")
        for word in cited.split():
            if word in all_clauses():
                found[word].add(test.partition("[")[0])
    return found


def faults_of_clauses() -> Names:
    found: Names = defaultdict(set)
    for fault in faults().values():
        for clause in fault.clauses:
            found[clause].add(fault.name)
    return found


def reasons(path: Path) -> dict[str, str]:
    entries = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []
    return {entry["id"]: entry["reason"] for entry in entries or []}


def is_testable(clause: Clause) -> bool:
    return not clause.testability.startswith("review")


def is_must(clause: Clause) -> bool:
    return "MUST" in clause.text.split()


def holes(tests: Names, proofs: Names) -> list[str]:
    """One line for each thing that is missing, or too much."""
    unproved, untested = reasons(WITHOUT), reasons(OPEN)
    found = []
    for identity, clause in all_clauses().items():
        if not is_testable(clause):
            continue
        if identity not in tests and identity not in untested:
            found.append(f"{identity}: no test shows it")
        if is_must(clause) and identity not in proofs and identity not in {**unproved, **untested}:
            found.append(f"{identity}: no faulty program breaks it")
        if identity in proofs and identity not in tests:
            found.append(f"{identity}: {', '.join(sorted(proofs[identity]))} breaks it, and no test looks")
    found += [f"{identity}: {WITHOUT.name} excuses what is there" for identity in unproved if identity in proofs]
    found += [
        f"{identity}: nobody knows this clause" for identity in {**unproved, **proofs} if identity not in all_clauses()
    ]
    return found


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Clauses by tests by faults.")
    parser.add_argument("--holes", action="store_true", help="leave the table out")
    options = parser.parse_args(words)
    tests, proofs = tests_of_clauses(), faults_of_clauses()
    testable = {identity: clause for identity, clause in all_clauses().items() if is_testable(clause)}
    if not options.holes:
        print(f"{'clause':9} {'level':8} {'who':8} {'tests':>5} {'faults':>6}")
        for identity, clause in testable.items():
            row = f"{identity:9} {clause.level:8} {clause.who:8} {len(tests[identity]):5} {len(proofs[identity]):6}"
            print(f"{row}  {' '.join(sorted(proofs[identity]))}".rstrip())
    missing = holes(tests, proofs)
    for line in missing:
        print(f"hole: {line}")
    musts = {identity for identity, clause in testable.items() if is_must(clause)}
    print(
        f"{len(testable)} testable clauses, {sum(1 for identity in testable if tests[identity])} tested; "
        f"{len(musts)} of them MUST, {sum(1 for identity in musts if proofs[identity])} with a faulty program; "
        f"{sum(map(len, proofs.values()))} proofs by {len(faults())} programs; {len(missing)} holes"
    )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
