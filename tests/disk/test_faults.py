# SPDX-License-Identifier: MIT
"""Every call to the disk fails once, and for good: nothing that was acknowledged is lost, nothing else than what was
written is read, and whoever can mend it is told what, where and why."""

from __future__ import annotations

import itertools
import operator
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EIO, ENOSPC, errorcode
from pathlib import Path
from signal import SIGKILL

import pytest

from conftest import DEADLINE, SESSION, Again, Opened, Probe, Tell, sized
from disk import CALLS, EVER, FILES, KILLED, LOG, Control, shimmed

ROUNDS = 8
ENDLESS = 100_000  # more than a session lives to see
ROOMS = 3
STEP = {"read": sized(9, 1), "write": sized(13, 1)}  # every so manieth of these calls, every one of the others
LOCK = FILES["lock"]
FAULTS = sized([(EIO, False), (ENOSPC, True)], [(error, lasts) for error in (EIO, ENOSPC) for lasts in (False, True)])


@dataclass(frozen=True)
class Ran:
    """What a session said until its end."""

    code: int
    lines: list[str]
    err: str

    def heads(self) -> tuple[int, ...]:
        """The heads that were acknowledged last."""
        acked = [line for line in self.lines if line.startswith("acked")]
        return tuple(map(int, acked[-1].split()[1:])) if acked else (0,) * ROOMS

    def reasons(self) -> list[str]:
        return [line.removeprefix("failed ") for line in self.lines if line.startswith("failed")]


def run(folder: Path, control: Control) -> Ran:
    done = subprocess.run(
        [SESSION, "run", folder, f"{ROUNDS}"],
        env=shimmed(folder, control),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    return Ran(done.returncode, done.stdout.splitlines(), done.stderr)


def judge(ran: Ran, opened: Opened, folder: Path, before: Sequence[int]) -> str:
    """The session has ended in one of the ways in which it may; which one."""
    assert opened.good, opened.sentence
    there = {room.name: room.head for room in opened.rooms.values()}
    heads = tuple(there.get(name, 0) for name in ("dev", "lab", "@host"))
    for said in (before, ran.heads()):
        assert all(map(operator.ge, heads, said)), "an acknowledged entry is gone"
    for reason in ran.reasons():
        assert re.search(rf": nothing of \d+ records could be written to {folder}/log\.db; ", reason), reason
    if ran.code == 1:
        assert ran.err.count("\n") == 1
        assert str(folder) in ran.err
        assert not re.search("torn|corrupt|malformed|restored", ran.err), "the log is whole"
        return "refused to begin"
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[-1] == "closed"
    if "given up" in ran.lines:
        return "given up"
    assert sum(ran.heads()) >= sum(before) + ROUNDS * ROOMS
    return "tried again" if ran.reasons() else "was not disturbed"


@pytest.fixture
def killed(anew: Again, place: Path) -> tuple[Path, tuple[int, ...]]:
    """A log whose server was killed in the middle, and the heads that it had acknowledged."""
    control = Control(place / "control")
    folder = anew()
    folder.mkdir()
    words = [SESSION, "run", str(folder), f"{ENDLESS}"]
    with subprocess.Popen(words, env=shimmed(folder, control), stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        lines = [session.stdout.readline() for _ in range(4)]
        control.fail("sync", FILES["wal"], KILLED)
        lines += session.stdout.readlines()
    assert session.returncode == -SIGKILL
    ran = Ran(session.returncode, [line for line in lines if line.endswith("\n")], "")
    assert sum(ran.heads()) > 0
    return folder.rename(place / "killed"), ran.heads()


@pytest.mark.parametrize(("error", "lasts"), FAULTS)
@pytest.mark.parametrize("life", ["first", "next"])
def test_every_call_fails(
    place: Path,
    probe: Probe,
    anew: Again,
    tell: Tell,
    killed: tuple[Path, tuple[int, ...]],
    life: str,
    error: int,
    lasts: bool,
) -> None:
    """FLOW-09, RES-09: at each call of a session, from the first opening to the last closing, of a new log and of one
    whose server was killed."""
    control = Control(place / "control")
    figures = []
    for call in CALLS:
        if error == ENOSPC and call in ("read", "map"):
            continue
        outcomes: Counter[str] = Counter()
        failed = 0
        for number in itertools.count(1, STEP.get(call, 1)):
            folder = anew()
            shutil.copytree(killed[0], folder) if life == "next" else folder.mkdir()
            control.heal()
            control.fail(call, LOG | LOCK, error, number, EVER if lasts else number)
            ran = run(folder, control)
            injected = control.failed(call)
            control.heal()
            outcome = judge(ran, probe.open(folder), folder, killed[1] if life == "next" else [0] * ROOMS)
            if injected == 0:
                assert outcome == "was not disturbed"
                break  # the session has fewer calls
            assert lasts or outcome != "given up", "the disk is good again"
            failed += injected
            outcomes[outcome] += 1
        figures.append(f"{call} {failed} times in {outcomes.total()} sessions {dict(outcomes)}")
        assert outcomes.total() > 0
    when = "for good from" if lasts else "once at"
    tell(f"{errorcode[error]} {when} each call of a {life} life: " + "; ".join(figures))
