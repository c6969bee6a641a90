# SPDX-License-Identifier: MIT
"""A demo that is ended in the middle, one that has a guest, one that is started twice, and one whose server is bad."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import ROOT, build, command, docker, environment, leftovers, read_until, refused, run, start

END_S = 120
FAULT = "AcknowledgesBeforeTheDiskHasIt"
SMALL = ("python3", "/opt/tests/suite/mini_server.py")
FAULTY = ("python3", "/opt/tests/faulty/start.py", FAULT)


@pytest.fixture
def small_servers(images: None) -> Iterator[tuple[str, str]]:
    """The suite's small server as an image, and one that acknowledges what is not on its disk."""
    tags = (build("prosa-demo-test-good", SMALL), build("prosa-demo-test-bad", FAULTY))
    yield tags
    docker("image", "rm", *tags)


def test_ended_in_the_middle(images: None) -> None:
    """Ctrl-C, twice: the second one does not hinder the clearing up."""
    process = start("kill")
    read_until(process, "Five people talk")
    assert leftovers("kill"), "it is in the middle"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=END_S)
    assert process.returncode == 130, out + err
    assert "removed" in err
    assert leftovers("kill") == []


def test_ended_before_it_began(images: None) -> None:
    process = start("sync")
    read_until(process, "PROSA/1")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=END_S)
    assert process.returncode == 130, out + err
    assert leftovers("sync") == []


def test_one_at_a_time_and_a_guest(images: None) -> None:
    """A second one is refused; whoever comes in by the printed command is answered; the first goes on and holds."""
    process = start("chat", "--quick")
    printed = read_until(process, "./run demo join")
    assert "five clients" in printed.lower()
    assert "is running" in refused("chat")
    screen = Screen("join", "--nick", "zoe")
    screen.read_until(b"Welcome, zoe")
    screen.type(b"Hello, everybody!\r")
    screen.read_until(b"Hello zoe!")
    screen.type(b"exit\r")
    assert screen.end() == 0
    out, err = process.communicate(timeout=END_S)
    assert process.returncode == 0, out + err
    assert "zoe comes in" in out
    assert leftovers("chat") == []


class Screen:
    """./run demo ... on a terminal."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        env = {**environment(), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        self._process = subprocess.Popen(
            command(*words), env=env, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True
        )
        os.close(theirs)
        self._seen = b""

    def read_until(self, octets: bytes) -> None:
        while octets not in self._seen:
            self._seen += os.read(self._ours, 65536)

    def type(self, octets: bytes) -> None:
        os.write(self._ours, octets)

    def end(self) -> int:
        try:
            while os.read(self._ours, 65536):
                pass
        except OSError:  # the other side is closed
            os.close(self._ours)
        return self._process.wait(END_S)


def test_server_that_loses_what_it_acknowledged(small_servers: tuple[str, str], tmp_path: Path) -> None:
    """The claim is reported as broken; a demo of the same small server without the fault holds."""
    words = ("--pace", "0", "--quick", "--image")
    with ThreadPoolExecutor() as pool:
        good = pool.submit(run, "chat", *words, small_servers[0], report=tmp_path).result
        bad = run("kill", *words, small_servers[1], report=tmp_path)
    assert good().code == 0, good().output
    assert bad.code == 1, bad.output
    told = bad.output.partition("What was shown")[2]
    assert "\u2717" in told, bad.output
    assert leftovers("kill") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "invalid choice"),
        (["chat", "--pace", "99"], "from 0 to 10"),
        (["flood", "--image", "mine"], "only the reference server"),
        (["chat", "--image", "prosa-demo-test-none"], "there is no image prosa-demo-test-none"),
        (["join"], "no demo chat is running"),
    ],
)
def test_wrong_words(images: None, words: list[str], said: str) -> None:
    assert said in refused(*words)
