# SPDX-License-Identifier: MIT
"""The reference among those who mean it no good; plays as in tests/load, and with its programs."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tests" / "load")]

import pytest

from stage import figures, play, pytest_terminal_summary  # noqa: F401

NOTHING_TESTED = 77  # as ctest is told: skipped, not passed


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter is not None and not reporter.stats.get("passed"):
        session.exitstatus = NOTHING_TESTED
