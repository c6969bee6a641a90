# SPDX-License-Identifier: MIT
"""The Dockerfiles of docs/images.md, as a student would use them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from engine import ROOT
from isolated import CONFORMANCE, Conform, build

LANGUAGE = re.compile(r"^## A Dockerfile for (.+?)\n.*?^```dockerfile\n(.*?)^```", re.MULTILINE | re.DOTALL)
SERVER = "import mini_server\n\nmini_server.main()\n"
MAKEFILE = "server: ; $(CC) -O1 -D_GNU_SOURCE -Ilibprosa/include -o server libprosa/src/*.c ref-codec/*.c -lsodium\n"


def dockerfile(language: str) -> str:
    return dict(LANGUAGE.findall((ROOT / "docs" / "images.md").read_text(encoding="utf-8")))[language]


def test_python(tmp_path: Path, conform: Conform) -> None:
    """A server on the suite's own codec stands for a student's."""
    folder = tmp_path / "submission"
    shutil.copytree(CONFORMANCE / "prosa_conformance", folder / "prosa_conformance")
    for path in (ROOT / "tests" / "suite").glob("mini_*.py"):
        shutil.copy(path, folder)
    (folder / "server.py").write_text(SERVER)
    (folder / "Dockerfile").write_text(dockerfile("Python"))
    outcome = conform("--image", build("prosa-test-python", context=folder), "--level", "L1", "-k", "handshake")
    assert outcome.code == 0, outcome.text
    assert set(outcome.verdicts().values()) == {"pass"}, outcome.verdicts()


def test_a_compiled_language(tmp_path: Path, conform: Conform) -> None:
    """The codec of the reference stands for a student's program in C; its image is a codec's."""
    folder = tmp_path / "submission"
    for name in ("libprosa", "ref-codec"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "Dockerfile").write_text(dockerfile("a compiled language"))
    outcome = conform("--codec-image", build("prosa-test-compiled", context=folder), "--level", "L0")
    assert outcome.code == 0, outcome.text
    assert set(outcome.verdicts().values()) == {"pass"}, outcome.verdicts()
