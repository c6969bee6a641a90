# SPDX-License-Identifier: MIT
"""A disk that is really full: the server's folder is a small one in memory, that the server alone sees."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from signal import SIGSTOP

import pytest

from asked import named, next_event
from conftest import PROGRAMS, Again, Home, Probe, Tell, give_key, next_of
from console import Console

UNSHARE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
SIZE = "800k"
TEXT = "." * 3000


@pytest.fixture
def small(home: Home) -> Path:
    """Where the small disk is to be; skips where nobody may mount one."""
    folder = home.folder / "small"
    folder.mkdir()
    try:
        done = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", folder], capture_output=True, text=True)
    except FileNotFoundError as missing:
        pytest.skip(f"a disk of its own takes {missing.filename}, which is not installed here")
    if done.returncode != 0:
        pytest.skip(f"nobody may mount a disk of his own here: {done.stderr.strip()}")
    return folder


def serve(home: Home, small: Path, before: str = ":") -> Console:
    """A server that begins on its own empty disk, when the words `before` have been done there."""
    words = (
        f"mount -t tmpfs -o size={SIZE},mode=700 none {small} && cp -p {home.folder}/server.key {small} && {before} &&"
        f" exec {PROGRAMS}/prosa-server --port 0 --answer echo --data {small}"
    )
    give_key(home.folder / "server.key", "server")
    return home.start(shutil.which("unshare") or "", *UNSHARE[1:], "sh", "-c", words)


def test_a_disk_that_is_full_and_has_room_again(home: Home, small: Path, probe: Probe, anew: Again, tell: Tell) -> None:
    """FLOW-09, RES-10: people fill the disk; somebody makes room, and all goes on without a restart."""
    server = serve(home, small, f"head -c 200000 /dev/zero >{small}/ballast")
    server.expect("READY ")
    port = int(server.expect("\n").rpartition(b":")[2])
    inside = Path(f"/proc/{server.process.pid}/root{small}")
    ada, bob = home.talk("ada", port), home.talk("bob", port)
    number = 0
    while not named(ada, "error"):
        number += 1
        ada.line(f"{number} {TEXT}")
        event = next_of(ada, "message", "error")
        assert number < 1000, event
    next_event(ada, "disconnected")
    next_event(ada, "joined")
    next_event(ada, "error", code="INTERNAL")
    assert named(bob, "disconnected") == []
    (inside / "ballast").unlink()
    next_event(bob, "message", text=f"{number} {TEXT}")
    bob.line("there is room again")
    next_event(ada, "message", text="there is room again")
    server.expect("the disk is full: nothing of", "err")
    server.expect(f"{small}/log.db; make room, and it goes on by itself", "err")
    server.signal(SIGSTOP)
    image = anew()
    shutil.copytree(inside, image, ignore=shutil.ignore_patterns("log.db-shm"))
    opened = probe.open(image)
    assert opened.good, opened.sentence
    assert [room.head for room in opened.rooms.values()] == [number + 1]
    tell(f"a real disk of {SIZE}: full after {number} messages, and room again")


def test_a_server_that_begins_on_a_full_disk(home: Home, small: Path) -> None:
    """It says what it could not make, and where."""
    server = serve(home, small, f"{{ head -c 10000000 /dev/zero >{small}/ballast || :; }} 2>/dev/null")
    assert server.ended() == 1
    assert re.search(rf"{small}/log\.db(\.new)? cannot be made: (the disk is full|No space left)", server.err.decode())
