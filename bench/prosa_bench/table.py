# SPDX-License-Identifier: MIT
"""The table on the terminal: what was measured, how the reference stands beside it, and the goals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prosa_bench.bench import Scenario
from prosa_bench.figures import Figure, Key, Measure, Side
from prosa_bench.goals import Verdict

HEAD = f"{'':24} {'figure':>14} {'prosa is':>9} {'server CPU':>10} {'peak RSS':>9} {'switches':>9} {'load CPU':>9}"
LEGEND = """\
prosa is: the reference's figure divided by this one's. server CPU, peak RSS, switches between threads, load CPU: what
the server and the generator took in the measured time of the median pass. busy: the generator had no time left, so the
server could have done more. window N: the server grants no more."""


def number(value: float) -> str:
    """Four digits that count, at most."""
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def ratio(reference: Figure | None, figure: Figure) -> str:
    if reference is None or not reference.value or not figure.value:
        return ""
    return f"{reference.value / figure.value:.2f} x"


def side(server: Side | None, load: Side | None) -> str:
    mine = f"{server.cpu_s:8.2f} s {server.peak_rss / 1e6:6.1f} MB {server.switches:9,}" if server else " " * 30
    return f"{mine} {load.cpu_s:7.2f} s" if load else mine


def marks(figure: Figure) -> list[str]:
    """What one must know before one believes the figure."""
    assert figure.median is not None
    words = [f"{count:,} {name}" for name, count in figure.faults.items()]
    words = [f"FAULTY: {', '.join(words)}"] if words else []
    if figure.median.generator_was_busy:
        words.append("busy")
    if figure.median.granted:
        words.append(f"window {figure.median.granted}")
    return [*words, figure.median.note] if figure.median.note else words


def row(figure: Figure, reference: Figure | None) -> str:
    if figure.median is None:
        return f"  {figure.key.subject:22} not measured: {figure.missing}"
    line = f"  {figure.key.subject:22} {number(figure.median.value):>14} {ratio(reference, figure):>9} "
    line += side(figure.median.server, figure.median.load)
    return f"{line}  {'; '.join(marks(figure))}".rstrip()


def block(scenario: Scenario, measure: Measure, figures: Sequence[Figure]) -> Iterator[str]:
    yield f"  {measure.words} ({measure.unit})"
    reference = next((one for one in figures if one.key.subject.startswith("prosa") and one.value), None)
    for figure in figures:
        yield row(figure, reference)


def scenario_lines(scenario: Scenario, figures: Iterable[Figure]) -> Iterator[str]:
    all_figures = list(figures)
    if not all_figures:
        return
    yield ""
    yield f"{scenario.name}: {scenario.words}"
    for measure in scenario.measures:
        chosen = [one for one in all_figures if one.key.measure == measure.name]
        if chosen:
            yield from block(scenario, measure, chosen)


def goal_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield ""
    yield f"{'goal':72} {'figure':>12} {'bound':>15}"
    for one in verdicts:
        value = number(one.value) if one.value is not None else ""
        bound = f"{one.goal.relation} {number(one.bound)}" if one.bound is not None else ""
        yield f"  {one.goal.name:70} {value:>12} {bound:>15}  {one.verdict}{': ' + one.why if one.why else ''}"
    counts = [f"{sum(one.verdict == word for one in verdicts)} {word}" for word in ("met", "missed", "not measured")]
    yield f"  {', '.join(counts)}"


def lines(scenarios: Sequence[Scenario], figures: dict[Key, Figure], verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield HEAD
    for scenario in scenarios:
        yield from scenario_lines(scenario, (one for key, one in figures.items() if key.scenario == scenario.name))
    yield ""
    yield LEGEND
    yield from goal_lines(verdicts)
