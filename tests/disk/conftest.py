# SPDX-License-Identifier: MIT
"""Programs of ours on a disk that a test has in its hands. PROSA_PROGRAMS, PROSA_DISK_SHIM and PROSA_DISK_SESSION
name what was built elsewhere than in build/default. With PROSA_DISK_SIZE=full the tests take what a night has time
for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
sys.path[1:1] = [str(TESTS / "programs"), str(TESTS.parent / "conformance")]

from asked import next_event  # noqa: E402
from console import Console  # noqa: E402
from disk import BUILT  # noqa: E402

PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", BUILT / "bin"))
SESSION = os.environ.get("PROSA_DISK_SESSION", str(BUILT / "tests" / "disk" / "disk_session"))
DEADLINE = 120 * float(os.environ.get("PROSA_TIME_SCALE", "1"))
IS_FULL = os.environ.get("PROSA_DISK_SIZE", "small") == "full"
MEMORY = Path("/dev/shm")

SEEDS = {"server": 1, "ada": 2, "bob": 3}  # as the rig of tests/store has them


SKIPPED = 77


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing could be done, nobody takes it for a success."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    told = reporter.stats if reporter is not None else {}
    if told.get("skipped") and not any(told.get(name) for name in ("passed", "failed", "error")):
        session.exitstatus = SKIPPED


def sized(small: Any, full: Any) -> Any:
    return full if IS_FULL else small


def give_key(path: Path, who: str) -> None:
    path.write_text(f"PROSA-KEY-1 {bytes([SEEDS[who]]).hex()}{bytes(31).hex()}\n")
    path.chmod(0o600)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for thousands of small files: in memory where that is possible."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="prosa-disk-", dir=base) as name:
        yield Path(name)


# --- programs ---


@dataclass
class Home:
    """The programs of one test, with a folder each; they do not outlive it."""

    folder: Path
    consoles: list[Console]

    def start(self, program: str, *words: str | Path, env: Mapping[str, str] | None = None) -> Console:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROSA_")}
        environment = {**kept, "LC_ALL": "C.UTF-8", **(env or {})}
        console = Console([str(PROGRAMS / program), *map(str, words)], environment)
        self.consoles.append(console)
        return console

    def data(self, who: str) -> Path:
        folder = self.folder / who
        if not folder.exists():
            folder.mkdir(mode=0o700)
            if who in SEEDS:
                give_key(folder / ("server.key" if who == "server" else "client.key"), who)
        return folder

    def serve(self, *words: str, port: int = 0, env: Mapping[str, str] | None = None) -> tuple[Console, int]:
        """A server that is READY, and its port."""
        server = self.start(
            "prosa-server", "--port", f"{port}", "--data", self.data("server"), "--answer", "echo", *words, env=env
        )
        server.expect("READY ")
        return server, int(server.expect("\n").rpartition(b":")[2])

    def client(
        self, nick: str, port: int, *words: str, room: str = "dev", env: Mapping[str, str] | None = None
    ) -> Console:
        """A client of that server."""
        data = self.data(nick)
        return self.start(
            "prosa-client", "--json", "--nick", nick, "--data", data, "--room", room, *words, f"127.0.0.1:{port}",
            env=env,
        )  # fmt: skip

    def talk(
        self, nick: str, port: int, *words: str, room: str = "dev", env: Mapping[str, str] | None = None
    ) -> Console:
        """A client that has joined."""
        console = self.client(nick, port, *words, room=room, env=env)
        next_event(console, "joined", room=room)
        return console


@pytest.fixture
def home(place: Path) -> Iterator[Home]:
    consoles: list[Console] = []
    yield Home(place, consoles)
    for console in reversed(consoles):
        console.dispose()


# --- the log from outside ---


@dataclass(frozen=True)
class Seen:
    """A room as a server sees it."""

    name: str
    room_id: bytes
    oldest: int
    head: int
    chain: bytes
    pruned: bytes


@dataclass(frozen=True)
class Opened:
    """What came of opening a log: rooms by their room_id and names, or a sentence."""

    sentence: str
    rooms: Mapping[bytes, Seen]
    nicks: frozenset[str]

    @property
    def good(self) -> bool:
        return not self.sentence

    @property
    def heads(self) -> frozenset[tuple[bytes, int]]:
        return frozenset((room.room_id, room.head) for room in self.rooms.values())


class Probe:
    """Opens one log after the other, as a server does, and writes on in those that are good."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([SESSION, "probe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.count = 0

    def open(self, folder: Path, restored: bool = False) -> Opened:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{'restored ' if restored else ''}{folder}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline().rstrip("\n")
        assert line, "the prober has ended"
        self.count += 1
        word, _, rest = line.partition(" ")
        if word == "refused":
            return Opened(rest, {}, frozenset())
        assert word == "good"
        rooms, nicks = {}, set()
        for part in rest.split():
            name, *values = part.split(":")
            if name == "nick":
                nicks.add(values[0])
                continue
            room_id, oldest, head, chain, pruned = values
            key = bytes.fromhex(room_id)
            rooms[key] = Seen(name, key, int(oldest), int(head), bytes.fromhex(chain), bytes.fromhex(pruned))
        return Opened("", rooms, frozenset(nicks))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            stream.close()


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe()
    yield probe
    probe.close()


def next_of(console: Console, *names: str) -> dict[str, Any]:
    """Wait for the next event of one of these names."""
    while True:
        event: dict[str, Any] = json.loads(console.expect("\n"))
        if event["event"] in names:
            return event


Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Figures, for whoever reads what the test says."""

    def say(words: str) -> None:
        with capsys.disabled():
            print(f"\n{words}", flush=True)

    return say


Again = Callable[[], Path]


@pytest.fixture
def anew(place: Path) -> Again:
    """A name for a folder that is not there, the same one each time."""

    def name() -> Path:
        folder = place / "image"
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    return name
