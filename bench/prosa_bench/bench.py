# SPDX-License-Identifier: MIT
"""A run: scenarios, each with its subjects, pass after pass; what cannot be measured says why."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from prosa_bench.child import CannotMeasure, running
from prosa_bench.figures import Figure, Key, Measure, Pass, figure
from prosa_bench.generator import Options
from prosa_bench.machine import Processors
from prosa_bench.sizes import Sizes
from prosa_bench.subjects import Place, Subject
from prosa_conformance.places import Ports


@dataclass(frozen=True)
class Served:
    """A subject that runs, and how to put load on it."""

    subject: Subject
    pid: int
    port: int
    folder: Path
    load: Options
    unwatched: Options  # for a second generator: the first one's readings of the server stay its own


@dataclass
class Bench:
    root: Path
    programs: Path  # build/default
    sizes: Sizes
    processors: Processors
    ports: Ports
    figures: dict[Key, Figure] = field(default_factory=dict)

    def program(self, name: str) -> Path:
        return self.programs / "bench" / name

    @contextlib.contextmanager
    def serving(self, subject: Subject) -> Iterator[Served]:
        with tempfile.TemporaryDirectory(prefix="prosa-bench-") as name:
            folder = Path(name)
            place = Place(self.programs, folder, (self.ports.take()[1], self.ports.take()[1]))
            with running(subject.start(place), self.processors.server(subject.cores), folder) as pid:
                entrance = place.ports[1] if subject.dialect == "zmtp" else place.port  # where writers go
                unwatched = Options(
                    self.program("load"), subject.dialect, place.port, entrance, self.processors.load, subject.at_once
                )
                load = replace(unwatched, watch=pid, counters=place.ports[1] if subject.kind == "prosa" else 0)
                yield Served(subject, pid, place.port, folder, load, unwatched)

    def run(self, scenario: Scenario) -> None:
        """All passes of one before the next, subject by subject within a pass: a slow minute is everybody's."""
        passes: dict[Key, list[Pass]] = {}
        reasons: dict[Key, str] = {}
        missing = {subject.name: subject.lacks() for subject in scenario.subjects(self.sizes)}
        count = 1 if scenario.is_long else self.sizes.passes
        for number in range(count):
            for subject in scenario.subjects(self.sizes):
                if missing[subject.name]:
                    continue
                tell(f"{scenario.name}: {subject.name}, pass {number + 1} of {count}")
                try:
                    for measure, one in scenario.run(self, subject).items():
                        key = Key(scenario.name, measure, subject.name)
                        if isinstance(one, str):
                            reasons[key] = one
                        else:
                            passes.setdefault(key, []).append(one)
                except CannotMeasure as why:
                    missing[subject.name] = str(why)
        for subject in scenario.subjects(self.sizes):
            for measure in scenario.measures:
                key = Key(scenario.name, measure.name, subject.name)
                done = [] if missing[subject.name] else passes.get(key, [])
                why = missing[subject.name] or reasons.get(key, "")
                if done or why:
                    self.figures[key] = figure(key, measure, done, why)


@dataclass(frozen=True)
class Scenario:
    """`run` gives a pass of each measure that this subject has, or why it cannot be measured."""

    name: str
    words: str
    measures: Sequence[Measure]
    subjects: Callable[[Sizes], Sequence[Subject]]
    run: Callable[[Bench, Subject], Mapping[str, Pass | str]]
    is_long: bool = False  # it has one pass in any size


def of(*subjects: Subject) -> Callable[[Sizes], Sequence[Subject]]:
    """The same ones in every size."""
    return lambda sizes: subjects


def tell(line: str) -> None:
    """What is done now; it stands in one place where that is possible."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)
