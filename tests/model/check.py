#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the models of spec/model through the model checker, the wrong variants too.

    tests/model/check.py           the worlds of the ordinary tests (about a minute)
    tests/model/check.py --large   larger worlds, for a night: up to an hour and 8 GB

A good world passes when no property is violated and every state was visited. A wrong variant passes
when the property that stands for its broken clause is the one that is violated, with a trail that
shows how; its world without the fault is always among the good ones.

Exit: 0 all pass, 1 one does not, 2 usage or a missing program.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2] / "spec/model"
DEADLOCK = "deadlock"  # not a formula: somebody waits for ever who has not finished
WORKERS = 2
DEPTH = 100_000

# What a violation looks like in the words of pan.
STUCK, FALSE, NEVER = "invalid end state", "assertion violated", "acceptance cycle"
# What makes a search worth nothing, though it says "errors: 0".
CUT_SHORT = ("max search depth too small", "Search not completed", "reached -DMEMLIM", "out of memory", "error:")


@dataclass(frozen=True)
class World:
    """The size of a model: what spin is told, and how much memory its search may take."""

    model: str
    sizes: str
    properties: tuple[str, ...]
    megabytes: int = 1000


@dataclass(frozen=True)
class Wrong:
    """A fault, the world that it is put into, and how the property of its clause is violated."""

    macro: str
    world: str
    violated: str
    sign: str
    clause: str


PUBLISH = (DEADLOCK, "safe", "all_acked", "all_delivered")
WORLDS = {
    "pair": World("publish.pml", "", PUBLISH),
    "crowd": World("publish.pml", "-DWRITERS=2 -DMESSAGES=1 -DFAULTS=1", PUBLISH),
    "narrow": World("publish.pml", "-DCLIENTS=1 -DFIRST_READER=0 -DPIPE=1 -DWINDOW=3", PUBLISH),
    "forger": World("publish.pml", "-DCLIENTS=1 -DFIRST_READER=0 -DMESSAGES=2 -DFORGED_ACKS", PUBLISH),
}
LARGE = {
    "pair, longer": World("publish.pml", "-DMESSAGES=4 -DCREDIT=3", PUBLISH, 4000),
    "pair, worse": World("publish.pml", "-DFAULTS=3", PUBLISH, 4000),
    "crowd, longer": World("publish.pml", "-DWRITERS=2 -DMESSAGES=2 -DFAULTS=1", PUBLISH, 4000),
    "crowd, worse": World("publish.pml", "-DWRITERS=2 -DMESSAGES=1 -DFAULTS=2", PUBLISH, 4000),
    "narrow, worse": World("publish.pml", "-DCLIENTS=1 -DFIRST_READER=0 -DPIPE=1 -DWINDOW=3 -DFAULTS=4", PUBLISH, 4000),
    "forger, worse": World("publish.pml", "-DCLIENTS=1 -DFIRST_READER=0 -DMESSAGES=3 -DFAULTS=3 -DFORGED_ACKS",
                           PUBLISH, 8000),
}
WRONG = (
    Wrong("WRONG_ACK_BEFORE_COMMIT", "pair", "acked_is_committed", FALSE, "FLOW-09"),
    Wrong("WRONG_SHOW_BEFORE_COMMIT", "pair", "only_committed", FALSE, "FLOW-26"),
    Wrong("WRONG_NO_WAIT", "pair", "at_most_once", FALSE, "END-14"),
    Wrong("WRONG_OLD_READS_ON", "pair", "at_most_once", FALSE, "END-14"),
    Wrong("WRONG_NEW_COUNTER", "pair", "at_most_once", FALSE, "RES-08"),
    Wrong("WRONG_RESEND_FROM_ACK", "forger", "all_delivered", NEVER, "RES-08"),
    Wrong("WRONG_RESEND_FROM_ACK", "forger", "no_refusal", FALSE, "RES-08"),
    Wrong("WRONG_GAP_TAKEN", "forger", "contiguous", FALSE, "FLOW-24"),
    Wrong("WRONG_BEYOND_LIMIT", "pair", "within_window", FALSE, "FLOW-20"),
    Wrong("WRONG_SKIP_AFTER_REPLAY", "pair", "one_order", FALSE, "RES-01"),
    Wrong("WRONG_CREDIT_LEAK", "pair", DEADLOCK, STUCK, "FLOW-17"),
    Wrong("WRONG_CREDIT_LEAK", "pair", "all_delivered", NEVER, "FLOW-17"),
    Wrong("WRONG_WINDOW_STUCK", "pair", DEADLOCK, STUCK, "FLOW-11"),
    Wrong("WRONG_WINDOW_STUCK", "pair", "all_acked", NEVER, "FLOW-11"),
    Wrong("WRONG_WRITE_ONLY", "narrow", DEADLOCK, STUCK, "FLOW-41"),
)


class Failure(Exception):
    """A model that does not pass; the text says what, where, and how to look at it."""


@dataclass(frozen=True)
class Search:
    """What pan said about one property."""

    output: str
    trail: bool
    states: int
    errors: int
    seconds: float


def command(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def translate(world: World, macros: list[str], folder: Path) -> None:
    """The model as a C program, pan.c."""
    shutil.copy(MODELS / world.model, folder)
    said = command(["spin", *world.sizes.split(), *macros, "-a", world.model], folder)
    if "rror:" in said:
        raise Failure(f"spin does not like {world.model}:\n{said}")


def build(world: World, name: str, flags: list[str], folder: Path) -> None:
    command(["cc", "-w", *flags, f"-DMEMLIM={world.megabytes}", "-DNFAIR=3", "-o", name, "pan.c"], folder)


def search(searched: str, fair: bool, folder: Path) -> Search:
    """One property. A deadlock is looked for without any formula."""
    options = [] if searched == DEADLOCK else ["-a", *(["-f"] if fair else []), "-N", searched]
    start = time.monotonic()
    output = command([f"./{binary(searched)}", f"-m{DEPTH}", *options], folder)
    seconds = time.monotonic() - start
    errors = re.search(r"errors: (\d+)", output)
    states = re.search(r"(\d+) states, stored", output)
    if not errors or not states:
        raise Failure(f"pan did not finish:\n{output}")
    if searched != DEADLOCK and f"+ ({searched})" not in output:
        raise Failure(f"pan did not look at {searched}:\n{output}")
    return Search(output, any(folder.glob("*.trail")), int(states[1]), int(errors[1]), seconds)


def binary(searched: str) -> str:
    return "pan-deadlock" if searched == DEADLOCK else "pan-claims"


def check_good(name: str, world: World) -> Iterator[str]:
    """All properties of one world, every state of it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        translate(world, [], folder)
        build(world, "pan-deadlock", ["-O1", "-DNOCLAIM"], folder)
        build(world, "pan-claims", ["-O1"], folder)
        for searched in world.properties:
            found = search(searched, False, folder)
            cut = [words for words in CUT_SHORT if words in found.output]
            if found.errors or cut:
                raise Failure(f"{name} [{world.sizes}]: {searched} does not hold, or the search was cut short: "
                              f"{', '.join(cut) or 'a counterexample'}\n{found.output}")
            yield f"{name:14} {searched:20} holds in all {found.states:9,} states, {found.seconds:5.1f} s"


def check_wrong(wrong: Wrong) -> Iterator[str]:
    """The property of the clause is violated, in the way that this fault violates it."""
    world = WORLDS[wrong.world]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        translate(world, [f"-D{wrong.macro}"], folder)
        build(world, binary(wrong.violated), ["-DNOCLAIM"] if wrong.violated == DEADLOCK else [], folder)
        found = search(wrong.violated, True, folder)
        if found.errors == 0 or wrong.sign not in found.output or not found.trail:
            raise Failure(f"{wrong.macro} [{world.sizes}] breaks {wrong.clause}, and {wrong.violated} does not "
                          f"notice it ({wrong.sign!r} was expected):\n{found.output}")
        yield f"{wrong.macro:24} breaks {wrong.clause}: {wrong.violated} finds it ({found.states:,} states)"


def report(check: Callable[[], Iterator[str]]) -> bool:
    """Prints what a check says. False: it failed."""
    try:
        for line in check():
            print(line, flush=True)
    except Failure as failure:
        print(f"FAILED: {failure}", flush=True)
        return False
    return True


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Check the models of spec/model.")
    parser.add_argument("--large", action="store_true", help="the larger worlds: up to an hour and 8 GB")
    large = parser.parse_args(arguments).large
    for program, package in (("spin", "spin"), ("cc", "build-essential")):
        if shutil.which(program) is None:
            print(f"check.py: there is no program {program}: install the Debian package {package}", file=sys.stderr)
            return 2
    worlds = LARGE if large else WORLDS
    checks: list[Callable[[], Iterator[str]]] = [
        lambda name=name, world=world: check_good(name, world) for name, world in worlds.items()]
    if not large:
        checks += [lambda wrong=wrong: check_wrong(wrong) for wrong in WRONG]
    with ThreadPoolExecutor(1 if large else WORKERS) as pool:
        passed = list(pool.map(report, checks))
    print(f"{passed.count(True)} of {len(passed)} models pass")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
