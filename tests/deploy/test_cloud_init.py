# SPDX-License-Identifier: MIT
"""deploy/cloud-init.yaml in the eyes of Debian's cloud-init, which is unpacked for that and does not run here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from conftest import DEADLINE_S, ROOT
from unpacked import unpacked

TEMPLATE = ROOT / "deploy" / "cloud-init.yaml"


def schema(path: Path) -> subprocess.CompletedProcess[str]:
    root = unpacked("cloud-init")
    return subprocess.run(
        ["/usr/bin/python3", "-m", "cloudinit.cmd.main", "schema", "--config-file", path],
        env={**os.environ, "PYTHONPATH": str(root / "usr/lib/python3/dist-packages"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )


def test_the_template_is_valid() -> None:
    done = schema(TEMPLATE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid cloud-config" in done.stdout


@pytest.mark.parametrize("fault", ["runcmd: 7\n", "packages: {curl: yes}\n", "write_files: [{content: x}]\n"])
def test_a_fault_would_be_found(tmp_path: Path, fault: str) -> None:
    (tmp_path / "faulty.yaml").write_text(f"#cloud-config\n{fault}")
    done = schema(tmp_path / "faulty.yaml")
    assert done.returncode != 0
    assert f"schema errors: {fault.partition(':')[0]}" in done.stdout + done.stderr
