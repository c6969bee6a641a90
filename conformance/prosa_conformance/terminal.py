# SPDX-License-Identifier: MIT
"""What a run says on the terminal: progress, then failures, then the summary."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from prosa_conformance import __version__, explain
from prosa_conformance.case import Settings
from prosa_conformance.language import N_, _, ngettext
from prosa_conformance.outcome import Exit, Result, Verdict, not_kept, standings
from prosa_conformance.visible import visible

SIGNS = {
    Verdict.PASS: ".",
    Verdict.NON_STRICT: "n",
    Verdict.FAIL: "F",
    Verdict.UNSUPPORTED: "u",
    Verdict.NOT_APPLICABLE: "-",
    Verdict.SKIPPED: "s",
    Verdict.INCONCLUSIVE: "?",
}
# The verdicts, to be translated when shown.
VERDICTS = {
    Verdict.PASS: N_("pass"),
    Verdict.NON_STRICT: N_("non-strict"),
    Verdict.FAIL: N_("fail"),
    Verdict.UNSUPPORTED: N_("unsupported"),
    Verdict.NOT_APPLICABLE: N_("not applicable"),
    Verdict.SKIPPED: N_("skipped"),
    Verdict.INCONCLUSIVE: N_("inconclusive"),
}
ROLES = {"codec": N_("codec"), "server": N_("server"), "client": N_("client"), "relay": N_("bridge")}
RULE = "=" * 100
WIDTH = 80
CLEAR = "\033[K"  # what stands behind the cursor
MOST_TOLD = 12  # tests whose failure is told at length; the reports have all of them


class Terminal:
    def __init__(self, out: TextIO) -> None:
        self.out = out
        self._is_live = out.isatty()
        self._file = ""
        self._column = 0

    def say(self, words: str = "") -> None:
        """A line; what came over the wire steers no terminal."""
        self._write(visible(words) + "\n")

    def _write(self, words: str) -> None:
        """Words that nobody reads any more (a closed pipe) change no verdict."""
        with contextlib.suppress(BrokenPipeError):
            self.out.write(words)
            self.out.flush()

    def problem(self, words: str) -> None:
        self._end_line()
        self.say(_("prosa conformance: {words}").format(words=words))

    def header(self, settings: Settings, tests: int, roles: Sequence[str]) -> None:
        words = _("PROSA/1 conformance {version}: {name}, up to {level}, {roles}: {tests}, seed {seed}")
        shown = {"version": __version__, "name": settings.subject.name, "level": settings.level}
        shown |= {"roles": ", ".join(_(ROLES[role]) for role in roles), "seed": str(settings.seed)}
        if settings.transport == "zmq":
            words = _("PROSA/1 conformance {version}: {name} over ZeroMQ, up to {level}, {roles}: {tests}, seed {seed}")
        self.say(words.format(**shown, tests=ngettext("{count} test", "{count} tests", tests).format(count=tests)))

    def progress(self, result: Result) -> None:
        file = result.test.partition("::")[0]
        if file != self._file or self._column >= WIDTH:
            self._end_line()
            self._write(f"  {file if file != self._file else '':18} ")
            self._file = file
        self._column += 1
        self._write(SIGNS[result.verdict])

    def count(self, ended: int, of: int) -> None:
        """How far the run is, behind the row of signs, for who looks on."""
        if self._is_live:
            words = f"  {ended}/{of}"
            self._write(f"{CLEAR}{words}\033[{len(words)}D")

    def _end_line(self) -> None:
        if self._column:
            self._write(f"{CLEAR if self._is_live else ''}\n")
        self._column = 0

    def failures(self, results: Sequence[Result]) -> None:
        self._end_line()
        failed = [result for result in results if result.verdict is Verdict.FAIL]
        told = _one_of_each([result for result in failed if not result.known])[:MOST_TOLD]
        for result in told:
            self._heading(_failed(result))
            self.say(explain.text(result.failure) if result.failure else result.reason)
        rest = [result for result in failed if result not in told]
        if rest:
            self._heading(_("The other failures, a line each (the report has them at length)"))
        for result in rest:
            known = " " + _("(known: {reason})").format(reason=result.known) if result.known else ""
            self.say(f"{_failed(result)}{known}: {result.reason}")

    def _heading(self, words: str) -> None:
        self.say(f"\n{RULE}\n{words}\n{RULE}")

    def harness_errors(self, errors: Sequence[str]) -> None:
        self._end_line()
        for error in errors:
            self._heading(_("THE SUITE ITSELF BROKE; this says nothing about the program under test"))
            self.say(error)

    def summary(self, settings: Settings, results: Sequence[Result], seconds: float, code: int) -> None:
        self.say(f"\n{RULE}")
        self._reasons(results)
        shown = standings(results)
        broken = not_kept(shown)
        counts = Counter(result.verdict for result in results)
        kept = _("  clauses   {shown} shown: {kept} kept, {broken} broken")
        self.say(kept.format(shown=len(shown), kept=len(shown) - len(broken), broken=len(broken)))
        counted = _("{count} {verdict}")
        verdicts = [
            counted.format(count=counts[verdict], verdict=_(VERDICTS[verdict]))
            for verdict in Verdict
            if counts[verdict]
        ]
        self.say(_("  tests     {count}: {verdicts}").format(count=len(results), verdicts=", ".join(verdicts)))
        self.say(_("  seconds   {seconds:.1f}   seed {seed}").format(seconds=seconds, seed=settings.seed))
        known = sum(1 for result in results if result.known)
        self.say(f"{closing_words(settings, code, broken, known)}")

    def _reasons(self, results: Sequence[Result]) -> None:
        """The tests that neither passed nor failed, a line for each reason."""
        quiet = (Verdict.PASS, Verdict.FAIL)
        reasons = Counter((result.verdict, result.reason) for result in results if result.verdict not in quiet)
        for (verdict, reason), count in sorted(reasons.items()):
            self.say(f"  {_(VERDICTS[verdict])} ({count}): {reason}")


def _failed(result: Result) -> str:
    return _("FAIL {test}  {clauses}").format(test=result.test, clauses=" ".join(result.clauses))


def _one_of_each(results: Sequence[Result]) -> list[Result]:
    """Of the cases of one test only the first: the others tell the same."""
    first: dict[str, Result] = {}
    for result in results:
        first.setdefault(result.test.partition("[")[0], result)
    return list(first.values())


def closing_words(settings: Settings, code: int, broken: Sequence[str], known: int) -> str:
    name = settings.subject.name
    if code == Exit.VIOLATES:
        words = _("{name}: DOES NOT CONFORM. Broken: {clauses}")
        return words.format(name=name, clauses=", ".join(broken) or _("see above"))
    if code != Exit.CONFORMS:
        return _("{name}: no verdict.").format(name=name)
    if not known:
        return _("{name}: CONFORMS to {level} in all that was tested.").format(name=name, level=settings.level)
    words = ngettext(
        "{name}: CONFORMS to {level} in all that was tested, but for {count} known failure.",
        "{name}: CONFORMS to {level} in all that was tested, but for {count} known failures.",
        known,
    )
    return words.format(name=name, level=settings.level, count=known)
