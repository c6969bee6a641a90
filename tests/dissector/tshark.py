# SPDX-License-Identifier: MIT
"""Runs tshark with the dissector on captures that pcap.py writes, as an ordinary user.

Wireshark refuses Lua scripts of root, so that root becomes nobody here; the script and the
captures are copied to where anybody may read them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from prosa_conformance import pcap

DISSECTOR = Path(__file__).resolve().parents[2] / "spec" / "wireshark"
NOBODY = 65534
SEPARATOR = "\x1f"
TIMEOUT_S = 120

Packet = dict[str, list[str]]


class Tshark:
    def __init__(self, folder: Path) -> None:
        """`folder` is empty, and anybody may enter it."""
        program = shutil.which("tshark")
        if program is None:
            raise AssertionError("tshark is not installed; Debian's package is tshark, and ./run test installs it")
        self.program = program
        self.folder = folder
        self.captures = 0
        self.home = folder / "home"
        self.home.mkdir()
        shutil.copytree(DISSECTOR, folder / "wireshark")
        self.as_nobody: list[str] = []
        if os.geteuid() == 0:
            os.chown(self.home, NOBODY, NOBODY)
            self.as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    def capture(self, conversations: Iterable[pcap.Conversation]) -> Path:
        """A new capture file of these conversations."""
        self.captures += 1
        path = self.folder / f"{self.captures:03}.pcap"
        pcap.write(path, conversations)
        path.chmod(0o644)
        return path

    def run(self, capture: Path, *words: str, script: str | None = None, directory: Path | None = None) -> str:
        """What tshark prints. A word on stderr, such as a Lua error, fails."""
        dissector = script or str(self.folder / "wireshark" / "prosa.lua")
        command = [*self.as_nobody, self.program, "-n", "-X", f"lua_script:{dissector}", "-r", str(capture), *words]
        done = subprocess.run(
            command,
            cwd=directory or self.folder,
            env={**os.environ, "HOME": str(self.home), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0 and not done.stderr, f"tshark: {done.returncode}\n{done.stderr}"
        assert "Lua Error" not in done.stdout, done.stdout
        return done.stdout

    def packets(self, capture: Path, names: Sequence[str], *words: str) -> list[Packet]:
        """The values of these fields in each packet, in order."""
        columns = [word for name in names for word in ("-e", name)]
        layout = ["-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", f"aggregator={SEPARATOR}"]
        lines = self.run(capture, *layout, *columns, *words).splitlines()
        return [_packet(names, line) for line in lines]


def _packet(names: Sequence[str], line: str) -> Packet:
    cells = line.split("\t")
    assert len(cells) == len(names), f"{len(cells)} cells where {len(names)} are due: {line!r}"
    return {name: cell.split(SEPARATOR) if cell else [] for name, cell in zip(names, cells, strict=True)}
