# SPDX-License-Identifier: MIT
"""Two calm members in the room `hall`, who talk while something else goes on; and that they lost nothing by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crowd import Crowd, Done
from prosa_conformance.client_history import faults
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import SERVER

CALM = 2  # members, who say
BURST = 2  # messages at once
EVERY_MS = 10
TURN = 20  # messages of a calm member in one command
OCTETS = 100  # of a text


async def serve(scene: Scene, timers: str = "", command: Sequence[str] = SERVER) -> Server:
    server = Server(scene, command, Ports(scene.seed).take(), timers)
    scene.cast.append(server)
    await server.start()
    await server.ready()
    return server


async def calm_pair(scene: Scene, server: Server) -> Crowd:
    """They are in the room."""
    calm = Crowd(scene, server, "calm", events=True)
    await calm.start()
    await calm.do(f"connect {CALM}")
    await calm.do(f"join hall 0 {CALM}")
    return calm


async def talk(calm: Crowd, is_over: Callable[[], bool], octets: int = OCTETS) -> list[Done]:
    """Turn after turn, at least five, until it is over."""
    turns: list[Done] = []
    while len(turns) < 5 or not is_over():
        turns.append(await calm.do(f"say hall 0 {CALM} {TURN} {BURST} {EVERY_MS} {octets}"))
    return turns


def said(turns: Sequence[Done]) -> int:
    """Messages."""
    return sum(turn.times for turn in turns)


def latency(turns: Sequence[Done]) -> dict[str, int]:
    """Of the turns' median and worst hundredth the median and the worst."""
    p50 = sorted(turn.p50_us for turn in turns)
    return {"p50_us": p50[len(p50) // 2], "p99_us": max(turn.p99_us for turn in turns)}


async def part_calmly(calm: Crowd, head: int) -> None:
    """Both have seen `head` messages, all that there are, each once and in one order; and they leave."""
    await calm.do(f"see hall 0 {CALM} {head}")
    await calm.leave()
    calm.gather()
    assert calm.scene.history.heads() == {"hall": head}
    assert faults(calm.scene.history) == []
