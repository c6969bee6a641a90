# SPDX-License-Identifier: MIT
"""The judge of growth, judged: what is level is level however it trembles, and the least leak shows."""

from __future__ import annotations

import random

import pytest

from growth import LEAST_SAMPLES, Bound, excess, plateau

LEVEL, TREMBLE = 10_000_000, 50_000
BOUND = Bound(0.05, 0)


def trembling(seed: int, count: int, per_sample: float = 0) -> list[float]:
    rng = random.Random(seed)
    return [LEVEL + rng.uniform(-TREMBLE, TREMBLE) + at * per_sample for at in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_what_trembles_does_not_grow(seed: int) -> None:
    assert excess("x", trembling(seed, 60), BOUND) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_found_under_the_trembling(seed: int) -> None:
    leak = 2 * BOUND.of(LEVEL) / 40
    found = excess("memory", trembling(seed, 60, leak), BOUND)
    assert found is not None
    assert found.startswith("memory grew by")


def test_the_beginning_does_not_count() -> None:
    assert excess("x", [*range(0, LEVEL, LEVEL // 20), *trembling(1, 40)], BOUND) is None


def test_some_odd_samples_are_neither_growth_nor_hide_it() -> None:
    level = trembling(2, 60)
    leaking = trembling(2, 60, 2 * BOUND.of(LEVEL) / 40)
    for at in (58, 59):
        level[at] *= 3
        leaking[at] /= 3
    assert excess("x", level, BOUND) is None
    assert excess("x", leaking, BOUND) is not None


def test_what_shrinks_does_not_grow() -> None:
    assert excess("x", trembling(3, 60, -20_000), BOUND) is None


def test_the_greater_of_share_and_least_holds() -> None:
    rising = [float(at) for at in range(30)]
    assert excess("x", rising, Bound(0, 18)) is not None
    assert excess("x", rising, Bound(0, 19)) is None
    assert excess("x", rising, Bound(1, 0)) is None  # the level is 19.5, the growth 19


def test_too_few_samples_say_nothing() -> None:
    assert plateau([1.0] * (LEAST_SAMPLES - 1)) is None
    assert plateau([1.0] * LEAST_SAMPLES) is None  # a third of them is the beginning
    assert plateau([1.0] * 2 * LEAST_SAMPLES) is not None
