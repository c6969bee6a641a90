# SPDX-License-Identifier: MIT
"""A program under test as a container: one a life, made by the engine, with next to nothing of this machine.

It has loopback and no other network, a root that it cannot write, no capability, and bounds to all that it
takes. Its stdin, stdout, stderr, signals and exit code are as a child process has them (process.py).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.errors import APIError
from docker.types import LogConfig, Mount, Ulimit
from requests.exceptions import RequestException

from prosa_conformance.bounds import (
    CPUS,
    DESCRIPTORS,
    FILE_MB,
    MEMORY_MB,
    PROCESSES,
    SHARED_MB,
    TMP_MB,
    anonymous_memory,
)
from prosa_conformance.contract import PLACEHOLDERS
from prosa_conformance.engine import Engine
from prosa_conformance.language import _
from prosa_conformance.outcome import Inconclusive
from prosa_conformance.places import all_in, discard
from prosa_conformance.process import LAST_WORDS_S, Ended, Program, drain
from prosa_conformance.tester import LABEL

DATA = "/data"  # PROSA_DATA in a container
# What starts in the container: it puts the named pipes in the place of stdin, stdout and stderr.
CONSOLE = "/.prosa"
SHELL = (f"{CONSOLE}/bash", "-p", "-c", f'exec "$@" <{CONSOLE}/in >{CONSOLE}/out 2>{CONSOLE}/err', "image")
FREEZE, THAW = signal.SIGSTOP, signal.SIGCONT  # of all its processes: the engine pauses the container
GONE = 137  # the exit code after SIGKILL


class Container(Program):
    """A life of an image: its name and words for its entry point, and the settings of the contract.

    The folder that those name as `data` outlives it.
    """

    def __init__(self, engine: Engine, words: Sequence[str], values: Mapping[str, str], name: str) -> None:
        self._engine = engine
        self._image = engine.images[words[0]]
        self._data = Path(values["data"])
        self._arguments = [word.replace(str(self._data), DATA) for word in words[1:]] or list(self._image.arguments)
        self._values = {**values, "data": DATA}
        self._pipe: int | None = None
        self._opened = threading.Event()
        self._id = ""
        super().__init__(name)

    # --- its beginning ---

    def _start(self) -> None:
        self._own_folder()
        self._make_console()
        api = self._engine.api
        try:
            self._id = api.create_container(
                self._image.identity,
                entrypoint=[*SHELL, *self._image.entry_point],
                command=self._arguments,
                environment=self._environment(),
                user=f"{self._image.uid}:{self._image.gid}",
                name=f"{self._engine.name}-{self.name}-{secrets.token_hex(6)}",
                healthcheck={"test": ["NONE"]},  # the image's own would be one more client
                labels={LABEL: self._engine.tester},
                host_config=self._bounds(),
            )["Id"]
            api.start(self._id)
        except APIError as error:
            self._forget()
            words = _("the engine could not start the image {name}: {words}")
            raise Inconclusive(words.format(name=self._image.name, words=error.explanation)) from None
        self._run(self._drain_stdout, self._drain_stderr, self._wait)
        self._pipe = os.open(self._console / "in", os.O_WRONLY)  # waits until it has been opened there, too
        self._opened.set()
        os.set_blocking(self._pipe, False)

    def _make_console(self) -> None:
        """Pipes with names: what goes through them is there at once, as with a child process's."""
        self._console = Path(tempfile.mkdtemp(prefix="console-", dir=self._data.parent))
        self._console.chmod(0o755)
        (self._console / "bash").hardlink_to(self._engine.shell)
        for name in ("in", "out", "err"):
            os.mkfifo(self._console / name, 0o600)
            os.chown(self._console / name, self._image.uid, self._image.gid)
        self._out, self._err = (_ends_of(self._console / name) for name in ("out", "err"))

    def _forget(self) -> None:
        """What could not be started leaves nothing."""
        if self._id:
            self._engine.remove(self._id)
        for end in (*self._out, *self._err):
            os.close(end)
        discard(self._console)

    def _environment(self) -> list[str]:
        """The contract's variables. One that is not set is taken from what the image has set, too."""
        names = {f"PROSA_{name.upper()}": self._values.get(name, "") for name in PLACEHOLDERS}
        return [f"{name}={value}" if value else name for name, value in names.items()] + ["TINI_KILL_PROCESS_GROUP=1"]

    def _bounds(self) -> dict[str, Any]:
        """`init` so that a signal does what it does to a program that is not the first of all processes."""
        source = self._engine.source
        mounts = [Mount(DATA, source(self._data), type="bind")]
        mounts += [Mount(CONSOLE, source(self._console), type="bind", read_only=True)]
        tmpfs = {"/tmp": f"size={TMP_MB}m,mode=1777"}
        mounts += [self._sealed(path) for path in self._image.volumes if path not in (DATA, "/tmp")]
        return self._engine.api.create_host_config(
            network_mode=f"container:{self._engine.tester}",
            init=True,
            read_only=True,
            mounts=mounts,
            tmpfs=tmpfs,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=PROCESSES,
            mem_limit=f"{MEMORY_MB}m",
            memswap_limit=f"{MEMORY_MB}m",
            nano_cpus=CPUS * 10**9,
            shm_size=f"{SHARED_MB}m",
            ulimits=[
                Ulimit(name="fsize", soft=FILE_MB << 20, hard=FILE_MB << 20),
                Ulimit(name="nofile", soft=DESCRIPTORS, hard=DESCRIPTORS),
                Ulimit(name="core", soft=0, hard=0),
            ],
            log_config=LogConfig(type="none"),
        )

    def _sealed(self, path: str) -> Mount:
        """A volume that the image declares would be a place without bounds: it is there, and cannot be written."""
        name = f"{self._engine.name}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
        return Mount(path, name, read_only=True, labels={LABEL: self._engine.tester})

    def _own_folder(self) -> None:
        """Its folder, and what a test has put there, are the program's."""
        for path in (self._data, *all_in(self._data)):
            os.chown(path, self._image.uid, self._image.gid, follow_symlinks=False)

    # --- threads ---

    def _drain_stdout(self) -> None:
        drain(self._out[0], self._stdout)
        self._close_stdout()

    def _drain_stderr(self) -> None:
        drain(self._err[0], self._words)

    def _wait(self) -> None:
        """Its end is told when its last words are in; then nothing of it is kept but its folder."""
        try:
            code = self._engine.api.wait(self._id, timeout=None)["StatusCode"]
            is_short_of_memory = self._engine.api.inspect_container(self._id)["State"]["OOMKilled"]
        except (APIError, RequestException):
            code, is_short_of_memory = GONE, False  # removed under our hands
        unused = os.open(self._console / "in", os.O_RDONLY | os.O_NONBLOCK)  # nobody waits any more to write there
        for _reader, writer in (self._out, self._err):
            os.close(writer)
        for thread in self._threads[:2]:
            thread.join(LAST_WORDS_S)
        if self.killed_by_us and code == GONE:
            self._tell_end(Ended(-signal.SIGKILL))
        else:
            self._tell_end(Ended(code, MEMORY_MB if is_short_of_memory and code else 0))
        self._engine.remove(self._id)
        self._opened.wait(LAST_WORDS_S)
        os.close(unused)
        discard(self._console)

    # --- what is done to it ---

    @property
    def _stdin(self) -> int | None:
        return None if self.ended is not None else self._pipe

    def close_stdin(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _send(self, number: signal.Signals) -> None:
        if not self._id or self.ended is not None:
            return
        with suppress(APIError):  # it has ended meanwhile
            if number == FREEZE:
                self._engine.api.pause(self._id)
            elif number == THAW:
                self._engine.api.unpause(self._id)
            else:
                self._engine.api.kill(self._id, number.value)

    def octets_held(self) -> int | None:
        api = self._engine.api
        url = f"{api.base_url}/v{api.api_version}/containers/{self._id}/stats"
        return anonymous_memory(api.get(url, params={"stream": "0", "one-shot": "1"}).json())

    def open_descriptors(self) -> int:
        return 0  # the engine does not tell


def _ends_of(pipe: Path) -> tuple[int, int]:
    """Descriptors to read from it and to write to it: while we have the latter it is not at its end."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    os.set_blocking(reader, True)
    return reader, writer
