# SPDX-License-Identifier: MIT
"""prosa-listen: what the feed says, what it has lost, and what it has no right to say."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from conftest import PROGRAMS, WAIT_S, Bridge, Start
from prosa_conformance import codec
from prosa_conformance.case import Case, Watched
from prosa_conformance.dealer import context
from prosa_conformance.peer import Peer, Room, settle
from prosa_conformance.process import Process, Program
from prosa_conformance.server import Server

Listen = Callable[..., "Listener"]


class Listener:
    """A running prosa-listen; `events` are all that it has printed and a test has looked at."""

    def __init__(self, program: Program, watched: Watched) -> None:
        self.program, self.watched = program, watched
        self.events: list[dict[str, Any]] = []

    def until(self, event: str, **members: Any) -> dict[str, Any]:
        """Read on until it prints this."""
        deadline = time.monotonic() + WAIT_S
        while (line := self.program.next_line(deadline - time.monotonic())) is not None:
            self.events.append(json.loads(line))
            last = self.events[-1]
            if last["event"] == event and members.items() <= last.items():
                return last
        raise AssertionError(f"no {event} {members} came: {self.events[-5:]}, {self.program.stderr_since()}")

    @property
    def told(self) -> list[int]:
        """The numbers of the messages, as they came."""
        return [int(one["room_seq"]) for one in self.events if one["event"] == "message"]


@pytest.fixture
def feed(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/feed.ipc"


@pytest.fixture
def listen(case: Case, tmp_path: Path) -> Iterator[Listen]:
    """listen(bridge, feed, ...) -> a listener in the lobby."""
    programs: list[Program] = []

    def run(bridge: Bridge, endpoint: str, *words: str) -> Listener:
        command = [str(PROGRAMS / "prosa-listen"), "--bridge", bridge.target, "--feed", endpoint, *words]
        programs.append(Process(command, {"PROSA_DATA": str(tmp_path / "listener")}, tmp_path))
        return Listener(programs[-1], case.watch(programs[-1]))

    yield run
    for program in programs:
        program.end()


def say(peer: Peer, room: Room, *words: str) -> None:
    for word in words:
        peer.say(room, word)
    settle(peer)


def test_each_message_once_and_in_order(start: Start, server: Server, listen: Listen, feed: str) -> None:
    """What is said before the feed is there comes by the other way."""
    alice, room = server.joined("alice", "lobby")
    say(alice, room, "before anybody listens")
    listener = listen(start("--feed", feed, "--feed-rooms", "lobby"), feed)
    joined = listener.until("joined", room="lobby")
    assert joined["room_id"] == room.id.hex() and joined["server_key"] == alice.server_key.hex()
    words = [f"number {number} \u202e \U0001f600" for number in range(100)]
    say(alice, room, *words)
    last = listener.until("message", text=words[-1])
    assert last["author_key"] == alice.key.hex() and last["nick"] == alice.nick and last["own"] is False
    assert listener.told == list(range(2, 102)), "each once, in the order of the room"


def test_what_a_full_subscriber_lost_is_asked_for(start: Start, server: Server, listen: Listen, feed: str) -> None:
    """It sleeps, and the feed keeps one message for it."""
    bridge = start("--feed", feed, "--feed-rooms", "lobby", "--high-water-mark", "1")
    alice, room = server.joined("alice", "lobby")
    listener = listen(bridge, feed, "--high-water-mark", "1")
    listener.until("joined")
    in_step(alice, room, server, listener)
    listener.program.signal(signal.SIGSTOP)
    for number in range(60):
        alice.say(room, f"{number} ".ljust(4000, "."))
    settle(alice)
    listener.program.signal(signal.SIGCONT)
    say(alice, room, "and now?")
    listener.until("message", text="and now?")
    assert listener.told == list(range(listener.told[0], listener.told[-1] + 1)), "nothing is missing"


def in_step(alice: Peer, room: Room, server: Server, listener: Listener) -> None:
    """The listener has left the room: what it hears comes over the feed."""
    say(alice, room, "is the feed there?")
    listener.until("message", text="is the feed there?")
    while not any(one.value("nick") == "listener" and one.value("event") == 3 for one in room.members):
        say(alice, room, "and now?")


def test_gap_is_told_and_filled(start: Start, server: Server, listen: Listen, case: Case, feed: str) -> None:
    """The feed is a forger's own: it leaves out, repeats, and changes. Only what is good and new is told."""
    bridge = start()
    alice, room = server.joined("alice", "lobby")
    publisher = context().socket(zmq.PUB)
    publisher.linger = 0
    publisher.bind(feed)
    listener = listen(bridge, feed)
    listener.until("joined")
    say(alice, room, "one", "two")
    listener.until("message", text="two")
    entries = [(frame, codec.encode(frame)) for frame in room.delivered]
    while not any(one.value("nick") == "listener" and one.value("event") == 3 for one in room.members):
        publisher.send_multipart([room.id, entries[-1][1]])
        alice.barrier()
    say(alice, room, "three", "four", "five")
    frames = {str(frame.value("text")): codec.encode(frame) for frame in room.delivered}
    publisher.send_multipart([room.id, frames["three"].replace(b"three", b"THREE")])
    assert listener.until("error")["code"] in ("BAD_SIG", "BAD_FRAME")
    publisher.send_multipart([room.id, frames["five"]])
    gap = listener.until("gap")
    assert (gap["from"], gap["to"]) == ("3", "4")
    listener.until("message", text="five")
    publisher.send_multipart([room.id, frames["two"]])
    assert listener.told == [1, 2, 3, 4, 5], "each once, whatever the feed repeats"
    publisher.close()


def test_silent_feed_is_not_the_end(start: Start, server: Server, listen: Listen, feed: str) -> None:
    """Nobody publishes: it asks now and then."""
    alice, room = server.joined("alice", "lobby")
    listener = listen(start(), feed, "--check-after", "1")
    listener.until("joined")
    say(alice, room, "nobody feeds this")
    listener.until("message", text="nobody feeds this")


def test_server_that_goes_and_comes_back(start: Start, server: Server, listen: Listen, feed: str) -> None:
    listener = listen(start("--feed", feed, "--feed-rooms", "lobby"), feed)
    listener.until("joined")
    server.kill()
    assert listener.until("disconnected")["again"] is True
    server.start_again()
    alice, room = server.joined("alice", "lobby")
    say(alice, room, "here again")
    listener.until("message", text="here again")
    server.process.stop()


def test_end_is_told(start: Start, listen: Listen, feed: str) -> None:
    listener = listen(start("--feed", feed, "--feed-rooms", "lobby"), feed)
    listener.until("joined")
    listener.watched.end_expected = True
    listener.program.signal(signal.SIGTERM)
    assert listener.until("closed")["exit"] == 0
    ended = listener.program.wait_end(WAIT_S)
    assert ended is not None and ended.code == 0, "it ends as asked"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--room", "@host"], "@host is in no feed"),
        (["--bridge", "nowhere"], 'bridge "nowhere"'),
        (["--nick", "No"], 'nick "No"'),
        (["--check-after", "0"], 'check-after "0"'),
        (["--feed", "nowhere"], 'feed "nowhere"'),
        (["word"], '"word"'),
    ],
)
def test_bad_settings_are_named(words: list[str], said: str, tmp_path: Path) -> None:
    command = [str(PROGRAMS / "prosa-listen"), "--data", str(tmp_path), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr, done.stderr
