#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Date and time, author and text in one send: three ways to put several values into one sequence of octets."""

from __future__ import annotations

import json
import struct
import time

AUTHOR, TEXT = "ada", "at ten; bring\nthe key"
NOW_MS = int(time.time() * 1000)
TAGS = {0x40: "author", 0x84: "time", 0x86: "text"}  # as PROSA/1 numbers nick, sent_at and text


def with_a_mark() -> list[str]:
    """A mark between the values: it must never be part of one."""
    return f"{NOW_MS};{AUTHOR};{TEXT}\n".encode().decode().split("\n")[0].split(";")


def as_json() -> dict[str, object]:
    """JSON escapes what would be a mark. Whoever writes it anew may write other octets: then a signature breaks."""
    octets = json.dumps({"time": NOW_MS, "author": AUTHOR, "text": TEXT}).encode()
    again = json.dumps(json.loads(octets), separators=(",", ":"), sort_keys=True).encode()
    print(f"JSON: {len(octets)} octets, and {len(again)} when another program writes the same")
    return json.loads(octets)


def with_tags() -> dict[str, object]:
    """A tag and a length before each value: nothing is forbidden in it, and there is one way to write it."""
    values = {0x40: AUTHOR.encode(), 0x84: struct.pack(">Q", NOW_MS), 0x86: TEXT.encode()}
    octets = b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in sorted(values.items()))
    print(f"tags and lengths: {len(octets)} octets: {octets[:11].hex(' ')} ...")
    found, at = {}, 0
    while at < len(octets):
        tag, length = struct.unpack_from(">HH", octets, at)
        found[TAGS[tag]] = octets[at + 4 : at + 4 + length]
        at += 4 + length
    return {"time": int.from_bytes(found["time"], "big"), **{name: found[name].decode() for name in ("author", "text")}}


def main() -> None:
    whole = {"time": NOW_MS, "author": AUTHOR, "text": TEXT}
    print(f"sent: {AUTHOR!r} {TEXT!r} and the time")
    parts = with_a_mark()
    print(f"a mark between them: {len(parts)} values came instead of 3, and the text is {parts[2]!r}")
    for read in (as_json, with_tags):
        print(f"  read back: {'the same' if read() == whole else 'something else'}")


if __name__ == "__main__":
    main()
