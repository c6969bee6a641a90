#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the text of the specification against its tests, vectors and everybody who cites it.

    tools/speclint.py           one line a fault, `file:line: what: what to do`, then a summary

Clauses that are testable but not tested yet stand in spec/open-clauses.yaml, with a reason;
they are listed and counted. Exit: 0 clean, 1 faults, 2 usage.
"""

import argparse
import sys
import textwrap
from pathlib import Path

from spec import lint
from spec.errors import SpecError

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check the specification in both directions.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree (default: this one)")
    options = parser.parse_args(arguments)
    try:
        report = lint.run(options.root)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1
    for fault in report.faults:
        print(fault)
    for reason, ids in report.open_groups().items():
        print(f"open, {len(ids)}: {reason}")
        print(textwrap.fill(" ".join(ids), 100, initial_indent="    ", subsequent_indent="    "))
    print(report.summary())
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
