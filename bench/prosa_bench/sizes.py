# SPDX-License-Identifier: MIT
"""How large a run is: for figures, for a look, and for the test of the machinery."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sizes:
    name: str
    passes: int  # but of scenarios that take long and scatter little
    stream_s: float  # of a pass that is as fast as it can be, by the subject's hint
    readers: int  # in a room
    latency_s: float
    calm_s: float  # before a flood, and during it
    flood_posts: int  # signed before a flood: as many as last until the calm have spoken
    crowd: int  # connections
    crowd_posts: int  # one after the other, to all of them
    handshakes: int
    replay: int  # messages
    starts: int  # of a client
    micro_ms: int  # of each primitive
    suites: tuple[tuple[str, tuple[str, ...]], ...]  # subject, words


L1 = ("L1", ("--level", "L1"))
WHOLE = ("whole server suite", ("--level", "L4", "--features", "liveness,resume,audit"))

FULL = Sizes("full", 3, 0.8, 100, 1.5, 1.2, 45_000, 10_000, 5, 3_000, 100_000, 40, 300, (L1, WHOLE))
QUICK = Sizes("quick", 1, 0.1, 100, 0.4, 0.3, 14_000, 1_000, 3, 300, 10_000, 10, 50, (L1,))
TINY = Sizes("tiny", 1, 0.001, 4, 0.05, 0.05, 8_000, 20, 2, 20, 200, 2, 2, (("L1", ("--only", "FLOW-25")),))

ALL = {sizes.name: sizes for sizes in (FULL, QUICK, TINY)}


def replaced(sizes: Sizes, passes: int) -> Sizes:
    return replace(sizes, passes=passes)
