# SPDX-License-Identifier: MIT
"""The wall clock is set while a room talks: forward, back, and to before 1970. Nothing in the protocol depends on it:
server_time never goes back [MSG-13], no timer notices, the log stays whole, and nothing is pruned for an age that it
does not have."""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from client import Client
from log import audit, read_log
from member import Member
from prosa_conformance.client_history import faults
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import CLIENT, IS_REFERENCE, PROGRAMS, SERVER, Figures

SHIM = os.environ.get("PROSA_CLOCK_SHIM", str(PROGRAMS.parent / "tests" / "abuse" / "libabuse_clock.so"))
SECOND = 1_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
YEAR = 365 * DAY
NOW = time.time_ns() // 1_000_000
STEPS = {
    "as it is": 0,
    "an hour forward": HOUR,
    "an hour back": -HOUR,
    "a year forward": YEAR,
    "a year back": -YEAR,
    "the first of January 1970": DAY // 2 - NOW,
    "before 1970": -DAY - NOW,
    "as it is again": 0,
}
EACH = 20  # messages of each member at one time
KEEPER_MS = 61 * SECOND  # beyond this the server has looked again for what is too old
LONG_TIMERS = "ping_after_ms=3600000,dead_after_ms=3600000,slow_ms=3600000"
SECONDS = 120

pytestmark = pytest.mark.skipif(not IS_REFERENCE, reason="the log of another server is not read")


class Clock:
    """What one program takes for the time."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(16))
        with path.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 16)
        sanitizer = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
        self.env = {"LD_PRELOAD": SHIM, "PROSA_CLOCK": str(path), "ASAN_OPTIONS": sanitizer}

    def set(self, wall_ms: int, monotonic_ms: int = 0) -> None:
        """So far ahead of the machine's."""
        struct.pack_into("qq", self._control, 0, wall_ms, monotonic_ms)


async def begin(scene: Scene, timers: str = "", *words: str) -> tuple[Server, Clock]:
    clock = Clock(scene.folder / "clock")
    server = Server(scene, [*SERVER, *words], Ports(scene.seed).take(), timers, env=clock.env)
    scene.cast.append(server)
    await server.start()
    await server.ready()
    return server, clock


async def enter(scene: Scene, server: Server, nick: str) -> Member:
    member = Member(scene, nick, ["hall"])
    scene.spawn(member.live(server))
    await scene.until(member.is_joined, f"{nick} to join")
    return member


def times(server: Server) -> list[int]:
    """server_time of all entries, in their order."""
    hall = read_log(server.data)["hall"]
    return [hall[seq].server_time for seq in sorted(hall)]


def test_a_room_talks_while_the_clock_is_set(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        server, clock = await begin(scene)
        members = [await enter(scene, server, nick) for nick in ("ada", "bob")]
        auditor = Client(scene, CLIENT, "auditor", "hall", server)  # checks the chain, and all checkpoints
        scene.cast.append(auditor)
        scene.spawn(auditor.live())
        await scene.until(lambda: auditor.is_joined, "the auditor to join")
        for name, ahead_ms in STEPS.items():
            clock.set(ahead_ms)
            for number in range(EACH):
                for member in members:
                    member.say("hall", f"{member.nick} says {number}, {name}")
            await scene.until(scene.history.is_at_rest, f"all to see what was said {name}")
        assert [member.ends for member in members] == [[], []]
        assert list(scene.history.of("auditor", "disconnected")) == []

        clock.set(-YEAR)  # and the server is started anew under an older clock
        await server.kill()
        before = times(server)
        await server.start()
        await server.ready()
        await scene.until(lambda: all(one.is_joined() for one in members) and auditor.is_joined, "all to come back")
        for member in members:
            member.say("hall", f"{member.nick} is back")
        await scene.until(scene.history.is_at_rest, "all to see that")
        for member in members:
            member.leave()
        auditor.leave()
        assert await auditor.program.end() == 0
        assert await server.stop() == 0, server.last_words()
        after = times(server)
        assert len(after) == 2 * EACH * len(STEPS) + 2
        assert after[: len(before)] == before
        assert after == sorted(after), "server_time went back"
        assert after[-1] - NOW > YEAR - DAY, "it is that of the year ahead, as long as the clock has not reached it"
        assert faults(scene.history, read_log(server.data)) == []
        audit(server.data)
        figures(steps=len(STEPS), messages=len(after))

    play(story, SECONDS)


def test_nothing_is_pruned_for_a_clock_that_was_set(play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        server, clock = await begin(scene, LONG_TIMERS, "--keep-days", "1")
        author = Member(scene, "author", ["hall", "elsewhere"])
        scene.spawn(author.live(server))
        await scene.until(author.is_joined, "the author to join")
        author.say("hall", "said at the right time")
        await scene.until(scene.history.is_at_rest, "the author to see its message")

        async def look(wall_ms: int, number: int, times_told: int) -> None:
            """The clock is set, and it is time for the server to look for what is old. What it logs wakes nobody
            here: so it is asked for with each message that is seen."""
            clock.set(wall_ms + number * KEEPER_MS, number * KEEPER_MS)
            is_over = False
            while not is_over:
                author.say("elsewhere", "still there?")
                await scene.until(scene.history.is_at_rest, f"the server to look for the {number}. time")
                is_over = server.last_words().count("clock-set-forward") == times_told

        await look(YEAR, 1, times_told=1)
        await look(0, 2, times_told=1)
        await look(YEAR, 3, times_told=2)  # so it had found the clock right in between
        newcomer = await enter(scene, server, "newcomer")
        assert [event["start_seq"] for event in scene.history.of("newcomer", "joined")] == [1]
        await scene.until(scene.history.is_at_rest, "the newcomer to see everything")
        for member in (author, newcomer):
            member.leave()
        await scene.until(lambda: author.connections == [] and newcomer.connections == [], "both to leave")

        clock.set(DAY + HOUR, DAY + HOUR)  # a day that has really passed
        late = await enter(scene, server, "late")
        assert [event["start_seq"] for event in scene.history.of("late", "joined")] == [2], "it is old now"
        late.leave()
        assert await server.stop() == 0, server.last_words()
        audit(server.data)

    play(story, SECONDS)
