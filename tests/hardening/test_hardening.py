# SPDX-License-Identifier: MIT
"""What cmake/Hardening.cmake asks for, as the programs that it made have it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
X86 = platform.machine() == "x86_64"


def output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"LC_ALL": "C"}).stdout


@pytest.fixture(params=sorted(path.name for path in PROGRAMS.glob("prosa-*")))
def program(request: pytest.FixtureRequest) -> Path:
    return PROGRAMS / request.param


def test_there_are_programs() -> None:
    assert {"prosa-server", "prosa-client"} <= {path.name for path in PROGRAMS.iterdir()}, "nothing was looked at"


def test_position_independent(program: Path) -> None:
    assert re.search(r"Type:\s+DYN", output("readelf", "-h", program)), "it stands at a fixed address"
    assert "PIE" in output("readelf", "-d", program), "it is linked as a library, not as a program"


def test_stack_is_not_executable(program: Path) -> None:
    flags = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}([RWE]+)", output("readelf", "-lW", program))
    assert flags and "E" not in flags[1], "what is written to the stack can be run"


def test_relocations_are_read_only(program: Path) -> None:
    assert "GNU_RELRO" in output("readelf", "-lW", program), "the table of functions stays writable"
    assert re.search(r"BIND_NOW|Flags: NOW", output("readelf", "-d", program)), "it is filled in later"


def test_stack_protector_and_fortify(program: Path) -> None:
    symbols = output("readelf", "--dyn-syms", "-W", program)
    assert "__stack_chk_fail" in symbols, "no function guards its frame"
    assert re.search(r"__\w+_chk@", symbols), "no call of the C library is checked"


@pytest.mark.skipif(not X86, reason="it is about the processor's own means, here those of x86-64")
def test_indirect_branches_are_marked(program: Path) -> None:
    """The C library's start files have no mark, so the program has none as a whole: its own functions do."""
    code = output("objdump", "-d", "--no-show-raw-insn", program)
    main = re.search(r"<main>:\n.*?:\s+(\S+)", code)
    assert main and main[1] == "endbr64", "main does not begin with endbr64"
