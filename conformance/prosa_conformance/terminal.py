# SPDX-License-Identifier: MIT
"""What a run says on the terminal: progress, then failures, then the summary."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from prosa_conformance import __version__, explain
from prosa_conformance.case import Settings
from prosa_conformance.outcome import Exit, Result, Verdict

SIGNS = {
    Verdict.PASS: ".",
    Verdict.NON_STRICT: "n",
    Verdict.FAIL: "F",
    Verdict.UNSUPPORTED: "u",
    Verdict.NOT_APPLICABLE: "-",
    Verdict.SKIPPED: "s",
    Verdict.INCONCLUSIVE: "?",
}
RULE = "=" * 100
WIDTH = 80
MOST_TOLD = 12  # tests whose failure is told at length; the reports have all of them


class Terminal:
    def __init__(self, out: TextIO) -> None:
        self.out = out
        self._file = ""
        self._column = 0

    def say(self, words: str = "") -> None:
        self._write(words + "\n")

    def _write(self, words: str) -> None:
        """Words that nobody reads any more (a closed pipe) change no verdict."""
        with contextlib.suppress(BrokenPipeError):
            self.out.write(words)
            self.out.flush()

    def problem(self, words: str) -> None:
        self._end_line()
        self.say(f"prosa conformance: {words}")

    def header(self, settings: Settings, tests: int, roles: Sequence[str]) -> None:
        self.say(
            f"PROSA/1 conformance {__version__}: {settings.subject.name}, up to {settings.level}, "
            f"{', '.join(roles)}: {tests} tests, seed {settings.seed}"
        )

    def progress(self, result: Result) -> None:
        file = result.test.partition("::")[0]
        if file != self._file or self._column >= WIDTH:
            self._end_line()
            self._write(f"  {file if file != self._file else '':18} ")
            self._file = file
        self._column += 1
        self._write(SIGNS[result.verdict])

    def _end_line(self) -> None:
        if self._column:
            self.say()
        self._column = 0

    def failures(self, results: Sequence[Result]) -> None:
        self._end_line()
        failed = [result for result in results if result.verdict is Verdict.FAIL]
        told = _one_of_each([result for result in failed if not result.known])[:MOST_TOLD]
        for result in told:
            self.say(f"\n{RULE}\nFAIL {result.test}  {' '.join(result.clauses)}\n{RULE}")
            self.say(explain.text(result.failure) if result.failure else result.reason)
        rest = [result for result in failed if result not in told]
        if rest:
            self.say(f"\n{RULE}\nThe other failures, a line each (the report has them at length)\n{RULE}")
        for result in rest:
            known = f" (known: {result.known})" if result.known else ""
            self.say(f"FAIL {result.test}  {' '.join(result.clauses)}{known}: {result.reason}")

    def harness_errors(self, errors: Sequence[str]) -> None:
        self._end_line()
        for error in errors:
            self.say(f"\n{RULE}\nTHE SUITE ITSELF BROKE; this says nothing about the program under test\n{RULE}")
            self.say(error)

    def summary(self, settings: Settings, results: Sequence[Result], seconds: float, code: int) -> None:
        self.say(f"\n{RULE}")
        self._reasons(results)
        shown, broken = clause_counts(results)
        counts = Counter(result.verdict for result in results)
        self.say(f"  clauses   {len(shown)} shown: {len(shown) - len(broken)} kept, {len(broken)} broken")
        verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        self.say(f"  tests     {len(results)}: {verdicts}")
        self.say(f"  seconds   {seconds:.1f}   seed {settings.seed}")
        known = sum(1 for result in results if result.known)
        self.say(f"{closing_words(settings, code, broken, known)}")

    def _reasons(self, results: Sequence[Result]) -> None:
        """The tests that neither passed nor failed, a line for each reason."""
        quiet = (Verdict.PASS, Verdict.FAIL)
        reasons = Counter((result.verdict, result.reason) for result in results if result.verdict not in quiet)
        for (verdict, reason), count in sorted(reasons.items()):
            self.say(f"  {verdict} ({count}): {reason}")


def _one_of_each(results: Sequence[Result]) -> list[Result]:
    """Of the cases of one test only the first: the others tell the same."""
    first: dict[str, Result] = {}
    for result in results:
        first.setdefault(result.test.partition("[")[0], result)
    return list(first.values())


def clause_counts(results: Sequence[Result]) -> tuple[set[str], list[str]]:
    """The clauses that tests have shown something about, and those of them that are broken."""
    telling = (Verdict.PASS, Verdict.NON_STRICT, Verdict.FAIL)
    shown = {clause for result in results if result.verdict in telling for clause in result.clauses}
    broken = {clause for result in results if result.verdict is Verdict.FAIL for clause in result.clauses}
    return shown, sorted(broken)


def closing_words(settings: Settings, code: int, broken: Sequence[str], known: int) -> str:
    name = f"{settings.subject.name}: "
    match code:
        case Exit.CONFORMS:
            but = f", but for {known} known failure{'s'[: known > 1]}" if known else ""
            return f"{name}CONFORMS to {settings.level} in all that was tested{but}."
        case Exit.VIOLATES:
            return f"{name}DOES NOT CONFORM. Broken: {', '.join(broken) or 'see above'}"
        case _:
            return f"{name}no verdict."
