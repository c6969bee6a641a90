# SPDX-License-Identifier: MIT
"""Self-tests of the package: they import it, and the makers of the vectors, from the tree."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tools")]

from prosa_conformance.case import Case, Settings  # noqa: E402
from prosa_conformance.contract import Implementation  # noqa: E402
from scene import Scene  # noqa: E402


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """All randomness of a test comes from PROSA_SEED and its name; a failure prints both."""
    seed = f"{os.environ.get('PROSA_SEED', 'prosa')} {request.node.name}"
    print(f"seed: {seed}")
    return random.Random(seed)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    subject = Implementation(name="nobody", directory=tmp_path, commands={})
    scene = Scene(Case(Settings(subject, tmp_path), "history", "server"))
    yield scene
    for sock in scene.sockets:
        sock.close()
