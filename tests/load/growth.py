# SPDX-License-Identifier: MIT
"""Does a figure grow while the same is done again and again? Pure: numbers in, numbers out.

It refuses to look at single samples: the first third of a run is its beginning, and what comes then is judged by
the median of the slopes between any two samples (Theil and Sen), which some odd ones do not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

LEAST_SAMPLES = 6  # of a plateau, to say anything about it


@dataclass(frozen=True)
class Bound:
    """How much a figure may grow over a plateau: a share of its median, or so much, whichever is more."""

    share: float
    least: float

    def of(self, level: float) -> float:
        return max(self.share * level, self.least)


@dataclass(frozen=True)
class Plateau:
    """Its median, and by how much the line through it rises from its first sample to its last."""

    level: float
    growth: float
    samples: int


def plateau(samples: Sequence[float]) -> Plateau | None:
    """Of the last two thirds; None when they are too few."""
    settled = samples[len(samples) // 3 :]
    if len(settled) < LEAST_SAMPLES:
        return None
    slopes = [(late - early) / (at_late - at_early)
              for (at_early, early), (at_late, late) in combinations(enumerate(settled), 2)]  # fmt: skip
    return Plateau(median(settled), median(slopes) * (len(settled) - 1), len(settled))


def excess(name: str, samples: Sequence[float], bound: Bound) -> str | None:
    """A sentence when it grows by more than it may."""
    seen = plateau(samples)
    if seen is None or seen.growth <= bound.of(seen.level):
        return None
    return (
        f"{name} grew by {seen.growth:,.1f} over {seen.samples} samples around {seen.level:,.1f}; "
        f"{bound.of(seen.level):,.1f} would be no growth"
    )
