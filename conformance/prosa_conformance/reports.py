# SPDX-License-Identifier: MIT
"""The results as files: JUnit XML for other tools, JSON for ours, captures for Wireshark."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

from prosa_conformance import __version__, explain, pcap
from prosa_conformance.case import Settings
from prosa_conformance.outcome import Result, Verdict
from prosa_conformance.terminal import clause_counts

SCHEMA = "prosa-conformance/result/1"
NOT_RUN = (Verdict.UNSUPPORTED, Verdict.NOT_APPLICABLE, Verdict.SKIPPED)


def write_json(path: Path, settings: Settings, results: Sequence[Result], seconds: float, code: int) -> None:
    shown, broken = clause_counts(results)
    counts = Counter(result.verdict for result in results)
    table = {
        "schema": SCHEMA,
        "suite": __version__,
        "subject": settings.subject.name,
        "language": settings.subject.language,
        "level": settings.level,
        "features": list(settings.subject.features),
        "seed": settings.seed,
        "seconds": round(seconds, 3),
        "exit": int(code),
        "clauses": {"shown": sorted(shown), "broken": broken},
        "verdicts": {verdict.value: counts[verdict] for verdict in Verdict},
        "tests": [asdict(result) for result in results],
    }
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_junit(path: Path, settings: Settings, results: Sequence[Result], seconds: float) -> None:
    counts = Counter(result.verdict for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"PROSA/1 {settings.level}",
        tests=str(len(results)),
        failures=str(counts[Verdict.FAIL]),
        errors=str(counts[Verdict.INCONCLUSIVE]),
        skipped=str(sum(counts[verdict] for verdict in NOT_RUN)),
        time=f"{seconds:.3f}",
    )
    for result in results:
        suite.append(_testcase(result))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def write_captures(folder: Path, captures: Mapping[str, list[pcap.Conversation]]) -> None:
    """A pcap file for each test that had a connection, by its name; those of an earlier run go."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for test, conversations in captures.items():
        name = re.sub(r"[^A-Za-z0-9_-]+", ".", test).strip(".")[:120]
        pcap.write(folder / f"{name}.pcap", conversations)


def _testcase(result: Result) -> ElementTree.Element:
    file, _, name = result.test.partition("::")
    case = ElementTree.Element("testcase", classname=file, name=name or file, time=f"{result.seconds:.3f}")
    properties = ElementTree.SubElement(case, "properties")
    for clause in result.clauses:
        ElementTree.SubElement(properties, "property", name="clause", value=clause)
    ElementTree.SubElement(properties, "property", name="verdict", value=result.verdict.value)
    message = _printable(result.reason)
    if result.verdict is Verdict.FAIL:
        failure = ElementTree.SubElement(case, "failure", message=message)
        failure.text = _printable(explain.text(result.failure)) if result.failure else message
    elif result.verdict is Verdict.INCONCLUSIVE:
        ElementTree.SubElement(case, "error", message=message)
    elif result.verdict in NOT_RUN:
        ElementTree.SubElement(case, "skipped", message=f"{result.verdict.value}: {message}")
    return case


def _printable(words: str) -> str:
    """XML 1.0 has no place for most control characters."""
    return "".join(character if character >= " " or character in "\n\t" else "?" for character in words)
