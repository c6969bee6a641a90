# SPDX-License-Identifier: MIT
"""Where the programs are that measure."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("PROSA_BUILD", ROOT / "build" / "default"))
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "conformance")]
