# SPDX-License-Identifier: MIT
"""How a run goes: in several processes, up to the first failure, with progress; and what --explain tells."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CONFORMANCE, DEADLINE_S, SOME, Conform, faulty, python

GOOD = python("mini_server.py")
MANY = ("-k", "bad_text or tampered or four_frames or limit_rises or slow_loris")


def test_several_processes_change_no_result(conform: Conform) -> None:
    """The same tests in the same order with the same verdicts and notes; only times differ."""
    words = ("--cmd", faulty("SaysAnotherCode"), *MANY, "--seed", "7", "--jobs")
    alone, together = conform(*words, "1"), conform(*words, "4")
    kept = ("test", "clauses", "role", "level", "verdict", "reason", "notes")
    told = [[{name: test[name] for name in kept} for test in run.result["tests"]] for run in (alone, together)]
    assert told[0] == told[1], "the number of processes changes what is told"
    assert {"pass", "non-strict"} <= {test["verdict"] for test in told[0]}, told[0]
    assert (alone.code, together.code) == (0, 0), together.text


def test_captures_and_failures_come_from_every_process(conform: Conform) -> None:
    outcome = conform("--cmd", faulty("AcceptsAnySignature"), "-k", "changed_after_signing", "--jobs", "3")
    tests = outcome.result["tests"]
    failed = [test for test in tests if test["verdict"] == "fail"]
    assert len(failed) > 3 and all(test["failure"]["steps"] for test in failed), outcome.text
    assert len(list((outcome.report / "pcap").iterdir())) == len(tests), "a capture is missing"


def test_a_failed_gate_skips_the_rest_in_all_processes(conform: Conform) -> None:
    outcome = conform("--cmd", python("fakes.py", "closes_everything"), *MANY, "--jobs", "3")
    verdicts = outcome.verdicts()
    assert verdicts.pop("handshake::four_frames_make_a_session") == "fail", outcome.text
    assert set(verdicts.values()) == {"skipped"}, verdicts


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_stop_first(conform: Conform, jobs: str) -> None:
    words = ("--cmd", faulty("AcceptsAnySignature"), "-k", "changed_after_signing", "--seed", "1", "--jobs", jobs)
    outcome = conform(*words, "--stop-first")
    verdicts = list(outcome.verdicts().values())
    left_out = [test for test in outcome.result["tests"] if test["reason"].startswith("not run")]
    assert outcome.code == 1, outcome.text
    assert 1 <= verdicts.count("fail") <= int(jobs), f"more failed than were begun: {verdicts}"
    assert left_out and {test["verdict"] for test in left_out} == {"skipped"}, verdicts
    assert f"skipped ({len(left_out)}): not run" in outcome.text, outcome.text


def test_stop_first_goes_on_behind_a_known_failure(conform: Conform, tmp_path: Path) -> None:
    sut = tmp_path / "prosa.toml"
    known = '[[known_failures]]\ntest = "AUTH-16"\nreason = "see my notes"'
    sut.write_text(f'name = "ada"\nserver = "{faulty("AcceptsAnyAuth")}"\nlevels = ["L1"]\n{known}\n')
    outcome = conform("--sut", str(sut), *SOME, "--stop-first")
    assert outcome.code == 0, outcome.text
    assert "skipped" not in outcome.verdicts().values(), outcome.verdicts()


@pytest.mark.parametrize("words", [("--jobs", "0"), ("--jobs", "many")])
def test_no_process_is_none(conform: Conform, words: tuple[str, ...]) -> None:
    assert conform("--cmd", GOOD, *words).code == 2, words


def test_progress_in_a_pipe(conform: Conform) -> None:
    outcome = conform("--cmd", GOOD, *SOME)
    rows = re.findall(r"^  (\w+) +(\.+)$", outcome.text, re.MULTILINE)
    files = [test.partition("::")[0] for test in outcome.verdicts()]
    assert [file for file, signs in rows for _ in signs] == files, outcome.text
    assert "\033" not in outcome.text, "a pipe is no terminal"


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "prosa_conformance", "--cmd", GOOD, *SOME, "--report", str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(CONFORMANCE)}
    with subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=theirs) as run:
        os.close(theirs)
        said = b""
        while select.select([ours], [], [], DEADLINE_S)[0]:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the last one has closed it
                break
    os.close(ours)
    assert run.returncode == 0, said
    numbers = [tuple(map(int, pair)) for pair in re.findall(rb"(\d+)/(\d+)\033", said)]
    assert numbers == [(number, len(numbers)) for number in range(1, len(numbers) + 1)], said


def test_4_interrupted_in_every_process(tmp_path: Path) -> None:
    """SIGTERM while two workers wait for servers that are silent: all of it is ended, and no verdict given."""
    pipe, folder, lives = tmp_path / "pipe", tmp_path / "temporary", tmp_path / "lives"
    os.mkfifo(pipe)
    folder.mkdir()
    lives.mkdir()
    reader = os.open(pipe, os.O_RDWR)
    words = ["--cmd", python("fakes.py", "mute_from_its_third_life"), *MANY, "--jobs", "2", "--time-scale", "20"]
    places = {"ANNOUNCED_TO": str(pipe), "TMPDIR": str(folder), "LIVES": str(lives)}
    run = subprocess.Popen(
        [sys.executable, "-m", "prosa_conformance", *words],
        env={**os.environ, "PYTHONPATH": str(CONFORMANCE), **places},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = b""
    while said.count(b"\n") < 2:
        assert select.select([reader], [], [], DEADLINE_S)[0], "two workers should have started a server each"
        said += os.read(reader, 4096)
    os.close(reader)
    run.send_signal(signal.SIGTERM)
    text, _ = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 4, text
    assert "interrupted" in text and "CONFORM" not in text, text
    for life in lives.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(life.name), 0)
    assert not list(folder.iterdir()), "a folder was left behind"


def test_a_worker_that_dies_is_the_suites_fault(conform: Conform, tmp_path: Path) -> None:
    """The test that it ran is inconclusive; the others come to their end."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "import prosa_conformance.plugin as plugin\n"
        "run = plugin.Runner._run\n"
        "def deadly(self, item, following):\n"
        "    if item.name == 'test_tampered_auth_signature': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return run(self, item, following)\n"
        "plugin.Runner._run = deadly\n"
    )
    some = ("-k", "four_frames or tampered_auth_signature or limit_rises")  # it is the first of its worker
    outcome = conform("--cmd", GOOD, *some, "--jobs", "2", env={"PYTHONPATH": f"{tmp_path}:{CONFORMANCE}"})
    assert outcome.code == 4, outcome.text
    verdicts = outcome.verdicts()
    assert verdicts.pop("handshake::tampered_auth_signature") == "inconclusive", verdicts
    assert set(verdicts.values()) == {"pass"}, verdicts


def test_only_takes_clauses_and_patterns(conform: Conform) -> None:
    listed = conform("--cmd", GOOD, "--only", "AUTH-16,END-1*", "--list")
    assert listed.code == 0, listed.text
    for line in listed.text.splitlines():
        assert re.search(r" (AUTH-16|END-1\d)\b", line), f"nobody asked for: {line}"
    assert "AUTH-16" in listed.text and "END-10" in listed.text, listed.text


def test_explain_tells_a_clause_and_its_tests(conform: Conform) -> None:
    outcome = conform("--explain", "AUTH-16")
    assert outcome.code == 0, outcome.text
    for words in ("[AUTH-16] A server MUST refuse", "spec/04-identity.md:", "handshake::tampered_auth_signature"):
        assert words in outcome.text, outcome.text


def test_explain_knows_what_was_meant(conform: Conform) -> None:
    outcome = conform("--explain", "auth-16")
    assert outcome.code == 2, outcome.text
    assert "AUTH-16" in outcome.text, outcome.text


def test_a_replay_with_features_runs_again(conform: Conform) -> None:
    words = ("--cmd", faulty("AcceptsAnyAuth"), *SOME, "--features", "audit")
    outcome = conform(*words)
    line = next(line for line in outcome.text.split("\n") if "./run conform" in line)
    assert "--features audit" in line, line
