#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clauses by tests by faults: is there a test of every clause, and does a faulty program prove each one?

    tests/faulty/coverage.py            the table, the holes, a summary
    tests/faulty/coverage.py --holes    without the table

A clause that binds peers or programs is shown for servers and for clients. Holes: a testable clause without
a test that spec/open-clauses.yaml does not list; a MUST without a faulty program that without.yaml does not
excuse; an excuse that is not needed. Exit: 0 none, 1 some.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tests" / "suite")]

from fault import faults  # noqa: E402
from prosa_conformance.clauses import Clause, all_clauses  # noqa: E402
from prosa_conformance.contract import FEATURES  # noqa: E402

WITHOUT = Path(__file__).with_name("without.yaml")
OPEN = ROOT / "spec" / "open-clauses.yaml"
Bond = tuple[str, str]  # a clause, and the role of a program that it binds
Names = dict[Bond, set[str]]


def bonds() -> dict[Bond, Clause]:
    """What has to be shown: each testable clause for each role that it binds."""
    return {
        (clause.id, role): clause
        for clause in all_clauses().values()
        if not clause.testability.startswith("review")
        for role in roles(clause)
    }


def roles(clause: Clause) -> tuple[str, ...]:
    if clause.level == "L0" or clause.testability == "vector":
        return ("codec",)
    return {"peer": ("server", "client"), "program": ("server", "client")}.get(clause.who, (clause.who,))


OVER_TCP = ["--cmd", "true", "--client-cmd", "true", "--codec-cmd", "true"]
OVER_ZEROMQ = ["--transport", "zmq", "--role", "relay", "--cmd", "true", "--bridge-cmd", "true"]


def tests_of_bonds() -> Names:
    """The tests that cite it, as the suite lists them; cases of one test are one."""
    found: Names = defaultdict(set)
    for subject in (OVER_TCP, OVER_ZEROMQ):
        for line in listed([*subject, "--level", "L4", "--list"]):
            test, _, role, *clauses = line.split()
            for clause in clauses:
                found[clause, role].add(test.partition("[")[0])
    return found


def listed(words: Sequence[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "prosa_conformance", *words, "--features", ",".join(FEATURES)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "conformance")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"the suite cannot list its tests:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()


def faults_of_bonds() -> Names:
    found: Names = defaultdict(set)
    for fault in faults().values():
        for clause in fault.clauses:
            found[clause, fault.role].add(fault.name)
    return found


def excuses(path: Path) -> set[Bond]:
    """What a file of {id, reason} or {id, role, reason} lists."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    given = {(entry["id"], entry.get("role")) for entry in entries}
    return {bond for bond in bonds() if bond in given or (bond[0], None) in given}


def is_must(clause: Clause) -> bool:
    return "MUST" in clause.text.split()


def holes(tests: Names, proofs: Names) -> list[str]:
    """One line for each thing that is missing, or too much."""
    excused, untested = excuses(WITHOUT), excuses(OPEN)
    found = []
    for bond, clause in bonds().items():
        name = " of a ".join(bond)
        if bond not in tests and bond not in untested | excused:
            found.append(f"{name}: no test shows it")
        if is_must(clause) and bond not in proofs and bond not in excused | untested:
            found.append(f"{name}: no faulty program breaks it")
        if bond in excused and bond in proofs:
            found.append(f"{name}: {WITHOUT.name} excuses what is there")
    unknown = {clause for clause, _ in proofs if clause not in all_clauses()}
    return found + [
        f"{clause}: a faulty program breaks it, and the text has no such clause" for clause in sorted(unknown)
    ]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Clauses by tests by faults.")
    parser.add_argument("--holes", action="store_true", help="leave the table out")
    options = parser.parse_args(words)
    tests, proofs, all_bonds = tests_of_bonds(), faults_of_bonds(), bonds()
    missing = holes(tests, proofs)  # first: to look up what is missing enters it
    if not options.holes:
        print(f"{'clause':9} {'level':8} {'role':8} {'tests':>5} {'faults':>6}")
        for bond, clause in all_bonds.items():
            row = f"{bond[0]:9} {clause.level:8} {bond[1]:8} {len(tests[bond]):5} {len(proofs[bond]):6}"
            print(f"{row}  {' '.join(sorted(proofs[bond]))}".rstrip())
    for line in missing:
        print(f"hole: {line}")
    tested = [bond for bond in all_bonds if tests[bond]]
    musts = [bond for bond, clause in all_bonds.items() if is_must(clause)]
    proved = [bond for bond in musts if proofs[bond]]
    print(
        f"{counted(all_bonds)}: {counted(tested)} tested; "
        f"{counted(musts)} with MUST: {counted(proved)} proved by {len(faults())} faulty programs; {len(missing)} holes"
    )
    return 1 if missing else 0


def counted(some: Iterable[Bond]) -> str:
    """A clause that binds two roles is one clause to be shown twice."""
    listed = list(some)
    return f"{len({clause for clause, _ in listed})} clauses ({len(listed)} with roles)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
