#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the beginnings of the corpora: what the vectors of the specification have, as inputs of the targets.

    seeds.py FOLDER     makes FOLDER/TARGET/NAME; what was there before goes
"""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
LARGEST = 4096  # octets; longer frames are no beginnings, mutations find them
Json = dict[str, Any]
Seeds = dict[str, bytes]


def vectors() -> Iterator[Json]:
    for path in sorted(VECTORS.glob("*.json")):
        yield from json.loads(path.read_text(encoding="utf-8")).get("vectors", [])


def sessions() -> list[Json]:
    found: list[Json] = json.loads((VECTORS / "sessions.json").read_text(encoding="utf-8"))["sessions"]
    return found


def decoded() -> Iterator[tuple[str, str, int, bytes]]:
    """Id, sender, cap and octets of all that the vectors let a codec decode."""
    for vector in vectors():
        words = vector["request"].split(" ")
        if words[0] == "decode" and len(words[3]) <= 2 * LARGEST:
            octets = b"" if words[3] == "-" else bytes.fromhex(words[3])
            yield vector["id"], words[1], int(words[2]), octets


def frame_seeds() -> Seeds:
    return {name: struct.pack(">H", min(cap - 1, 0xFFFF)) + octets for name, _, cap, octets in decoded() if cap}


def message_seeds() -> Seeds:
    seeds = {name: bytes([sender == "server"]) + octets for name, sender, _, octets in decoded()}
    for session in sessions():
        for number, step in enumerate(session["steps"]):
            octets = bytes.fromhex(step["hex"])
            seeds[f"{session['id']}-{number}"] = bytes([step["from"] == "server"]) + octets
    return seeds


def text_seeds() -> Seeds:
    texts = ["", "plain", "\x1b[2J\x07\x7f", "\u202e\u2066\u200b\ufeff", "back\\slash \\u0041", "é€\U0001f44b\u0085"]
    broken = [b"\xc3(", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xf0\x9f\x91", b"a\x00b"]
    return {str(number): octets for number, octets in enumerate([*(t.encode() for t in texts), *broken])}


SEEDS = {"frame": frame_seeds, "message": message_seeds, "text": text_seeds}


def main(folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    for target, make in SEEDS.items():
        (folder / target).mkdir(parents=True)
        seeds = make()
        assert seeds, target
        for name, octets in seeds.items():
            (folder / target / name).write_bytes(octets)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
