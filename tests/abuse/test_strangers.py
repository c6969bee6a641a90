# SPDX-License-Identifier: MIT
"""Strangers by the thousand, who say nothing, or HELLO and no more, or an octet now and then, while two members
talk: they get the places of section 9.2 and no more, and whoever has manners comes in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from bare import Bare
from calm import calm_pair, latency, part_calmly, said, talk
from eyes import STRANGER_OCTETS, STRANGERS_MAX, check_growth, serve_watched, session_octets
from mob import GREETS, SILENT, SLOW_LORIS, Habit, Mob, source_of
from scene import Scene
from server import Server
from stage import Figures, raise_descriptors, sized

STRANGERS: int = sized(600, 10_000)
HANDSHAKE_MS: int = sized(2_000, 5_000)
SECONDS = 240
MESSAGE_OCTETS = 1024  # of the calm, in memory for those who come
SLACK_OCTETS = 1 << 20  # what an allocator keeps

HABITS = {"silent": SILENT, "greeting": GREETS, "slow-loris": SLOW_LORIS}
SOURCES: dict[str, Callable[[int], str]] = {"one-address": lambda _: source_of(0), "many-addresses": source_of}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS.keys())
def test_strangers_get_their_places_and_no_more(
    play: Callable[..., None], figures: Figures, habit: Habit, source: Callable[[int], str]
) -> None:
    async def story(scene: Scene) -> None:
        raise_descriptors(STRANGERS + 200)
        eyes = await serve_watched(scene, handshake_ms=HANDSHAKE_MS)
        calm = await calm_pair(scene, eyes.server)
        before = await talk(calm, lambda: True)
        idle, rss, cpu_ms = eyes.descriptors(), eyes.server.rss(), eyes.cpu_ms()
        eyes.server.forget_peak()

        most = 0

        def watch() -> None:
            nonlocal most
            most = max(most, eyes.descriptors())

        mob = Mob(eyes.server, habit, source, watch)
        coming = asyncio.create_task(asyncio.to_thread(mob.come, STRANGERS))
        polite = asyncio.create_task(asyncio.to_thread(attempts_to_come_in, eyes.server, mob))
        during = await talk(calm, coming.done)
        tally = await coming
        peak, cpu_ms = eyes.server.rss_peak(), eyes.cpu_ms() - cpu_ms
        attempts = await polite
        told = eyes.metrics()
        await part_calmly(calm, said([*before, *during]))
        after = eyes.server.rss()
        assert await eyes.server.stop() == 0, eyes.server.last_words()

        assert sum(tally.ends.values()) == tally.came == STRANGERS
        assert most > idle, "nobody was seen"
        assert most <= idle + STRANGERS_MAX + len(("who comes in", "who is in the door")), "[LIM-04]"
        bound = STRANGERS_MAX * STRANGER_OCTETS + session_octets() + said(during) * MESSAGE_OCTETS + SLACK_OCTETS
        check_growth(peak - rss, bound, "[LIM-07] [LIM-09]")
        served = {words: count for words, count in tally.ends.items() if len(words) > 1}
        if habit is GREETS:
            assert served.keys() == {("CHALLENGE", "ERROR TIMEOUT", "eof")}, "[AUTH-20]"
        else:
            assert not served, "[AUTH-20]"
        check_log(eyes.log(), told)
        figures(
            strangers=STRANGERS,
            at_once=tally.held_most,
            in_the_server=most - idle,
            refused=int(told["prosa_connections_refused_total"]),
            evicted=int(told["prosa_connections_evicted_total"]),
            timed_out=sum(served.values()),
            polite_attempts=attempts,
            calm_before=latency(before),
            calm_during=latency(during),
            rss_before=rss,
            rss_peak=peak,
            growth_bound=bound,
            rss_after=after,
            cpu_ms=cpu_ms,
        )

    play(story, SECONDS)


def attempts_to_come_in(server: Server, mob: Mob) -> int:
    """With good manners, in the middle of it, and again whenever there was no place."""
    attempts = 0
    mob.is_half_there.wait()
    while True:
        attempts += 1
        polite = Bare(server, "polite")
        came_in = polite.comes_in() and polite.join("parlour").name == "JOINED"
        polite.close()
        if came_in:
            return attempts
        assert attempts < 100_000


def check_log(log: tuple[Counter[str], Counter[str]], told: dict[str, float]) -> None:
    """Every one that had no place is told of, in few lines: strangers do not fill a disk."""
    printed, held = log
    refused, evicted = (told[f"prosa_connections_{what}_total"] for what in ("refused", "evicted"))
    assert printed["stranger-evicted"] + held["stranger-evicted"] == evicted
    of_all = [printed[why] + held[why] for why in ("too-many-strangers", "too-many-of-one-address")]
    assert sum(of_all) == refused
    assert printed.total() < STRANGERS / 4, printed
