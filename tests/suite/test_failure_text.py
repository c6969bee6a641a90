# SPDX-License-Identifier: MIT
"""What a failing test shows: all of it, in the order in which a person wants to know."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CONFORMANCE, SOME, Conform, faulty, python

PARTS = (
    "FAIL handshake::tampered_auth_signature  AUTH-16",
    "What happened:",
    "mallory sends AUTH with one bit of handshake_sig flipped",
    "Expected: ERROR BAD_SIG",
    "Actual:   end of file (FIN)",
    "The octets:",
    "^^ handshake_sig",
    "Hint:",
    "The text says:",
    "[AUTH-16] A server MUST refuse an AUTH",
    "(spec/04-identity.md:",
    "The sequence:",
    "To run this one test again:",
    "--seed 7 --test handshake::tampered_auth_signature",
    "broken",
)


def test_parts_in_their_order(conform: Conform) -> None:
    command = faulty("ClosesWithoutAWord")
    outcome = conform("--cmd", command, *SOME, "--seed", "7")
    at = -1
    for part in PARTS:
        found = outcome.text.find(part, at + 1)
        assert found > at, f"{part!r} is not there, or not in its place:\n{outcome.text}"
        at = found
    assert "Traceback" not in outcome.text, "no Python where the program is at fault"


def test_replay_runs_the_one_test(conform: Conform, tmp_path: Path) -> None:
    outcome = conform("--cmd", faulty("AcceptsAnyAuth"), *SOME, "--time-scale", "0.2")
    line = next(line for line in outcome.text.split("\n") if "./run conform" in line)
    words = shlex.split(line)[2:]
    again = conform(*words)
    assert again.code == 1, again.text
    assert list(again.verdicts()) == ["handshake::tampered_auth_signature"], again.verdicts()


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("CrashesOnAFault", "the server crashed: SIGSEGV"),
        ("ForgetsTheAck", "did not send ACK"),
        ("SignsBadly", "the server's signature in CHALLENGE does not verify"),
        ("CountsLittleEndian", "length 100728832 is above the cap 1024"),
    ],
)
def test_first_sentence(conform: Conform, variant: str, words: str) -> None:
    outcome = conform("--cmd", faulty(variant), *SOME, "--time-scale", "0.2")
    sentences = [test["reason"] for test in outcome.result["tests"] if test["verdict"] == "fail"]
    assert any(words in sentence for sentence in sentences), sentences


HINTS = [
    ("CountsLittleEndian", "four_frames", "stand the wrong way round"),
    ("AcceptsAnyAuth", "tampered_auth_signature", "went on as if nothing were wrong"),
    ("ExtendsItsDeadline", "slow_loris", "The deadline counts from accept()"),
]


@pytest.mark.parametrize(("variant", "test", "words"), HINTS)
def test_hint_fits_the_fault(conform: Conform, variant: str, test: str, words: str) -> None:
    outcome = conform("--cmd", faulty(variant), "-k", test, "--time-scale", "0.2")
    assert words in " ".join(outcome.text.split()), outcome.text


def test_a_client_that_does_not_wait_is_told_what_it_sent(conform: Conform) -> None:
    client = faulty("AsksAtOnce")
    outcome = conform("--client-cmd", client, "-k", "no_second_question", "--time-scale", "0.5")
    for words in ("a question before the last one was answered", "Actual:   PUBLISH {", "^^ counter", "in a queue"):
        assert words in outcome.text, outcome.text


def test_long_failures_stay_short(conform: Conform) -> None:
    """What happens many times is told once; the cases of one test are told once at length."""
    variant = faulty("AcceptsAnySignature")
    tests = "changed_after_signing or error_survives_what"
    outcome = conform("--cmd", variant, "-k", tests, "--time-scale", "0.2")
    assert outcome.text.count("What happened:") == 3, outcome.text
    assert "times)" in outcome.text and "times PONG" in outcome.text, outcome.text
    assert "The other failures, a line each" in outcome.text, outcome.text
    assert len(outcome.text.splitlines()) < 250, outcome.text


def test_stderr_is_shown(conform: Conform) -> None:
    outcome = conform("--cmd", python("fakes.py", "crashes_with_words"), "-k", "four_frames")
    assert "The program's stderr ends:" in outcome.text and "my last words" in outcome.text, outcome.text


def test_closed_pipe_changes_no_exit_code(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "prosa_conformance", "--cmd", python("mini_server.py"), "-k", "four_frames"]
    run = subprocess.Popen(
        [*words, "--report", str(tmp_path)],
        env={"PYTHONPATH": str(CONFORMANCE), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout is not None, "it was asked for"
    run.stdout.close()
    assert run.wait(timeout=60) == 0, run.stderr and run.stderr.read()
