# SPDX-License-Identifier: MIT
"""The report as one page that needs no network, made of result.json alone.

    python -m prosa_conformance.html result.json > report.html

templates/ has its form; here is what it shows. All that came over the wire passes `visible` and is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from prosa_conformance import language
from prosa_conformance.clauses import ZMQ, Clause, all_clauses, plain
from prosa_conformance.contract import FEATURES, LEVELS
from prosa_conformance.course import Course, Table, course
from prosa_conformance.language import N_, _, ngettext
from prosa_conformance.outcome import Standing, Verdict
from prosa_conformance.places import PACKAGE
from prosa_conformance.terminal import ROLES
from prosa_conformance.visible import visible

TEMPLATES = PACKAGE / "templates"

CASES_AT_LENGTH = 3  # of one test that failed with many parameters
MOST_LISTED = 12  # tests that passed, in a clause's list
TRANSPORT_NAMES = {"tcp": "TCP", "zmq": "ZeroMQ"}
VECTORS = "codec"  # the file whose tests are a line each
STEP = re.compile(r"\s*(\d+)\. \[ *([\d.]+) s\] (.*)", re.DOTALL)

# By standing or verdict: the sign, the style, and the word for it.
SIGNS = {
    Standing.KEPT: ("\u2713", "kept", N_("kept")),
    Standing.BROKEN: ("\u2717", "broken", N_("broken")),
    Standing.KNOWN: ("!", "known", N_("known failure")),
    Standing.NOT_SHOWN: ("\u2013", "none", N_("not shown")),
    Verdict.PASS: ("\u2713", "kept", N_("pass")),
    Verdict.NON_STRICT: ("\u2248", "kept", N_("non-strict")),
    Verdict.FAIL: ("\u2717", "broken", N_("fail")),
    Verdict.UNSUPPORTED: ("\u2013", "none", N_("unsupported")),
    Verdict.NOT_APPLICABLE: ("\u2013", "none", N_("not applicable")),
    Verdict.SKIPPED: ("\u2013", "none", N_("skipped")),
    Verdict.INCONCLUSIVE: ("?", "known", N_("inconclusive")),
}
LEVEL_NAMES = {
    "L0": N_("wire"), "L1": N_("sync"), "L2": N_("async"), "L3": N_("group"), "L4": N_("flood"),
    "ZMQ": N_("bridge"),
}  # fmt: skip


@dataclass(frozen=True)
class Sign:
    sign: str
    style: str
    word: str

    @classmethod
    def of(cls, what: Standing | Verdict) -> Sign:
        sign, style, word = SIGNS[what]
        return cls(sign, style, _(word))


@dataclass
class Test:
    """A test as it is shown. `told` is what a failing one's page has beyond its words; without it, `first` is the
    case of the same test that has it."""

    entry: Table
    id: str
    mark: Sign
    told: Course | None = None
    first: Test | None = None

    @property
    def name(self) -> str:
        return str(self.entry["test"])

    @property
    def file(self) -> str:
        return self.name.partition("::")[0]

    @property
    def words(self) -> str:
        """The name of the function as words, the parameters after it."""
        function, bracket, parameters = self.name.rpartition("::")[2].partition("[")
        return function.replace("_", " ") + (f": {parameters.removesuffix(']')}" if bracket else "")

    @property
    def failed(self) -> bool:
        return bool(self.entry["verdict"] == Verdict.FAIL)

    @property
    def failure(self) -> Table:
        return self.entry["failure"] or {}

    @property
    def steps(self) -> list[tuple[str, str, str]]:
        """Number, seconds and words of each step; the line of what is left out has only words."""
        lines = self.failure.get("steps") or self.entry["steps"]
        matches = [(STEP.fullmatch(line), line) for line in lines]
        return [(found[1], found[2], found[3]) if found else ("", "", line.strip()) for found, line in matches]


@dataclass
class Told:
    """A clause and what the tests say of it."""

    clause: Clause
    mark: Sign
    tests: list[Test] = field(default_factory=list)

    @property
    def text(self) -> str:
        return plain(self.clause.text)

    @property
    def number(self) -> str:
        return self.clause.id.rpartition("-")[2]

    @property
    def listed(self) -> list[Test]:
        """Those that did not pass, then some of the others."""
        loud = [test for test in self.tests if test.mark.style != "kept"]
        quiet = [test for test in self.tests if test.mark.style == "kept"]
        return loud + quiet[: max(MOST_LISTED - len(loud), 0)]


@dataclass(frozen=True)
class Level:
    """A row of the matrix: a level or feature, its clauses by area."""

    name: str
    title: str
    areas: dict[str, list[Told]]
    counts: dict[str, int]


def page(table: Table) -> str:
    """The whole report of a result.json."""
    language.choose(table["lang"])
    tests = _tests(table["tests"])
    clauses = _clauses(table, tests)
    script = Markup((TEMPLATES / "script.js").read_text(encoding="utf-8"))
    return environment().get_template("report.html").render(
        table=table,
        lang=table["lang"].replace("_", "-"),
        verdict=_verdict(table),
        facts=_facts(table),
        failures=[test for test in tests if test.failed],
        groups=_groups([test for test in tests if test.failed]),
        files=_files(tests),
        vectors=VECTORS,
        reasons=_reasons(tests),
        clauses=clauses,
        levels=_levels(clauses),
        standings=[(Sign.of(standing), _count(clauses.values(), standing)) for standing in Standing],
        by_name={test.name: test for test in tests},
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )  # fmt: skip


# --- tests ------------------------------------------------------------------------------


def _tests(entries: Sequence[Table]) -> list[Test]:
    used: Counter[str] = Counter()
    cases: dict[str, list[Test]] = defaultdict(list)
    shown = []
    for entry in entries:
        slug = "t-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", entry["test"]).strip("-")
        used[slug] += 1
        identity = slug if used[slug] == 1 else f"{slug}--{used[slug]}"
        test = Test(entry, identity, Sign.of(Standing.KNOWN if entry["known"] else Verdict(entry["verdict"])))
        if test.failed:
            base = test.name.partition("[")[0]
            cases[base].append(test)
            if len(cases[base]) <= CASES_AT_LENGTH:
                test.told = course(test.failure, entry["role"], identity)
            test.first = cases[base][0]
        shown.append(test)
    return shown


def _groups(failures: Sequence[Test]) -> list[list[Test]]:
    """The cases of one test that fail in the same words, together."""
    groups: dict[tuple[str, str, str], list[Test]] = {}
    for test in failures:
        key = (test.name.partition("[")[0], test.entry["reason"], test.mark.style)
        groups.setdefault(key, []).append(test)
    return list(groups.values())


def _files(tests: Sequence[Test]) -> dict[str, list[Test]]:
    files: dict[str, list[Test]] = {}
    for test in tests:
        files.setdefault(test.file, []).append(test)
    return files


def _reasons(tests: Sequence[Test]) -> list[tuple[Sign, str, int]]:
    """Why tests neither passed nor failed, and how many for each reason."""
    quiet = (Verdict.PASS, Verdict.FAIL)
    entries = [test.entry for test in tests if test.entry["verdict"] not in quiet]
    counts = Counter((entry["verdict"], entry["reason"]) for entry in entries)
    return [(Sign.of(Verdict(verdict)), reason, count) for (verdict, reason), count in sorted(counts.items())]


# --- clauses ----------------------------------------------------------------------------


def _clauses(table: Table, tests: Sequence[Test]) -> dict[str, Told]:
    """The clauses of the run's level, features and roles, and whatever a test cites beyond them."""
    by_clause: dict[str, list[Test]] = {}
    for test in tests:
        for identity in test.entry["clauses"]:
            by_clause.setdefault(identity, []).append(test)
    return {
        identity: Told(clause, Sign.of(_standing(table["clauses"], identity)), by_clause.get(identity, []))
        for identity, clause in all_clauses().items()
        if identity in by_clause or _is_due(clause, table)
    }


def _is_due(clause: Clause, table: Table) -> bool:
    levels = [*LEVELS[: LEVELS.index(table["level"]) + 1], *table["features"], ZMQ]
    if clause.level not in levels or clause.testability == "review":
        return False
    if clause.testability == "vector":
        return "codec" in table["roles"]
    return clause.who in ("peer", "program") or clause.who in table["roles"]


def _standing(shown: Table, identity: str) -> Standing:
    if identity in shown["known"]:
        return Standing.KNOWN
    if identity in shown["broken"]:
        return Standing.BROKEN
    return Standing.KEPT if identity in shown["shown"] else Standing.NOT_SHOWN


def _levels(clauses: Mapping[str, Told]) -> list[Level]:
    order = {name: number for number, name in enumerate((*LEVELS, *FEATURES))}
    names = sorted({told.clause.level for told in clauses.values()}, key=lambda name: order.get(name, len(order)))
    return [_level(name, [told for told in clauses.values() if told.clause.level == name]) for name in names]


def _level(name: str, told: Sequence[Told]) -> Level:
    areas: dict[str, list[Told]] = {}
    for one in told:
        areas.setdefault(one.clause.id.rpartition("-")[0], []).append(one)
    counts = Counter(one.mark.word for one in told)
    title = _(LEVEL_NAMES[name]) if name in LEVEL_NAMES else _("feature")
    return Level(name, title, areas, {_(SIGNS[s][2]): counts[_(SIGNS[s][2])] for s in Standing})


def _count(told: Any, standing: Standing) -> int:
    return sum(1 for one in told if one.mark == Sign.of(standing))


# --- the head ---------------------------------------------------------------------------


def _verdict(table: Table) -> tuple[Sign, str]:
    """The whole in one sentence."""
    known = len(table["clauses"]["known"])
    broken = len(table["clauses"]["broken"]) - known
    failed = sum(1 for test in table["tests"] if test["verdict"] == Verdict.FAIL and not test["known"])
    level = table["level"]
    match table["exit"]:
        case 0:
            words = _("It conforms to {level} in all that was tested.").format(level=level)
            if known:
                more = ngettext("One clause is a known failure.", "{count} clauses are known failures.", known)
                words += " " + more.format(count=known)
            return Sign.of(Standing.KEPT), words
        case 1:
            clauses = ngettext("one clause is broken", "{count} clauses are broken", broken).format(count=broken)
            tests = ngettext("one test failed", "{count} tests failed", failed).format(count=failed)
            words = _("It does not conform to {level}: {clauses}, {tests}.")
            return Sign.of(Standing.BROKEN), words.format(level=level, clauses=clauses, tests=tests)
        case 3:
            return Sign.of(Standing.BROKEN), _("It did not start, and no test was run.")
        case 2:
            words = _("There is no verdict: of the selected tests none could be run here.")
            return Sign.of(Verdict.INCONCLUSIVE), words
        case _:
            return Sign.of(Verdict.INCONCLUSIVE), _("There is no verdict: the suite itself broke.")


def _facts(table: Table) -> list[tuple[str, str]]:
    verdicts = [f"{count} {_(SIGNS[Verdict(name)][2])}" for name, count in table["verdicts"].items() if count]
    return [
        (_("Level"), table["level"]),
        (_("Transport"), TRANSPORT_NAMES[table["transport"]]),
        (_("Features"), ", ".join(table["features"]) or "\u2013"),
        (_("Roles"), ", ".join(_(ROLES[role]) for role in table["roles"])),
        (_("Tests"), f"{len(table['tests'])}: {', '.join(verdicts)}"),
        (_("Time"), f"{table['seconds']:.1f} s"),
        (_("Seed"), str(table["seed"])),
        (_("Suite"), table["suite"]),
    ]


# --- the form ---------------------------------------------------------------------------


def environment(*folders: Path) -> jinja2.Environment:
    """For templates in these folders, and in ours."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals.update(_=_, ngettext=ngettext)
    made.filters["prose"] = _prose
    return made


def _prose(words: str) -> Markup:
    """Text of the spec or a hint, where `words like these` are code."""
    parts = visible(words).split("`")
    if len(parts) % 2 == 0:
        return escape(visible(words))
    marked = [
        escape(part) if number % 2 == 0 else Markup("<code>{}</code>").format(part) for number, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def main(words: Sequence[str]) -> int:
    if len(words) != 1:
        print("usage: python -m prosa_conformance.html RESULT.JSON > PAGE.HTML", file=sys.stderr)
        return 2
    made = page(json.loads(Path(words[0]).read_text(encoding="utf-8")))
    sys.stdout.buffer.write(made.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
