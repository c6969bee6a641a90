# SPDX-License-Identifier: MIT
"""A kit as a student has it: made by ./run new, and checked by its own ./check."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCALE = float(os.environ.get("PROSA_TIME_SCALE", "1"))
# The system's Python first, as everywhere in this tree; no word of the environment's reaches a student's program.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PROSA_TIME_SCALE": str(SCALE)}


@dataclass(frozen=True)
class Said:
    code: int
    text: str


def run(folder: Path, *words: str, **more: str) -> Said:
    done = subprocess.run(
        words,
        cwd=folder,
        env={**ENVIRONMENT, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600 * SCALE,
        check=False,
    )
    return Said(done.returncode, done.stdout)


def new(*words: str) -> Said:
    return run(ROOT, str(ROOT / "run"), "new", *words)


@dataclass(frozen=True)
class Kit:
    language: str
    folder: Path

    def check(self, *words: str, **more: str) -> Said:
        return run(self.folder, "./check", *words, **more)

    def verdicts(self) -> list[str]:
        result: dict[str, Any] = json.loads((self.folder / "report" / "result.json").read_text(encoding="utf-8"))
        return [test["verdict"] for test in result["tests"]]

    def solve(self) -> None:
        patch = ROOT / "starter" / "solution" / f"{self.language}.patch"
        done = run(self.folder, "patch", "--strip=1", "--fuzz=0", f"--input={patch}")
        assert done.code == 0, f"the solution does not fit the kit any longer:\n{done.text}"

    def sources(self) -> list[Path]:
        endings = (".py", ".c", ".h")
        return [path for path in self.folder.iterdir() if path.suffix in endings]


@pytest.fixture
def make_kit(tmp_path: Path) -> Any:
    def make(language: str, *words: str) -> Kit:
        folder = tmp_path / f"{language}-kit"
        said = new(language, str(folder), *words)
        assert said.code == 0, said.text
        return Kit(language, folder)

    return make
