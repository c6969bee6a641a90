# SPDX-License-Identifier: MIT
"""The kits of ./run new in images, by their own Dockerfiles, in isolation. It takes minutes: for the night."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from engine import ROOT
from isolated import Conform, build

PATHS = {**os.environ, "PATH": f"/usr/bin:{os.environ['PATH']}"}
CLIENT = {"python": "client.py", "c": "client"}


@pytest.mark.parametrize("language", CLIENT)
def test_kit(tmp_path: Path, conform: Conform, language: str) -> None:
    folder, patch = tmp_path / "kit", ROOT / "starter" / "solution" / f"{language}.patch"
    subprocess.run([ROOT / "run", "new", language, folder], env=PATHS, check=True)
    subprocess.run(["patch", "--strip=1", f"--input={patch}"], cwd=folder, check=True)
    image = build(f"prosa-test-starter-{language}", context=folder)
    outcome = conform("--image", image, "--client-image", f"{image} {CLIENT[language]}", "--level", "L1")
    assert outcome.code == 0, outcome.text
    assert set(outcome.verdicts().values()) <= {"pass", "not applicable"}, outcome.verdicts()
