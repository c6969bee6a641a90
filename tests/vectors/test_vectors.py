# SPDX-License-Identifier: MIT
"""Every vector of spec/vectors runs in C: its request through prosa-codec, and what it decodes
once more at every prefix and against a guard page.

The programs come from the build: PROSA_CODEC and PROSA_REPLAY name them.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[2] / "spec/vectors"
SESSIONS = VECTORS / "sessions.json"
FILES = sorted(path for path in VECTORS.glob("*.json") if path != SESSIONS)
CAP = 65536
DEADLINE = 120 * float(os.environ.get("PROSA_TIME_SCALE", "1"))

Json = dict[str, Any]


def run(variable: str, lines: list[str]) -> subprocess.CompletedProcess[str]:
    """A program of the build with these lines on its stdin."""
    return subprocess.run(
        [os.environ[variable]], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=DEADLINE
    )


def ask_codec(requests: list[str]) -> list[Json]:
    """The replies of prosa-codec, one for each request."""
    done = run("PROSA_CODEC", requests)
    assert done.returncode == 0, f"prosa-codec ended with {done.returncode}: {done.stderr}"
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(replies) == len(requests), f"{len(requests)} requests, {len(replies)} replies"
    return replies


def vectors_of(path: Path) -> list[Json]:
    return json.loads(path.read_text(encoding="utf-8"))["vectors"]


def session_steps() -> list[tuple[str, Json]]:
    sessions = json.loads(SESSIONS.read_text(encoding="utf-8"))["sessions"]
    return [(f"{session['id']}[{at}]", step) for session in sessions for at, step in enumerate(session["steps"])]


def decode_words(requests: list[str]) -> list[str]:
    return [request.removeprefix("decode ") for request in requests if request.startswith("decode ")]


def wrong_members(wanted: Json, got: Json) -> dict[str, object]:
    """What the vector lists and the reply has otherwise; the order of fields counts, too."""
    return {
        name: got.get(name)
        for name, value in wanted.items()
        if json.dumps(got.get(name)) != json.dumps(value)
    }


def test_there_are_vectors() -> None:
    assert FILES, f"no vectors in {VECTORS}"
    assert SESSIONS.exists(), f"{SESSIONS} is missing"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_codec_gives_the_replies_of_the_vectors(path: Path) -> None:
    vectors = vectors_of(path)
    assert vectors, f"{path.name} is empty"
    replies = ask_codec([vector["request"] for vector in vectors])
    wrong = {
        vector["id"]: wrong_members(vector["reply"], reply)
        for vector, reply in zip(vectors, replies, strict=True)
        if wrong_members(vector["reply"], reply)
    }
    assert not wrong, f"{len(wrong)} of {len(vectors)} vectors have another reply: {wrong}"


def test_codec_projects_the_recorded_sessions() -> None:
    steps = [(name, step) for name, step in session_steps() if "hex" in step]
    assert steps, "the recorded sessions have no frames"
    replies = ask_codec([f"decode {step['from']} {CAP} {step['hex']}" for _, step in steps])
    for (name, step), reply in zip(steps, replies, strict=True):
        assert reply.get("frame") == step["frame"], name
        assert reply.get("encoded") == step["hex"], name


def test_prefixes_and_guard_page_change_no_verdict() -> None:
    words = decode_words([vector["request"] for path in FILES for vector in vectors_of(path)])
    words += [f"{step['from']} {CAP} {step['hex']}" for _, step in session_steps() if "hex" in step]
    done = run("PROSA_REPLAY", words)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert done.stdout.startswith(f"{len(words)} inputs")


MALFORMED = [
    "",
    " ",
    "nonsense",
    "decode",
    "decode client 1024",
    "decode nobody 1024 50",
    "decode client -1 50",
    "decode client 99999999999999999999999 50",
    "decode client 1024 5",
    "decode client 1024 5G",
    "decode client 1024 5052 extra",
    "decode client 1024 5A",
    "decode  client 1024 50",
    "key",
    "sign 00 -",
    "message 50",
    "room-id 00 00 lab",
    f"room-id {'00' * 32} {'00' * 16} Lab",
    f"room-id {'00' * 32} {'00' * 16} {'a' * 200}",
    "handshake 50 52",
    "chain-start 00",
    "chain 00 1 1 00",
    "checkpoint 00 00",
    "key " + "00" * 1_100_000,
    "a b c d e f g h i j k l",
]


def test_malformed_requests_are_unsupported() -> None:
    replies = ask_codec(MALFORMED)
    for request, reply in zip(MALFORMED, replies, strict=True):
        assert reply == {"verdict": "unsupported"}, request[:60]


@pytest.mark.parametrize("key", ["-", "00", "00" * 33])
def test_no_checkpoint_is_good_for_a_key_of_another_length(key: str) -> None:
    """KEY-01: the request is of its form, and the key is none."""
    requests = [vector["request"].split(" ") for path in FILES for vector in vectors_of(path)]
    frames = [words[2] for words in requests if words[0] == "checkpoint"]
    replies = ask_codec([f"checkpoint {key} {frame}" for frame in frames])
    assert {"verdict": "invalid"} in replies
    assert all(reply["verdict"] in ("invalid", "unsupported") for reply in replies)


def test_octets_that_are_no_text_are_unsupported() -> None:
    done = subprocess.run(
        [os.environ["PROSA_CODEC"]], input=b"\x00\xff\n\xfe key\n", capture_output=True, timeout=DEADLINE
    )
    assert done.stdout == b'{"verdict":"unsupported"}\n' * 2
    assert done.returncode == 0
