# SPDX-License-Identifier: MIT
"""The suite finds the fault of every faulty server, by a test of the clause that it breaks."""

from __future__ import annotations

import pytest

from conftest import Conform, python
from faulty import VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
def test_fault_is_found(conform: Conform, variant: str) -> None:
    clause = (VARIANTS[variant].__doc__ or "").partition(":")[0]
    command = python("faulty.py", variant)
    outcome = conform("--cmd", command, "--only", clause, "--strict", "--time-scale", "0.3", "--seed", "1")
    assert outcome.code == 1, f"{variant} breaks {clause}, and the suite did not say so:\n{outcome.text}"
    assert "fail" in outcome.verdicts().values(), outcome.text
