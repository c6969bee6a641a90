# SPDX-License-Identifier: MIT
"""The suite finds the fault of every faulty server, by a test of the clause that it breaks."""

from __future__ import annotations

import pytest

import faulty
import faulty_l3
from conftest import Conform, python

AT_L1 = [("faulty.py", name, kind, "L1") for name, kind in faulty.VARIANTS.items()]
AT_L3 = [("faulty_l3.py", name, kind, "L3") for name, kind in faulty_l3.VARIANTS.items()]
ALL = AT_L1 + AT_L3


@pytest.mark.parametrize(("script", "variant", "kind", "level"), ALL, ids=[name for _, name, _, _ in ALL])
def test_fault_is_found(conform: Conform, script: str, variant: str, kind: type, level: str) -> None:
    clause = (kind.__doc__ or "").partition(":")[0]
    command = python(script, variant)
    words = ("--level", level, "--only", clause, "--strict", "--time-scale", "0.3", "--seed", "1")
    outcome = conform("--cmd", command, *words)
    assert outcome.code == 1, f"{variant} breaks {clause}, and the suite did not say so:\n{outcome.text}"
    assert "fail" in outcome.verdicts().values(), outcome.text
