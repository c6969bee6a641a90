#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the whole suite of its level against every faulty program: what else fails, beside the tests of its clauses?

    tests/faulty/whole.py FOLDER [NAME...]     FOLDER keeps each one's outcome; started again, it goes on

A fault that no test of its clauses finds is a failure. That other tests fail, too, is told: many a fault is felt
elsewhere, and some tests quote a clause too few. Exit: 0 all found, 1 not, 2 wrong words.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mutants
from mutants import suite

from fault import HERE, Fault, faults


def judge(fault: Fault) -> dict[str, Any]:
    """The failed tests that quote a clause of the fault, and those that do not."""
    words = mutants.options_for(fault, mutants.FULL)
    only = words.index("--only")
    with tempfile.TemporaryDirectory(prefix="prosa-whole-") as report:
        ran = suite.run([*words[:only], *words[only + 2 :]], Path(report))
    tests = ran.result["tests"] if ran.result is not None else []
    failed = [test for test in tests if test["verdict"] == "fail"]
    own = sorted(test["test"] for test in failed if set(test["clauses"]) & set(fault.clauses))
    others = sorted({test["test"].partition("[")[0] for test in failed if test["test"] not in own})
    return {"code": ran.code, "found": len(own), "others": others, "last": ran.lines[-3:]}


def main(argv: Sequence[str]) -> int:
    known = faults(HERE)
    if not argv or set(argv[1:]) - set(known):
        print("usage: whole.py FOLDER [NAME of a fault...]", file=sys.stderr)
        return 2
    folder, names = Path(argv[0]), argv[1:] or list(known)
    folder.mkdir(parents=True, exist_ok=True)
    lost = beside = 0
    for name in names:
        path = folder / f"{name}.json"
        if not path.exists():
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(judge(known[name])), encoding="utf-8")
            fresh.replace(path)
        seen = json.loads(path.read_text(encoding="utf-8"))
        lost += not seen["found"]
        beside += bool(seen["others"])
        state = "found" if seen["found"] else f"NOT FOUND (exit code {seen['code']})"
        print(f"{name:34} {state}, {len(seen['others'])} other tests fail: {' '.join(seen['others'][:8])}", flush=True)
    print(f"{len(names)} faults, {lost} not found; of {beside} other tests fail, too")
    return 1 if lost else 0


if __name__ == "__main__":
    suite.interruption.listen()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("whole: interrupted; started again, it goes on")
