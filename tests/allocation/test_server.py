# SPDX-License-Identifier: MIT
"""The server while memory runs out, in it and in the libraries that it uses: it says so, to the client and to its
operator, nobody waits in vain, and as soon as there is memory the next one is served, who sees all that was
acknowledged."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import NEVER, Scarce, Start, sample, tell
from console import DEADLINE_S
from prosa_conformance import codec, crypto
from prosa_conformance.registry import CODES, FEATURES
from served import Served
from speaker import OFFERED, Refused, Speaker

AUDITS = OFFERED | FEATURES["audit"]
SAMPLE = 40  # of each kind, in a small run
OWN_FAULTS = ("INTERNAL", "BUSY")
# In a run under a sanitizer a new thread can also be ended by that, which has no memory for itself.
SIGNS_OF_SCARCITY = ("memory", "Resource temporarily unavailable", "Memory", "pthread_getattr_np")

# What a client may see when the server has no memory: its words, or its end.
Told = (Refused, ConnectionError, AssertionError)


class Guest(Speaker):
    """Knows which ERROR ended it."""

    def next(self) -> codec.Frame | None:
        frame = super().next()
        if frame is not None and frame.name == "ERROR":
            name = next(code.name for code in CODES.values() if code.number == frame.number("code"))
            if name != "NO_ANSWER":
                assert name in OWN_FAULTS, f"the server accuses its client of {name}"
                raise Refused(name)
        return frame


class Host:
    """A server whose memory is ours, and what it has acknowledged."""

    def __init__(self, start: Start, memory: Scarce, data: Path) -> None:
        self.memory = memory
        words = ("--port", "0", "--data", str(data), "--answer", "echo", "--metrics", "127.0.0.1:0")
        self.console = start("prosa-server", *words, env=memory.env)
        self.served = Served(self.console)
        self.console.expect("metrics address=", "err")
        self.metrics = self.console.expect("\n", "err").decode().strip()
        self.acked: dict[str, set[bytes]] = {}
        self.rounds = 0

    # --- a round ---

    def talk(self) -> None:
        """A session of each kind that there is; each goes as far as the server has memory."""
        self.rounds += 1
        room, acked = f"room{self.rounds}", self.acked.setdefault(f"room{self.rounds}", set())
        ada, bob = f"ada{self.rounds}", f"bob{self.rounds}"
        with told():
            self.stranger()
        with told():
            guest = Guest(self.served, ada, features=AUDITS)
            joined = guest.join(room)
            self.publish(guest, joined, 3, acked)
            self.ask(guest)
            guest.say("LEAVE", room_id=joined.need("room_id"))
            guest.expect("MEMBER", event=3)
            guest.say("BYE", code=CODES["NORMAL"].number)
            guest.expect("BYE")
        with told():
            self.scrape()
        with told():
            guest = Guest(self.served, bob, features=AUDITS)
            self.publish(guest, guest.join(room, after_seq=0), 40, acked)
            newer = Guest(self.served, bob, seed=guest.seed, features=AUDITS)  # the older one is replaced
            newer.join(room, after_seq=0)
            newer.ping()
            newer.close()
            guest.close()

    def stranger(self) -> None:
        with socket.create_connection((self.served.host, self.served.port)) as stranger:
            stranger.settimeout(30)
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.recv(1) == b""

    def scrape(self) -> None:
        try:
            with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=30) as page:
                page.read()
        except (urllib.error.URLError, OSError) as problem:
            raise ConnectionError(str(problem)) from problem

    def publish(self, guest: Guest, joined: codec.Frame, count: int, acked: set[bytes]) -> None:
        first = joined.number("last_counter") + 1
        frames = [
            guest.publish(joined.need("room_id"), first + i, f"{guest.nick} says {first + i}") for i in range(count)
        ]
        guest.send(*frames)
        known = 0
        while known < first + count - 1:
            known = guest.expect("ACK").number("acked_counter")
            acked |= {crypto.message_id(frame) for frame in frames[: known - first + 1]}

    def ask(self, guest: Guest) -> None:
        joined = guest.join("@host", send_window=1)
        question = guest.publish(joined.need("room_id"), joined.number("last_counter") + 1, "well?")
        guest.send(question)
        guest.expect("ACK", limit_counter=question.number("counter"))
        while True:
            frame = guest.next()
            assert frame is not None, "end of file where an answer was due"
            if frame.name == "ACK" and frame.number("limit_counter") > question.number("counter"):
                return

    # --- and afterwards ---

    def check(self) -> None:
        """The next client is served as always, and sees everything that was acknowledged in the last room."""
        room = f"room{self.rounds}"
        guest = Guest(self.served, f"eva{self.rounds}", features=AUDITS)
        joined = guest.join(room, after_seq=0, recv_window=1000)
        guest.ping()
        seen = {crypto.message_id(frame) for frame in guest.frames if frame.name == "DELIVER"}
        assert self.acked[room] <= seen, f"{len(self.acked[room] - seen)} acknowledged messages are not in {room}"
        self.publish(guest, joined, 2, self.acked[room])
        self.ask(guest)
        self.scrape()
        guest.close()
        while self.console.read(time.monotonic()):
            pass  # what it logs has room


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What the server has no memory for it may refuse, or end; but nobody waits for it in vain."""
    try:
        yield
    except TimeoutError as waited:
        raise AssertionError("the server says nothing, and does not end the connection") from waited
    except Told as end:
        if isinstance(end, AssertionError) and "accuses" in str(end):
            raise


@pytest.fixture
def host(start: Start, scarce: Callable[[str], Scarce], tmp_path: Path) -> Host:
    return Host(start, scarce("server"), tmp_path / "data")


def rehearse(host: Host) -> int:
    """How many allocations a round has, when everything is as it always is."""
    for _ in range(2):
        host.memory.begin()
        host.talk()
        count = host.memory.end()
        assert len(host.acked[f"room{host.rounds}"]) == 43
        host.check()
    assert count > SAMPLE, "the server does not take its memory where it could run out"
    return count


@pytest.mark.parametrize("length", [1, 20, NEVER], ids=["one fails", "twenty fail", "all fail from there on"])
def test_a_round_for_which_there_is_no_memory(host: Host, length: int) -> None:
    count = rehearse(host)
    tried = sample(count, SAMPLE)
    for first in tried:
        host.memory.begin(first, min(first + length - 1, NEVER - 1))
        host.talk()
        host.memory.end()
        try:
            host.check()
        except Told as problem:
            pytest.fail(f"after allocations from {first} of {count} on had failed: {problem!r}\n{host.console.err!r}")
    host.served.stop()
    tell(test="round", fails=length if length < NEVER else "all", allocations=count, rounds=len(tried))


def test_a_start_for_which_there_is_no_memory(start: Start, scarce: Callable[[str], Scarce], tmp_path: Path) -> None:
    memory, data = scarce("server"), tmp_path / "data"
    words = ("--port", "0", "--data", str(data), "--metrics", "127.0.0.1:0")

    def life(first: int, last: int) -> tuple[int, str]:
        """Started, and ended as soon as it is READY: its exit code and its words."""
        memory.begin(first, last)
        console = start("prosa-server", *words, env=memory.env)
        deadline = time.monotonic() + DEADLINE_S
        while b"READY" not in console.out and console.read(deadline):
            pass
        console.signal(signal.SIGTERM)
        code = console.ended()
        console.dispose()
        return code, console.err.decode()

    assert life(NEVER, NEVER)[0] == 0
    assert life(NEVER, NEVER)[0] == 0
    count = memory.end()
    assert count > SAMPLE, "the server does not take its memory where it could run out"
    tried = sample(count, SAMPLE)
    refused = 0
    for first in tried:
        for last in (first, NEVER - 1):
            code, err = life(first, last)
            assert code in (0, 1, 2, 3), f"allocations from {first} to {last} of {count}: {code}\n{err}"
            if code != 0:
                refused += 1
                assert any(sign in err for sign in SIGNS_OF_SCARCITY), f"allocation {first} of {count}: {err}"
                assert "restored" not in err, f"allocation {first} of {count}: {err}"
    assert refused > 0
    assert life(NEVER, NEVER)[0] == 0
    tell(test="start", allocations=count, starts=2 * len(tried), refused=refused)
