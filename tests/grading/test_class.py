# SPDX-License-Identifier: MIT
"""A class in the weaker mode, without an engine: each one's state and points, and a grading that goes on where it was.

The two that could harm this machine are in test_containers.py alone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest

import demo_class
from conftest import HERE, IN_SHORT, ROOT, RUBRIC, Begun, Graded, grade_class, rubric

STUDENTS = tuple(name for name in demo_class.NAMES if name not in demo_class.HOSTILE)
RAN = ("ada", "bob", "cid", "eva", "hal", "leo")
SECRET = b"0123456789abcdef"
# Of 4 clauses with the weights 1, 2, 0.5 and 0.5.
EXPECTED = {
    "ada": ("graded", "40.0"),
    "bob": ("graded", "20.0"),
    "cid": ("graded", "0.0"),
    "dan": ("not started", "0.0"),
    "eva": ("graded", "20.0"),
    "hal": ("graded", "0.0"),
    "ida": ("not built", "0.0"),
    "jon": ("refused", "0.0"),
    "kim": ("refused", "0.0"),
    "leo": ("graded", "40.0"),
}


def words(folder: Path) -> tuple[str, ...]:
    (folder / "secret").write_bytes(SECRET + b"\n")
    roster = demo_class.roster(folder, STUDENTS)
    return (
        str(folder / "submissions"), "--unsafe-local", "--rubric", rubric(folder), "--roster", str(roster),
        "--secret", str(folder / "secret"), *IN_SHORT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    folder = tmp_path_factory.mktemp("class")
    demo_class.make(folder, STUDENTS)
    return grade_class(folder, *words(folder))


def times(graded: Graded) -> dict[str, int]:
    """When the tests of each were run."""
    return {name: (graded.out / name / "result.json").stat().st_mtime_ns for name in RAN}


def test_each_has_the_grade_that_is_due(graded: Graded) -> None:
    assert graded.code == 0, graded.text
    assert graded.table() == EXPECTED, graded.text
    assert "--unsafe-local: submissions run as you" in graded.text, "it says what it is"


def test_a_cheat_leaves_nothing_but_what_it_has_earned(graded: Graded) -> None:
    assert graded.grade("hal")["levels"]["L1"]["clauses"]["AUTH-08"] == "broken"
    assert not [path for path in graded.out.rglob("*.json") if '"points": 100' in path.read_text()]


def test_a_grade_says_what_it_was_found_by(graded: Graded) -> None:
    schema = json.loads((ROOT / "conformance" / "prosa_grading" / "grade.schema.json").read_text())
    for student in STUDENTS:
        jsonschema.validate(graded.grade(student), schema, format_checker=jsonschema.FormatChecker())
    ada, leo = graded.grade("ada"), graded.grade("leo")
    assert ada["name"] == "Ada Álvares"
    assert ada["origin"]["mode"] == "unsafe-local"
    assert re.fullmatch(r"[0-9a-f]{64}", ada["origin"]["content"]), ada
    assert re.fullmatch(r"[0-9a-f]{40}", leo["origin"]["commit"]), leo


def test_seeds_are_the_secrets(graded: Graded) -> None:
    for student in RAN:
        due = int.from_bytes(hmac.new(SECRET, f"{student}\0001".encode(), hashlib.sha256).digest()[:4], "big")
        result = json.loads((graded.out / student / "result.json").read_text())
        assert result["seed"] == graded.grade(student)["origin"]["seed"] == due, student


def test_a_students_folder_is_whole(graded: Graded) -> None:
    for student in RAN:
        there = {path.name for path in (graded.out / student).iterdir()}
        assert {"result.json", "junit.xml", "report.html", "pcap", "suite.log", "grade.json"} <= there, student
    assert "no_such_module" in (graded.out / "ida" / "build.log").read_text()
    assert not [path for path in (graded.out / ".work").iterdir() if path.name != "lock"]


def test_a_report_does_not_tell_where_a_teacher_keeps_things(graded: Graded) -> None:
    for name in ("result.json", "junit.xml", "report.html", "suite.log"):
        text = (graded.out / "bob" / name).read_text()
        assert ".work" not in text and str(graded.out) not in text, name
    assert "--sut prosa.toml" in (graded.out / "bob" / "suite.log").read_text()


def test_every_link_of_the_page_leads_somewhere(graded: Graded) -> None:
    page = (graded.out / "index.html").read_text(encoding="utf-8")
    links = [unquote(link) for link in re.findall(r'href="([^"]+)"', page) if not link.startswith(("#", "data:"))]
    assert {f"{student}/report.html" for student in RAN} <= set(links)
    for link in links:
        path, _, anchor = link.partition("#")
        assert (graded.out / path).exists(), link
        assert not anchor or f'id="{anchor}"' in (graded.out / path).read_text(), link
    assert "http://" not in page and "https://" not in page and "<script" not in page, "it needs no network"
    assert "bob/report.html#AUTH-16" in links, "from a clause to who breaks it"


def test_what_is_done_is_not_done_again(graded: Graded) -> None:
    before, folder = times(graded), graded.out.parent
    again = grade_class(folder, *words(folder))
    assert again.code == 0, again.text
    assert times(again) == before, "nothing was run"
    assert again.table() == EXPECTED
    assert again.text.count("(as before)") == len(STUDENTS), again.text


def test_other_weights_need_no_other_run(graded: Graded) -> None:
    before, folder = times(graded), graded.out.parent
    given = words(folder)
    rubric(folder, RUBRIC.replace('"AUTH-16" = 2', '"AUTH-16" = 0'))
    again = grade_class(folder, *given)
    assert again.table()["bob"] == ("graded", "40.0"), again.text
    assert times(again) == before


def test_one_is_graded_anew_and_another_is_new(graded: Graded) -> None:
    before, folder = times(graded), graded.out.parent
    server = folder / "submissions" / "cid" / "server.py"
    server.write_text((HERE / "class" / "right.py").read_text())
    again = grade_class(folder, *words(folder), "--again", "bob")
    after = times(again)
    assert {name for name in RAN if after[name] != before[name]} == {"bob", "cid"}
    assert again.table()["cid"] == ("graded", "40.0"), again.text


# --- small ones ---


def test_a_second_try_takes_back_what_the_first_has_failed(tmp_path: Path) -> None:
    """As on a machine that was too busy for it: only the first life of this program does not start."""
    ada = demo_class.program(tmp_path / "submissions" / "ada", "ada")
    flag = "from pathlib import Path\nflag = Path(__file__).with_name('was-here')\n"
    first = f"{flag}was_here = flag.exists()\nflag.touch()\n"
    server = (ada / "server.py").read_text()
    (ada / "server.py").write_text(f"{first}if not was_here:\n    raise SystemExit(1)\n{server}")
    graded = grade_class(tmp_path, "submissions", "--unsafe-local", "--rubric", rubric(tmp_path))
    assert graded.table() == {"ada": ("graded", "40.0")}, graded.text
    assert "PROSA/1 conformance" in (graded.out / "ada" / "suite.log").read_text()


def test_a_deadline_ends_one_that_hangs(tmp_path: Path) -> None:
    demo_class.make(tmp_path, ["dan"])
    given = ("--rubric", rubric(tmp_path), "--deadline", "1", "--time-scale", "40")
    graded = grade_class(tmp_path, "submissions", "--unsafe-local", *given)
    assert graded.code == 0, graded.text
    assert graded.table() == {"dan": ("out of time", "0.0")}, graded.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_is_done(
    tmp_path: Path, begin: Callable[..., Begun], number: signal.Signals
) -> None:
    demo_class.make(tmp_path, ["ada", "dan"])
    run = begin("submissions", "--unsafe-local", "--rubric", rubric(tmp_path), "--time-scale", "40", "-j", "1")
    run.await_line("/2] ada")
    graded = run.end(number)
    assert graded.code == 4, graded.text
    assert "the same command goes on" in graded.text
    assert graded.table() == {"ada": ("graded", "40.0"), "dan": ("not graded", "")}, graded.text
    assert not (graded.out / "dan").exists()
    assert (graded.out / "ada" / "report.html").exists()


def test_who_handed_in_nothing_has_nothing(tmp_path: Path) -> None:
    demo_class.make(tmp_path, ["jon"])
    roster = demo_class.roster(tmp_path, ["jon", "ada"])
    graded = grade_class(
        tmp_path, "submissions", "--unsafe-local", "--rubric", rubric(tmp_path), "--roster", str(roster)
    )
    assert graded.code == 0, graded.text
    assert graded.table() == {"jon": ("refused", "0.0"), "ada": ("missing", "0.0")}, graded.text


def test_what_cannot_be_reached_is_nobodys_fault(tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "leo.git").write_text((tmp_path / "nothing-here").as_uri())
    graded = grade_class(tmp_path, "submissions", "--unsafe-local", "--rubric", rubric(tmp_path))
    assert graded.code == 1, graded.text
    assert graded.table() == {"leo": ("not graded", "")}, graded.text
    assert graded.grade("leo")["points"] is None
    assert "the same command tries again" in graded.text


def test_portuguese(tmp_path: Path) -> None:
    demo_class.make(tmp_path, ["jon"])
    given = ("submissions", "--unsafe-local", "--rubric", rubric(tmp_path), "--lang", "pt_BR")
    graded = grade_class(tmp_path, *given)
    assert "não há nada" in graded.grade("jon")["words"], graded.text
    assert '<html lang="pt-BR">' in (graded.out / "index.html").read_text(encoding="utf-8")
    assert graded.rows()[0]["state"] == "refused", "what programs read is the same"


# --- wrong words ---


def test_without_an_engine_it_offers_the_weaker_mode_and_does_not_take_it(tmp_path: Path) -> None:
    demo_class.make(tmp_path, ["ada"])
    graded = grade_class(tmp_path, "submissions", env={"DOCKER_HOST": f"unix://{tmp_path}/no-engine"})
    assert graded.code == 2, graded.text
    assert "no container engine answers" in graded.text and "--unsafe-local" in graded.text, graded.text
    assert not graded.out.exists(), "nothing was run"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "SUBMISSIONS is due"),
        (("no-such-folder", "--unsafe-local"), "no-such-folder: No such file"),
        (("submissions", "--again", "zoe"), "--again: there is no student zoe"),
        (("submissions", "-j", "0"), "-j, --attempt, --deadline and --time-scale are above 0"),
        (("submissions", "--only", "NOPE-*"), "the rubric gives points for nothing"),
        (("submissions", "--export", "classroom50"), "--export classroom50 takes --classroom and --assignment"),
        (("submissions", "--nonsense"), "unrecognized arguments: --nonsense"),
    ],
)
def test_usage(tmp_path: Path, given: tuple[str, ...], said: str) -> None:
    demo_class.make(tmp_path, ["jon"])
    graded = grade_class(tmp_path, *given)
    assert graded.code == 2, graded.text
    assert said in graded.text, graded.text


def test_the_rubric_is_explained(tmp_path: Path) -> None:
    graded = grade_class(tmp_path, "--explain", "--rubric", rubric(tmp_path))
    assert graded.code == 0, graded.text
    assert "40 points in all, for server." in graded.text
    assert re.search(r"20\.00  AUTH-16 +A server MUST", graded.text), graded.text
