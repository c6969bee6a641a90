# SPDX-License-Identifier: MIT
"""ZeroMQ stays in its room: server, client and library speak through sockets alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conftest import PROGRAMS, ROOT

OURS = {"prosa-bridge", "prosa-listen"}
BUILT = [*PROGRAMS.glob("prosa-*"), *(PROGRAMS.parent / "libprosa").glob("libprosa.so")]


def needed(path: Path) -> list[str]:
    told = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True, env={"LC_ALL": "C"})
    return re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", told.stdout)


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.name)
def test_what_is_linked(path: Path) -> None:
    libraries = needed(path)
    assert any(name.startswith("libc.so") for name in libraries), f"nothing was read: {libraries}"
    has_zmq = any("zmq" in name for name in libraries)
    assert has_zmq == (path.name in OURS), f"{path.name} is linked with {libraries}"


def test_all_programs_were_looked_at() -> None:
    names = {path.name for path in BUILT}
    assert {"prosa-server", "prosa-client", "prosa-codec", "prosa-audit", "libprosa.so"} | OURS <= names, names


def test_no_other_room_includes_it() -> None:
    pattern = re.compile(r'#\s*include\s+[<"](zmq|czmq)')
    rooms = [path for path in ROOT.glob("ref-*") if path.is_dir()] + [ROOT / "libprosa"]
    sources = [source for room in rooms for source in room.rglob("*.[ch]")]
    assert len(sources) > 100, "the rooms are where they were"
    assert [str(source) for source in sources if pattern.search(source.read_text())] == []
