# SPDX-License-Identifier: MIT
"""A server that runs already: what cannot be done to it is not applicable, never a failure."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import HERE, Conform


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """host:port of a small server that answers by itself and has the timers of its own choice."""
    settings = {
        "PROSA_HOST": "127.0.0.1",
        "PROSA_PORT": "0",
        "PROSA_DATA": str(tmp_path),
        "PROSA_LEVEL": "L1",
        "PROSA_TIMERS": getattr(request, "param", ""),
    }
    env = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "conformance"), **settings}
    with subprocess.Popen(
        [sys.executable, str(HERE / "mini_server.py"), "echo"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.kill()


def test_a_running_server_is_not_blamed_for_its_timers(conform: Conform, running: str) -> None:
    words = ("--answers", "echo", "-k", "announced_limits or slow_loris or four_frames or port_in_use")
    outcome = conform("--connect", running, *words)
    assert outcome.code == 0, outcome.text
    assert sorted(outcome.verdicts().values()) == ["not applicable"] * 3 + ["pass"], outcome.text


@pytest.mark.parametrize("running", ["handshake_ms=4000,linger_ms=700,max_window=3,max_frame=8192"], indirect=True)
def test_timers_that_a_test_needs_may_be_there_already(conform: Conform, running: str) -> None:
    outcome = conform("--connect", running, "--answers", "echo", "-k", "announced_limits or slow_loris")
    assert outcome.code == 0, outcome.text
    assert sorted(outcome.verdicts().values()) == ["not applicable", "pass"], outcome.text
    assert "it needs a server that was started with handshake_ms=" in outcome.text
