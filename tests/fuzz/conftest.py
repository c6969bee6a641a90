# SPDX-License-Identifier: MIT
"""How long hypothesis looks: the same examples at each run, or, with PROSA_FUZZ=night, many and always others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))
CALM = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

hypothesis.configuration.set_hypothesis_home_dir(ROOT / "build" / "hypothesis")
hypothesis.settings.register_profile(
    "test", derandomize=True, database=None, deadline=None, max_examples=32, suppress_health_check=CALM
)
hypothesis.settings.register_profile(
    "night",
    derandomize=False,
    database=hypothesis.database.DirectoryBasedExampleDatabase(ROOT / "build" / "nightly" / "examples"),
    deadline=None,
    max_examples=20_000,
    print_blob=True,
    suppress_health_check=CALM,
)
hypothesis.settings.load_profile("night" if os.environ.get("PROSA_FUZZ") == "night" else "test")
