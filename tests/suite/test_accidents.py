# SPDX-License-Identifier: MIT
"""Accidents that have befallen other suites, and must not befall this one.

Each of them is here or named here: JUnit without failures (test_exit_codes.py), exit 0 with no test selected
and a crash counted as a pass (the same), a stale exclude list (test_promises.py), an exit code that counts
failures and wraps at 256, and runs that are mostly fixed delays.
"""

from __future__ import annotations

import os
from pathlib import Path

from conftest import CONFORMANCE, Conform, python

WRAPS = 256


def test_256_failures_are_not_exit_0(conform: Conform, tmp_path: Path) -> None:
    """So many tests are chosen, and a violation is put into each."""
    (tmp_path / "sitecustomize.py").write_text(
        "import prosa_conformance.plugin as plugin\n"
        "from prosa_conformance.outcome import Violation\n"
        "chosen, setup, count = plugin.Runner._is_chosen, plugin.Runner.pytest_runtest_setup, []\n"
        "def first_ones(self, item):\n"
        f"    if len(count) < {WRAPS} and chosen(self, item): return count.append(1) is None\n"
        "    return False\n"
        "def failing(self, item):\n"
        "    setup(self, item)\n"
        "    raise Violation('injected')\n"
        "plugin.Runner._is_chosen, plugin.Runner.pytest_runtest_setup = first_ones, failing\n"
        "plugin.Runner._failed_gates = property(lambda self: {}, lambda self, value: None)\n"
    )
    paths = f"{tmp_path}:{CONFORMANCE}"
    outcome = conform("--cmd", python("mini_server.py"), "-k", "test_", env={"PYTHONPATH": paths})
    assert outcome.result["verdicts"]["fail"] == WRAPS, outcome.result["verdicts"]
    assert outcome.code == 1, f"{WRAPS} failures end with exit code {outcome.code}"


def test_whole_suite_against_a_silent_server_waits_once(conform: Conform, tmp_path: Path) -> None:
    """It gives up at the gate: the preflight's server and the gate's are all that is ever started."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    silent = python("fakes.py", "announced")
    outcome = conform("--cmd", silent, "--time-scale", "0.3", env={"ANNOUNCED_TO": str(pipe)})
    started = os.read(reader, 65536).count(b"\n")
    os.close(reader)
    verdicts = outcome.result["verdicts"]
    assert outcome.code == 1, outcome.text
    assert (verdicts["fail"], verdicts["pass"]) == (1, 0) and verdicts["skipped"] > WRAPS, verdicts
    assert started == 2, f"{started} servers were started, each of which was waited for"
