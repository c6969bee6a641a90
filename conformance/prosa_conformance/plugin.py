# SPDX-License-Identifier: MIT
"""The pytest plugin: which tests run, where, and what each one's end means.

pytest collects and runs; verdicts, counting and words are ours. A test that pytest itself would
skip, or that raises anything but the exceptions of outcome.py, is a fault of the suite.

With several jobs the gates still run in this process; the other tests are shared out to forked workers,
each with its own servers, ports and folders. Results are told in the order of the tests all the same.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from multiprocessing.connection import Connection
from typing import Any

import pytest

from prosa_conformance import explain, pcap
from prosa_conformance.case import Case, Settings
from prosa_conformance.clauses import (
    GATE_MARK,
    MARK,
    NEEDS,
    TCP_MARK,
    TIMERS_MARK,
    ZMQ,
    Claim,
    faults,
    level_of,
    role_of,
)
from prosa_conformance.contract import FEATURES, LEVELS
from prosa_conformance.language import N_, _
from prosa_conformance.outcome import (
    Failure,
    Inconclusive,
    NotApplicable,
    Result,
    SkippedBecause,
    Unsupported,
    Verdict,
    Violation,
)
from prosa_conformance.process import end_all
from prosa_conformance.spoken import translated
from prosa_conformance.workers import Queue, share_out

MOST_STEPS = 10  # of a test that passed

RUNNER = pytest.StashKey["Runner"]()
CASE = pytest.StashKey[Case]()
CARD = pytest.StashKey["Card"]()
ERRORS = pytest.StashKey[list[BaseException]]()
TOLD = pytest.StashKey["Told"]()
NOT_RUN = N_("not run, as the first failure ends the run")


@dataclass(frozen=True)
class Selection:
    """Which tests a run is about; `whole` when nothing but the level narrows it."""

    levels: tuple[str, ...]
    features: tuple[str, ...]
    roles: tuple[str, ...]
    only: str = ""
    test: str = ""
    keyword: str = ""
    whole: bool = True


@dataclass(frozen=True)
class Card:
    """What the marks of a test say."""

    claims: tuple[Claim, ...]
    role: str
    level: str
    needs: frozenset[str]
    timers: dict[str, int]
    is_gate: bool
    is_tcp_only: bool

    def cites(self, patterns: str) -> bool:
        return any(fnmatchcase(claim.id, pattern) for claim in self.claims for pattern in patterns.split(","))


@dataclass(frozen=True)
class Told:
    """What one test has come to, as a worker tells it."""

    result: Result
    capture: list[pcap.Conversation]
    harness_errors: list[str]


@dataclass(eq=False)
class Runner:
    """One run's plugin object. `begin` says whether the collected tests are to run; `report` is told each
    result in the order of the tests, `count` how many have come to their end."""

    settings: Settings
    selection: Selection
    strict: bool
    begin: Callable[[], bool]
    report: Callable[[Result], None]
    count: Callable[[int, int], None]
    jobs: int = 1
    stop_first: bool = False
    harness_errors: list[str] = field(default_factory=list)
    collected: list[pytest.Item] = field(default_factory=list)
    captures: dict[str, list[pcap.Conversation]] = field(default_factory=dict)
    _ended: dict[int, Result] = field(default_factory=dict)
    _reported: int = 0
    _failed_gates: dict[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Every test has come to its end: nothing cut the run short."""
        return len(self.results) == len(self.collected)

    # --- collection ---

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[RUNNER] = self
        config.option.tbstyle = "native"  # pytest's own are dear, and nobody reads them
        for mark in (MARK, TIMERS_MARK, GATE_MARK, TCP_MARK):
            config.addinivalue_line("markers", f"{mark}: see clauses.py")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.harness_errors.append(f"{report.nodeid} cannot be collected:\n{report.longreprtext}")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        for item in items:
            self._read_card(item)
        chosen = [item for item in items if CARD in item.stash and self._is_chosen(item)]
        chosen.sort(key=lambda item: not item.stash[CARD].is_gate)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = self.collected = chosen

    def _read_card(self, item: pytest.Item) -> None:
        claims = tuple(mark.args[0] for mark in reversed(list(item.iter_markers(MARK))))
        wrong = faults(claims)
        if wrong:
            self.harness_errors.extend(f"{item.nodeid} {fault}" for fault in wrong)
            return
        timers: dict[str, int] = {}
        for mark in item.iter_markers(TIMERS_MARK):
            timers.update(mark.args[0])
        role = role_of(claims, default_role(item))
        item.stash[CARD] = Card(
            claims=claims,
            role=role,
            level=level_of(claims, role),
            needs=frozenset(need for claim in claims for need in claim.needs),
            timers=timers,
            is_gate=item.get_closest_marker(GATE_MARK) is not None,
            is_tcp_only=item.get_closest_marker(TCP_MARK) is not None,
        )

    def _is_chosen(self, item: pytest.Item) -> bool:
        card, wish = item.stash[CARD], self.selection
        if wish.test:
            return test_name(item) == wish.test
        if card.role not in wish.roles or (wish.only and not card.cites(wish.only)):
            return False
        return card.level in (wish.features if card.level in FEATURES else wish.levels)

    # --- running ---

    @property
    def results(self) -> list[Result]:
        """In the order of the tests."""
        return [self._ended[number] for number in sorted(self._ended)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if self.harness_errors or not self.collected or not self.begin():
            return True
        here = sum(item.stash[CARD].is_gate for item in self.collected) if self.jobs > 1 else len(self.collected)
        self._run_here(self.collected[:here])
        self._run_in_workers(session, range(here, len(self.collected)))
        return True

    def _run_here(self, items: Sequence[pytest.Item]) -> None:
        for number, item in enumerate(items):
            if self._is_stopped:
                self._leave_out(number)
            else:
                self._take(number, self._run(item, items[number + 1] if number + 1 < len(items) else None))

    def _run_in_workers(self, session: pytest.Session, numbers: Sequence[int]) -> None:
        """This process only listens; nothing runs in it that a worker could take for its own."""
        # Who asks for timers waits for them: the longest begin first.
        in_order = sorted(numbers, key=lambda number: not self.collected[number].stash[CARD].timers)
        queue = Queue((number, _kind(self.collected[number])) for number in in_order)

        def work(worker: int, line: Connection) -> None:
            self.settings = self.settings.share(worker, self.jobs)
            try:
                while True:
                    line.send(self._run(self.collected[line.recv()], session))
            finally:
                session.config.hook.pytest_sessionfinish(session=session, exitstatus=pytest.ExitCode.OK)
                end_all()

        def take(number: int, told: object) -> None:
            self._take(number, told if isinstance(told, Told) else self._lost(number))
            if self._is_stopped:
                leave_out()

        def leave_out() -> None:
            for number in queue.clear():
                self._leave_out(number)

        if self._is_stopped:
            leave_out()
        share_out(queue, min(self.jobs, len(queue)), work, take)

    def _run(self, item: pytest.Item, following: pytest.Item | pytest.Session | None) -> Told:
        """Run one test in this process; what it shares with `following` lives on."""
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return item.stash[TOLD]

    def _take(self, number: int, told: Told) -> None:
        """Keep what a test has come to, and report what is next in order."""
        result, card = told.result, self.collected[number].stash[CARD]
        if told.capture:
            self.captures[result.test] = told.capture
        self.harness_errors += told.harness_errors
        if card.is_gate and result.verdict is Verdict.FAIL:
            self._failed_gates.setdefault(card.role, result.test)
        self._end(number, result)

    def _end(self, number: int, result: Result) -> None:
        self._ended[number] = result
        while self._reported in self._ended:
            self.report(self._ended[self._reported])
            self._reported += 1
        self.count(len(self._ended), len(self.collected))

    @property
    def _is_stopped(self) -> bool:
        return self.stop_first and any(result.counts_against for result in self._ended.values())

    def _leave_out(self, number: int) -> None:
        self._end(number, self._result(self.collected[number], Verdict.SKIPPED, _(NOT_RUN)))

    def _lost(self, number: int) -> Told:
        reason = _("the process that ran it has ended in the middle of it")
        result = self._result(self.collected[number], Verdict.INCONCLUSIVE, reason)
        return Told(result, [], [f"{result.test}: {reason}"])

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        card = item.stash[CARD]
        item.stash[CASE] = Case(self.settings, test_name(item), card.role)
        gate = self._failed_gates.get(card.role)
        if gate is not None:
            raise SkippedBecause(_("{test} failed").format(test=gate))
        if not self.settings.subject.has(card.role):
            raise NotApplicable(_("there is no {role} to test").format(role=card.role))
        if card.is_tcp_only and self.settings.transport != "tcp":
            raise NotApplicable(_("it is about octets rather than frames, which do not show over ZeroMQ"))
        missing = sorted(need for need in card.needs if not self._can(need))
        if missing:
            raise NotApplicable(_("it needs {what}").format(what=", ".join(_(NEEDS[need]) for need in missing)))

    def _can(self, need: str) -> bool:
        subject = self.settings.subject
        ours = subject.connect is None
        by_operator = ours and subject.answers == "operator"
        return {
            "operator": by_operator,
            "answers": by_operator or subject.answers == "echo",
            "stdin": ours,
            "process": ours,
        }[need]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        started = time.monotonic()
        item.stash[ERRORS] = []
        outcome = yield
        if outcome.excinfo is not None:
            return  # interrupted: a test that has not come to its end has no verdict
        errors: list[str] = []
        result = self._judge(item, time.monotonic() - started, errors)
        side = "client" if result.role == "server" else "server"
        capture = pcap.of_transcript(item.stash[CASE].transcript.events, side)
        item.stash[TOLD] = Told(result, capture, errors)
        del item.stash[CASE]  # its octets, which nobody needs any more

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None:
            item.stash[ERRORS].append(call.excinfo.value)

    @pytest.hookimpl
    def pytest_internalerror(self, excrepr: object) -> None:
        self.harness_errors.append(f"pytest itself failed:\n{excrepr}")

    # --- judging ---

    def _result(self, item: pytest.Item, verdict: Verdict, reason: str = "") -> Result:
        card = item.stash[CARD]
        clauses = tuple(claim.id for claim in card.claims)
        return Result(test_name(item), clauses, card.role, card.level, verdict, 0.0, reason)

    def _judge(self, item: pytest.Item, seconds: float, harness_errors: list[str]) -> Result:
        card, case, errors = item.stash[CARD], item.stash[CASE], item.stash[ERRORS]
        result = self._result(item, Verdict.PASS)
        result.seconds, result.notes = seconds, list(case.notes)
        error = _weightiest(errors)
        if error is None:
            self._judge_end(result, case, card)
        elif isinstance(error, AssertionError):
            self._fail(result, explain.explain(case, card.claims, _joined(error, errors)))
        else:
            self._judge_other(result, error, card, harness_errors)
        if result.failure is None:
            result.steps = case.transcript.steps(MOST_STEPS)
        if not card.is_gate:  # without it nothing else is shown: there is no excuse for it
            self._apply_known_failures(result)
        return result

    def _judge_end(self, result: Result, case: Case, card: Card) -> None:
        if not case.notes:
            return
        result.verdict = Verdict.NON_STRICT
        result.reason = "; ".join(case.notes)
        if self.strict:
            error = Violation(_("not to the letter: {reason}").format(reason=result.reason))
            failure = explain.explain(case, card.claims, error)
            failure.replay += " --strict"
            self._fail(result, failure)

    def _judge_other(self, result: Result, error: BaseException, card: Card, harness_errors: list[str]) -> None:
        result.reason = translated(str(error))
        match error:
            case Unsupported():
                result.verdict = Verdict.UNSUPPORTED
                if card.level in (*LEVELS, ZMQ) or card.level in self.settings.subject.features:
                    words = _("{level} was asked for, and: {reason}")
                    self._fail(result, Failure(words.format(level=card.level, reason=result.reason)))
            case NotApplicable():
                result.verdict = Verdict.NOT_APPLICABLE
            case SkippedBecause():
                result.verdict = Verdict.SKIPPED
            case Inconclusive():
                result.verdict = Verdict.INCONCLUSIVE
            case _:
                result.verdict = Verdict.INCONCLUSIVE
                words = _("the suite itself failed: {kind}: {error}")
                result.reason = words.format(kind=type(error).__name__, error=error)
                trace = "".join(traceback.format_exception(error))
                result.failure = Failure(result.reason, traceback=trace)
                harness_errors.append(f"{result.test}: {result.reason}\n{trace}")

    def _fail(self, result: Result, failure: Failure) -> None:
        result.verdict = Verdict.FAIL
        result.failure = failure
        result.reason = failure.sentence

    def _apply_known_failures(self, result: Result) -> None:
        for known in self.settings.subject.known_failures:
            if result.verdict is Verdict.FAIL and matches(known.pattern, result):
                result.known = known.reason


def matches(pattern: str, result: Result) -> bool:
    """Whether a known failure's pattern means this result, by clause or by test."""
    return any(fnmatchcase(name, pattern) for name in (*result.clauses, result.test, result.test.split("[")[0]))


def test_name(item: pytest.Item) -> str:
    """The name by which people call a test: file and function, without folders."""
    return f"{item.path.stem.removeprefix('test_')}::{item.name.removeprefix('test_')}"


def _kind(item: pytest.Item) -> Hashable:
    """Tests of one kind share a program; most others have one of their own."""
    if "server" in item.fixturenames:  # type: ignore[attr-defined]
        return tuple(sorted(item.stash[CARD].timers.items()))
    return "codec" if "codec_program" in item.fixturenames else item.nodeid  # type: ignore[attr-defined]


def default_role(item: pytest.Item) -> str:
    """The role that a file's name tells, for clauses that bind both sides."""
    stem = item.path.stem
    return next((role for role in ("client", "codec", "relay") if stem.startswith(f"test_{role}")), "server")


def _weightiest(errors: Sequence[BaseException]) -> BaseException | None:
    """The error that decides: a fault of the suite before a violation before the rest."""
    ordinary = (AssertionError, Unsupported, NotApplicable, SkippedBecause, Inconclusive)
    broken = [error for error in errors if not isinstance(error, ordinary)]
    violations = [error for error in errors if isinstance(error, AssertionError)]
    return next(iter([*broken, *violations, *errors]), None)


def _joined(error: AssertionError, errors: Sequence[BaseException]) -> AssertionError:
    """A crash that was noticed at the end explains the violation that came before it."""
    last = errors[-1]
    if last is error or not isinstance(last, Violation):
        return error
    first = error.sentence if isinstance(error, Violation) else str(error)
    words = _("{what}; first noticed as: {first}")
    last.sentence = words.format(what=translated(last.sentence), first=translated(first))
    return last
