# SPDX-License-Identifier: MIT
"""Very many connections that say nothing: all are held, and each is there when it is spoken to."""

from __future__ import annotations

import random
from collections.abc import Callable

from crowd import Crowd
from member import Member
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import SERVER, Figures, raise_descriptors, sized

CONNECTIONS: int = sized(1_000, 10_000)
LISTENERS: int = sized(50, 200)
PINGS: int = sized(50, 500)
SOURCES = 40
SECONDS: int = sized(60, 300)
SPARE_DESCRIPTORS = 200


def test_idle_connections_are_held_and_served(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        raise_descriptors(CONNECTIONS + SPARE_DESCRIPTORS)
        server = Server(scene, SERVER, Ports(scene.seed).take(), "")
        scene.cast.append(server)
        await server.start()
        await server.ready()
        before = server.rss()

        crowd = Crowd(scene, server, "idle", sources=SOURCES)
        await crowd.start()
        arrived = await crowd.do(f"connect {CONNECTIONS}")
        assert arrived.times == CONNECTIONS
        idle = server.rss()

        rng = random.Random(scene.seed)
        first = rng.randrange(CONNECTIONS - LISTENERS)
        await crowd.do(f"join hall {first} {LISTENERS}")
        author = Member(scene, "author", ["hall"])
        scene.spawn(author.live(server))
        await scene.until(author.is_joined, "the author to join")
        author.say("hall", "one for all")
        seen = await crowd.do(f"see hall {first} {LISTENERS} 1")
        assert seen.times == LISTENERS
        await scene.until(scene.history.is_at_rest, "the author to see it, too")

        pong_us = []
        for _ in range(PINGS):
            pong = await crowd.do(f"ping {rng.randrange(CONNECTIONS)} 1")
            assert pong.times == 1
            pong_us.append(pong.max_us)
        author.leave()
        left = await crowd.leave()
        assert left.times == CONNECTIONS
        assert await server.stop() == 0, server.last_words()
        figures(
            connections=CONNECTIONS,
            arrived_s=arrived.us / 1e6,
            handshake_p50_us=arrived.p50_us,
            rss_before=before,
            rss_idle=idle,
            rss_per_connection=(idle - before) // CONNECTIONS,
            shown_to=LISTENERS,
            shown_p99_us=seen.p99_us,
            pong_p50_us=sorted(pong_us)[len(pong_us) // 2],
            left_s=left.us / 1e6,
        )

    play(story, SECONDS)
