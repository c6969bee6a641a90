# SPDX-License-Identifier: MIT
"""The suite finds the fault of every faulty client, by a test of the clause that it breaks."""

from __future__ import annotations

import pytest

from conftest import CONFORMANCE, Conform, python
from faulty_client import VARIANTS

FILES = sorted(path.stem for path in (CONFORMANCE / "prosa_conformance" / "suite").glob("test_client_*.py"))


@pytest.mark.parametrize("file", FILES)
def test_small_client_conforms(conform: Conform, file: str) -> None:
    outcome = conform("--client-cmd", python("mini_client.py"), "-k", file)
    assert outcome.code == 0, outcome.text


@pytest.mark.parametrize("variant", VARIANTS)
def test_fault_is_found(conform: Conform, variant: str) -> None:
    clause = VARIANTS[variant].__doc__ or ""
    command = python("faulty_client.py", variant)
    outcome = conform("--client-cmd", command, "--only", clause, "--time-scale", "0.3", "--seed", "1")
    assert outcome.code == 1, f"{variant} breaks {clause}, and the suite did not say so:\n{outcome.text}"
    assert "fail" in outcome.verdicts().values(), outcome.text
