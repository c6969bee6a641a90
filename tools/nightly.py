#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Does what takes hours, step by step; started again, it goes on where it was.

    tools/nightly.py             every step that has not been done well yet
    tools/nightly.py --anew      forget what has been done, and do all of them
    tools/nightly.py --list      the steps

What has been done stands in build/nightly: NAME.json how it ended, NAME.log all that it said. A night in which
all went well is over: the next start begins a new one. A new step is one line of STEPS.
A step that this machine cannot do is told as skipped.
Exit: 0 all is well or skipped, 1 a step failed, 2 wrong words.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

from prosa_conformance import interruption

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider")
BUILT = str(ROOT / "build" / "default" / "tests")
CODEC = str(ROOT / "build" / "default" / "bin" / "prosa-codec")
LAST_LINES = 5
FUZZ_S = "3600"  # of the processor, for each target
WELL, SKIPPED = 0, 77  # exit codes; 77: this machine has not what the step needs, and its last lines say what


@dataclass(frozen=True)
class Step:
    """A command, run in the tree's folder; exit code 0 is well, 77 skipped."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


def fuzzed() -> list[str]:
    """The targets of libFuzzer."""
    text = (ROOT / "tests" / "fuzz" / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.findall(r"^prosa_fuzz\((\w+)", text, re.MULTILINE)


def samples() -> list[str]:
    """The implementations in other languages, by their folders."""
    return sorted(path.parent.name for path in (ROOT / "tests" / "samples").glob("*/prosa.toml"))


@dataclass(frozen=True)
class Done:
    """How a step ended."""

    code: int
    seconds: float
    last: list[str]

    @property
    def is_over(self) -> bool:
        return self.code in (WELL, SKIPPED)

    @property
    def words(self) -> str:
        return {WELL: "well", SKIPPED: "skipped"}.get(self.code, f"failed ({self.code})")


STEPS = (
    Step("repeat", (PYTHON, "tools/repeat.py", "100")),
    Step("mutants", (PYTHON, "tests/faulty/whole.py", "build/nightly/mutants")),
    Step("load", (*PYTEST, "tests/load"), {"PROSA_LOAD_SIZE": "full"}),
    Step("abuse", (*PYTEST, "tests/abuse"), {"PROSA_LOAD_SIZE": "full"}),
    Step("allocations", (*PYTEST, "tests/allocation"), {"PROSA_ALLOCATIONS": "all"}),
    Step("scarce-log", (f"{BUILT}/allocation/test_scarce_store",)),
    Step("soak", (*PYTEST, "tests/load/test_soak.py"), {"PROSA_SOAK_MINUTES": "60"}),
    Step("containers", (*PYTEST, "tests/containers"), {"PROSA_CONTAINER_TESTS": "all"}),
    Step("demos", (*PYTEST, "tests/demos"), {"PROSA_CONTAINER_TESTS": "all"}),
    Step("grading", (*PYTEST, "tests/grading"), {"PROSA_CONTAINER_TESTS": "all"}),
    Step("disk", (*PYTEST, "tests/disk"), {"PROSA_DISK_SIZE": "full"}),
    Step("simulation", (f"{BUILT}/simulation/simulation", "1", "1000000")),
    Step("model", (PYTHON, "tests/model/check.py", "--large")),
    Step("codecs", (*PYTEST, "tests/fuzz"), {"PROSA_FUZZ": "night", "PROSA_CODEC": CODEC}),
    *(
        Step(
            f"sample-{name}",
            ("./run", "conform", "--strict", "--sut", f"tests/samples/{name}", "--report", f"build/nightly/of-{name}"),
        )
        for name in samples()
    ),
    *(
        Step(f"fuzz-{name}", ("./run", "fuzz", name, FUZZ_S, "--progress", f"build/nightly/fuzz-{name}/progress.json"))
        for name in fuzzed()
    ),
)


def done(folder: Path, step: Step) -> Done | None:
    path = folder / f"{step.name}.json"
    return Done(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def do(folder: Path, step: Step) -> Done:
    """Run one step to its end, and keep how it went; an interrupted one has not been done."""
    started = time.monotonic()
    log = folder / f"{step.name}.log"
    process = None
    with log.open("wb") as output:
        try:
            with interruption.held_back():
                process = subprocess.Popen(
                    step.command,
                    cwd=ROOT,
                    env={**os.environ, **step.env},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            code = process.wait()
        except KeyboardInterrupt:
            if process is not None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            raise
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LAST_LINES:]
    ended = Done(code, round(time.monotonic() - started, 1), last)
    beside = folder / f"{step.name}.json.new"
    beside.write_text(json.dumps(asdict(ended), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    beside.replace(folder / f"{step.name}.json")
    return ended


def forget(folder: Path, steps: Sequence[Step]) -> None:
    for step in steps:
        (folder / f"{step.name}.json").unlink(missing_ok=True)
        shutil.rmtree(folder / step.name, ignore_errors=True)  # what the step has kept to go on from


def night(steps: Sequence[Step], folder: Path) -> int:
    """Every step that is not over yet, and then the table."""
    folder.mkdir(parents=True, exist_ok=True)
    before = [done(folder, step) for step in steps]
    if all(one is not None and one.is_over for one in before):
        forget(folder, steps)
    for step in steps:
        was = done(folder, step)
        if was is not None and was.is_over:
            print(f"{step.name}: {was.words} before", flush=True)
            continue
        print(f"{step.name}: {' '.join(step.command)}", flush=True)
        for line in do(folder, step).last:
            print(f"    {line}", flush=True)
    return summary(steps, folder)


def summary(steps: Sequence[Step], folder: Path) -> int:
    print(f"\n{'step':16} {'end':12} {'seconds':>10}")
    ends = [(step.name, done(folder, step)) for step in steps]
    for name, end in ends:
        print(f"{name:16} {end.words if end else 'not done':12} {end.seconds if end else 0:10.1f}")
    return 0 if all(end is not None and end.is_over for _, end in ends) else 1


def main(argv: Sequence[str], steps: Sequence[Step] = STEPS, folder: Path = ROOT / "build" / "nightly") -> int:
    parser = argparse.ArgumentParser(description="Do what takes hours; started again, it goes on where it was.")
    parser.add_argument("--anew", action="store_true", help="forget what has been done")
    parser.add_argument("--list", action="store_true", help="print the steps, and do none")
    options = parser.parse_args(argv)
    if options.list:
        for step in steps:
            print(f"{step.name:16} {' '.join(step.command)}")
        return 0
    if options.anew:
        forget(folder, steps)
    return night(steps, folder)


if __name__ == "__main__":
    interruption.listen()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("nightly: interrupted; start it again, and it goes on")
