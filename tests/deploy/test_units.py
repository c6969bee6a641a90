# SPDX-License-Identifier: MIT
"""Every unit of the package in the eyes of systemd: no fault, and little that it could do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import DEADLINE_S, ROOT
from unpacked import BUILD

PROGRAMS = {"prosa-server": BUILD / "bin" / "prosa-server", "prosa-ddns": ROOT / "deploy" / "prosa-ddns"}

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def analyze(*words: str | Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """As they are installed, with the programs of this tree."""
    deploy = ROOT / "deploy"
    sources = [*(BUILD / "deploy").glob("*.service"), *deploy.glob("*.socket"), *deploy.glob("*.timer")]
    for source in sources:
        text = source.read_text()
        for name, program in PROGRAMS.items():
            text = re.sub(rf"^ExecStart=\S+/{name}\b", f"ExecStart={program}", text, flags=re.MULTILINE)
        (tmp_path / source.name).write_text(text)
    return sorted(tmp_path.iterdir())


def test_no_fault(units: list[Path]) -> None:
    assert [unit.name for unit in units] == [
        "prosa-console.socket",
        "prosa-ddns.service",
        "prosa-ddns.timer",
        "prosa-server.service",
        "prosa-server.socket",
    ]
    assert analyze("verify", "--man=no", *units) == ""


def test_little_exposure(units: list[Path]) -> None:
    services = [unit for unit in units if unit.suffix == ".service"]
    assert len(services) == len(PROGRAMS)
    for service in services:
        said = analyze("security", "--offline=true", "--threshold=20", "--no-pager", service)
        assert f"Overall exposure level for {service.name}" in said


def test_a_service_that_may_do_much_is_found(tmp_path: Path) -> None:
    """Otherwise the threshold would show nothing."""
    (tmp_path / "open.service").write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(AssertionError, match="exposure"):
        analyze("security", "--offline=true", "--threshold=20", "--no-pager", tmp_path / "open.service")
