# SPDX-License-Identifier: MIT
"""The reference among those who mean it no good; plays as in tests/load, and with its programs."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tests" / "load")]

from stage import figures, play, pytest_terminal_summary  # noqa: F401
