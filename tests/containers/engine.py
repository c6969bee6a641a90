# SPDX-License-Identifier: MIT
"""The container engine as a person has it: its command line. Every wait has a deadline."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCALE = float(os.environ.get("PROSA_TIME_SCALE", "1"))
WAIT_S = 120 * SCALE
BUILD_S = 1200 * SCALE  # all images from nothing, on a busy machine
SUITE_S = 600 * SCALE  # a whole run of the suite
LABEL = "prosa-test"

# How a service of the compose file runs; a test may add to it.
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def attempt(*words: str, wait_s: float = WAIT_S, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command that may fail, with all that it printed."""
    return subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=wait_s,
        check=False,
        **options,
    )


def docker(*words: str, wait_s: float = WAIT_S) -> str:
    """What a command of the engine printed; it has to succeed."""
    done = attempt("docker", *words, wait_s=wait_s)
    assert done.returncode == 0, f"docker {' '.join(words)} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout.strip()


def inspect(name: str) -> dict[str, Any]:
    """All that the engine knows of an image or a container."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", name))
    return found[0]


class Events:
    """What happens to one container, from before its start on."""

    def __init__(self, container: str) -> None:
        self._words: list[str] = []
        self._process = subprocess.Popen(
            ["docker", "events", f"--since={time.time():.3f}", f"--filter=container={container}",
             "--format={{.Status}}"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        self._rest = b""

    def expect(self, status: str) -> None:
        """Wait until the engine tells this status."""
        deadline = time.monotonic() + WAIT_S
        while status not in self._words:
            left = deadline - time.monotonic()
            assert left > 0, f"{status!r} was not told; what was: {self._words}"
            self._read(left)
        del self._words[: self._words.index(status) + 1]

    def _read(self, seconds: float) -> None:
        assert self._process.stdout is not None
        if select.select([self._process.stdout], [], [], seconds)[0]:
            octets = os.read(self._process.stdout.fileno(), 65536)
            assert octets, f"the engine tells no more; what it told: {self._words}"
            *lines, self._rest = (self._rest + octets).split(b"\n")
            self._words += [line.decode().strip() for line in lines]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Container:
    """A container of a test. It is removed with all that the test made."""

    def __init__(self, image: str, *options: str, words: tuple[str, ...] = (), owner: str) -> None:
        self.name = f"prosa-test-{uuid.uuid4().hex[:12]}"
        self.events = Events(self.name)
        docker("run", "--detach", f"--name={self.name}", f"--label={LABEL}={owner}", *HARDENED, *options, image, *words)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command inside of it."""
        return attempt("docker", "exec", self.name, *words)

    def signal(self, name: str) -> None:
        docker("kill", f"--signal={name}", self.name)

    def remove(self) -> None:
        self.events.close()
        attempt("docker", "rm", "--force", "--volumes", self.name)
