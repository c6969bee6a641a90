# SPDX-License-Identifier: MIT
"""A Docker engine in the hands of a test: what one run makes there has the run's own name, and is gone after it."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

DEADLINE_S = 120


class Lines:
    """What a command prints, line by line; `say` is its stdin."""

    def __init__(self, *words: str) -> None:
        self._program = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        self.seen: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self._lines.put(line.rstrip())
        self._lines.put(None)

    def until(self, wanted: Callable[[str], bool]) -> str:
        """The next line that is wanted."""
        deadline = time.monotonic() + DEADLINE_S
        while (line := self._next(deadline)) is not None:
            self.seen.append(line)
            if wanted(line):
                return line
        raise AssertionError("it did not come; there was:\n" + "\n".join(self.seen[-60:]))

    def _next(self, deadline: float) -> str | None:
        try:
            return self._lines.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            return None

    def say(self, line: str) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()

    def ended(self) -> int:
        return self._program.wait(DEADLINE_S)

    def stop(self) -> None:
        self._program.kill()
        self._program.wait(DEADLINE_S)


class Container:
    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self.name = engine, name

    def copy(self, source: Path, target: str) -> None:
        self._engine.docker("cp", str(source), f"{self.name}:{target}")

    def start(self) -> None:
        self._engine.docker("start", self.name)

    def stop(self) -> None:
        """In order, as a cloud stops an instance."""
        self._engine.docker("stop", "--time", "60", self.name)

    def run(self, *words: str, code: int = 0) -> str:
        """Both streams of a command in it, which ends with this code."""
        done = self._engine.ask("exec", self.name, *words)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def follow(self, *words: str) -> Lines:
        return self._engine.lines("exec", self.name, *words)

    def console(self) -> Lines:
        return self._engine.lines("logs", "--follow", self.name)

    def talk(self) -> Lines:
        """Starts it, with its stdin and stdout here."""
        return self._engine.lines("start", "--attach", "--interactive", self.name)

    def address(self) -> str:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self._engine.docker("inspect", "--format", form, self.name).strip()

    def move(self, before: Callable[[], None]) -> None:
        """Out of the network and in again, after whatever else takes the address that it had."""
        self._engine.docker("network", "disconnect", self._engine.prefix, self.name)
        before()
        self._engine.docker("network", "connect", self._engine.prefix, self.name)


class Engine:
    """`prefix` is the name of this run's network, and how the names of its containers begin."""

    def __init__(self) -> None:
        self.prefix = f"prosa-deploy-{os.getpid()}"
        self._containers: list[str] = []
        self._lines: list[Lines] = []
        if shutil.which("docker") is None:
            pytest.skip("there is no docker here")
        done = self.ask("version", "--format", "{{.Server.Version}}")
        if done.returncode:
            pytest.skip(f"no engine answers: {done.stdout.strip()[-200:]}")
        self.docker("network", "create", self.prefix)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=DEADLINE_S, check=False,
        )

    def docker(self, *words: str) -> str:
        done = self.ask(*words)
        assert done.returncode == 0, f"docker {' '.join(words)}:\n{done.stdout[-4000:]}"
        return done.stdout

    def lines(self, *words: str) -> Lines:
        self._lines.append(Lines("docker", *words))
        return self._lines[-1]

    def create(self, name: str, image: str, *command: str, options: tuple[str, ...] = ()) -> Container:
        """Not started yet; in the network others find it by this name."""
        whole = f"{self.prefix}-{name}"
        place = ("--network", self.prefix, "--network-alias", name, "--memory", "512m", "--pids-limit", "512")
        self._containers.append(whole)
        self.docker("create", "--name", whole, *place, *options, image, *command)
        return Container(self, whole)

    def close(self) -> None:
        for lines in self._lines:
            lines.stop()
        if self._containers:
            self.ask("rm", "--force", "--volumes", *self._containers)
        self.docker("network", "rm", self.prefix)
