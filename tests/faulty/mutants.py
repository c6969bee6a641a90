#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the suite against every faulty program: each has to be found, and by the right tests.

    tests/faulty/mutants.py [NAME... | CLAUSE...]     those, or all
    tests/faulty/mutants.py --quick                   one of each clause and role, and only: is it found?
    tests/faulty/mutants.py --update [NAME...]        write what is seen into the tables

For every clause that a fault breaks, the tests of this clause run. The table beside a fault's module,
faulty_ROLE_AREA.yaml, says which of them must fail, and with which sentence: any other failure, and a
table's test that passes, is a fault found for the wrong reason. What varies in a sentence (numbers, names,
lists) stands as `#`; people may write `*` for more, and `?` behind a test that fails by chance of timing.
Many run at once with short waits; what is not as the table says runs again, alone and with the suite's own
waits, so that nothing depends on how busy the machine is.
Exit: 0 all killed as expected, 1 not, 2 wrong words.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shlex
import sys
import tempfile
import textwrap
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("conformance", "tests/suite", "tools")]

import suite  # noqa: E402

from fault import HERE, Fault, faults  # noqa: E402

START = Path(__file__).with_name("start.py")
SERVER = shlex.join([sys.executable, str(ROOT / "tests" / "suite" / "mini_server.py")])
# Behind a faulty bridge stands a good server.
COMMANDS = {
    "server": ["--cmd"],
    "client": ["--client-cmd"],
    "codec": ["--codec-cmd"],
    "relay": ["--transport", "zmq", "--cmd", SERVER, "--role", "relay", "--bridge-cmd"],
}
SHORT, FULL = "0.3", "1"  # of the suite's waits
CONFORMS, VIOLATES = 0, 1
DEADLINE_S = 600
LAST_LINES = 12  # of a run that came to nothing
STATES = ("killed", "survived", "wrongly")
VECTOR = re.compile(r"^vector \S+ \(.*\)(?=: )")
LIST = re.compile(r"\[[^\]]*\]")
VARIABLE = re.compile(r"\b(?:[0-9a-f]{4,}|[a-z]+-[0-9a-f]{4,}|[\d,.]*\d)\b")
# A program that fell over shows nothing about the clause that it was to break.
FELL_OVER = ("crashed", "ended by itself", "a sanitizer", "the suite itself")
HEADING = """# SPDX-License-Identifier: MIT
# Which tests find which fault, and what they say: mutants.py --update
"""
Table = dict[str, list[str]]


@dataclass
class Seen:
    """What the suite said of one faulty program: by failed test the sentences of its cases."""

    name: str
    code: int
    words: list[str]  # the last lines
    failed: Table = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)  # clauses
    seconds: float = 0.0


@dataclass
class Verdict:
    """`trouble` is what is not as the table says: nothing when the fault is killed."""

    fault: Fault
    seen: Seen
    trouble: list[str]

    @property
    def state(self) -> str:
        if not self.trouble:
            return "killed"
        return "survived" if self.seen.code == CONFORMS else "wrongly"

    def show(self) -> None:
        words = f"{' '.join(self.fault.clauses)}: {len(self.seen.failed)} tests, {self.seen.seconds:.1f} s"
        print(f"{self.state:8} {self.fault.name:34} {words}")
        for line in self.trouble:
            print(f"         {line}")
        sys.stdout.flush()


# --- one faulty program ---


def judge(time_scale: str, fault: Fault) -> Seen:
    """Run the tests of its clauses."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="prosa-mutant-") as folder:
        ran = suite.run(options_for(fault, time_scale), Path(folder), DEADLINE_S)
    seen = Seen(fault.name, ran.code, ran.lines[-LAST_LINES:])
    if ran.code == VIOLATES and ran.result is not None:
        read_result(seen, ran.result)
    seen.seconds = time.monotonic() - started
    return seen


def options_for(fault: Fault, time_scale: str) -> list[str]:
    start = [sys.executable, str(START), fault.name, str(fault.table.parent)]
    words = ["--lang", "en", *fault.subject, *COMMANDS[fault.role], shlex.join(start)]
    words += ["--level", fault.level, "--features", ",".join(fault.features), "--only", ",".join(fault.clauses)]
    return [*words, "--strict", "--time-scale", time_scale, "--seed", "1", "--jobs", "1"]


def read_result(seen: Seen, result: dict[str, Any]) -> None:
    seen.broken = result["clauses"]["broken"]
    for test in result["tests"]:
        if test["verdict"] == "fail":
            sentences = seen.failed.setdefault(test["test"].partition("[")[0], [])
            if normal(test["reason"]) not in sentences:
                sentences.append(normal(test["reason"]))


def normal(sentence: str) -> str:
    """The sentence as tables have it: the same in every run, and for all vectors."""
    first, _, _ = sentence.partition("; first noticed as: ")
    return VARIABLE.sub("#", LIST.sub("[#]", VECTOR.sub("vector #", first)))


def blunders(fault: Fault, seen: Seen) -> list[str]:
    """What is wrong whatever the table says."""
    if seen.code == CONFORMS:
        return ["the suite finds nothing"]
    if seen.code != VIOLATES:
        return [f"the suite ends with {seen.code}", *seen.words]
    trouble = [f"{clause} is kept" for clause in fault.clauses if clause not in seen.broken]
    said = {sentence for sentences in seen.failed.values() for sentence in sentences}
    fell = [] if fault.falls else [sentence for sentence in said if any(words in sentence for words in FELL_OVER)]
    return [*trouble, *(f"it fell over: {sentence}" for sentence in fell)]


def compare(fault: Fault, seen: Seen, quick: bool) -> Verdict:
    """What is not as the table says; a quick look asks only whether the fault is found."""
    trouble = blunders(fault, seen)
    if quick:
        return Verdict(fault, seen, trouble)
    expected = read_table(fault.table).get(fault.name)
    if expected is None:
        return Verdict(fault, seen, [*trouble, f"it has no entry in {fault.table.name}"])
    missing = [test for test in expected if test not in seen.failed and not test.endswith("?")]
    trouble += [f"{test} should fail, and does not" for test in missing]
    for test, sentences in seen.failed.items():
        known = expected.get(test, expected.get(f"{test}?"))
        if known is None:
            trouble.append(f"{test} fails, and should not: {sentences[0]}")
        else:
            trouble += [f"{test} fails for another reason: {words}" for words in sentences if not fits(words, known)]
    return Verdict(fault, seen, trouble)


def fits(sentence: str, known: Sequence[str]) -> bool:
    return any(fnmatchcase(sentence, normal(one).replace("[", "[[]")) for one in known)


# --- tables ---


def read_table(path: Path) -> dict[str, Table]:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def write_entry(fault: Fault, seen: Seen) -> None:
    """Put one entry into its table; what it knows already, and what may happen, stays as people wrote it."""
    with fault.table.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        table = yaml.safe_load(file.read()) or {}
        before = table.get(fault.name, {})
        entry = {test: known for test, known in before.items() if test.endswith("?")}
        for test, sentences in seen.failed.items():
            known = before.get(test, before.get(f"{test}?"))
            if known is None or not all(fits(words, known) for words in sentences):
                entry[test if f"{test}?" not in entry else f"{test}?"] = sorted(sentences)
            elif test in before:
                entry[test] = known
        table[fault.name] = dict(sorted(entry.items()))
        file.truncate(0)
        file.write(HEADING)
        yaml.safe_dump(dict(sorted(table.items())), file, width=110, allow_unicode=True)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: a worker forked meanwhile has it open, too


def strangers(known: Sequence[Fault]) -> list[str]:
    """Entries of tables that no fault has."""
    names = {fault.name for fault in known}
    tables = {fault.table for fault in known}
    return [
        f"{path.name}: nobody is called {name}" for path in tables for name in read_table(path) if name not in names
    ]


# --- all of them ---


def run(wanted: Sequence[Fault], jobs: int, update: bool, quick: bool) -> list[Verdict]:
    """Many at once; then, one by one, those that were not as expected."""
    known = {fault.name: fault for fault in wanted}
    verdicts, again = [], []
    for seen in judged(wanted, FULL if update else SHORT, jobs):
        fault = known[seen.name]
        if update and not blunders(fault, seen):
            write_entry(fault, seen)
        verdict = compare(fault, seen, quick)
        if verdict.trouble and not update:
            again.append(fault)
        else:
            verdict.show()
            verdicts.append(verdict)
    for seen in judged(again, FULL, 1):
        verdicts.append(compare(known[seen.name], seen, quick))
        verdicts[-1].show()
    return verdicts


def judged(wanted: Iterable[Fault], time_scale: str, jobs: int) -> Iterator[Seen]:
    """As they come; an interruption ends what runs, and begins nothing more."""
    pool = ThreadPoolExecutor(jobs)
    try:
        for done in as_completed([pool.submit(judge, time_scale, fault) for fault in wanted]):
            yield done.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        suite.end_all()
        raise
    finally:
        pool.shutdown()


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """By state how many faults, and of which clauses."""
    clauses: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        clauses[verdict.state].update(verdict.fault.clauses)
    lines = []
    for state in (state for state in STATES if clauses[state]):
        named = [f"{clause} x{many}" if many > 1 else clause for clause, many in sorted(clauses[state].items())]
        lines += textwrap.wrap(f"{state}: {', '.join(named)}", 110, subsequent_indent="    ")
    count = Counter(verdict.state for verdict in verdicts)
    states = ", ".join(f"{count[state]} {state}" for state in STATES)
    return [*lines, f"{len(verdicts)} faults in {len(set().union(*clauses.values()))} clauses: {states}"]


def chosen(known: Sequence[Fault], names: Sequence[str]) -> list[Fault]:
    found = [fault for fault in known if not names or fault.name in names or set(fault.clauses) & set(names)]
    unknown = set(names) - {fault.name for fault in found} - {clause for fault in found for clause in fault.clauses}
    if unknown:
        print(f"no fault has the name or breaks the clause {', '.join(sorted(unknown))}", file=sys.stderr)
        sys.exit(2)
    return found


def one_of_each(known: Sequence[Fault]) -> list[Fault]:
    """So many that every clause is broken once, for each role that it binds."""
    broken: set[tuple[str, str]] = set()
    found = []
    for fault in known:
        bonds = {(clause, fault.role) for clause in fault.clauses}
        if bonds - broken:
            broken |= bonds
            found.append(fault)
    return found


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run the suite against faulty programs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults, or clauses (default: all)")
    parser.add_argument("--update", action="store_true", help="write the tables anew from what is seen")
    parser.add_argument("--quick", action="store_true", help="one of each clause and role, and only: is it found?")
    parser.add_argument("--jobs", type=int, default=3 * (os.cpu_count() or 1), help="how many at once")
    parser.add_argument("--folder", type=Path, default=HERE, help="where the faulty programs are (default: here)")
    options = parser.parse_args(words)
    known = list(faults(options.folder.resolve()).values())
    wanted = chosen(known, options.names)
    if options.quick:
        wanted = one_of_each(wanted)
    verdicts = run(wanted, options.jobs, options.update, options.quick)
    unknown = strangers(known)
    print("\n".join([*unknown, *summary(verdicts)]))
    return 1 if unknown or any(verdict.trouble for verdict in verdicts) else 0


if __name__ == "__main__":
    suite.interruption.listen()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("mutants: interrupted")
