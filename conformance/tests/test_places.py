# SPDX-License-Identifier: MIT
"""Ports for tests: each pair once, below the ephemeral range where there is room below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prosa_conformance import places
from prosa_conformance.places import FIRST_PORT, Ports


@pytest.mark.parametrize("low", [1024, FIRST_PORT, FIRST_PORT + 1, 32768, 49152])
@pytest.mark.parametrize("salt", [0, 49999, 65535])
def test_ports_of_any_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, low: int, salt: int) -> None:
    settings = tmp_path / "ip_local_port_range"
    settings.write_text(f"{low}\t65535\n")
    monkeypatch.setattr(places, "_EPHEMERAL", settings)
    ports = Ports(salt)
    taken = [ports.take() for _ in range(300)]
    assert len(set(taken)) == len(taken), "a pair was given twice"
    assert all(FIRST_PORT <= port < max(low, FIRST_PORT + 1000) for _, port in taken), taken
