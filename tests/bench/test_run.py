# SPDX-License-Identifier: MIT
"""A run in the smallest size: every scenario comes to a result of everybody who is there. No figure is asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from conftest import BUILD, ROOT
from prosa_bench import goals, sizes, subjects, table
from prosa_bench.bench import Bench, Scenario, of
from prosa_bench.catalog import SCENARIOS
from prosa_bench.crowds import BROADCASTS
from prosa_bench.figures import Figure, Key, Pass
from prosa_bench.machine import Processors
from prosa_bench.plot import draw
from prosa_bench.rates import POSTS
from prosa_bench.results import SCHEMA
from prosa_conformance.places import Ports

SECONDS = 600


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(ROOT / "bench"), str(ROOT / "conformance")))
    return subprocess.run(
        [sys.executable, "-m", "prosa_bench", "--programs", str(BUILD), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return bench("--size", "tiny", "--out", str(folder))


@pytest.fixture(scope="module")
def result(run: subprocess.CompletedProcess[str], folder: Path) -> dict[str, Any]:
    assert run.returncode == 0, run.stdout + run.stderr
    told: dict[str, Any] = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    return told


def test_the_result_follows_its_schema(result: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(result)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.name for one in SCENARIOS])
def test_every_scenario_comes_to_a_result(scenario: Any, result: dict[str, Any]) -> None:
    for subject in scenario.subjects(sizes.TINY):
        mine = [one for one in result["figures"] if (one["scenario"], one["subject"]) == (scenario.name, subject.name)]
        assert mine, f"{subject.name} is silently left out"
        lacks = subject.lacks()
        assert lacks or any(one["value"] is not None for one in mine), mine
        for one in mine:
            assert one["missing"] in (lacks, BROADCASTS), one
            assert (one["value"] is None) == bool(one["missing"]), one
            assert not any(each["faults"] for each in one["passes"]), one


def test_what_both_sides_took_stands_beside(result: dict[str, Any]) -> None:
    fanout = [one for one in result["figures"] if one["scenario"] == "fanout-1" and one["subject"] == "prosa"]
    for one in fanout:
        for side in (one["passes"][0]["server"], one["passes"][0]["load"]):
            assert side["cpu_s"] > 0
            assert side["peak_rss"] > 0
        assert one["passes"][0]["server"]["verifier_s"] > 0, "the server tells no time of signatures"


def test_every_goal_has_a_verdict(result: dict[str, Any]) -> None:
    assert [one["name"] for one in result["goals"]] == [goal.name for goal in goals.GOALS]


def test_the_table_has_every_scenario_and_goal(result: dict[str, Any], run: subprocess.CompletedProcess[str]) -> None:
    for scenario in SCENARIOS:
        assert f"{scenario.name}: " in run.stdout
    for goal in goals.GOALS:
        assert goal.name in run.stdout


def test_the_plot_is_well_formed(result: dict[str, Any], folder: Path) -> None:
    tree = ElementTree.parse(folder / "bench.svg")
    words = " ".join(text.text or "" for text in tree.iter("{http://www.w3.org/2000/svg}text"))
    for scenario in SCENARIOS:
        assert f"{scenario.name}: " in words


# --- without a run ---


def figure(key: Key, value: float | None, missing: str = "", **faults: int) -> Figure:
    return Figure(key, "x", True, () if value is None else (Pass(value, faults=faults),), missing)


KEY, BASE, OTHER = Key("s", "m", "a<b"), Key("s", "m", "b"), Key("s", "m", "c")


@pytest.mark.parametrize(
    ("value", "base", "relation", "verdict"),
    [
        (50.0, 100.0, goals.AT_LEAST, "met"),
        (49.9, 100.0, goals.AT_LEAST, "missed"),
        (50.0, 100.0, goals.AT_MOST, "met"),
        (50.1, 100.0, goals.AT_MOST, "missed"),
        (None, 100.0, goals.AT_MOST, "not measured"),
        (50.0, None, goals.AT_MOST, "not measured"),
    ],
)
def test_a_goal_is_judged_by_its_base(value: float | None, base: float | None, relation: str, verdict: str) -> None:
    figures = {KEY: figure(KEY, value, "why"), BASE: figure(BASE, base, "not installed")}
    judged = goals.judge(goals.Goal("g", KEY, relation, 0.5, (BASE,)), figures)
    assert judged.verdict == verdict
    if verdict == "not measured":
        assert judged.why in ("why", "b: not installed")


def test_a_goal_is_missed_by_whoever_loses_something() -> None:
    judged = goals.judge(goals.Goal("g", KEY, goals.AT_LEAST, 1.0), {KEY: figure(KEY, 5.0, lost=3)})
    assert (judged.verdict, judged.why) == ("missed", "3 lost")


def test_the_hardest_of_several_bases_counts() -> None:
    figures = {KEY: figure(KEY, 6.0), BASE: figure(BASE, 5.0), OTHER: figure(OTHER, 7.0)}
    for relation in (goals.AT_LEAST, goals.AT_MOST):
        assert goals.judge(goals.Goal("g", KEY, relation, 1.0, (BASE, OTHER)), figures).verdict == "missed"


def test_names_are_escaped_in_the_plot() -> None:
    scenario = SCENARIOS[0]
    key = Key(scenario.name, scenario.measures[0].name, "a<b&c")
    ElementTree.fromstring(draw("x", [scenario], {key: figure(key, 3.0)}, {}))


def test_who_is_not_installed_stands_in_the_table() -> None:
    absent = replace(subjects.REDIS, program="no-such-program")
    scenario = Scenario("s", "w", (POSTS,), of(absent), lambda bench, subject: pytest.fail("it was started"))
    run = Bench(ROOT, BUILD, sizes.TINY, Processors((0,)), Ports(1))
    run.run(scenario)
    assert any("not measured: not installed" in line for line in table.lines([scenario], run.figures, []))


def test_one_processor_is_for_both() -> None:
    one, two = Processors((3,)), Processors((3, 5))
    assert one.is_shared
    assert one.load == one.server() == (3,)
    assert not two.is_shared
    assert (two.server(), two.load, two.server(2)) == ((3,), (5,), (3, 5))


def test_an_unknown_scenario_is_refused() -> None:
    done = bench("--only", "nothing")
    assert done.returncode == 2
    assert "no scenario 'nothing'" in done.stderr


def test_the_list_names_all() -> None:
    done = bench("--list")
    assert done.returncode == 0
    for name in (*(one.name for one in SCENARIOS), *(goal.name for goal in goals.GOALS)):
        assert name in done.stdout
