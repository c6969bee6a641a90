# SPDX-License-Identifier: MIT
"""One member pushes far more than its credit while two others talk: nobody loses anything, and the two have
their place in the order; one that breaks its credit is sent away, and takes nothing with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from calm import BURST, CALM, OCTETS, calm_pair, latency, said, serve, talk
from crowd import Crowd
from member import Member
from prosa_conformance.client_history import Room, faults
from prosa_conformance.registry import LIMITS
from scene import Scene
from stage import Figures, sized

WINDOW = LIMITS["max_window"].default
WINDOWS: int = sized(100, 1_000)  # that the flooder fills one after the other
VIOLATORS: int = sized(5, 20)
SECONDS: int = sized(60, 300)


def flood_within_bursts(room: Room, flooder: str) -> list[int]:
    """How many messages of the flooder stand between two that a calm member sent at once, where the flood
    had begun and was not over."""
    of_flood = [seq for seq in sorted(room) if room[seq].nick == flooder]
    first: dict[str, int] = {}
    between = []
    for seq in sorted(room):
        entry = room[seq]
        if entry.nick == flooder:
            continue
        if entry.counter % BURST == 1:
            first[entry.nick] = seq
        elif of_flood[0] < first[entry.nick] and seq < of_flood[-1]:
            between.append(sum(first[entry.nick] < at < seq for at in of_flood))
    return between


def test_a_flood_within_credit_takes_nothing_from_the_calm(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        server = await serve(scene)
        calm = await calm_pair(scene, server)
        flood = Crowd(scene, server, "flood", events=True)
        await flood.start()
        await flood.do("connect 1")
        await flood.do("join hall 0 1")
        before = await talk(calm, lambda: True)
        rss = server.rss()
        server.forget_peak()
        flooding = asyncio.create_task(flood.do(f"say hall 0 1 {WINDOWS * WINDOW} 1 0 {OCTETS}"))
        during = await talk(calm, flooding.done)
        flooded = await flooding
        head = flooded.times + said([*before, *during])
        await calm.do(f"see hall 0 {CALM} {head}")
        await flood.do(f"see hall 0 1 {head}")
        peak = server.rss_peak()
        for crowd in (calm, flood):
            await crowd.leave()
            crowd.gather()
        assert await server.stop() == 0, server.last_words()

        assert scene.history.heads() == {"hall": head}
        assert faults(scene.history) == []
        between = flood_within_bursts(scene.history.shown_to("calm-0", "hall"), "flood-0")
        assert between, "the flood was over before the calm said anything"
        assert max(between) <= WINDOW
        figures(
            flood=flooded.times,
            flood_per_s=round(flooded.times / (flooded.us / 1e6)),
            calm=said(during),
            calm_before=latency(before),
            calm_during=latency(during),
            flood_between_two_at_most=max(between),
            rss_before=rss,
            rss_peak=peak,
        )

    play(story, SECONDS)


def test_who_breaks_its_credit_is_sent_away_alone(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        server = await serve(scene)
        calm = [Member(scene, f"calm-{number}", ["hall"]) for number in range(CALM)]
        violators = [Member(scene, f"violator-{number}", ["hall"]) for number in range(VIOLATORS)]
        for member in (*calm, *violators):
            scene.spawn(member.live(server))
        await scene.until(lambda: all(member.is_joined() for member in (*calm, *violators)), "all to join")
        for number, violator in enumerate(violators):
            for member in calm:
                member.say("hall", f"before {number}")
            violator.provokes = "FLOW_VIOLATION"
            violator.overrun("hall", [f"still counts {count}" for count in range(number + 1)])
            for member in calm:
                member.say("hall", f"after {number}")
        await scene.until(lambda: not any(violator.connections for violator in violators), "them to be sent away")
        await scene.until(scene.history.is_at_rest, "the calm to catch up")
        assert not any(violator.goes_on for violator in violators)
        assert faults(scene.history) == []
        assert await server.stop() == 0, server.last_words()
        figures(violators=VIOLATORS, calm=sum(1 for _ in scene.history.of("calm-0", "message")))

    play(story, SECONDS)
