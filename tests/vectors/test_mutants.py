# SPDX-License-Identifier: MIT
"""Two codecs, written apart from the same text, give the same reply to frames that nobody thought
of: the vectors' frames with octets changed, cut out, put in or repeated, and fields exchanged.

All randomness comes from one seed, PROSA_SEED, which a failure prints.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))

from prosa_conformance import codec_program  # noqa: E402

COUNT = int(os.environ.get("PROSA_MUTANTS", "4000"))
SEED = os.environ.get("PROSA_SEED", "prosa")
DEADLINE = 120 * float(os.environ.get("PROSA_TIME_SCALE", "1"))
HEADER = 8
Words = tuple[str, str, bytes]


def originals() -> list[Words]:
    """Sender, cap and octets of every frame of the vectors that is not huge."""
    found = []
    for path in sorted((ROOT / "spec/vectors").glob("*.json")):
        for vector in json.loads(path.read_text(encoding="utf-8")).get("vectors", []):
            words = vector["request"].split(" ")
            if words[0] == "decode" and words[3] != "-" and len(words[3]) < 4096:
                found.append((words[1], words[2], bytes.fromhex(words[3])))
    return found


def split_fields(body: bytes) -> list[bytes]:
    fields = []
    while len(body) >= 4:
        size = 4 + int.from_bytes(body[2:4], "big")
        fields.append(body[:size])
        body = body[size:]
    return fields


def mutate_octets(dice: random.Random, octets: bytes) -> bytes:
    """One to three octets changed to a neighbour, a bound or anything."""
    changed = bytearray(octets)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(changed))
        changed[at] = dice.choice([changed[at] ^ 1 << dice.randrange(8), 0, 0xFF, 0x80, dice.randrange(256)])
    return bytes(changed)


def mutate_fields(dice: random.Random, octets: bytes, others: list[bytes]) -> bytes:
    """Fields left out, repeated, exchanged or taken from another frame; the header stays true."""
    fields = split_fields(octets[HEADER:])
    donor = split_fields(dice.choice(others)[HEADER:])
    action = dice.randrange(4)
    if action == 0 and fields:
        fields.pop(dice.randrange(len(fields)))
    elif action == 1 and donor:
        fields.append(dice.choice(donor))
    elif action == 2 and fields and donor:
        fields[dice.randrange(len(fields))] = dice.choice(donor)
    else:
        tag = dice.randrange(0x10000).to_bytes(2, "big")
        size = dice.randrange(4)
        fields.append(tag + size.to_bytes(2, "big") + dice.randbytes(size))
    if dice.random() < 0.8:
        fields.sort(key=lambda field: field[:2])
    body = b"".join(fields)
    return octets[:4] + len(body).to_bytes(4, "big") + body


def mutants() -> list[str]:
    dice = random.Random(SEED)
    found = originals()
    others = [octets for _, _, octets in found]
    requests = []
    for _ in range(COUNT):
        sender, cap, octets = dice.choice(found)
        changed = octets
        if len(octets) > HEADER and dice.random() < 0.6:
            changed = mutate_fields(dice, octets, others)
        if changed == octets or dice.random() < 0.4:
            changed = mutate_octets(dice, changed)
        requests.append(f"decode {sender} {cap} {changed.hex()}")
    return requests


def test_both_codecs_agree_on_mutants() -> None:
    requests = mutants()
    done = subprocess.run(
        [os.environ["PROSA_CODEC"]], input="\n".join(requests) + "\n", capture_output=True, text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    replies = done.stdout.splitlines()
    assert len(replies) == len(requests)
    verdicts = set()
    for request, reply in zip(requests, replies, strict=True):
        wanted = codec_program.answer(request)
        verdicts.add((wanted["verdict"], wanted.get("error")))
        assert json.loads(reply) == wanted, f"PROSA_SEED={SEED}: {request}"
    assert len(verdicts) >= 6, f"the mutants are too much alike: {verdicts}"
