# SPDX-License-Identifier: MIT
"""One run: preflight, pytest, the reports, and the exit code."""

from __future__ import annotations

import inspect
import os
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from prosa_conformance import explain, preflight, reports
from prosa_conformance.case import Settings
from prosa_conformance.clauses import all_clauses, plain
from prosa_conformance.contract import FEATURES, KnownFailure
from prosa_conformance.language import _
from prosa_conformance.outcome import Exit, Failure, Result, Verdict
from prosa_conformance.places import SUITE
from prosa_conformance.plugin import CARD, Card, Runner, Selection, matches, test_name
from prosa_conformance.reports import Outcome
from prosa_conformance.terminal import Terminal
from prosa_conformance.transport import ROLES_OF

SHOWING = (Verdict.PASS, Verdict.NON_STRICT, Verdict.FAIL)


@dataclass
class Run:
    settings: Settings
    selection: Selection
    strict: bool
    report: Path
    terminal: Terminal
    jobs: int = 1
    stop_first: bool = False
    results: list[Result] = field(default_factory=list)

    def list_tests(self) -> int:
        """Print what would run."""
        runner = self._runner(lambda: False)
        code = self._pytest(runner) or self._none_selected(runner)
        if code is not None:
            return code
        for item in runner.collected:
            card = item.stash[CARD]
            clauses = " ".join(claim.id for claim in card.claims)
            self.terminal.say(f"{test_name(item):58} {card.level:8} {card.role:7} {clauses}")
        return Exit.CONFORMS

    def cards(self) -> list[Card]:
        """What the marks of the chosen tests say, in the order of the tests; none when they cannot be collected."""
        runner = self._runner(lambda: False)
        self._pytest(runner)
        return [item.stash[CARD] for item in runner.collected]

    def explain_clause(self, identity: str) -> int:
        """Print a clause, and what its tests do."""
        runner = self._runner(lambda: False)
        code = self._pytest(runner)
        if code is not None:
            return code
        clause = all_clauses()[identity]
        self.terminal.say(textwrap.fill(f"[{clause.id}] {plain(clause.text)}", explain.WIDTH))
        self.terminal.say(f"({clause.file}:{clause.line}; {clause.who}, {clause.level}, {clause.testability})\n")
        cases = Counter(test_name(item).partition("[")[0] for item in runner.collected)
        docs = {test_name(item).partition("[")[0]: inspect.getdoc(item.obj) or "" for item in runner.collected}
        for name, count in cases.items():
            self.terminal.say(f"  {name}" + (" " + _("({count} cases)").format(count=count) if count > 1 else ""))
            if docs[name]:
                self.terminal.say(textwrap.indent(textwrap.fill(docs[name], explain.WIDTH - 6), 6 * " "))
        words = _("To run them: --only {clause}") if cases else _("No test shows it.")
        self.terminal.say(words.format(clause=identity))
        return Exit.CONFORMS

    def execute(self) -> int:
        """Run the chosen tests and tell about them."""
        started = time.monotonic()
        reports.clear(self.report)
        refused: list[int] = []

        def begin() -> bool:
            code = self._untested_level(runner) or self._not_started(runner)
            refused.extend([code] if code else [])
            return not refused

        runner = self._runner(begin)
        code = self._pytest(runner) or self._none_selected(runner)
        if Exit.NOT_STARTED in refused:
            self._write_reports(time.monotonic() - started, Exit.NOT_STARTED, runner)
        if refused or (code is not None and not runner.results):
            return refused[0] if refused else code or Exit.HARNESS
        self.results = [*runner.results, *(self._promises_not_kept(runner.results) if runner.is_whole else [])]
        seconds = time.monotonic() - started
        verdict = self._exit_code(runner) if code is None else code
        self.terminal.failures(self.results)
        self.terminal.harness_errors(runner.harness_errors)
        self.terminal.summary(self.settings, self.results, seconds, verdict)
        self._write_reports(seconds, verdict, runner)
        return verdict

    # --- pytest ---

    def _runner(self, begin: Callable[[], bool]) -> Runner:
        tell = self.terminal
        jobs, stop_first = self.jobs, self.stop_first
        return Runner(self.settings, self.selection, self.strict, begin, tell.progress, tell.count, jobs, stop_first)

    def _pytest(self, runner: Runner) -> int | None:
        """None when tests were collected (and run); else the exit code of the whole run."""
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ.pop("PYTEST_ADDOPTS", None)  # of the person's own tests
        words = [str(SUITE), "-c", str(SUITE / "pytest.ini"), f"--rootdir={SUITE}", "--assert=plain", "--capture=no"]
        for plugin in ("terminal", "cacheprovider", "junitxml", "nose", "doctest"):
            words += ["-p", f"no:{plugin}"]
        if self.selection.keyword:
            words += ["-k", self.selection.keyword]
        code = pytest.main(words, plugins=[runner])
        if code == pytest.ExitCode.INTERRUPTED and not runner.harness_errors:
            self.terminal.problem(_("interrupted"))
            return Exit.HARNESS
        if code == pytest.ExitCode.USAGE_ERROR:
            unclear = _("pytest does not understand -k {expression!r}")
            self.terminal.problem(unclear.format(expression=self.selection.keyword))
            return Exit.USAGE
        if runner.harness_errors and not runner.results:
            self.terminal.harness_errors(runner.harness_errors)
            return Exit.HARNESS
        return None

    def _none_selected(self, runner: Runner) -> int | None:
        if runner.collected:
            return None
        self.terminal.problem(_("no test selected"))
        return Exit.USAGE

    def _not_started(self, runner: Runner) -> int | None:
        """The header, and what the preflight has to say."""
        self.terminal.header(self.settings, len(runner.collected), self.selection.roles)
        trouble = preflight.check(self.settings, self.selection.roles)
        if trouble is None:
            return None
        words = _("the implementation did not start, and no test was run.")
        self.terminal.problem(f"{words}\n\n{explain.text(trouble)}")
        self.results = [Result("preflight", (), "contract", "", Verdict.FAIL, 0.0, trouble.sentence, failure=trouble)]
        return Exit.NOT_STARTED

    def _untested_level(self, runner: Runner) -> int | None:
        """A level without any test of its own cannot be conformed to."""
        if not self.selection.whole:
            return None
        level = self.settings.level
        if any(item.stash[CARD].level == level for item in runner.collected):
            return None
        words = _("no test selected: there is none of {level} for {roles}")
        self.terminal.problem(words.format(level=level, roles=", ".join(self.selection.roles)))
        return Exit.USAGE

    # --- judging the whole ---

    def _exit_code(self, runner: Runner) -> int:
        if any(result.counts_against for result in self.results):
            return Exit.VIOLATES
        if self.strict and any(result.known for result in self.results):
            return Exit.VIOLATES
        if runner.harness_errors or any(result.verdict is Verdict.INCONCLUSIVE for result in self.results):
            return Exit.HARNESS
        if not any(result.verdict in SHOWING for result in self.results):
            self.terminal.problem(_("of the selected tests none could be run here"))
            return Exit.USAGE
        return Exit.CONFORMS

    def _promises_not_kept(self, results: list[Result]) -> list[Result]:
        """What prosa.toml says and the run does not bear out, as failures."""
        subject = self.settings.subject
        broken = [self._known_failure_fault(known, results) for known in subject.known_failures]
        if self.selection.whole:
            broken += [self._declared_fault(name, results) for name in self._declared()]
        return [
            Result("prosa.toml", (), "contract", "", Verdict.FAIL, 0.0, words, failure=Failure(words))
            for words in broken
            if words
        ]

    def _declared(self) -> list[str]:
        """Levels up to this run's; at the highest, features that have clauses of their own, which liveness has not."""
        subject, highest = self.settings.subject, max(self.settings.subject.levels, default="")
        asked = {clause.level for clause in all_clauses().values()}
        features = [name for name in subject.features if name in asked] if self.settings.level >= highest else []
        has_codecs = "codec" in ROLES_OF[self.settings.transport]
        asked_for = [level for level in self.selection.levels if level != "L0" or has_codecs]
        return [*(level for level in subject.levels if level in asked_for), *features]

    def _known_failure_fault(self, known: KnownFailure, results: list[Result]) -> str:
        meant = [result for result in results if matches(known.pattern, result)]
        whole = self.selection.whole and self.settings.level == max(self.settings.subject.levels)
        if not meant and whole and not self._is_of_another_transport(known.pattern):
            words = _("the known failure {pattern!r} matches no test; take it out of prosa.toml")
            return words.format(pattern=known.pattern)
        ran = [result for result in meant if result.verdict in SHOWING]
        if ran and not any(result.verdict is Verdict.FAIL for result in ran):
            words = _("the known failure {pattern!r} passes; take it out of prosa.toml")
            return words.format(pattern=known.pattern)
        return ""

    def _is_of_another_transport(self, pattern: str) -> bool:
        """Over ZeroMQ there are no tests of clients and codecs; over TCP there are none of bridges."""
        if self.settings.transport != "tcp":
            return True
        bridges = [clause.id for clause in all_clauses().values() if clause.who == "relay"]
        return pattern.startswith(("relay", "feed")) or any(fnmatchcase(name, pattern) for name in bridges)

    def _declared_fault(self, name: str, results: list[Result]) -> str:
        if any(result.level == name and result.verdict in SHOWING for result in results):
            return ""
        feature = _("the feature {name} is declared in prosa.toml, but none of its tests was run")
        level = _("the level {name} is declared in prosa.toml, but none of its tests was run")
        return (feature if name in FEATURES else level).format(name=name)

    def _write_reports(self, seconds: float, code: int, runner: Runner) -> None:
        outcome = Outcome(
            self.settings,
            self.selection.roles,
            self.results,
            seconds,
            code,
            runner.captures,
            runner.harness_errors,
        )
        try:
            trouble = reports.write(self.report, outcome)
        except OSError as error:
            trouble = _("the report could not be written: {error}").format(error=error)
        if trouble:
            self.terminal.problem(trouble)
        else:
            words = _("Report: {page}, beside it junit.xml, result.json and pcap/")
            self.terminal.say(words.format(page=self.report / "report.html"))
