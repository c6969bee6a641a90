# SPDX-License-Identifier: MIT
"""All scenarios, in the order in which they run and are shown."""

from __future__ import annotations

from prosa_bench import calm, crowds, programs, rates

SCENARIOS = (programs.SCENARIOS[0], *rates.SCENARIOS, *calm.SCENARIOS, *crowds.SCENARIOS, *programs.SCENARIOS[1:])
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
