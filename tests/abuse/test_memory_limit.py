# SPDX-License-Identifier: MIT
"""The server where there is no memory to be had: it ends in words, or serves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from member import Member
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import SERVER, Figures

MIB = 1 << 20
LIMITS = [4 * MIB, 8 * MIB, 12 * MIB, 16 * MIB, 24 * MIB, 32 * MIB, 48 * MIB, 96 * MIB, 192 * MIB, 384 * MIB]
SIGNS = ("memory", "Resource temporarily unavailable", "error while loading shared libraries")
SECONDS = 60


@pytest.mark.parametrize("limit", LIMITS)
def test_a_server_without_enough_ends_in_words(play: Callable[..., None], figures: Figures, limit: int) -> None:
    """Of addresses, where nobody kills: the system says no."""

    async def story(scene: Scene) -> None:
        command = ["/bin/sh", "-c", f'ulimit -v {limit // 1024} && exec "$0" "$@"', *SERVER, "--verifiers", "2"]
        server = Server(scene, command, Ports(scene.seed).take(), "")
        scene.cast.append(server)
        await server.start()
        ended = asyncio.create_task(server.program.end())
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait((ended, up), return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if not ended.done():
            member = Member(scene, "ada", ["hall"])
            scene.spawn(member.live(server))
            await scene.until(member.is_joined, "ada to join")
            member.say("hall", "there is enough")
            await scene.until(scene.history.is_at_rest, "it to be heard")
            member.leave()
            server.program.signal(signal.SIGTERM)
        code = await ended
        words = server.last_words()
        figures(limit=limit, exit=code, words=words.splitlines()[-1] if code != 0 else "")
        # 127 is the system's, which cannot even load it.
        assert code in (0, 1, 2, 3, 127), words
        assert code == 0 or any(sign in words for sign in SIGNS), words
        assert code != 0 or len(scene.history.shown_to("ada", "hall")) == 1

    play(story, SECONDS)
