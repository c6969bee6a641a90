# SPDX-License-Identifier: MIT
"""A member that takes nothing more: it holds nobody up, is ended after a while, and misses nothing when it
comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from member import Member
from prosa_conformance.client_history import faults
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import SERVER, Figures

TEXT = "x" * 4000
MUCH = 2_000  # messages: more octets than the kernel's buffers take for somebody who reads nothing
AT_ONCE = 50
SMALL_BUFFER = 4096  # octets
WINDOW, WIDE_WINDOW = 64, 65_535
SLOW_MS, NEVER_MS = 1_500, 3_600_000
SECONDS = 90


async def begin(scene: Scene, slow_ms: int, **settings: int) -> tuple[Server, Member, Member]:
    """A server, one who talks, and one who will stall."""
    server = Server(scene, SERVER, Ports(scene.seed).take(), f"slow_ms={slow_ms}")
    scene.cast.append(server)
    await server.start()
    await server.ready()
    talker, stalled = Member(scene, "talker", ["hall"]), Member(scene, "stalled", ["hall"], **settings)
    for member in (talker, stalled):
        scene.spawn(member.live(server))
    await scene.until(lambda: talker.is_joined() and stalled.is_joined(), "both to join")
    return server, talker, stalled


async def talk(scene: Scene, talker: Member, is_over: Callable[[int], bool]) -> int:
    """A few long messages at a time, each batch seen before the next; how many there were."""
    said = 0
    while not is_over(said):
        for _ in range(AT_ONCE):
            said += 1
            talker.say("hall", f"{said} {TEXT}")
        await scene.until(lambda: not scene.history.unseen["talker"], f"the talker to see message {said}")
    return said


def test_who_does_not_read_holds_nobody_up(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        server, talker, stalled = await begin(scene, NEVER_MS, recv_window=WIDE_WINDOW, receive_buffer=SMALL_BUFFER)
        stalled.stall()
        before = server.rss()
        await talk(scene, talker, lambda said: said >= MUCH)
        peak = server.rss_peak()
        assert stalled.ends == []
        stalled.release()
        await scene.until(scene.history.is_at_rest, "the stalled one to catch up")
        assert faults(scene.history) == []
        assert await server.stop() == 0, server.last_words()
        figures(messages=MUCH, octets=MUCH * len(TEXT), rss_before=before, rss_peak=peak)

    play(story, SECONDS)


@dataclass(frozen=True)
class Way:
    """Of taking nothing, and what shows of the end of the connection to whoever looks again."""

    reads: bool
    window: int
    messages: int | None  # None: until it is ended
    ends: frozenset[tuple[str, str]]


GOODBYE = ("goodbye", "SLOW_CONSUMER")
WAYS = {
    "reads and never acknowledges": Way(True, WINDOW, 2 * WINDOW, frozenset({GOODBYE})),
    "reads nothing of its window": Way(False, WINDOW, 2 * WINDOW, frozenset({GOODBYE, ("eof", ""), ("reset", "")})),
    "reads nothing of very much": Way(False, WIDE_WINDOW, None, frozenset({GOODBYE, ("eof", ""), ("reset", "")})),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_who_takes_nothing_is_ended_and_may_come_back(play: Callable[..., None], way: Way) -> None:
    async def story(scene: Scene) -> None:
        server, talker, stalled = await begin(
            scene, SLOW_MS, recv_window=way.window, receive_buffer=0 if way.reads else SMALL_BUFFER
        )
        stalled.provokes = "SLOW_CONSUMER"
        stalled.acknowledges = False
        if not way.reads:
            stalled.stall()

        def is_ended() -> bool:
            return any(event["change"] == "left" for event in scene.history.of("talker", "member"))

        await talk(scene, talker, lambda said: is_ended() if way.messages is None else said >= way.messages)
        await scene.until(is_ended, "the server to end the one who takes nothing")
        stalled.acknowledges = True
        stalled.release()
        await scene.until(lambda: stalled.ends != [] and stalled.is_joined(), "it to come back")
        how, reason = stalled.ends[0]
        assert (how, "" if how == "reset" else reason) in way.ends
        await scene.until(scene.history.is_at_rest, "it to catch up")
        assert faults(scene.history) == []
        assert await server.stop() == 0, server.last_words()

    play(story, SECONDS)
