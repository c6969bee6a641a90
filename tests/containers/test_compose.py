# SPDX-License-Identifier: MIT
"""The compose file as a person uses it.

With PROSA_CONTAINER_TESTS=all each service of the suite runs all of its tests, else those that take long run some.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import USER, Project
from engine import BUILD_S, ROOT, SUITE_S, docker

HERE = Path(__file__).parent
FAULTY = HERE / "faulty.yml"
IS_WHOLE = os.environ.get("PROSA_CONTAINER_TESTS") == "all"
SOME = () if IS_WHOLE else ("-k", "questions or flow")


@pytest.fixture(scope="module")
def faulty(images: None) -> Iterator[None]:
    """The image of servers that break a clause."""
    name = "prosa-test-faulty"
    docker("build", "--file", str(HERE / "Dockerfile"), "--tag", name, str(ROOT), wait_s=BUILD_S)
    yield
    docker("image", "rm", "--force", name)


def verdicts(project: Project, folder: str = "") -> list[str]:
    """Of the tests that applied."""
    told = json.loads((project.report / folder / "result.json").read_text())
    return [test["verdict"] for test in told["tests"] if test["verdict"] != "not applicable"]


def test_every_profile_is_understood(project: Project) -> None:
    done = project.compose("--profile", "flood", "--profile", "zmq", "config", "--services")
    assert done.returncode == 0, done.stdout
    named = {"server", "conformance", "flood-server", "flood", "contended", "bridge", "conformance-zmq"}
    assert named <= set(done.stdout.split())


def test_the_reference_conforms_and_the_report_is_the_persons(project: Project) -> None:
    done = project.compose("up", "--exit-code-from", "conformance", wait_s=SUITE_S)
    assert done.returncode == 0, done.stdout
    found = verdicts(project)
    assert len(found) > 300
    assert set(found) == {"pass"}
    made = [path for path in project.report.rglob("*") if path.is_file()]
    assert {"report.html", "junit.xml", "result.json"} <= {path.name for path in made}
    owner = USER if os.geteuid() == 0 else os.geteuid()
    assert {path.stat().st_uid for path in made} == {owner}


def test_the_suites_words_and_a_second_run_on_the_same_log(project: Project) -> None:
    for _again in range(2):
        done = project.compose("run", "--rm", "conformance", "--only", "MSG-03", wait_s=SUITE_S)
        assert done.returncode == 0, done.stdout
        assert set(verdicts(project)) == {"pass"}
    done = project.compose("run", "--rm", "conformance", "--no-such-word")
    assert done.returncode == 2, done.stdout


@pytest.mark.usefixtures("faulty")
def test_a_faulty_server_is_told(project: Project) -> None:
    done = project.compose("up", "--exit-code-from", "conformance", files=(FAULTY,), wait_s=SUITE_S)
    assert done.returncode == 1, done.stdout
    assert "fail" in verdicts(project)


def test_the_flood_level_alone(project: Project) -> None:
    done = project.compose("run", "--rm", "flood", wait_s=SUITE_S)
    assert done.returncode == 0, done.stdout
    found = verdicts(project, "flood")
    assert set(found) == {"pass"}
    assert len(found) == 3


def test_all_of_it_with_half_a_processor_beside_a_flood(project: Project) -> None:
    words = ("contended", "--time-scale", "4", "--report", "report/contended", *SOME)
    done = project.compose("--profile", "flood", "run", "--rm", *words, wait_s=2 * SUITE_S)
    assert done.returncode == 0, done.stdout
    assert set(verdicts(project, "contended")) == {"pass"}


def test_all_of_it_through_the_bridge(project: Project) -> None:
    done = project.compose("run", "--rm", "conformance-zmq", *SOME, wait_s=2 * SUITE_S)
    assert done.returncode == 0, done.stdout
    found = verdicts(project, "zmq")
    assert len(found) > (150 if IS_WHOLE else 15)
    assert set(found) == {"pass"}
