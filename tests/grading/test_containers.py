# SPDX-License-Identifier: MIT
"""A class in containers: what would harm this machine harms nobody, and nothing of it is left.

With PROSA_CONTAINER_TESTS=all the class is whole, and images are made by the templates for languages, too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import demo_class
import isolated
from conftest import IN_SHORT, ROOT, Graded, grade_class, rubric
from engine import docker
from isolated import TESTER, Begun, build
from prosa_conformance import tester
from prosa_grading import images
from shared import build_images

IS_WHOLE = os.environ.get("PROSA_CONTAINER_TESTS") == "all"
SOME = ("ada", *demo_class.HOSTILE)
EXPECTED = {
    "ada": ("graded", "40.0"),
    "bob": ("graded", "20.0"),
    "cid": ("graded", "0.0"),
    "dan": ("not started", "0.0"),
    "eva": ("graded", "20.0"),
    "fay": ("not started", "0.0"),
    "gus": ("not started", "0.0"),
    "hal": ("graded", "0.0"),
    "ida": ("not built", "0.0"),
    "jon": ("refused", "0.0"),
    "kim": ("refused", "0.0"),
    "leo": ("graded", "40.0"),
}
ENV = {"PROSA_TESTER_IMAGE": TESTER}


@pytest.fixture(scope="module")
def base(engine: None) -> str:
    """The suite's own image, on which these students stand: it has what the small programs need."""
    build_images("conformance")
    return build(TESTER, "--file", ROOT / "docker" / "Dockerfile", "--target", "conformance")


@pytest.fixture(scope="module")
def graded(base: str, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    folder = tmp_path_factory.mktemp("class")
    students = demo_class.NAMES if IS_WHOLE else SOME
    demo_class.make(folder, students, base, has_template=IS_WHOLE)
    roster = demo_class.roster(folder, students)
    given = ("submissions", "--rubric", rubric(folder), "--roster", str(roster), *IN_SHORT)
    return grade_class(folder, *given, env=ENV)


def leftovers(graded: Graded) -> list[str]:
    """Containers of these students' images, and the images themselves."""
    ours = {row["image"] for row in graded.rows() if row["image"]}
    running = docker("ps", "--all", "--no-trunc", "--format", "{{.Image}}").split()
    names = [images.tag_of(str(graded.out), row["student"], row["content"]) for row in graded.rows() if row["content"]]
    made = [docker("images", "--quiet", name) for name in names]
    return [*(image for image in running if image in ours or image in names), *filter(None, made)]


def test_each_has_the_grade_that_is_due(graded: Graded) -> None:
    assert graded.code == 0, graded.text
    assert graded.table() == {name: EXPECTED[name] for name in graded.table()}, graded.text
    assert len(graded.table()) == (12 if IS_WHOLE else 3)


def test_what_went_wrong_is_told_in_a_students_words(graded: Graded) -> None:
    assert "256 MB of memory" in graded.grade("gus")["words"]
    assert "never printed READY" in graded.grade("fay")["words"]


def test_a_grade_names_the_images_that_it_was_found_with(graded: Graded) -> None:
    suite = docker("image", "inspect", "--format", "{{.Id}}", TESTER)
    for student in ("ada", *demo_class.HOSTILE):
        grade = graded.grade(student)
        assert grade["origin"]["suite_image"] == suite
        assert grade["image"].startswith("sha256:") and grade["image"] != suite
        assert grade["origin"]["mode"] == "containers"


def test_nothing_is_left(graded: Graded) -> None:
    assert not leftovers(graded), graded.text


def test_who_cannot_wait_for_a_tester_ends_it_and_its_programs(base: str, tmp_path: Path) -> None:
    """By the identity of its container, as when a whole grading's time is over and nothing else has helped."""
    demo_class.program(tmp_path / "dan", "dan", base)
    image = build("prosa-test-grading-hangs", context=tmp_path / "dan")
    run = Begun(
        tmp_path / "report", ("--image", f"{image} python3 -u server.py", "--level", "L1", "--time-scale", "40")
    )
    try:
        await_program(run)
        tester.kill(run.process.pid)
        outcome = run.ended()
    finally:
        run.process.kill()
    assert outcome.code == 4, outcome.text
    assert not isolated.leftovers(), outcome.text


def await_program(run: Begun) -> None:
    """Until its program's container is there."""
    import test_image

    test_image.await_program(run)


# --- only in the night ---


@pytest.fixture
def in_the_night() -> Iterator[None]:
    if not IS_WHOLE:
        pytest.skip("PROSA_CONTAINER_TESTS=all makes an image of a language")
    yield


def test_a_sample_in_another_language(base: str, in_the_night: None, tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    shutil.copytree(ROOT / "tests" / "samples" / "javascript", tmp_path / "submissions" / "jana")
    graded = grade_class(tmp_path, "submissions", "--rubric", rubric(tmp_path), *IN_SHORT, env=ENV)
    assert graded.table() == {"jana": ("graded", "40.0")}, graded.text
    assert not leftovers(graded)


def test_an_image_that_is_there_already(base: str, in_the_night: None, tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    demo_class.program(tmp_path / "ada", "ada", base)
    image = build("prosa-test-grading-image", context=tmp_path / "ada")
    (tmp_path / "submissions" / "ada.image").write_text(f"{image} python3 -u server.py\n")
    (tmp_path / "submissions" / "bob.image").write_text("prosa-nobody-made-this\n")
    graded = grade_class(tmp_path, "submissions", "--rubric", rubric(tmp_path), *IN_SHORT, env=ENV)
    assert graded.code == 1, graded.text
    assert graded.table() == {"ada": ("graded", "40.0"), "bob": ("not graded", "")}, graded.text
    assert docker("images", "--quiet", image), "what was there before is there after"
