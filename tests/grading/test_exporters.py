# SPDX-License-Identifier: MIT
"""Each exporter against the shape that its system documents (shapes/), and what no system must get."""

from __future__ import annotations

import csv
import io
import json
from argparse import Namespace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from conftest import HERE
from prosa_conformance.outcome import UsageError
from prosa_grading import assignment, exporters, points, rubric
from prosa_grading.exporters import autolab, classroom50, gradescope, junit, moodle, prairielearn
from prosa_grading.grade import Grade, Origin, State
from prosa_grading.results import Folder

ASKED = assignment.ask(rubric.Rubric(("server",), {"L0": 0.5, "L1": 30.0, "L2": 9.5}, {}))
AT = "2026-11-30T07:00:00+00:00"


def grade(student: str, share: float, state: State = State.GRADED) -> Grade:
    """Of somebody who keeps this share of all clauses, from the first on."""
    due = [clause for clauses in ASKED.due.values() for clause in clauses]
    kept = round(share * len(due))
    tests = [{"clauses": [one], "verdict": "pass" if n < kept else "fail"} for n, one in enumerate(due)]
    return Grade(
        student, student.title(), state, "said in one sentence", points.shares(tests, ASKED), 61.7,
        origin=Origin(content="c" * 64), rubric="r", at=AT,
    )  # fmt: skip


ADA, BOB, CID, DAN = (
    grade("ada", 1.0), grade("bob", 0.6), grade("cid", 0.0, State.NOT_BUILT), grade("dan", 1.0, State.NOT_GRADED),
)  # fmt: skip


def fits(text: str, shape: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(text)
    schema = json.loads((HERE / "shapes" / f"{shape}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(made, schema)
    return made


@pytest.mark.parametrize("one", [ADA, BOB, CID], ids=lambda one: one.student)
def test_gradescope(one: Grade) -> None:
    made = fits(gradescope.results(one), "gradescope")
    assert made["score"] == one.points
    assert sum(test["score"] for test in made["tests"]) == pytest.approx(one.points, abs=0.02)
    assert sum(test["max_score"] for test in made["tests"]) == one.max == 40
    assert [test["tags"] for test in made["tests"]] == [["L0"], ["L1"], ["L2"]]
    for test in made["tests"]:
        assert (test["status"] == "passed") == (test["score"] == test["max_score"]) == (not test["output"]), test


def test_gradescope_quotes_what_is_broken() -> None:
    made = json.loads(gradescope.results(CID))
    assert any("AUTH-16 broken: " in test["output"] for test in made["tests"])


@pytest.mark.parametrize("one", [ADA, BOB, CID], ids=lambda one: one.student)
def test_classroom50(one: Grade, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL", "REVIEW_URL"):
        monkeypatch.delenv(name, raising=False)
    made = fits(classroom50.result(one, "sockets", "chat"), "classroom50")
    assert (made["classroom"], made["assignment"], made["submission"]) == ("sockets", "chat", one.student)
    assert made["datetime"] == "2026-11-30T07:00:00Z"
    for key in ("score", "max-score"):
        assert made[key] == sum(test[key] for test in made["tests"])
    assert all(test["score"] <= test["max-score"] for test in made["tests"])
    assert made["score"] <= made["max-score"]


def test_classroom50_where_its_runner_tells_of_the_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"SUBMISSION_TAG": "submit/1", "COMMIT_URL": "c", "RELEASE_URL": "r", "REVIEW_URL": "v"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    made = fits(classroom50.result(ADA, "sockets", "chat"), "classroom50")
    assert [made[key] for key in ("submission", "commit", "release", "review")] == ["submit/1", "c", "r", "v"]


@pytest.mark.parametrize(("one", "score"), [(ADA, 1), (CID, 0)], ids=("ada", "cid"))
def test_prairielearn(one: Grade, score: float) -> None:
    made = fits(prairielearn.results(one), "prairielearn")
    assert made["score"] == score
    assert sum(test["max_points"] for test in made["tests"]) == 40


def test_autolab_reads_the_last_line() -> None:
    line = autolab.last_line(ADA)
    assert "\n" not in line
    assert json.loads(line) == {"scores": {"L0": 0.5, "L1": 30.0, "L2": 9.5}}


def test_junit_of_a_class() -> None:
    root = ElementTree.fromstring(junit.document([ADA, BOB, CID, DAN]))
    suites = {suite.get("name"): suite for suite in root.findall("testsuite")}
    assert list(suites) == ["ada", "bob", "cid", "dan"]
    for suite in suites.values():
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert suite.get("errors") == str(len(suite.findall("testcase/error")))
    assert suites["ada"].get("failures") == "0"
    assert suites["cid"].get("failures") == suites["cid"].get("tests") != "0"
    assert (suites["dan"].get("tests"), suites["dan"].get("errors")) == ("1", "1"), "no failure of a student's"


# --- Moodle ---

ENGLISH = (
    'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",'
    '"Last modified (submission)","Last modified (grade)","Feedback comments"\n'
    '"Participant 4711","Ada Álvares",ada@example.com,"Submitted for grading",,100.00,Yes,"Sunday, 1:00",-,\n'
    '"Participant 4712","Bob, Braga",bob@example.com,"No submission",,100.00,Yes,-,-,"see me"\n'
    '"Participant 4713",Zoe,zoe@example.com,"No submission",12.00,100.00,Yes,-,-,\n'
)
PORTUGUESE = (
    "\ufeffIdentificador;Nome completo;Número de identificação;Status;Nota;Nota máxima;Nota pode ser alterada;"
    "Última modificação (envio);Última modificação (nota);Comentários de feedback\n"
    "Participante 1;Ada Álvares;ada;Enviado;;10,00;Sim;-;-;\n"
    "Participante 2;Dan Dias;dan;Enviado;7,00;10,00;Sim;-;-;\n"
)


def sheet(tmp_path: Path, text: str) -> moodle.Worksheet:
    path = tmp_path / "Notas.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return moodle.read(path)


def cells(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))


def test_moodle_gets_grades_and_nothing_else(tmp_path: Path) -> None:
    mail = {"ada": "4711", "bob": "bob@example.com"}
    one, other = (grade(mail[name], share) for name, share in (("ada", 1.0), ("bob", 0.6)))
    text, nowhere = moodle.filled(sheet(tmp_path, ENGLISH), [one, other])
    before, after = cells(ENGLISH), cells(text)
    place = before[0].index("Grade")
    assert [row[place] for row in after[1:]] == ["100.00", f"{100 * other.points / 40:.2f}", "12.00"]
    for row in (*before, *after):
        row[place] = ""
    assert after == before, "all else is as it was"
    assert not nowhere


def test_moodle_in_portuguese(tmp_path: Path) -> None:
    text, nowhere = moodle.filled(sheet(tmp_path, PORTUGUESE), [ADA, BOB, DAN])
    assert text.startswith("\ufeffIdentificador;"), "its mark at the beginning, and its delimiter"
    assert [row[4] for row in cells(text, ";")[1:]] == ["10,00", "7,00"], "who is not graded keeps what is there"
    assert nowhere == ["bob"]


@pytest.mark.parametrize("name", ["Identifier", "Grade", "Last modified (grade)"])
def test_no_worksheet_is_made_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="row 1: there is no column"):
        sheet(tmp_path, ENGLISH.replace(name, "Other", 1))
    with pytest.raises(UsageError, match="No such file"):
        moodle.read(tmp_path / "not-there.csv")


# --- all of them ---


def test_who_is_not_graded_is_exported_to_nobody(tmp_path: Path) -> None:
    options = Namespace(export=[*exporters.PER_STUDENT], moodle=None, classroom="sockets", assignment="chat")
    folder = Folder(tmp_path)
    for exporter in exporters.wanted(options):
        exporter.write([ADA, grade("dan", 1.0)], folder)
        exporter.write([ADA, DAN], folder)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    due = {f"exports/{name}/ada/{file}" for name, (file, _make) in exporters.PER_STUDENT.items()}
    assert files == due, "and an older one is gone"
