# SPDX-License-Identifier: MIT
"""Programs that a run starts on loopback ports, and ends by their ids."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prosa_bench.machine import pinned

READY_S = 20.0  # longest time from a start until somebody is served
STOP_S = 10.0  # from SIGTERM until SIGKILL
LOOK_S = 0.01  # between two looks at a port
LAST_OCTETS = 600
WAITS_FOR_READY = re.compile(r"^READY \S+:[0-9]+$", re.MULTILINE)


class CannotMeasure(Exception):
    """Why a figure is not there: a sentence for the table."""


@dataclass(frozen=True)
class Command:
    """How a program is started. `says_ready`: it prints READY; otherwise its port is tried."""

    words: Sequence[str]
    port: int
    says_ready: bool = False
    env: Mapping[str, str] | None = None


def raise_descriptors() -> None:
    """For this process and those that it starts: as many as there may be."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def running(command: Command, processors: tuple[int, ...], folder: Path) -> Iterator[int]:
    """The id of a program that serves; it has ended when the block has."""
    output = folder / "server.out"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PROSA_")}
    with output.open("wb") as out:
        process = subprocess.Popen(
            pinned(processors, list(command.words)),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**env, **(command.env or {})},
        )
    try:
        wait_until_ready(process, command, output)
        yield process.pid
    finally:
        stop(process)


def wait_until_ready(process: subprocess.Popen[bytes], command: Command, output: Path) -> None:
    end = time.monotonic() + READY_S
    while not is_ready(command, output):
        if process.poll() is not None:
            raise CannotMeasure(f"it ended with {process.returncode}: {last_words(output)}")
        if time.monotonic() > end:
            raise CannotMeasure(f"it did not serve within {READY_S:g} s: {last_words(output)}")
        time.sleep(LOOK_S)


def is_ready(command: Command, output: Path) -> bool:
    if command.says_ready:
        return WAITS_FOR_READY.search(output.read_text(encoding="utf-8", errors="replace")) is not None
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", command.port), timeout=1):
        return True
    return False


def last_words(output: Path) -> str:
    return " ".join(output.read_text(encoding="utf-8", errors="replace")[-LAST_OCTETS:].split()) or "it said nothing"


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def resident(pid: int) -> int:
    """Octets of a process that are in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
