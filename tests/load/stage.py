# SPDX-License-Identifier: MIT
"""What all plays share, here and in tests/abuse: how large, from which seed, with which programs; figures."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import shlex
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scene import Scene

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
SERVER = shlex.split(os.environ.get("PROSA_LOAD_SERVER", str(PROGRAMS / "prosa-server")))
IS_REFERENCE = "PROSA_LOAD_SERVER" not in os.environ  # another server keeps its log in a way of its own
AUDIT = [str(PROGRAMS / "prosa-audit")]
CLIENT = [str(PROGRAMS / "prosa-client"), "--json"]
IS_FULL = os.environ.get("PROSA_LOAD_SIZE", "small") == "full"
SEED = int(os.environ.get("PROSA_LOAD_SEED", secrets.randbelow(1 << 32)))
TIME_SCALE = float(os.environ.get("PROSA_TIME_SCALE", "1"))

FIGURES: list[str] = []

Figures = Callable[..., None]


def sized(small: Any, full: Any) -> Any:
    """What a test takes when it is one of many, and what when there is time."""
    return full if IS_FULL else small


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """figures(clients=50, kills=100): measured, told at the end of the run, and asserted nowhere."""

    def tell(**numbers: object) -> None:
        FIGURES.append(json.dumps({"test": request.node.name, "seed": SEED, **numbers}))

    return tell


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in FIGURES:
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"replay with PROSA_LOAD_SEED={SEED}")


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """play(story, seconds): runs `await story(scene)` up to one deadline; nothing of it stays behind."""

    def run(story: Callable[[Scene], Awaitable[None]], seconds: float) -> None:
        asyncio.run(perform(story, Scene(tmp_path, SEED), seconds * TIME_SCALE))

    async def perform(story: Callable[[Scene], Awaitable[None]], scene: Scene, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await story(scene)
        except TimeoutError:
            words = [f"after {seconds:g} s it still waited for {scene.waits_for}; seed {SEED}, {scene.folder}"]
            pytest.fail("\n".join([*words, *scene.history.unrest()]))
        finally:
            await scene.end()
            scene.history.write(scene.folder / "history.jsonl")

    yield run


def raise_descriptors(needed: int) -> None:
    """For this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, needed))  # an administrator may
        else:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
