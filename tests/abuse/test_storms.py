# SPDX-License-Identifier: MIT
"""Connections that come and go in storms, at every point of their lives, while two members talk: nothing of them
stays behind in the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bare import Bare
from calm import calm_pair, latency, part_calmly, said, talk
from crowd import Done
from eyes import Eyes, serve_watched
from member import Member
from mob import HELLO, Habit, Mob, source_of
from scene import Scene
from stage import Figures, raise_descriptors, sized

ROUNDS: int = sized(3, 10)
STRANGERS: int = sized(200, 2_000)  # of each habit in a round
MEMBERS: int = sized(30, 200)  # in a round, the same in each
SECONDS: int = sized(120, 600)

HABITS = (Habit(ends="reset"), Habit(ends="eof"), Habit(says=HELLO, ends="reset"), Habit(says=HELLO, ends="eof"))
LEAK_OCTETS = 64  # of a connection: a leak is no smaller
MESSAGE_OCTETS = 1024  # of the calm, which stays in memory for those who come
SLACK_OCTETS = 256 * 1024  # that an allocator keeps or gives back
NEWS = ("prosa_sessions", "prosa_rooms", "prosa_connections", "prosa_undecided_octets")


def storm(eyes: Eyes) -> None:
    """One round. Strangers come in their thousands, members one after the other, from everywhere."""
    for habit in HABITS:
        Mob(eyes.server, habit, source_of).come(STRANGERS)
    for number in range(MEMBERS):
        member = Bare(eyes.server, f"hasty-{number}", source_of(number))
        assert member.enter().name == "WELCOME"
        assert member.join("hall").name == "JOINED"
        if number % 2:
            member.reset()
        else:
            member.close()


def test_storms_leave_nothing_behind(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        raise_descriptors(STRANGERS + 200)
        eyes = await serve_watched(scene)
        calm = await calm_pair(scene, eyes.server)
        turns: list[Done] = []

        async def weather() -> list[Done]:
            storming = asyncio.create_task(asyncio.to_thread(storm, eyes))
            talked = await talk(calm, storming.done)
            await storming
            await all_gone()
            return talked

        async def all_gone() -> None:
            """What a reset leaves to do is done by the time at which somebody else has been heard."""
            while eyes.metrics()["prosa_connections"] > 2:
                turns.extend(await talk(calm, lambda: True))

        before = await talk(calm, lambda: True)
        idle = eyes.descriptors()
        turns += await weather()  # the first round makes what stays: names, and whatever an allocator keeps
        calm_at_first = said(turns)
        private, was, rss, cpu_ms = eyes.private(), eyes.metrics(), eyes.server.rss(), eyes.cpu_ms()
        eyes.server.forget_peak()
        during: list[Done] = []
        for _ in range(1, ROUNDS):
            during += await weather()
        turns += during
        grown, now, peak, cpu_ms = (
            eyes.private() - private,
            eyes.metrics(),
            eyes.server.rss_peak(),
            eyes.cpu_ms() - cpu_ms,
        )

        assert eyes.descriptors() == idle
        assert {name: now[name] for name in NEWS} == {name: was[name] for name in NEWS}
        connections = int(now["prosa_connections_accepted_total"] - was["prosa_connections_accepted_total"])
        messages = said(turns) - calm_at_first
        assert grown <= connections * LEAK_OCTETS + messages * MESSAGE_OCTETS + SLACK_OCTETS
        observer = Member(scene, "observer", ["hall"])
        scene.spawn(observer.live(eyes.server))
        await scene.until(observer.is_joined, "the observer to join")
        observer.say("hall", "who is here?")  # behind the snapshot [MEM-01]
        await scene.until(scene.history.is_at_rest, "the observer to see itself")
        here = {event["nick"] for event in scene.history.of("observer", "member") if event["change"] == "here"}
        observer.leave()
        await scene.until(lambda: not observer.connections, "the observer to leave")
        await part_calmly(calm, said([*before, *turns]) + 1)
        assert await eyes.server.stop() == 0, eyes.server.last_words()
        assert here == {"calm-0", "calm-1", "observer"}
        figures(
            rounds=ROUNDS,
            strangers=ROUNDS * len(HABITS) * STRANGERS,
            members=ROUNDS * MEMBERS,
            accepted=connections,
            grown_octets=grown,
            grown_per_connection=round(grown / connections, 1),
            calm_before=latency(before),
            calm_during=latency(during),
            rss_before=rss,
            rss_peak=peak,
            private_before=private,
            cpu_ms=cpu_ms,
        )

    play(story, SECONDS)
