# SPDX-License-Identifier: MIT
"""Connections that come and go in storms, at every point of their lives, while two members talk: nothing of them
stays behind in the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bare import Bare, make_join
from calm import CALM, calm_pair, latency, part_calmly, said, talk
from crowd import Done
from eyes import Eyes, check_growth, serve_watched
from member import Member
from mob import HELLO, Habit, Mob, source_of
from prosa_conformance import codec
from scene import Scene
from server import Server
from stage import Figures, raise_descriptors, sized

ROUNDS: int = sized(3, 10)
STRANGERS: int = sized(200, 2_000)  # of each habit in a round
ROOMS = 100
FIRST_LOOKERS = 40  # who fill the bounded list of events of each room [MEM-04]
LOOKERS: int = sized(40, 400)
MEMBERS: int = sized(30, 200)  # in a round, the same in each
SECONDS: int = sized(300, 600)

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
            while eyes.metrics()["prosa_connections"] > CALM:
                turns.extend(await talk(calm, lambda: True))
            while eyes.descriptors() > idle:  # that of the scraper just now
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

        assert {name: now[name] for name in NEWS} == {name: was[name] for name in NEWS}
        connections = int(now["prosa_connections_accepted_total"] - was["prosa_connections_accepted_total"])
        messages = said(turns) - calm_at_first
        bound = connections * LEAK_OCTETS + messages * MESSAGE_OCTETS + SLACK_OCTETS
        check_growth(grown, bound, "connections that are gone")
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


def hold_rooms(server: Server) -> Bare:
    """Somebody is in each of many rooms, so that they stay."""
    holder = Bare(server, "holder")
    assert holder.enter().name == "WELCOME"
    for number in range(ROOMS):
        assert holder.join(f"room-{number}").name == "JOINED"
    return holder


def look_around(server: Server, holder: Bare, nick: str) -> None:
    """Into each room, and out again."""
    looker = Bare(server, nick)
    assert looker.enter().name == "WELCOME"
    for room in holder.rooms:
        looker.send(make_join(room))
        looker.send(codec.frame("LEAVE", room_id=holder.rooms[room]))
    for _ in holder.rooms:
        assert looker.take_joined().name == "JOINED"
    looker.barrier()
    looker.close()


def test_who_only_looked_into_rooms_leaves_nothing_there(play: Callable[..., None], figures: Figures) -> None:
    """A room does not keep a record of everybody who was ever in it."""

    async def story(scene: Scene) -> None:
        eyes = await serve_watched(scene, max_rooms=ROOMS, token_rate=1_000_000, token_burst=1_000_000)
        holder = await asyncio.to_thread(hold_rooms, eyes.server)

        def look(lookers: range) -> None:
            for number in lookers:
                look_around(eyes.server, holder, f"looker-{number}")

        await asyncio.to_thread(look, range(FIRST_LOOKERS))
        private = eyes.private()
        await asyncio.to_thread(look, range(FIRST_LOOKERS, FIRST_LOOKERS + LOOKERS))
        grown = eyes.private() - private
        holder.close()
        assert await eyes.server.stop() == 0, eyes.server.last_words()
        check_growth(grown, LOOKERS * ROOMS * LEAK_OCTETS, "rooms")
        figures(lookers=LOOKERS, rooms=ROOMS, grown_octets=grown, grown_per_visit=round(grown / LOOKERS / ROOMS, 1))

    play(story, SECONDS)
