#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the suite against every faulty program: each has to be found, and by the right tests.

    tests/faulty/mutants.py [NAME... | CLAUSE...]     those, or all
    tests/faulty/mutants.py --update [NAME...]        write what was seen into the tables

For every clause that a fault breaks, the tests of this clause run. The table beside a fault's module,
faulty_ROLE_AREA.yaml, says which of them must fail, and with which sentence: any other failure, and a
table's test that passes, is a fault found for the wrong reason. Numbers and names in a sentence stand
as `#`. Exit: 0 all killed as expected, 1 not, 2 wrong words.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tests" / "suite")]

from fault import Fault, faults  # noqa: E402

START = Path(__file__).with_name("start.py")
COMMANDS = {"server": "--cmd", "client": "--client-cmd", "codec": "--codec-cmd"}
TIME_SCALE = "0.3"
DEADLINE_S = 600
VIOLATES = 1
VARIABLE = re.compile(r"\b(?:[0-9a-f]{4,}|[a-z]+-[0-9a-f]{4,}|[\d,.]+)\b")
# A program that fell over shows nothing about the clause that it was to break.
FELL_OVER = ("crashed", "ended by itself", "a sanitizer", "the suite itself")
HEADING = """# SPDX-License-Identifier: MIT
# Which tests find which fault, and what they say: mutants.py --update
"""
Table = dict[str, list[str]]


@dataclass
class Seen:
    """What the suite said of one faulty program: by failed test the sentences of its cases."""

    fault: Fault
    failed: Table = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)


def judge(fault: Fault) -> Seen:
    """Run the tests of its clauses."""
    with tempfile.TemporaryDirectory(prefix="prosa-mutant-") as folder:
        done = subprocess.run(
            [*command(fault), "--report", folder],
            env={**os.environ, "PYTHONPATH": str(ROOT / "conformance")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        if done.returncode != VIOLATES:
            words = done.stdout.strip().splitlines()[-1:]
            return Seen(fault, trouble=[f"exit code {done.returncode}: {' '.join(words)}"])
        return _read(fault, json.loads((Path(folder) / "result.json").read_text()))


def command(fault: Fault) -> list[str]:
    words = [sys.executable, "-m", "prosa_conformance", *fault.subject]
    words += [COMMANDS[fault.role], shlex.join([sys.executable, str(START), fault.name])]
    words += ["--level", fault.level, "--features", ",".join(fault.features), "--only", ",".join(fault.clauses)]
    return [*words, "--strict", "--time-scale", TIME_SCALE, "--seed", "1"]


def _read(fault: Fault, result: dict[str, Any]) -> Seen:
    seen = Seen(fault)
    for test in result["tests"]:
        if test["verdict"] == "fail":
            sentences = seen.failed.setdefault(test["test"].partition("[")[0], [])
            sentence = VARIABLE.sub("#", test["reason"])
            if sentence not in sentences:
                sentences.append(sentence)
    broken = result["clauses"]["broken"]
    seen.trouble += [f"{clause} is kept" for clause in fault.clauses if clause not in broken]
    return seen


def compare(seen: Seen, expected: Table | None) -> list[str]:
    """What is not as the table says."""
    if not seen.fault.falls:
        seen.trouble += [f"it fell over: {words}" for said in seen.failed.values() for words in said if fell(words)]
    if expected is None:
        return [*seen.trouble, f"it has no entry in {seen.fault.table.name}"]
    wrong = list(seen.trouble)
    wrong += [f"{test} should fail, and does not" for test in expected if test not in seen.failed]
    for test, sentences in seen.failed.items():
        if test not in expected:
            wrong.append(f"{test} fails, and should not: {sentences[0]}")
        wrong += [
            f"{test} fails for another reason: {sentence}"
            for sentence in sentences
            if test in expected and not any(fnmatchcase(sentence, known) for known in expected[test])
        ]
    return wrong


def fell(sentence: str) -> bool:
    return any(words in sentence for words in FELL_OVER)


def read_table(path: Path) -> dict[str, Table]:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def write_entry(seen: Seen) -> None:
    """Put one entry into its table; sentences that were seen before stay, as they may come again."""
    path = seen.fault.table
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        table = yaml.safe_load(file.read()) or {}
        before = table.get(seen.fault.name, {})
        table[seen.fault.name] = {
            test: sorted({*sentences, *before.get(test, [])}) for test, sentences in sorted(seen.failed.items())
        }
        file.truncate(0)
        file.write(HEADING)
        yaml.safe_dump(dict(sorted(table.items())), file, width=110, allow_unicode=True)


def chosen(names: Sequence[str]) -> list[Fault]:
    known = faults()
    if not names:
        return list(known.values())
    found = [fault for fault in known.values() if fault.name in names or set(fault.clauses) & set(names)]
    unknown = set(names) - {fault.name for fault in found} - {clause for fault in found for clause in fault.clauses}
    if unknown:
        sys.exit(f"no fault has the name or breaks the clause {', '.join(sorted(unknown))}")
    return found


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run the suite against faulty programs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults, or clauses (default: all)")
    parser.add_argument("--update", action="store_true", help="write the tables anew from what is seen")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="how many at once")
    options = parser.parse_args(words)
    wanted = chosen(options.names)
    count = Counter[str]()
    with ThreadPoolExecutor(options.jobs) as pool:
        for run in as_completed([pool.submit(judge, fault) for fault in wanted]):
            seen = run.result()
            if options.update and seen.failed:
                write_entry(seen)
            trouble = compare(seen, read_table(seen.fault.table).get(seen.fault.name))
            state = "killed" if not trouble else "wrongly" if seen.failed else "survived"
            count[state] += 1
            print(
                f"{state:8} {seen.fault.name:34} {' '.join(seen.fault.clauses)}: {len(seen.failed)} tests", flush=True
            )
            for line in trouble:
                print(f"         {line}", flush=True)
    clauses = {clause for fault in wanted for clause in fault.clauses}
    states = ", ".join(f"{count[state]} {state}" for state in ("killed", "survived", "wrongly"))
    print(f"{len(wanted)} faults in {len(clauses)} clauses: {states}")
    return 0 if count["killed"] == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
