# SPDX-License-Identifier: MIT
"""The same as a picture: for each measure a row of bars, on a scale by tens, for figures that lie far apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from prosa_bench.bench import Scenario
from prosa_bench.figures import Figure, Key
from prosa_bench.table import number

WIDTH, LEFT, RIGHT = 860, 190, 130
ROW, GAP, TOP = 18, 30, 56
COLOURS = {"prosa": "#2b6cb0", "floor": "#718096", "peer": "#c05621"}
STYLE = "text{font:12px sans-serif;fill:#1a202c}.head{font-weight:bold}.small{font-size:11px;fill:#4a5568}"


def decade(value: float) -> float:
    return math.log10(value) if value > 0 else 0.0


class Plot:
    """Grows downwards."""

    def __init__(self, title: str) -> None:
        self.y = TOP
        self.parts: list[str] = []
        self.text(10, 22, title, "head")
        for number_, (kind, colour) in enumerate(COLOURS.items()):
            x = 10 + 110 * number_
            self.parts.append(f'<rect x="{x}" y="32" width="12" height="12" fill="{colour}"/>')
            self.text(x + 18, 42, {"prosa": "Prosa", "floor": "floors", "peer": "peers"}[kind], "small")

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>')

    def group(self, words: str, unit: str, figures: Sequence[Figure], kinds: dict[str, str]) -> None:
        values = [one.value for one in figures if one.value]
        self.y += GAP
        self.text(10, self.y - 10, f"{words} ({unit})", "head")
        least = math.floor(min(map(decade, values), default=0))
        most = max(math.ceil(max(map(decade, values), default=1)), least + 1)
        for one in figures:
            self.text(LEFT - 8, self.y + 13, one.key.subject, "", "end")
            if one.value is None:
                self.text(LEFT, self.y + 13, f"not measured: {one.missing}"[:90], "small")
            else:
                span = (decade(one.value) - least) / (most - least) if one.value > 0 else 0
                width = max(2.0, span * (WIDTH - LEFT - RIGHT))
                colour = COLOURS[kinds.get(one.key.subject, "peer")]
                self.parts.append(
                    f'<rect x="{LEFT}" y="{self.y + 2}" width="{width:.1f}" height="{ROW - 4}" fill="{colour}"/>'
                )
                self.text(LEFT + width + 6, self.y + 13, number(one.value) + (" faulty" if one.faults else ""), "small")
            self.y += ROW

    def svg(self) -> str:
        height = self.y + GAP
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">'
        ground = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        return "\n".join([head, f"<style>{STYLE}</style>", ground, *self.parts, "</svg>", ""])


def draw(title: str, scenarios: Iterable[Scenario], figures: dict[Key, Figure], kinds: dict[str, str]) -> str:
    plot = Plot(title)
    for scenario in scenarios:
        for measure in scenario.measures:
            chosen = [
                one for key, one in figures.items() if (key.scenario, key.measure) == (scenario.name, measure.name)
            ]
            if chosen:
                plot.group(f"{scenario.name}: {measure.words}", measure.unit, chosen, kinds)
    return plot.svg()
