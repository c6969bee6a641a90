# SPDX-License-Identifier: MIT
"""Packages of Debian's, unpacked and not installed: on the machine of whoever runs the tests no name server and
no cloud-init starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("PROSA_BUILD", Path(__file__).parents[2] / "build" / "default"))
FOLDER = BUILD / "unpacked"
DEADLINE_S = 120


def unpacked(*packages: str) -> Path:
    """The root of these packages; downloaded once in a build folder. Who cannot download skips the test."""
    root = FOLDER / "+".join(packages)
    if root.is_dir():
        return root
    FOLDER.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=FOLDER))
    try:
        if shutil.which("apt-get") is None:
            pytest.skip("this system has no apt-get that brings " + " and ".join(packages))
        done = run(fresh, "apt-get", "--quiet=2", "download", *packages)
        if done.returncode:
            pytest.skip(f"apt-get download {' '.join(packages)}: {done.stderr.strip()[-300:]}")
        for archive in fresh.glob("*.deb"):
            assert run(fresh, "dpkg-deb", "--extract", archive.name, "root").returncode == 0, f"{archive} is whole"
        if not root.is_dir():  # another test may have been faster
            (fresh / "root").rename(root)
    finally:
        shutil.rmtree(fresh)
    return root


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
