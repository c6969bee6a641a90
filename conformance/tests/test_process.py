# SPDX-License-Identifier: MIT
"""Child processes: nothing is lost, nothing blocks, nothing is left behind."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prosa_conformance.case import Watched
from prosa_conformance.outcome import Violation
from prosa_conformance.process import (
    LINE_COST,
    STDERR_KEPT,
    STDERR_LINE_CAP,
    STDOUT_KEPT,
    Ended,
    Lines,
    Process,
    Program,
    end_all,
)

WAIT_S = 20.0
Start = Callable[[str], Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Program] = []

    def run(source: str) -> Program:
        started.append(Process([sys.executable, "-u", "-c", source], os.environ, tmp_path))
        return started[-1]

    yield run
    for program in started:
        program.end()


def test_lines_come_whole_and_in_order(start: Start) -> None:
    program = start("print('a'); print('b' * 300000); print('c', end='')")
    assert [program.next_line(WAIT_S) for _ in range(4)] == ["a", "b" * 300000, "c", None], "and None at the end"


def test_much_output_that_nobody_reads_does_not_block(start: Start) -> None:
    program = start("import sys\nfor _ in range(20000): print('x' * 100); print('y' * 100, file=sys.stderr)")
    assert program.wait_end(WAIT_S) == Ended(0), "both pipes are drained"


def test_what_nobody_reads_is_kept_within_bounds(start: Start) -> None:
    """Of a flood the first lines are kept, on stderr the last ones; a line without an end comes in pieces."""
    source = "import os\nfor _ in range(60): os.write(1, b'x\\n' * 30000); os.write(2, b'y' * 120000)"
    program = start(source)
    assert program.wait_end(WAIT_S) == Ended(0), "both pipes are drained"
    program.end()
    kept = sum(1 for _ in iter(lambda: program.next_line(0), None))
    assert 100_000 < kept <= STDOUT_KEPT // LINE_COST + 1, f"{kept} of 1.8 million lines are kept"
    words = program.stderr_since()
    assert len(words) == STDERR_KEPT, "the last ones"
    assert {len(line) for line in words[:-1]} == {STDERR_LINE_CAP}, "pieces of one line"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_lines_however_they_come(step: int) -> None:
    taken: list[str] = []
    lines = Lines(taken.extend, 5)
    octets = "one\n\ntwo and\r\nolá\nrest".encode()
    for start in range(0, len(octets), step):
        lines.feed(octets[start : start + step])
    lines.finish()
    assert taken == ["one", "", "two a", "nd", "olá", "rest"], "a long line in pieces of five octets"


def test_stderr_since_a_mark(start: Start) -> None:
    program = start("import sys\nprint('one', file=sys.stderr)\nprint('go')\ninput()\nprint('two', file=sys.stderr)")
    assert program.next_line(WAIT_S) == "go", "it has begun"
    mark = program.stderr_mark
    assert program.type_line("now", WAIT_S), "it reads"
    program.wait_end(WAIT_S)
    program.end()
    assert program.stderr_since(mark)[-1:] == ["two"], "only what came after"


def test_a_program_that_does_not_read_stdin_does_not_block_us(start: Start) -> None:
    program = start("import signal; print('go'); signal.pause()")
    assert program.next_line(WAIT_S) == "go", "it has begun"
    assert not program.type_line("x" * 10_000_000, 0.2), "the pipe is full"


def test_end_kills_the_whole_group(start: Start) -> None:
    source = "import subprocess, sys, signal\n"
    source += "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    program = start(source + "print(child.pid); signal.pause()")
    watched = os.pidfd_open(int(program.next_line(WAIT_S) or 0))
    program.end()
    assert program.killed_by_us, "it was alive"
    # A signal to a group is no wait for it: the grandchild has its own time to die.
    assert select.select([watched], [], [], WAIT_S)[0], "the grandchild is gone, too"
    os.close(watched)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed: SIGSEGV"),
        ("import sys; sys.exit(139)", "crashed: SIGSEGV"),
        ("import os; os.abort()", "crashed: SIGABRT"),
        ("pass", "ended by itself"),
        ("import sys; print('==1==ERROR: AddressSanitizer: heap', file=sys.stderr)", "a sanitizer"),
    ],
)
def test_bad_ends_are_violations(start: Start, source: str, words: str) -> None:
    program = start(source)
    program.wait_end(WAIT_S)
    assert program.next_line(WAIT_S) is None, "stdout is at its end"
    program.end()
    with pytest.raises(Violation, match=words):
        Watched(program, 0).check("the server")


def test_signals_that_are_asked_for_are_no_crash(start: Start) -> None:
    program = start("import signal; print('go'); signal.pause()")
    assert program.next_line(WAIT_S) == "go", "it has begun"
    program.signal(signal.SIGKILL)
    assert program.wait_end(WAIT_S) == Ended(-signal.SIGKILL), "killed"
    Watched(program, 0).check("the server")
    assert os.getpid() != program.pid, "and we are still here"


def test_what_nobody_has_ended_is_ended_by_who_began_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked worker knows its parent's programs, and leaves them alone."""
    ours = start("import sys; sys.stdin.read()")
    us = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: us + 1)
    end_all()
    assert ours.ended is None, "it is another process's"
    monkeypatch.undo()
    ended = start("pass")
    ended.end()
    end_all()
    assert ours.ended is not None and ours.killed_by_us, "it would have been left behind"
