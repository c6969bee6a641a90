# SPDX-License-Identifier: MIT
"""The demos as a lecturer starts them, and what is left of them in the engine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
sys.path[:0] = [str(ROOT), str(ROOT / "conformance"), str(TESTS / "containers"), str(TESTS / "dissector")]

from tshark import Tshark  # noqa: E402

from engine import docker  # noqa: E402
from shared import build_images, engine_that_answers, pytest_sessionfinish  # noqa: E402, F401

ALL_DEMOS = ("chat", "sync", "kill", "flood", "ddns", "zmq")
DEMOS = ALL_DEMOS if os.environ.get("PROSA_CONTAINER_TESTS") == "all" else ("kill", "ddns", "zmq")
LABEL = "prosa.demo"
AT_ONCE = 3  # demos that run side by side: most of the time each waits for the engine
RUN_S = 300  # longest time of one


@dataclass(frozen=True)
class Run:
    """A demo that has ended."""

    code: int
    output: str
    report: Path


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "demo", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'conformance'}", "PYTHONDONTWRITEBYTECODE": "1"}


def run(*words: str, report: Path) -> Run:
    done = subprocess.run(
        command(*words, "--report", str(report)), env=environment(), capture_output=True, text=True, timeout=RUN_S,
        check=False,
    )  # fmt: skip
    return Run(done.returncode, done.stdout + done.stderr, report)


def refused(*words: str) -> str:
    """What it says when it does not even begin."""
    process = start(*words)
    out, err = process.communicate(timeout=RUN_S)
    assert process.returncode == 2, out + err
    return err


def start(*words: str) -> subprocess.Popen[str]:
    """One that goes on; its stdout is read line by line."""
    return subprocess.Popen(
        command(*words), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Its output up to the line with these words."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"it never said {words!r}: {''.join(lines)} {process.communicate()[1]}")


def leftovers(demo: str) -> list[str]:
    """Containers, networks and volumes that bear its label."""
    chosen = ("--filter", f"label={LABEL}={demo}")
    listed = docker("ps", "--all", "--format", "{{.Names}}", *chosen)
    listed += docker("network", "ls", "--format", "{{.Name}}", *chosen)
    return (listed + docker("volume", "ls", "--format", "{{.Name}}", *chosen)).split()


@pytest.fixture(scope="session")
def images(engine: None) -> None:
    build_images("client", "bridge", "server", "demo")


@pytest.fixture(scope="session")
def runs(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Run]]]:
    """Every demo once, in its short form, recorded."""
    report = tmp_path_factory.mktemp("report")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        words = ("--pace", "0", "--quick", "--record")
        yield {demo: pool.submit(run, demo, *words, report=report) for demo in DEMOS}


@pytest.fixture(scope="session")
def tshark() -> Iterator[Tshark]:
    with tempfile.TemporaryDirectory(prefix="prosa-demos-") as folder:
        Path(folder).chmod(0o755)
        yield Tshark(Path(folder))


def build(tag: str, entry: Sequence[str]) -> str:
    """An image with a small server of tests/ in it."""
    words = ", ".join(f'"{word}"' for word in entry)
    text = f"FROM prosa-demo\nCOPY faulty /opt/tests/faulty\nCOPY suite /opt/tests/suite\nENTRYPOINT [{words}]\n"
    build = ["docker", "build", "--quiet", "--tag", tag, "--file", "-", str(ROOT / "tests")]
    subprocess.run(build, input=text, capture_output=True, text=True, timeout=600, check=True)
    return tag
