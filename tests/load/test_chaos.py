# SPDX-License-Identifier: MIT
"""Three rooms, and anybody may be killed at any moment: what was acknowledged stays, once, in one order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from company import ROOMS, Company
from log import audit, read_log
from prosa_conformance.client_history import faults
from scene import Scene
from stage import IS_REFERENCE, Figures, sized

TIMERS = "linger_ms=300"
EVENTS_OF_A_TEXT = 8  # about so many: it is said, shown to all in the room, acknowledged


@dataclass(frozen=True)
class Size:
    clients: int  # programs, each in one room
    members: int  # of our own, each in every room
    kills: int
    speakers: int  # of a round
    texts: int  # of a speaker in a round
    seconds: int


SIZE: Size = sized(Size(9, 3, 40, 4, 3, 60), Size(44, 6, 100, 12, 4, 600))


@dataclass(frozen=True)
class Round:
    """What happens between two kills. Members are numbers, the clients first."""

    speeches: tuple[tuple[int, str], ...]  # who says its next texts, where (a client: in its own room)
    events: int  # to be seen before the blow
    victim: int | None  # None: the server
    cut: int | None  # one of our own that loses its connection with it


def rounds(rng: random.Random, size: Size) -> Iterator[Round]:
    """Endless, and the same for the same seed."""
    everyone = range(size.clients + size.members)
    while True:
        speakers = rng.sample(everyone, size.speakers)
        yield Round(
            tuple((speaker, rng.choice(ROOMS)) for speaker in speakers),
            rng.randint(0, EVENTS_OF_A_TEXT * size.speakers * size.texts),
            None if rng.random() < 0.4 else rng.randrange(size.clients),
            rng.choice(everyone[size.clients :]) if rng.random() < 0.3 else None,
        )


class Chaos(Company):
    def __init__(self, scene: Scene, size: Size) -> None:
        super().__init__(scene, size.clients, size.members, TIMERS)
        self.size = size
        self.kills = self.server_kills = self.cuts = 0

    async def strike(self, plan: Round) -> None:
        """Speeches, and a blow in the middle of them."""
        seen = self.scene.history.count
        for speaker, room in plan.speeches:
            for _ in range(self.size.texts):
                self.say(speaker, room)
        await self.scene.until(lambda: self.is_time(seen + plan.events), f"blow {self.kills + 1}")
        if plan.cut is not None:
            self.cuts += 1
            self.members[plan.cut - self.size.clients].cut()
        if plan.victim is None:
            await self.restart()
            self.server_kills += 1
            self.kills += 1
        else:
            self.kills += self.clients[plan.victim].kill()

    def is_time(self, events: int) -> bool:
        history = self.scene.history
        return history.count >= events or not any(history.unseen.values())


def test_what_was_acknowledged_outlives_every_kill(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        chaos = Chaos(scene, SIZE)
        await chaos.begin()
        for plan in rounds(random.Random(scene.seed), SIZE):
            if chaos.kills >= SIZE.kills:
                break
            await chaos.strike(plan)
        await chaos.come_to_rest()
        assert faults(scene.history) == []
        heads = scene.history.heads()
        assert heads.keys() == set(ROOMS)
        await chaos.leave()
        await chaos.end()
        assert faults(scene.history, read_log(chaos.server.data) if IS_REFERENCE else None) == []
        if IS_REFERENCE:
            audit(chaos.server.data)
        figures(
            clients=SIZE.clients + SIZE.members,
            kills=chaos.kills,
            of_the_server=chaos.server_kills,
            cuts=chaos.cuts,
            said=sum(1 for name in scene.history.events for _ in scene.history.of(name, "said")),
            lost_with_their_author=sum(map(len, scene.history.lost.values())),
            shown_again=scene.history.shown_again(),
            in_the_rooms=sum(heads.values()),
            shown=sum(sum(1 for _ in scene.history.of(name, "message")) for name in scene.history.events),
        )

    play(story, SIZE.seconds)
