# SPDX-License-Identifier: MIT
"""The server where there is little memory: within a bound that is no favour it serves on, whatever is said and
whoever does not listen; and when the system kills it, what was acknowledged is there."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crowd import Crowd
from log import audit, read_log
from member import Member
from prosa_conformance.client_history import faults
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import IS_REFERENCE, SERVER, Figures, sized

MIB = 1 << 20
LIMIT = 64 * MIB
FLOOD: int = sized(2_000, 40_000)  # messages
OCTETS = 4_000  # of each: more than the limit has, in the full size
DEAF = 4  # members who do not listen
NEVER_MS = 3_600_000
WIDE_WINDOW = 65_535
SMALL_BUFFER = 4_096
SECONDS: int = sized(120, 600)


class Group:
    """A control group of version 1 or 2, made for one server."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.is_new = (folder / "memory.max").exists()

    def limit(self, octets: int) -> None:
        (self.folder / ("memory.max" if self.is_new else "memory.limit_in_bytes")).write_text(str(octets))

    @property
    def peak(self) -> int:
        name = "memory.peak" if self.is_new else "memory.max_usage_in_bytes"
        path = self.folder / name
        return int(path.read_text()) if path.exists() else -1

    @property
    def kills(self) -> int:
        path = self.folder / ("memory.events" if self.is_new else "memory.oom_control")
        return sum(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith("oom_kill "))

    def holding(self, command: list[str]) -> list[str]:
        """A command whose process is in it from the beginning."""
        return ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]


def parents() -> Iterator[Path]:
    """Where a group that has a limit of memory may be made: where this process is, or at the top."""
    root = Path("/sys/fs/cgroup")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield from (root / "memory" / path.lstrip("/"), root / "memory")
        elif number == "0" and controllers == "":
            yield from (root / path.lstrip("/"), root)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made, why = None, "this system has no control groups of memory"
    for parent in parents():
        try:
            made = Group(parent / f"prosa-{tmp_path.name}-{tmp_path.stat().st_ino}")
            made.limit(LIMIT)
            break
        except OSError as problem:
            why = str(problem)
            if made is not None:
                made.folder.rmdir()
                made = None
    if made is None:
        pytest.skip(f"no control group can be made here: {why}")
    yield made
    made.folder.rmdir()  # whoever was in it has ended


async def begin(scene: Scene, command: list[str]) -> Server:
    server = Server(scene, command, Ports(scene.seed).take(), f"slow_ms={NEVER_MS}")
    scene.cast.append(server)
    await server.start()
    await server.ready()
    return server


async def enter(scene: Scene, server: Server, nick: str, **settings: int) -> Member:
    member = Member(scene, nick, ["hall"], **settings)
    scene.spawn(member.live(server))
    await scene.until(member.is_joined, f"{nick} to join")
    return member


def test_a_server_lives_within_its_limit(play: Callable[..., None], figures: Figures, group: Group) -> None:
    async def story(scene: Scene) -> None:
        server = await begin(scene, group.holding(SERVER))
        calm = await enter(scene, server, "calm")
        deaf = [
            await enter(scene, server, f"deaf{i}", recv_window=WIDE_WINDOW, receive_buffer=SMALL_BUFFER)
            for i in range(DEAF)
        ]
        for member in deaf:
            member.stall()
        flood = Crowd(scene, server, "flood", events=True)
        await flood.start()
        await flood.do("connect 1")
        await flood.do("join hall 0 1")
        flooding = asyncio.create_task(flood.do(f"say hall 0 1 {FLOOD} 1 0 {OCTETS}"))
        said = 0
        while not flooding.done():
            said += 1
            calm.say("hall", f"calm, for the {said}. time")
            await scene.until(lambda: not scene.history.unseen["calm"], "the calm one to see what it said")
        await flooding
        peak = group.peak
        assert server.program.exit_code is None and group.kills == 0, server.last_words()
        assert [member.ends for member in deaf] == [[]] * DEAF
        for member in deaf:
            member.release()
        await flood.do(f"see hall 0 1 {FLOOD + said}")
        await flood.leave()
        flood.gather()
        for member in (calm, *deaf):
            await scene.until(
                lambda member=member: member.kept["hall"].seen_seq == FLOOD + said, f"{member.nick} to see all of it"
            )
        assert faults(scene.history) == []
        assert group.kills == 0
        assert await server.stop() == 0, server.last_words()
        figures(limit=LIMIT, peak=peak, flood=FLOOD, octets=FLOOD * OCTETS, calm=said, deaf=DEAF)

    play(story, SECONDS)


def test_what_was_acknowledged_outlives_the_killer(play: Callable[..., None], figures: Figures, group: Group) -> None:
    async def story(scene: Scene) -> None:
        server = await begin(scene, group.holding(SERVER))
        author = await enter(scene, server, "author")
        for number in range(100):
            author.say("hall", f"said for the {number}. time")
        await scene.until(scene.history.is_at_rest, "the author to see all of it")
        low, kills = server.rss(), group.kills
        while server.up.is_set():  # always less, until it is not enough
            low = low * 9 // 10
            with contextlib.suppress(OSError):  # so little cannot be had as long as it lives
                group.limit(low)
            author.say("hall", "is it still there?")
            await scene.until(lambda: not server.up.is_set() or scene.history.is_at_rest(), "an answer, or the end")
        assert await server.program.end() == -signal.SIGKILL, server.last_words()
        assert group.kills > kills
        group.limit(LIMIT)
        await server.start()
        await server.ready()
        await scene.until(lambda: author.is_joined() and scene.history.is_at_rest(), "the author to see all of it")
        author.leave()
        assert await server.stop() == 0, server.last_words()
        if IS_REFERENCE:
            assert faults(scene.history, read_log(server.data)) == []
            audit(server.data)
        figures(killed_at=low, messages=len(scene.history.shown_to("author", "hall")))

    play(story, SECONDS)
