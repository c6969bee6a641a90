# SPDX-License-Identifier: MIT
"""The crowd as a judge, judged: a server that breaks what a crowd that comes back has to notice is found out, and
one that does not is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import pytest

from crowd import Crowd
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import ROOT, SERVER

FAULTY = ROOT / "tests" / "faulty"
MINI = ["env", f"PYTHONPATH={ROOT / 'conformance'}", sys.executable, str(ROOT / "tests" / "suite" / "mini_server.py")]
GUESTS, TIMES, OCTETS = 3, 8, 60
SECONDS = 60


async def two_lives(scene: Scene, command: Sequence[str], returns: bool = True) -> None:
    """A room before and after its server is killed."""
    server = Server(scene, command, Ports(scene.seed).take(), "linger_ms=300")
    crowd = Crowd(scene, server, "guest", returns=returns)
    scene.cast.append(server)
    await server.start()
    await server.ready()
    await crowd.start()
    await crowd.do(f"connect {GUESTS}")
    await crowd.do(f"join hall 0 {GUESTS}")
    for life in (1, 2):
        await crowd.do(f"say hall 0 {GUESTS} {TIMES} 1 0 {OCTETS}")
        await crowd.do(f"see hall 0 {GUESTS} {life * GUESTS * TIMES}")
        if life == 1:
            await server.kill()
            await server.start()
            await server.ready()
    await crowd.leave()


@pytest.mark.parametrize("command", [SERVER, MINI], ids=["the reference", "the small server"])
def test_a_good_server_is_not_accused(play: Callable[..., None], command: Sequence[str]) -> None:
    play(lambda scene: two_lives(scene, command), SECONDS)


FAULTS = {
    "TellsTwoHistories": "a CHECKPOINT contradicts what was shown",
    "BeginsTheChainAnew": "a CHECKPOINT contradicts what was shown",
    "LosesWhatComesAtOnce": "SEQ_GAP",
    "StartsAtAfterSeq": "hall goes on at 24, 25 was due",
    "AcknowledgesBeforeTheDiskHasIt": "hall goes on at 1, 25 was due",
    "LosesTheLastEntry": "hall goes on at 1, 25 was due",
    "BeginsAnew": "hall goes on at 1, 25 was due",
    "ForgetsCounters": "hall has 0 of its messages, 8 were acknowledged and 8 sent",
}


def faulty(name: str) -> list[str]:
    return [sys.executable, str(FAULTY / "start.py"), name, str(FAULTY)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_server_is_found_out(play: Callable[..., None], fault: str) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        play(lambda scene: two_lives(scene, faulty(fault)), SECONDS)


def test_two_orders_are_found_out_without_checkpoints(play: Callable[..., None]) -> None:
    """A crowd that does not come back offers no audit: its members compare what they are shown, and count their own."""
    words = "another guest was shown another message there|was shown its message 5, 4 was due"
    with pytest.raises(AssertionError, match=words):
        play(lambda scene: two_lives(scene, faulty("TellsTwoOrders"), returns=False), SECONDS)
