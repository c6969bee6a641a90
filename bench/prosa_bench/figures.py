# SPDX-License-Identifier: MIT
"""Figures: what was measured of whom, in which passes, what both sides took for it, and what was wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from prosa_bench.generator import Event, faults_of

BUSY = 0.95  # of its processor: from here on the generator held the others back


@dataclass(frozen=True)
class Measure:
    """A kind of figure: its unit, and whether more of it is better."""

    name: str
    unit: str
    words: str
    more_is_better: bool


@dataclass(frozen=True)
class Key:
    scenario: str
    measure: str
    subject: str

    def __str__(self) -> str:
        return f"{self.scenario}/{self.measure}/{self.subject}"


@dataclass(frozen=True)
class Side:
    """What one side took in the measured time."""

    cpu_s: float
    verifier_s: float
    switches: int
    peak_rss: int

    @classmethod
    def of(cls, told: Mapping[str, Any] | None) -> Side | None:
        if told is None:
            return None
        return cls(told["cpu_s"], told["verifier_s"], told["switches"], told["peak_rss"])


@dataclass(frozen=True)
class Pass:
    """One value of a figure."""

    value: float
    server: Side | None = None
    load: Side | None = None
    faults: Mapping[str, int] = field(default_factory=dict)
    generator_was_busy: bool = False
    granted: int = 0  # window, where the server grants less than the scenario asks for
    note: str = ""

    @classmethod
    def of(cls, value: float, event: Event, note: str = "") -> Pass:
        load, seconds = Side.of(event["load"]), event["load"]["seconds"]
        assert load is not None
        return cls(
            value,
            Side.of(event.get("server")),
            load,
            faults_of(event),
            seconds > 0 and load.cpu_s / seconds >= BUSY,
            event.get("granted", 0),
            note,
        )


@dataclass(frozen=True)
class Figure:
    """`passes` are sorted by value; without any, `missing` says why."""

    key: Key
    unit: str
    more_is_better: bool
    passes: tuple[Pass, ...]
    missing: str = ""

    @property
    def median(self) -> Pass | None:
        return self.passes[(len(self.passes) - 1) // 2] if self.passes else None

    @property
    def value(self) -> float | None:
        return self.median.value if self.median else None

    @property
    def faults(self) -> dict[str, int]:
        """Of all passes."""
        sums: dict[str, int] = {}
        for one in self.passes:
            for name, count in one.faults.items():
                sums[name] = sums.get(name, 0) + count
        return sums

    def to_json(self) -> dict[str, Any]:
        return {
            "scenario": self.key.scenario,
            "measure": self.key.measure,
            "subject": self.key.subject,
            "unit": self.unit,
            "more_is_better": self.more_is_better,
            "value": self.value,
            "passes": [asdict(one) for one in self.passes],
            "missing": self.missing,
        }


def figure(key: Key, measure: Measure, passes: Iterable[Pass], missing: str = "") -> Figure:
    ordered = tuple(sorted(passes, key=lambda one: one.value))
    return Figure(key, measure.unit, measure.more_is_better, ordered, missing)
