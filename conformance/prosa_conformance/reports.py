# SPDX-License-Identifier: MIT
"""The results as files: a page for people, JUnit XML and JSON for tools, captures for Wireshark."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from prosa_conformance import __version__, explain, pcap
from prosa_conformance.case import Settings
from prosa_conformance.language import _, chosen
from prosa_conformance.outcome import Result, Standing, Verdict, not_kept, standings
from prosa_conformance.terminal import closing_words
from prosa_conformance.visible import visible

SCHEMA = "prosa-conformance/result/1"
NOT_RUN = (Verdict.UNSUPPORTED, Verdict.NOT_APPLICABLE, Verdict.SKIPPED)
FILES = ("junit.xml", "result.json", "report.html")
CAPTURES = "pcap"


@dataclass(frozen=True)
class Outcome:
    """All that a run came to."""

    settings: Settings
    roles: Sequence[str]
    results: Sequence[Result]
    seconds: float
    code: int
    captures: Mapping[str, list[pcap.Conversation]] = field(default_factory=dict)
    trouble: Sequence[str] = ()  # faults of the suite itself


def clear(folder: Path) -> None:
    """Take an earlier run's reports away, so that nobody reads them as this one's."""
    for name in FILES:
        with contextlib.suppress(OSError):  # writing will tell
            (folder / name).unlink()
    shutil.rmtree(folder / CAPTURES, ignore_errors=True)


def write(folder: Path, outcome: Outcome) -> str:
    """Write all reports; what could not be written, in words."""
    folder.mkdir(parents=True, exist_ok=True)
    write_captures(folder / CAPTURES, outcome.captures)
    write_junit(folder / "junit.xml", outcome)
    made = table(outcome)
    (folder / "result.json").write_text(as_json(made), encoding="utf-8")
    try:
        from prosa_conformance import html  # only here: whoever lacks jinja2 has all the rest
    except ModuleNotFoundError as error:
        missing = _("report.html is not there, because Python's {module} is not installed (python3-{module} of Debian)")
        return missing.format(module=error.name)
    (folder / "report.html").write_text(html.page(made), encoding="utf-8")
    return ""


def as_json(made: Mapping[str, Any]) -> str:
    """As text; half a surrogate pair, which is no character, stays the escape that it came as."""
    words = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    return words.encode("utf-8", errors="backslashreplace").decode("utf-8")


def table(outcome: Outcome) -> dict[str, Any]:
    """What result.json holds (see result.schema.json); the page is made of it alone."""
    settings, results = outcome.settings, outcome.results
    shown = standings(results)
    broken = not_kept(shown)
    counts = Counter(result.verdict for result in results)
    known = sum(1 for result in results if result.known)
    return {
        "schema": SCHEMA,
        "suite": __version__,
        "lang": chosen(),
        "subject": settings.subject.name,
        "language": settings.subject.language,
        "transport": settings.transport,
        "level": settings.level,
        "features": list(settings.subject.features),
        "roles": list(outcome.roles),
        "seed": settings.seed,
        "seconds": round(outcome.seconds, 3),
        "exit": int(outcome.code),
        "sentence": closing_words(settings, outcome.code, broken, known),
        "clauses": {
            "shown": sorted(shown),
            "broken": broken,
            "known": [clause for clause in broken if shown[clause] is Standing.KNOWN],
        },
        "trouble": list(outcome.trouble),
        "verdicts": {verdict.value: counts[verdict] for verdict in Verdict},
        "tests": [_test(result, outcome.captures) for result in results],
    }


def _test(result: Result, captures: Mapping[str, object]) -> dict[str, Any]:
    entry = asdict(result)
    entry["seconds"] = round(result.seconds, 3)
    entry["pcap"] = capture_name(result.test) if result.test in captures else ""
    return entry


def write_junit(path: Path, outcome: Outcome) -> None:
    cases = [_testcase(result) for result in outcome.results]
    cases += [_broken_suite(words) for words in outcome.trouble]
    suite = ElementTree.Element(
        "testsuite",
        name=f"PROSA/1 {outcome.settings.level}",
        tests=str(len(cases)),
        failures=_count(cases, "failure"),
        errors=_count(cases, "error"),
        skipped=_count(cases, "skipped"),
        time=f"{outcome.seconds:.3f}",
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _count(cases: Sequence[ElementTree.Element], name: str) -> str:
    return str(sum(1 for case in cases if case.find(name) is not None))


def write_captures(folder: Path, captures: Mapping[str, list[pcap.Conversation]]) -> None:
    """A pcap file for each test that had a connection, by its name."""
    folder.mkdir()
    for test, conversations in captures.items():
        pcap.write(folder / capture_name(test), conversations)


def capture_name(test: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", ".", test).strip(".")[:120] + ".pcap"


def _testcase(result: Result) -> ElementTree.Element:
    file, _separator, name = result.test.partition("::")
    case = ElementTree.Element("testcase", classname=file, name=name or file, time=f"{result.seconds:.3f}")
    properties = ElementTree.SubElement(case, "properties")
    for clause in result.clauses:
        ElementTree.SubElement(properties, "property", name="clause", value=clause)
    ElementTree.SubElement(properties, "property", name="verdict", value=result.verdict.value)
    message = visible(result.reason)
    if result.verdict is Verdict.FAIL:
        failure = ElementTree.SubElement(case, "failure", message=message)
        failure.text = visible(explain.text(result.failure)) if result.failure else message
    elif result.verdict is Verdict.INCONCLUSIVE:
        ElementTree.SubElement(case, "error", message=message)
    elif result.verdict in NOT_RUN:
        ElementTree.SubElement(case, "skipped", message=f"{result.verdict.value}: {message}")
    return case


def _broken_suite(words: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="suite", name="the suite itself")
    ElementTree.SubElement(case, "error", message="the suite itself broke").text = visible(words)
    return case
