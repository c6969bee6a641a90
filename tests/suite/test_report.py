# SPDX-License-Identifier: MIT
"""The report's files: one model behind all of them, nothing of an earlier run, nothing that steers its reader."""

from __future__ import annotations

import gettext
import json
import subprocess
import sys
import unicodedata
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from conftest import CONFORMANCE, FAST, SOME, Conform, Outcome, faulty, python
from fakes import HOSTILE
from prosa_conformance import html, language, svg
from prosa_conformance.outcome import Result, Standing, Verdict, standings
from prosa_conformance.reports import as_json
from prosa_conformance.transcript import Kind, Transcript

SCHEMA = json.loads((CONFORMANCE / "prosa_conformance" / "result.schema.json").read_text())
FAILED = "handshake::tampered_auth_signature"
GOOD = python("mini_server.py")
MOST_OCTETS = 3_000_000


def check(result: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    faults = [
        f"{fault.json_path}: {fault.message}" for fault in jsonschema.Draft202012Validator(SCHEMA).iter_errors(result)
    ]
    assert not faults, faults


def test_result_follows_its_schema(violating: Outcome) -> None:
    check(violating.result)


def test_events_of_a_failed_test_are_in_the_result(violating: Outcome) -> None:
    events = next(test for test in violating.result["tests"] if test["test"] == FAILED)["failure"]["events"]
    marked = [event for event in events if event["guilty"]]
    assert [event["guilty"]["name"] for event in marked] == ["handshake_sig"], marked
    assert len(bytes.fromhex(marked[0]["octets"])) == marked[0]["size"], "octets are missing"
    assert {"connect", "sent", "received"} <= {event["kind"] for event in events}, events
    assert [event["at"] for event in events] == sorted(event["at"] for event in events), "in order"


def test_page_is_made_of_the_result_alone(violating: Outcome, tmp_path: Path) -> None:
    report = violating.report
    again = subprocess.run(
        [sys.executable, "-m", "prosa_conformance.html", str(report / "result.json")],
        env={"PYTHONPATH": str(CONFORMANCE)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout == (report / "report.html").read_text()


def test_page_speaks_the_language_of_the_run(conform: Conform) -> None:
    outcome = conform("--cmd", faulty("AcceptsAnyAuth"), *SOME, *FAST, "--lang", "pt_BR")
    page = (outcome.report / "report.html").read_text()
    assert '<html lang="pt-BR">' in page
    words = gettext.translation(language.DOMAIN, language.LOCALE, ["pt_BR"]).gettext("What happened")
    assert f"<h3>{words}</h3>" in page, words


# --- what came over the wire ---


def steering(words: str) -> list[str]:
    allowed = "\n\t"
    return [
        hex(ord(c)) for c in words if c not in allowed and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")
    ]


def test_hostile_words_steer_nobody(conform: Conform) -> None:
    outcome = conform("--cmd", python("fakes.py", "hostile"), "-k", "four_frames")
    assert outcome.code == 1, outcome.text
    check(outcome.result)
    page = (outcome.report / "report.html").read_text()
    junit = ElementTree.tostring(ElementTree.parse(outcome.report / "junit.xml").getroot(), encoding="unicode")
    for name, words in (("terminal", outcome.text), ("page", page), ("JUnit", junit)):
        assert not steering(words), f"the {name} lets them through: {steering(words)}"
        assert "txt" in words, f"the {name} does not show them"
    assert "<img" not in page and "document.title=" not in page.replace("document.title=&#39;taken", ""), "not escaped"
    assert page.count("<script>") == 1, "one script: ours"
    assert outcome.result["tests"][0]["failure"]["stderr"].strip() == HOSTILE.strip("\u2028"), (
        "JSON keeps what was said"
    )


def test_half_a_surrogate_pair_breaks_no_report() -> None:
    """JSON lines of a client can bring one: it is no character, and no file can hold it."""
    half = json.loads('"\\ud800"')
    made = table([entry("client_chat::echo", "inconclusive", reason=f"alice got {half}")])
    assert json.loads(as_json(made).encode()) == made, "the JSON text says the same"
    assert b"alice got &lt;U+D800&gt;" in html.page(made).encode()


# --- the accidents of others ---


def test_not_started_is_in_every_report_and_nothing_old_is_left(conform: Conform) -> None:
    """A reader of files must not take the reports of an earlier run for those of a program that did not start."""
    assert conform("--cmd", GOOD, *SOME).code == 0
    outcome = conform("--cmd", python("fakes.py", "ends_at_once"))
    assert outcome.code == 3, outcome.text
    check(outcome.result)
    assert outcome.result["exit"] == 3 and outcome.verdicts() == {"preflight": "fail"}
    assert junit_counts(outcome.report) == {"tests": 1, "failures": 1, "errors": 0, "skipped": 0}
    assert "did not start" in (outcome.report / "report.html").read_text()
    assert not list((outcome.report / "pcap").iterdir()), "a capture of the earlier run"


def test_usage_error_in_the_run_leaves_no_old_report(conform: Conform) -> None:
    assert conform("--cmd", GOOD, *SOME).code == 0
    outcome = conform("--cmd", GOOD, "-k", "no_test_has_this_name")
    assert outcome.code == 2, outcome.text
    assert not outcome.report.exists() or not list(outcome.report.iterdir()), "the reports of another run"


def test_broken_suite_is_an_error_in_junit(conform: Conform, tmp_path: Path) -> None:
    """A fault of the suite is no failure of the program, and no silence either."""
    (tmp_path / "sitecustomize.py").write_text(
        "import prosa_conformance.peer as peer\n"
        "def broken(self, *words, **fields): raise KeyError('injected')\n"
        "peer.Peer.make_auth = broken\n"
    )
    outcome = conform("--cmd", GOOD, *SOME, env={"PYTHONPATH": f"{tmp_path}:{CONFORMANCE}"})
    counts = junit_counts(outcome.report)
    assert outcome.code == 4 and counts["errors"] > 0 and counts["failures"] == 0, counts
    check(outcome.result)
    assert "injected" in (outcome.report / "report.html").read_text()


def test_more_failures_than_an_exit_code_can_count(conform: Conform) -> None:
    """256 failures are 0 to a shell, if they are the exit code."""
    outcome = conform(
        "--codec-cmd", python("fakes.py", "knows_nothing"), "--level", "L0", "-k", "unknown_request or field"
    )
    failed = outcome.result["verdicts"]["fail"]
    assert failed > 256 and outcome.code == 1, f"{failed} failed, exit code {outcome.code}"
    assert junit_counts(outcome.report)["failures"] == failed
    check(outcome.result)
    size = (outcome.report / "report.html").stat().st_size
    assert size < MOST_OCTETS, f"{failed} failures make a page of {size} octets"


@pytest.mark.parametrize("fake", ["crashes_on_first_octet", "crashes_with_words"])
def test_crash_is_a_failure_in_every_report(conform: Conform, fake: str) -> None:
    outcome = conform("--cmd", python("fakes.py", fake), "-k", "four_frames", *FAST)
    assert outcome.code == 1, outcome.text
    assert junit_counts(outcome.report) == {"tests": 1, "failures": 1, "errors": 0, "skipped": 0}
    assert outcome.result["verdicts"]["fail"] == 1 and outcome.result["verdicts"]["pass"] == 0
    assert "does not conform" in (outcome.report / "report.html").read_text()


def test_without_jinja2_all_but_the_page_is_there(conform: Conform, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['jinja2'] = None\n")
    outcome = conform("--cmd", GOOD, *SOME, env={"PYTHONPATH": f"{tmp_path}:{CONFORMANCE}"})
    assert outcome.code == 0, outcome.text
    assert "jinja2" in outcome.text and "Traceback" not in outcome.text, outcome.text
    assert (outcome.report / "junit.xml").exists() and not (outcome.report / "report.html").exists()


def junit_counts(report: Path) -> dict[str, int]:
    """What the head of the file says; that it is what the cases say is checked here."""
    suite = ElementTree.parse(report / "junit.xml").getroot()[0]
    counted = {name: int(suite.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped")}
    cases = suite.findall("testcase")
    found = {
        f"{name}s" if name != "skipped" else name: len([case for case in cases if case.find(name) is not None])
        for name in ("failure", "error", "skipped")
    }
    assert counted == {"tests": len(cases), **found}, counted
    return counted


# --- the picture ---


def test_picture_tells_the_ends_of_a_connection_apart() -> None:
    """FIN and RST of either side, and the fault, each in words and in a form of its own."""
    kinds = ("connect", "sent", "received", "fin", "shut", "reset", "abort", "close")
    events = [event(kind, number / 10) for number, kind in enumerate(kinds)]
    events[1]["guilty"] = {"offset": 0, "length": 1, "name": "author_sig"}
    drawn = svg.draw(events, "server", "it failed", "x")
    words = ElementTree.fromstring(drawn)
    told = ["".join(element.itertext()) for element in words.iter("text")]
    for ending in ("FIN: the end of the stream", "FIN: sends no more", "closes (FIN)", "RST: resets the connection"):
        assert ending in told, told
    assert "\u2717 RST: the connection is reset" in told and "\u2717 fault: author_sig" in told, told
    assert drawn.count('class="bar"') == 3 and drawn.count('class="cross') == 2, "three FIN, two RST"


def test_picture_of_a_long_test_is_folded() -> None:
    transcript = Transcript()
    for number in range(5000):
        transcript.add("mallory", Kind.SENT, f"PUBLISH {{counter={number}}}", b"PR")
        transcript.add("alice", Kind.RECEIVED, "PONG", b"PR")
        transcript.add("alice", Kind.RECEIVED, "PONG", b"PR")
    moments = [asdict(moment) for moment in transcript.moments()]
    drawn = svg.draw(moments, "server", "it failed", "x")
    assert 'PONG</tspan><tspan class="soft"> (2 times)' in drawn, "a row of equal events is one arrow"
    assert "events left out" in drawn and "counter=0}" in drawn and "counter=4999}" in drawn
    assert sum(moment["times"] for moment in moments) == 15000, "every event is counted"
    assert len(moments) < 100, "few are drawn"


def event(kind: str, at: float) -> dict[str, Any]:
    usual = {"actor": "mallory", "what": "PUBLISH {counter=1}", "times": 1, "octets": "", "size": 0, "guilty": None}
    return {"kind": kind, "at": at, **usual}


# --- standings and size ---


@pytest.mark.parametrize(
    ("verdicts", "standing"),
    [
        (["pass"], Standing.KEPT),
        (["non-strict"], Standing.KEPT),
        (["pass", "fail"], Standing.BROKEN),
        (["fail", "pass"], Standing.BROKEN),
        (["known", "pass"], Standing.KNOWN),
        (["pass", "known"], Standing.KNOWN),
        (["known", "fail"], Standing.BROKEN),
        (["fail", "known"], Standing.BROKEN),
        (["skipped", "inconclusive", "unsupported"], None),
    ],
)
def test_standing_of_a_clause(verdicts: list[str], standing: Standing | None) -> None:
    results = [
        Result("a::b", ("MSG-03",), "server", "L1", Verdict.FAIL, 0.0, known="is mended next week")
        if word == "known"
        else Result("a::b", ("MSG-03",), "server", "L1", Verdict(word), 0.0)
        for word in verdicts
    ]
    assert standings(results).get("MSG-03") is standing


def test_page_of_many_good_tests_is_small() -> None:
    steps = [
        f"{number:3}. [  0.{number:03} s] alice gets DELIVER {{nick=alice, counter=1, text='hello'}}"
        for number in range(10)
    ]
    others = [entry(f"wire::test_number_{number}", "pass", steps=steps) for number in range(750)]
    vectors = [entry(f"codec::vector[frame-malformed-{number:04}]", "pass") for number in range(1250)]
    assert len(html.page(table(others + vectors)).encode()) < MOST_OCTETS


def entry(test: str, verdict: str, **changes: Any) -> dict[str, Any]:
    """A test of a result.json."""
    usual = {
        "clauses": ["MSG-03", "WIRE-20"],
        "role": "server",
        "level": "L1",
        "seconds": 0.1,
        "notes": [],
        "known": "",
    }
    return {
        "test": test,
        "verdict": verdict,
        "reason": "",
        "failure": None,
        "steps": [],
        "pcap": "",
        **usual,
        **changes,
    }


def table(tests: list[dict[str, Any]]) -> dict[str, Any]:
    """A whole result.json."""
    verdicts = {verdict.value: sum(1 for test in tests if test["verdict"] == verdict) for verdict in Verdict}
    head = {"schema": "prosa-conformance/result/1", "suite": "0", "lang": "en", "subject": "a server", "language": ""}
    head |= {"transport": "tcp"}
    head |= {"level": "L1", "features": [], "roles": ["server"], "seed": 1, "seconds": 1.0, "exit": 1, "sentence": ""}
    clauses = {"shown": ["MSG-03"], "broken": [], "known": []}
    return {**head, "clauses": clauses, "trouble": [], "verdicts": verdicts, "tests": tests}
