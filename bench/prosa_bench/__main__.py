# SPDX-License-Identifier: MIT
"""The command line: which scenarios, how large, and where the result goes.

Exit: 0 measured, whatever the goals say; 2 wrong words; 4 something was lost, doubled, reordered or altered by a
program of this tree.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from prosa_bench import goals, machine, results, sizes, subjects, table
from prosa_bench.bench import Bench, Scenario, tell
from prosa_bench.catalog import BY_NAME, SCENARIOS
from prosa_bench.child import raise_descriptors
from prosa_bench.figures import Figure
from prosa_conformance import interruption
from prosa_conformance.places import Ports

ROOT = Path(__file__).resolve().parents[2]
EXIT_GOOD, EXIT_USAGE, EXIT_FAULTY = 0, 2, 4


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="./run bench", description="Measure the reference beside floors and peers.")
    words.add_argument("--quick", action="store_true", help="under a minute, for a look; figures scatter")
    words.add_argument("--list", action="store_true", help="print the scenarios and the goals, and run none")
    words.add_argument("--only", metavar="SCENARIO", action="append", default=[], help="this one; may be repeated")
    words.add_argument("--size", choices=sizes.ALL, help="tiny is the test's: it shows that all of it works, no more")
    words.add_argument("--passes", type=int, metavar="N", help="of each figure; the median is shown")
    words.add_argument("--out", type=Path, default=ROOT / "report" / "bench", metavar="DIR", help="for json and svg")
    words.add_argument("--programs", type=Path, default=ROOT / "build" / "default", metavar="DIR", help="the build")
    return words


def chosen(names: Sequence[str], words: argparse.ArgumentParser) -> list[Scenario]:
    for name in names:
        if name not in BY_NAME:
            words.error(f"there is no scenario '{name}'; they are {', '.join(BY_NAME)}")
    return [one for one in SCENARIOS if not names or one.name in names]


def print_list() -> None:
    for scenario in SCENARIOS:
        print(f"{scenario.name:12} {scenario.words}")
        print(f"{'':12} {', '.join(one.name for one in scenario.subjects(sizes.FULL))}")
    print()
    for goal in goals.GOALS:
        print(f"goal: {goal.name}: {goal.relation} {goal.factor:g}{' x' if goal.bases else ''}")


def measure(bench: Bench, scenarios: Sequence[Scenario]) -> None:
    for scenario in scenarios:
        bench.run(scenario)
    tell("")


def is_faulty(figure: Figure) -> bool:
    """And of this tree: what peers lose is shown, and theirs."""
    return bool(figure.faults) and figure.key.subject not in {peer.name for peer in subjects.PEERS}


def main(argv: Sequence[str]) -> int:
    words = parser()
    options = words.parse_args(argv)
    scenarios = chosen(options.only, words)
    if options.list:
        print_list()
        return EXIT_GOOD
    size = sizes.ALL[options.size or ("quick" if options.quick else "full")]
    if options.passes:
        size = sizes.replaced(size, options.passes)
    processors = machine.Processors.of_this_process()
    described = machine.describe(processors)
    raise_descriptors()
    started = time.monotonic()
    bench = Bench(ROOT, options.programs, size, processors, Ports(secrets.randbelow(1 << 16)))
    measure(bench, scenarios)
    verdicts = [goals.judge(goal, bench.figures) for goal in goals.GOALS]
    if options.only:
        verdicts = [one for one in verdicts if one.goal.figure.scenario in options.only]
    seconds = time.monotonic() - started
    result = results.to_json(size.name, described, seconds, scenarios, bench.figures, verdicts)
    results.write(options.out, result, scenarios, bench.figures)
    print("\n".join(table.lines(scenarios, bench.figures, verdicts)))
    print(machine_line(described, size, seconds))
    print(f"written: {options.out / 'bench.json'}, {options.out / 'bench.svg'}")
    return EXIT_FAULTY if any(map(is_faulty, bench.figures.values())) else EXIT_GOOD


def machine_line(described: dict[str, object], size: sizes.Sizes, seconds: float) -> str:
    where = (
        "ONE processor for server and generator: every figure is of both together"
        if described["shared"]
        else f"{described['processors']} processors, the server's first, the generator's last"
    )
    return (
        f"\n{size.name}, {size.passes} passes, {seconds:.0f} s; {described['processor']}, {where};"
        f" load before: {described['busy_before']}"
    )


if __name__ == "__main__":
    interruption.listen()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("bench: interrupted; what it had started has ended")
