# SPDX-License-Identifier: MIT
"""What a run leaves behind: report/bench/bench.json, as bench.schema.json says, and bench.svg."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prosa_bench import plot, subjects
from prosa_bench.bench import Scenario
from prosa_bench.figures import Figure, Key
from prosa_bench.goals import Verdict

SCHEMA = Path(__file__).with_name("bench.schema.json")


def verdict_to_json(one: Verdict) -> dict[str, Any]:
    goal = one.goal
    return {
        "name": goal.name,
        "figure": str(goal.figure),
        "relation": goal.relation,
        "factor": goal.factor,
        "bases": [str(key) for key in goal.bases],
        "verdict": one.verdict,
        "value": one.value,
        "bound": one.bound,
        "why": one.why,
    }


def to_json(
    size: str,
    machine: Mapping[str, object],
    seconds: float,
    scenarios: Sequence[Scenario],
    figures: dict[Key, Figure],
    verdicts: Sequence[Verdict],
) -> dict[str, Any]:
    return {
        "schema": "prosa-bench/1",
        "size": size,
        "machine": dict(machine),
        "seconds": round(seconds, 1),
        "scenarios": [{"name": one.name, "words": one.words} for one in scenarios],
        "figures": [one.to_json() for one in figures.values()],
        "goals": [verdict_to_json(one) for one in verdicts],
    }


def write(folder: Path, result: Mapping[str, Any], scenarios: Sequence[Scenario], figures: dict[Key, Figure]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (folder / "bench.json").write_text(text, encoding="utf-8")
    kinds = {one.name: one.kind for one in subjects.ALL}
    kinds |= {key.subject: "prosa" for key in figures if key.subject.startswith("prosa")}
    kinds |= {"libsodium": "floor", "bare client": "floor", "L1": "prosa", "whole server suite": "prosa"}
    machine = result["machine"]
    title = f"Prosa beside floors and peers: {result['size']} run, {machine['processor']}"
    (folder / "bench.svg").write_text(plot.draw(title, scenarios, figures, kinds), encoding="utf-8")
