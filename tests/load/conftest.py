# SPDX-License-Identifier: MIT
"""The reference under load, over real sockets."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "conformance"))  # the suite's codec

from stage import figures, play, pytest_terminal_summary  # noqa: F401
