#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes spec/vectors from fixed seeds.

    tools/make_vectors.py           write the files
    tools/make_vectors.py --check   write nothing; name each stale file and fail

Exit: 0 done or current, 1 stale, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "conformance"))

from vectors import chain, frames, handshake, keys, messages, rooms, sessions, wire  # noqa: E402

FOLDER = ROOT / "spec" / "vectors"


def documents() -> dict[str, dict[str, object]]:
    """The content of each file by its name."""
    made = {}
    for maker in (wire, frames, keys, handshake, messages, rooms, chain):
        collection = maker.make()
        made[f"{collection.name}.json"] = collection.document()
    made["sessions.json"] = sessions.make()
    return made


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Make spec/vectors from fixed seeds.")
    parser.add_argument("--check", action="store_true", help="only name the stale files")
    options = parser.parse_args(arguments)
    stale = 0
    for name, document in documents().items():
        path = FOLDER / name
        text = json.dumps(document, indent=1) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if options.check:
            print(f"{path.relative_to(ROOT)}: stale: run tools/make_vectors.py and commit the file")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: written")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
