#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Generates everything that repeats spec/registry.yaml, so that nobody does it by hand.

    tools/registry.py           write the generated files and the marked tables of the chapters
    tools/registry.py --check   write nothing; name each stale file and fail

Exit: 0 done or current, 1 stale or a faulty source, 2 usage.
"""

import argparse
import sys
from pathlib import Path

from spec import generate
from spec.errors import SpecError

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Generate what repeats spec/registry.yaml.")
    parser.add_argument("--check", action="store_true", help="only name the stale files")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree (default: this one)")
    options = parser.parse_args(arguments)
    try:
        generated = generate.run(options.root)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1
    outputs = generated.files
    for fault in generated.faults:
        print(fault, file=sys.stderr)
    stale = [path for path, text in outputs.items() if _content(path) != text]
    for path in stale:
        name = path.relative_to(options.root)
        if options.check:
            print(f"{name}: stale: run tools/registry.py and commit the file")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(outputs[path], encoding="utf-8")
            print(f"{name}: written")
    print(f"{len(outputs)} files generated from spec/, {len(stale)} "
          f"{'stale' if options.check else 'written'}")
    return 1 if generated.faults or (options.check and stale) else 0


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
