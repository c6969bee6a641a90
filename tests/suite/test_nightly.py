# SPDX-License-Identifier: MIT
"""`./run nightly` goes on where it was, and `./run repeat` finds what differs; with programs made for that."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import DEADLINE_S, HERE, python

TOOLS = HERE.parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

import nightly  # noqa: E402
from nightly import Step  # noqa: E402

SHELL = ("/bin/sh", "-c")


def step(name: str, script: str) -> Step:
    return Step(name, (*SHELL, script))


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_a_second_start_does_only_what_was_not_done_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, mended = tmp_path / "trace", tmp_path / "mended"
    steps = [
        step("good", f"echo good >> {trace}"),
        step("bad", f"echo bad >> {trace}; echo last words; test -e {mended}"),
        step("after", f"echo after >> {trace}"),
    ]
    assert nightly.night(steps, tmp_path / "state") == 1, "a step failed"
    assert lines(trace) == ["good", "bad", "after"], "a failure does not keep the other steps from running"
    said = capsys.readouterr().out
    assert "last words" in said and "failed (1)" in said, said
    mended.touch()
    assert nightly.night(steps, tmp_path / "state") == 0, "all is well now"
    assert lines(trace) == ["good", "bad", "after", "bad"], "only the failed one ran again"
    assert nightly.night(steps, tmp_path / "state") == 0, "a new night"
    assert lines(trace)[4:] == ["good", "bad", "after"], "a night that went well is over"


def test_a_skipped_step_is_told_and_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace"
    steps = [step("good", f"echo good >> {trace}"), step("without", "echo no engine answers here; exit 77")]
    assert nightly.night(steps, tmp_path / "state") == 0
    said = capsys.readouterr().out
    assert "no engine answers here" in said, said
    assert re.search(r"^without +skipped ", said, re.MULTILINE), said
    assert re.search(r"^good +well ", said, re.MULTILINE), said
    nightly.night(steps, tmp_path / "state")
    assert lines(trace) == ["good", "good"], "a night with a skipped step is over, too"


def test_anew_forgets(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    steps = [step("good", f"echo good >> {trace}"), step("bad", "exit 3")]
    nightly.main([], steps, tmp_path)
    nightly.main(["--anew"], steps, tmp_path)
    assert lines(trace) == ["good", "good"], "with --anew what was done well is done again"


def test_an_interrupted_step_is_ended_and_done_again(tmp_path: Path) -> None:
    """The night is a process of its own here: it is interrupted while its second step waits for a pipe."""
    pipe, trace, state = tmp_path / "pipe", tmp_path / "trace", tmp_path / "state"
    os.mkfifo(pipe)
    os.mkfifo(tmp_path / "never")
    reader = os.open(pipe, os.O_RDWR)
    waits = f"echo $$ > {pipe}; test -e {trace}.go || exec cat {tmp_path}/never"
    script = (
        "import sys; from pathlib import Path; from nightly import Step, interruption, night\n"
        "interruption.listen()\n"
        f"steps = [Step('one', {(*SHELL, f'echo one >> {trace}')}), Step('two', {(*SHELL, waits)})]\n"
        f"sys.exit(night(steps, Path({str(state)!r})))\n"
    )
    words = [sys.executable, "-c", script]
    run = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(TOOLS)}, stderr=subprocess.DEVNULL)
    assert select.select([reader], [], [], DEADLINE_S)[0], "the second step did not begin"
    step = os.pidfd_open(int(os.read(reader, 100)))
    run.send_signal(signal.SIGTERM)
    run.wait(DEADLINE_S)
    assert select.select([step], [], [], DEADLINE_S)[0], "the step goes on without the night"
    os.close(step)
    assert not (state / "two.json").exists(), "an interrupted step counts as done"
    (tmp_path / "trace.go").touch()
    again = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(TOOLS)}, timeout=DEADLINE_S, check=False)
    os.close(reader)
    assert again.returncode == 0, "the second start does the rest"
    assert lines(trace) == ["one"], "the first step is not done twice"
    assert json.loads((state / "two.json").read_text())["code"] == 0, "the second step is done"


def repeat(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOLS / "repeat.py"), *words],
        env={**os.environ, "LC_ALL": "C", "PROSA_REPEAT": str(folder / "repeat"), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_repeat_of_a_steady_program(tmp_path: Path) -> None:
    done = repeat(tmp_path, "2", "--cmd", python("mini_server.py"), "-k", "four_frames")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "2 runs, 2 verdicts, 0 differ", done.stdout


def test_repeat_finds_what_differs(tmp_path: Path) -> None:
    """The server is silent from its third life on: that is in the second run."""
    lives = tmp_path / "lives"
    lives.mkdir()
    moody = ("--cmd", python("fakes.py", "mute_from_its_third_life"), "-k", "four_frames", "--time-scale", "0.5")
    places = {"LIVES": str(lives), "ANNOUNCED_TO": str(tmp_path / "announced")}
    done = repeat(tmp_path, "2", *moody, **places)
    assert done.returncode == 1, done.stdout
    for words in ("four_frames_make_a_session: first pass, now fail, seed", "./run conform --cmd", "1 differ"):
        assert words in done.stdout, done.stdout
    assert (tmp_path / "repeat" / "differs-2" / "result.json").exists(), "its report is kept"


@pytest.mark.parametrize("words", [(), ("0",), ("--cmd", "x")])
def test_repeat_wants_a_number(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert repeat(tmp_path, *words).returncode == 2, words


def test_repeat_tells_when_nothing_starts(tmp_path: Path) -> None:
    assert repeat(tmp_path, "2", "--cmd", python("fakes.py", "ends_at_once")).returncode == 3, "it never started"


SEVERAL = """
import sys, suite
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
suite.interruption.listen()
words, report = sys.argv[2:], Path(sys.argv[1])
with ThreadPoolExecutor(1) as pool:
    ran = pool.submit(suite.run, words, report)
    try:
        ran.result()
    except KeyboardInterrupt:
        suite.end_all()
        sys.exit(f"the suite ended with {ran.result().code}")
"""


@pytest.mark.parametrize("several", [False, True], ids=["alone", "in_threads"])
def test_an_interrupted_repeat_leaves_nothing_behind(tmp_path: Path, several: bool) -> None:
    """SIGTERM while the suite waits for a silent server: the suite ends it before it ends itself."""
    pipe, lives = tmp_path / "pipe", tmp_path / "lives"
    os.mkfifo(pipe)
    lives.mkdir()
    reader = os.open(pipe, os.O_RDWR)
    how = ["-c", SEVERAL, str(tmp_path / "report")] if several else [str(TOOLS / "repeat.py"), "2"]
    moody = ["--cmd", python("fakes.py", "mute_from_its_third_life"), "--time-scale", "20"]
    moody += ["-k", "four_frames or tampered_auth", "--jobs", "2"]
    places = {"LIVES": str(lives), "ANNOUNCED_TO": str(pipe), "PROSA_REPEAT": str(tmp_path / "repeat"), "LC_ALL": "C"}
    run = subprocess.Popen(
        [sys.executable, *how, *moody],
        env={**os.environ, "PYTHONPATH": str(TOOLS), **places},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert select.select([reader], [], [], DEADLINE_S)[0], "a silent server should have been started"
    server = os.pidfd_open(int(os.read(reader, 100)))
    os.close(reader)
    run.send_signal(signal.SIGTERM)
    said = run.communicate(timeout=DEADLINE_S)[0]
    assert run.returncode == 1, said
    assert ("the suite ended with 4" if several else "repeat: interrupted") in said, said
    assert select.select([server], [], [], DEADLINE_S)[0], "the server outlives the suite"
    os.close(server)
