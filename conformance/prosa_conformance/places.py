# SPDX-License-Identifier: MIT
"""Where the spec's files are, and which loopback addresses and ports a test may use."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from prosa_conformance.language import _
from prosa_conformance.outcome import Inconclusive

PACKAGE = Path(__file__).parent
SUITE = PACKAGE / "suite"
SPEC = Path(os.environ.get("PROSA_SPEC", PACKAGE.parents[1] / "spec"))
FIRST_PORT = 20000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def all_in(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything that a program has made in its folder, however deep; no link is followed."""
    folders = [str(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:  # gone meanwhile, or too deep
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                yield entry


def files_in(folder: Path) -> list[Path]:
    """The regular files that a program has made; links are none, they may lead anywhere."""
    return [Path(entry.path) for entry in all_in(folder) if entry.is_file(follow_symlinks=False)]


def discard(path: Path) -> None:
    """Take a file or folder of a program's away, whatever the program has made of it."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:  # rmtree would open a pipe, and wait
            path.unlink(missing_ok=True)
    except (OSError, RecursionError):  # deeper than Python goes
        subprocess.run(["rm", "-rf", "--", path], stderr=subprocess.DEVNULL, check=False)


class Ports:
    """Hands out (127.x.y.z, port) pairs, each once; ports lie below the ephemeral range."""

    def __init__(self, salt: int, step: int = 1) -> None:
        self._next = salt % 50000
        self._step = step
        self._last_port = max(_ephemeral_low() - 1, FIRST_PORT + 1000)  # in it only where it begins so low

    def share(self, number: int, of: int) -> Ports:
        """Those that one of several processes hands out, and none of the others."""
        return Ports(self._next + number, self._step * of)

    def take(self) -> tuple[str, int]:
        """A pair that nobody listens on now."""
        for _attempt in range(1000):
            self._next += self._step
            host = f"127.{1 + self._next // 250 % 250}.{1 + self._next % 250}.1"
            port = FIRST_PORT + self._next % (self._last_port - FIRST_PORT)
            for address in (host, "127.0.0.1"):
                if _is_free(address, port):
                    return address, port
        raise Inconclusive(_("no free address and port on the loopback interface"))


def _ephemeral_low() -> int:
    try:
        return int(_EPHEMERAL.read_text().split()[0])
    except OSError:
        return 32768


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
