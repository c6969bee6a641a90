# SPDX-License-Identifier: MIT
"""Each exit code of the suite, and the accidents that other suites have had with theirs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conftest import CONFORMANCE, DEADLINE_S, SOME, Conform, faulty, python

GOOD = python("mini_server.py")


def test_0_conforms(conform: Conform) -> None:
    outcome = conform("--cmd", GOOD, *SOME)
    assert outcome.code == 0, outcome.text
    assert set(outcome.verdicts().values()) == {"pass"}, outcome.verdicts()
    assert "CONFORMS to L1" in outcome.text, outcome.text


def test_1_violates(conform: Conform) -> None:
    outcome = conform("--cmd", faulty("AcceptsAnyAuth"), *SOME, "--time-scale", "0.2")
    assert outcome.code == 1, outcome.text
    assert "DOES NOT CONFORM" in outcome.text, outcome.text


@pytest.mark.parametrize(
    "words",
    [
        ("--cmd", GOOD, "-k", "no_test_has_this_name"),
        ("--cmd", GOOD, "--only", "NONE-99"),
        ("--cmd", GOOD, "--level", "L0"),
        ("--cmd", GOOD, "--level", "L9"),
        ("--cmd", ""),
        ("--cmd", "an 'open quotation"),
        ("--cmd", GOOD, "--role", "client"),
        ("--sut", "no-such-file.toml"),
        ("--connect", "no-port"),
        ("--cmd", GOOD, "--no-such-flag"),
        ("--cmd", GOOD, "--time-scale", "0"),
    ],
)
def test_2_wrong_words_or_no_test(conform: Conform, words: tuple[str, ...]) -> None:
    outcome = conform(*words)
    assert outcome.code == 2, outcome.text


def test_2_nothing_to_check(conform: Conform, tmp_path: Path) -> None:
    assert conform(cwd=tmp_path).code == 2, "no subject is named and there is no prosa.toml"


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        ("never_ready", "never printed READY"),
        ("not_flushed", "flush"),
        ("ends_at_once", "ended before it printed READY"),
        ("crashes_at_start", "SIGSEGV"),
    ],
)
def test_3_does_not_start(conform: Conform, fake: str, words: str) -> None:
    outcome = conform("--cmd", python("fakes.py", fake), "--time-scale", "0.1")
    assert outcome.code == 3, outcome.text
    assert words in outcome.text, outcome.text


ABSENT = [("--cmd", "/no/such"), ("--connect", "127.0.0.1:9"), ("--client-cmd", "/no"), ("--codec-cmd", "/no")]


@pytest.mark.parametrize("words", ABSENT)
def test_3_nothing_there(conform: Conform, words: tuple[str, ...]) -> None:
    assert conform(*words, "--level", "L0" if "--codec-cmd" in words else "L1").code == 3, words


def test_4_harness_breaks(conform: Conform, tmp_path: Path) -> None:
    """A bug of the suite, brought in from outside: every message is described by a broken function."""
    (tmp_path / "sitecustomize.py").write_text(
        "import prosa_conformance.peer as peer\n"
        "def broken(self, *words, **fields): raise KeyError('injected')\n"
        "peer.Peer.make_auth = broken\n"
    )
    paths = f"{tmp_path}:{Path(__file__).parents[2] / 'conformance'}"
    outcome = conform("--cmd", GOOD, *SOME, env={"PYTHONPATH": paths})
    assert outcome.code == 4, outcome.text
    assert "THE SUITE ITSELF BROKE" in outcome.text, outcome.text
    assert "fail" not in outcome.verdicts().values(), "a bug of the suite is not the program's failure"


def test_crash_is_no_pass(conform: Conform) -> None:
    outcome = conform("--cmd", faulty("CrashesOnAFault"), *SOME)
    assert outcome.code == 1, outcome.text
    assert outcome.verdicts()["handshake::tampered_auth_signature"] == "fail", outcome.verdicts()
    assert "SIGSEGV" in outcome.text, outcome.text


@pytest.mark.parametrize("fake", ["crashes_on_first_octet", "closes_everything", "silent"])
def test_who_refuses_everything_fails(conform: Conform, fake: str) -> None:
    outcome = conform("--cmd", python("fakes.py", fake), *SOME, "--time-scale", "0.1")
    assert outcome.code == 1, outcome.text
    assert "pass" not in outcome.verdicts().values(), outcome.verdicts()


def test_sanitizer_words_fail(conform: Conform) -> None:
    outcome = conform("--cmd", python("fakes.py", "complains_like_a_sanitizer"), *SOME, "--time-scale", "0.1")
    assert outcome.code == 1, outcome.text
    assert "signed integer overflow" in outcome.text, outcome.text


def test_honest_89_is_no_start_failure_and_no_pass(conform: Conform) -> None:
    outcome = conform("--cmd", python("fakes.py", "not_there"), *SOME)
    assert outcome.code == 1, outcome.text
    assert "pass" not in outcome.verdicts().values(), outcome.verdicts()


def test_junit_has_the_failures(conform: Conform) -> None:
    outcome = conform("--cmd", faulty("AcceptsAnyAuth"), *SOME, "--time-scale", "0.2")
    suite = ElementTree.parse(outcome.report / "junit.xml").getroot()[0]
    failed = [case for case in suite if case.find("failure") is not None]
    assert suite.get("failures") == str(len(failed)) == "1", ElementTree.tostring(suite)
    clauses = [entry.get("value") for entry in failed[0].iter("property") if entry.get("name") == "clause"]
    assert clauses == ["AUTH-16"], clauses


def test_list_runs_nothing(conform: Conform) -> None:
    outcome = conform("--cmd", "/no/such/program", "--list")
    assert outcome.code == 0, outcome.text
    assert "AUTH-16" in outcome.text, outcome.text


def test_other_code_of_the_class_is_non_strict(conform: Conform) -> None:
    words = ("--cmd", faulty("SaysAnotherCode"), *SOME)
    outcome = conform(*words)
    assert outcome.code == 0, outcome.text
    assert outcome.verdicts()["handshake::tampered_auth_signature"] == "non-strict", outcome.verdicts()
    assert conform(*words, "--strict").code == 1, "--strict asks for the letter"


def test_4_interrupted_and_nothing_left_behind(tmp_path: Path) -> None:
    """SIGTERM in the middle of a test: its server is ended, its folder removed, no verdict given."""
    pipe, folder = tmp_path / "pipe", tmp_path / "temporary"
    os.mkfifo(pipe)
    folder.mkdir()
    reader = os.open(pipe, os.O_RDWR)
    run = subprocess.Popen(
        [sys.executable, "-m", "prosa_conformance", "--cmd", python("fakes.py", "announced"), "--time-scale", "20"],
        env={**os.environ, "PYTHONPATH": str(CONFORMANCE), "ANNOUNCED_TO": str(pipe), "TMPDIR": str(folder)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = b""
    while said.count(b"\n") < 2:  # the preflight's server, then the first test's
        assert select.select([reader], [], [], DEADLINE_S)[0], "no second server was started"
        said += os.read(reader, 4096)
    os.close(reader)
    run.send_signal(signal.SIGTERM)
    text, _ = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 4, text
    assert "interrupted" in text and "CONFORM" not in text, text
    for pid in said.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    assert not list(folder.iterdir()), "a folder was left behind"


def test_few_letters_change_no_verdict(conform: Conform) -> None:
    """A terminal that has no `ã` gets something else in its place."""
    outcome = conform("--cmd", GOOD, *SOME, "--lang", "pt_BR", env={"PYTHONIOENCODING": "ascii"})
    assert outcome.code == 0, outcome.text
