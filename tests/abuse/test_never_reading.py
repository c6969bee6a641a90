# SPDX-License-Identifier: MIT
"""Members by the hundred who take nothing, or never say that they did, or take one octet at a time, in a room where
two others talk: nobody waits for them, each is ended as the text says, and they cost what it allows."""

from __future__ import annotations

import asyncio
import select
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bare import READ_SIZE, Bare
from calm import CALM, calm_pair, latency, part_calmly, said, talk
from eyes import check_growth, serve_watched, session_octets
from mob import TICK_S, source_of
from scene import Scene
from server import Server
from stage import Figures, raise_descriptors, sized

SLOW_MS: int = sized(1_000, 5_000)
LINGER_MS = 500
SECONDS: int = sized(300, 400)
SMALL_BUFFER = 4096  # octets
SLACK_OCTETS = 8 << 20  # the newest messages, 4 MiB of them, and what an allocator keeps
SLOW = "BYE SLOW_CONSUMER"
CUT = frozenset({SLOW, "reset", "eof"})  # what shows to whoever looks too late


@dataclass(frozen=True)
class Way:
    """Of reading; nobody acknowledges."""

    at_once: int  # octets; 0: nothing is read
    members: int
    recv_window: int
    octets: int  # of a text
    ends: frozenset[str]


WAYS = {
    "reads-nothing": Way(0, sized(100, 1_000), 64, 100, CUT),
    "reads-nothing-of-a-wide-window": Way(0, sized(10, 100), 65_535, 4_000, CUT),
    "reads-an-octet-at-a-time": Way(1, sized(100, 1_000), 64, 100, CUT),
    "never-acknowledges": Way(READ_SIZE, sized(100, 1_000), 64, 100, frozenset({SLOW})),
}


class Lot:
    """Who is in the room `hall`, and reads in its way until it is over; then to the end."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.all: list[Bare] = []
        self.is_over = threading.Event()

    def enter(self, member: Bare) -> None:
        self.all.append(member)
        assert member.enter().name == "WELCOME"
        assert member.join("hall", self.way.recv_window).name == "JOINED"

    def read(self) -> Counter[str]:
        """How they were ended."""
        here = {member.sock.fileno(): member for member in self.all}
        with select.epoll() as poll:
            for descriptor in here if self.way.at_once else ():
                poll.register(descriptor, select.EPOLLIN)
            while not self.is_over.wait(TICK_S):
                for descriptor, _ in poll.poll(0, len(here)):
                    if not here[descriptor].gulp(self.way.at_once):
                        poll.unregister(descriptor)
        return Counter(member.last_words() for member in self.all)


def enter_all(server: Server, lot: Lot) -> None:
    for number in range(lot.way.members):
        lot.enter(Bare(server, f"slow-{number}", source_of(number), SMALL_BUFFER if lot.way.at_once < READ_SIZE else 0))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_who_takes_too_little_is_ended_and_nobody_waits(play: Callable[..., None], figures: Figures, way: Way) -> None:
    async def story(scene: Scene) -> None:
        raise_descriptors(way.members + 200)
        eyes = await serve_watched(scene, slow_ms=SLOW_MS, linger_ms=LINGER_MS)
        calm = await calm_pair(scene, eyes.server)
        before = await talk(calm, lambda: True, way.octets)
        private = eyes.private()
        lot = Lot(way)
        await asyncio.to_thread(enter_all, eyes.server, lot)
        reading = asyncio.create_task(asyncio.to_thread(lot.read))
        most = 0

        def all_ended() -> bool:
            nonlocal most
            most = max(most, eyes.private())
            return eyes.metrics()['prosa_refused_total{code="SLOW_CONSUMER"}'] == way.members

        try:
            during = await talk(calm, all_ended, way.octets)
        finally:
            lot.is_over.set()
        ends = await reading
        after = await talk(calm, lambda: eyes.metrics()["prosa_connections"] == CALM, way.octets)
        left = eyes.private()
        await part_calmly(calm, said([*before, *during, *after]))
        assert await eyes.server.stop() == 0, eyes.server.last_words()

        assert ends.keys() <= way.ends, ends
        assert ends.total() == way.members
        check_growth(most - private, way.members * session_octets() + SLACK_OCTETS, "[LIM-07]")
        figures(
            members=way.members,
            ends=dict(ends),
            said=said(during),
            calm_before=latency(before),
            calm_during=latency(during),
            private_before=private,
            private_most=most,
            private_after=left,
            grown_per_member=(most - private) // way.members,
        )

    play(story, SECONDS)
