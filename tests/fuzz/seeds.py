#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the beginnings of the corpora: what the vectors of the specification have, as inputs of the targets.

seeds.py FOLDER     makes FOLDER/TARGET/NAME; what was there before goes
"""

from __future__ import annotations

import hashlib
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


def keyfile_seeds() -> Seeds:
    good = b"PROSA-KEY-1 " + bytes(range(32)).hex().encode() + b"\n"
    return {"good": b"\0" + good, "readable": b"\x49" + good, "short": b"\0" + good[:-1], "upper": b"\0" + good.upper()}


def pins_seeds() -> Seeds:
    """Of the key that is all zero; the mutator makes the others."""
    key = bytes(32)
    digits = hashlib.sha256(key).hexdigest()[:32]
    groups = " ".join(digits[at : at + 4] for at in range(0, 32, 4))
    line = f"localhost:1 {groups} {key.hex()}\n".encode()
    return {"empty": b"\1", "good": b"\1" + line, "other": b"\0" + line, "twice": b"\1" + line + line}


def settings_seeds() -> Seeds:
    whole = (
        "host = 0.0.0.0\nport = 0\nlevel = L2\ntimers = handshake_ms=600,linger_ms=300\nanswer = echo\n# words\n"
        "answer-timeout = 3\nlog-level = warn\nmemory = yes\naudit = no\nkeep-messages = 10\nkeep-days = 2\n"
        "rooms = lab,dev\nmax-clients = 5\nverifiers = 2\nexempt = 192.0.2.1,::1\nmetrics = [::1]:9100\n"
    )
    lines = {f"line-{at}": f"\n{line}\n".encode() for at, line in enumerate(whole.splitlines())}
    flags = b"--port 1 --level=L9 --memory=no --timers token_rate=1 --restored\n"
    return {"whole": b"\n" + whole.encode(), "flags": flags, "both": flags + whole.encode(), **lines}


def log_seeds() -> Seeds:
    """No damage; one octet in each of many places; each kind of damage."""
    seeds = {f"whole-{image}-{looks}": bytes([image, looks]) for image in range(2) for looks in range(0, 5, 4)}
    for at in range(0, 100_000, 3407):
        seeds[f"octet-{at}"] = struct.pack(">BBBBI", 0, 0, 4, 1 << at % 8, at)
        seeds[f"wal-{at}"] = struct.pack(">BBBBI", 1, 1, 12, 1 << at % 8, at)
    for what in range(24):
        seeds[f"kind-{what}"] = struct.pack(">BBBBI", 1, 4, what, 3, 8192)
    return seeds


FIT_ALL, IN_PIECES, WITH_NEXT = 0x0F, 0x10, 0x20
CALLS = 128


def step(kind: int, how: int, octets: bytes) -> bytes:
    """One step of a script, as script.h has it."""
    return struct.pack(">BBH", kind, how, len(octets)) + octets


def call(number: int, *words: int) -> bytes:
    """A call: two octets and a u16."""
    which, small, large = (*words, 0, 0, 0)[:3]
    return step(CALLS + number, 0, struct.pack(">BBH", which, small, large))


def script_seeds(sender: str, heads: tuple[bytes, ...], calls: tuple[bytes, ...]) -> Seeds:
    """The frames of one side of each recorded session: alone, in other settings, and with each of the calls."""
    seeds = {}
    for session in sessions():
        frames = [bytes.fromhex(one["hex"]) for one in session["steps"] if one["from"] == sender]
        steps = [step(0, FIT_ALL, octets) for octets in frames]
        raw = [step(0, 0, octets) for octets in frames]
        pieces = [step(0, FIT_ALL | IN_PIECES, octets) for octets in frames]
        at_once = [step(0, FIT_ALL | (WITH_NEXT if i > 3 else 0), octets) for i, octets in enumerate(frames)]
        for number, settings in enumerate(heads):
            for name, made in (("fit", steps), ("raw", raw), ("pieces", pieces), ("at-once", at_once)):
                seeds[f"{session['id']}-{name}-{number}"] = settings + b"".join(made)
            for at, one in enumerate(calls):
                made = [part for frame in steps for part in (frame, one)]
                seeds[f"{session['id']}-call-{at}-{number}"] = settings + b"".join(made)
    return seeds


def server_session_seeds() -> Seeds:
    take, policy, answer, say, prune, member, wait, deadline, bye, answered, no_answer = (
        0,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        11,
        14,
        15,
    )
    return script_seeds(
        "client",
        (bytes([7, 7, 2, 1, 1, 207, 0, 0]), bytes([0, 0, 0, 0, 0, 0, 1, 0])),
        (
            call(take, 0, 0, 30),
            call(policy, 0x1F, 7),
            call(policy, 0x08, 7) + call(answer, 4, 0),
            call(say, 1, 3, 200),
            call(say, 2, 0, 7000),
            call(say, 2, 1, 10) + call(prune, 2, 1),
            call(member, 2, 0, 3),
            call(wait, 0, 0, 60),
            call(deadline),
            call(bye, 0, 29),
            call(answered, 0, 0, 40),
            call(no_answer, 0),
        ),
    )


def client_session_seeds() -> Seeds:
    take, trust, join, leave, send, again, ping, wait, deadline, bye = 0, 2, 3, 4, 5, 6, 7, 8, 9, 12
    rooms = b"".join(call(join, room, 8) for room in range(3))
    return script_seeds(
        "server",
        (bytes([7, 0, 0, 0, 0, 0, 0, 0]), bytes([7, 1, 1, 1, 0, 0, 0, 0]), bytes([0, 3, 0, 0, 0, 0, 0, 0])),
        (
            rooms,
            call(take, 0, 0, 30),
            call(trust, 0, 1),
            rooms + call(send, 0, 0, 20) + call(send, 2, 0, 300),
            call(join, 2, 10, 1) + call(send, 2, 0, 20) + call(again, 2),
            call(join, 2, 3, 0) + call(leave, 2),
            call(join, 0, 4, 0) + call(leave, 0),
            call(ping, 0, 5),
            call(wait, 0, 0, 60),
            call(deadline),
            call(bye),
        ),
    )


SEEDS = {
    "client_session": client_session_seeds,
    "server_session": server_session_seeds,
    "frame": frame_seeds,
    "message": message_seeds,
    "text": text_seeds,
    "keyfile": keyfile_seeds,
    "pins": pins_seeds,
    "settings": settings_seeds,
    "log": log_seeds,
}


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
