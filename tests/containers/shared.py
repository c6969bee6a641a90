# SPDX-License-Identifier: MIT
"""What all tests with containers begin with: an engine that answers, and images of this tree. Without an engine all is
skipped, and the process ends with 77, so that nobody takes it for a success."""

from __future__ import annotations

import subprocess

import pytest

from engine import BUILD_S, ROOT, attempt

SKIPPED = 77


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    told = reporter.stats if reporter is not None else {}
    if told.get("skipped") and not any(told.get(name) for name in ("passed", "failed", "error")):
        session.exitstatus = SKIPPED


@pytest.fixture(scope="session", name="engine")
def engine_that_answers() -> None:
    """A container engine that answers."""
    try:
        done = attempt("docker", "version")
    except FileNotFoundError:
        pytest.skip("no container engine is installed here")
    except subprocess.TimeoutExpired:
        pytest.skip("the container engine does not answer in time")
    if done.returncode != 0:
        pytest.skip(f"the container engine does not answer: {done.stdout.strip().splitlines()[-1]}")


def build_images(*names: str) -> None:
    """These of this tree, or all, built as a person builds them. What they are made of may be in the engine's cache."""
    done = attempt(str(ROOT / "run"), "images", *names, wait_s=BUILD_S)
    if done.returncode == 2:
        pytest.skip(f"images cannot be built here: {done.stdout.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout
