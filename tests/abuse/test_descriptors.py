# SPDX-License-Identifier: MIT
"""A server that has no descriptor left: who is there goes on, its log, too; newcomers wait and it says so, without
being busy; and they come in when descriptors come back."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Callable

from bare import Bare
from calm import calm_pair, latency, part_calmly, said, talk
from eyes import Eyes, serve_watched
from log import audit, read_log
from mob import name_of, source_of
from scene import Scene
from stage import Figures, sized

DESCRIPTORS = 48  # of a server that was started with few
SPARE = 4  # of one that is there when they run out
KEEP_MESSAGES = 50
TURNS: int = sized(10, 100)  # of the calm, while there are none
REST_S = 0.1  # of the listening socket, when there was none
SECONDS = 300


def test_without_descriptors_it_serves_who_is_there(play: Callable[..., None], figures: Figures) -> None:
    """They run out under it, as when other programs take those of the whole system, and come back."""

    async def story(scene: Scene) -> None:
        eyes = await serve_watched(scene, words=("--keep-messages", str(KEEP_MESSAGES)))
        calm = await calm_pair(scene, eyes.server)
        before = await talk(calm, lambda: True)
        idle, cpu_before_ms = eyes.descriptors(), eyes.cpu_ms()
        limits = resource.prlimit(eyes.server.program.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(eyes.server.program.pid, resource.RLIMIT_NOFILE, (idle + SPARE, limits[1]))
        began = time.monotonic()
        crowd = [silent(eyes, number) for number in range(3 * SPARE)]
        during = await talk(calm, lambda: eyes.descriptors() == idle + SPARE)
        turns = iter(range(TURNS))
        cpu_ms = eyes.cpu_ms()
        during += await talk(calm, lambda: next(turns, None) is None)
        cpu_ms = eyes.cpu_ms() - cpu_ms
        assert eyes.descriptors() == idle + SPARE, "a newcomer came in without a descriptor"
        resource.prlimit(eyes.server.program.pid, resource.RLIMIT_NOFILE, limits)
        late = await asyncio.to_thread(come_back, eyes)
        waited = time.monotonic() - began
        for sock in (*crowd, late):
            sock.close()
        head = said([*before, *during])
        await part_calmly(calm, head)
        assert await eyes.server.stop() == 0, eyes.server.last_words()

        printed, held = eyes.log()
        tries = printed["no-descriptors"] + held["no-descriptors"]
        assert printed["no-descriptors"] >= 1
        assert tries <= 2 + 2 * waited / REST_S, "the listening socket does not rest"
        assert printed["no-descriptors"] <= 2 + waited
        audit(eyes.server.data)
        kept = read_log(eyes.server.data)["hall"]
        assert max(kept) == head
        assert min(kept) > said(before), "nothing was pruned while there was no descriptor"
        figures(
            spare=SPARE,
            tries=tries,
            lines=printed["no-descriptors"],
            waited_s=round(waited, 1),
            cpu_before_ms=cpu_before_ms,
            cpu_during_ms=cpu_ms,
            said_during=said(during),
            calm_before=latency(before),
            calm_during=latency(during),
        )

    play(story, SECONDS)


def silent(eyes: Eyes, number: int) -> socket.socket:
    sock = socket.socket()
    sock.bind((source_of(number), 0))
    sock.connect((eyes.server.host, eyes.server.port))
    return sock


def test_with_as_many_sessions_as_descriptors_a_newcomer_is_told(play: Callable[..., None], figures: Figures) -> None:
    """[LIM-02]: nobody with a HELLO is left without an answer."""

    async def story(scene: Scene) -> None:
        eyes = await serve_watched(scene, before=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"))
        calm = await calm_pair(scene, eyes.server)
        before = await talk(calm, lambda: True)
        sessions, told = await asyncio.to_thread(fill, eyes)
        during = await talk(calm, lambda: True)
        sessions[0].reset()
        sessions[0] = await asyncio.to_thread(come_back, eyes)
        for session in sessions:
            session.close()
        await part_calmly(calm, said([*before, *during]))
        assert await eyes.server.stop() == 0, eyes.server.last_words()
        assert told == "ERROR BUSY"
        assert "no-descriptors" not in eyes.log()[0]
        figures(descriptors=DESCRIPTORS, sessions=len(sessions) + 2)

    play(story, SECONDS)


def fill(eyes: Eyes) -> tuple[list[Bare], str]:
    """Sessions until one is refused, and what that one is told."""
    sessions: list[Bare] = []
    while True:
        newcomer = Bare(eyes.server, f"session-{len(sessions)}", source_of(len(sessions)))
        answer = newcomer.enter()
        if answer.name == "ERROR":
            newcomer.close()
            return sessions, name_of(answer)
        sessions.append(newcomer)
        assert len(sessions) < DESCRIPTORS


def come_back(eyes: Eyes) -> Bare:
    """In the place of one that is gone, which the server may not have seen yet."""
    while True:
        newcomer = Bare(eyes.server, "session-late", source_of(0))
        if newcomer.comes_in():
            return newcomer
        newcomer.close()
