# SPDX-License-Identifier: MIT
"""Self-tests of the package: they import it, and the makers of the vectors, from the tree."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tools")]


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """All randomness of a test comes from PROSA_SEED and its name; a failure prints both."""
    seed = f"{os.environ.get('PROSA_SEED', 'prosa')} {request.node.name}"
    print(f"seed: {seed}")
    return random.Random(seed)
