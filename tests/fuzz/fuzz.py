#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Lets libFuzzer look for octets that break a promise, for so many seconds of the processor.

    ./run fuzz                                   the targets
    ./run fuzz TARGET SECONDS                    what was found to be new stays in build/nightly/corpus/TARGET
    ./run fuzz TARGET SECONDS --progress FILE    SECONDS in all: started again, it goes on where it was
    ./run fuzz TARGET FILE...                    once with each of these inputs

A finding stays in build/findings, named after its target and its kind, with what was said beside it.
Exit: 0 no finding, 1 a finding, 2 wrong words.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))

from prosa_conformance import interruption  # noqa: E402

HERE = Path(__file__).resolve().parent
BUILT = ROOT / "build" / "fuzz" / "tests" / "fuzz"
SLICE_S = 300  # after which it is written down how far it came
LIMITS = ("-timeout=60", "-rss_limit_mb=2048", "-max_len=16384")
LAST_LINES = 40
EXECUTED = re.compile(r"^stat::number_of_executed_units: (\d+)", re.MULTILINE)
STATE = re.compile(r"^#\d+\s.* cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)


@dataclass
class Progress:
    """What was done so far."""

    seconds: float = 0  # of the processor
    executions: int = 0
    edges: int = 0
    features: int = 0
    corpus: int = 0

    def add(self, seconds: float, said: str) -> None:
        self.seconds += seconds
        executed, states = EXECUTED.search(said), STATE.findall(said)
        self.executions += int(executed[1]) if executed else 0
        if states:
            self.edges, self.features, self.corpus = map(int, states[-1])

    def __str__(self) -> str:
        rate = self.executions / self.seconds if self.seconds else 0
        return (
            f"{self.seconds:.0f} s of the processor, {self.executions:,} executions, {rate:,.0f} a second, "
            f"{self.edges} edges, {self.features} features, {self.corpus} inputs"
        )


def targets() -> list[str]:
    text = (HERE / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.findall(r"^prosa_fuzz\((\w+)", text, re.MULTILINE)


def run(words: Sequence[str], log: Path) -> int:
    """A program to its end, or to ours; what it says is in the log."""
    process = None
    with log.open("wb") as output:
        try:
            with interruption.held_back():
                process = subprocess.Popen(
                    words,
                    cwd=ROOT,
                    env={**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            return process.wait()
        except KeyboardInterrupt:
            if process is not None:
                process.terminate()
                process.wait()
            raise


def said_in(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True)
class Fuzzer:
    """One target with its folders."""

    name: str
    program: Path = BUILT
    corpus: Path = ROOT / "build" / "nightly" / "corpus"
    findings: Path = ROOT / "build" / "findings"

    def inputs(self) -> list[str]:
        """Where new inputs go first, then where inputs come from."""
        own = self.corpus / self.name
        own.mkdir(parents=True, exist_ok=True)
        others = (self.program / "seeds" / self.name, HERE / "corpus" / self.name)
        return [str(own), *(str(folder) for folder in others if folder.exists())]

    @property
    def command(self) -> str:
        return str(self.program / f"fuzz_{self.name}")

    def found(self) -> dict[Path, int]:
        """What there is, and since when: the same finding has the same name again."""
        paths = (path for path in self.findings.glob(f"{self.name}-*") if path.suffix != ".log")
        return {path: path.stat().st_mtime_ns for path in paths if "-slow-unit-" not in path.name}

    def fuzz(self, seconds: int, progress: Progress, file: Path | None) -> bool:
        """Until so many seconds are used up; False: a finding."""
        self.findings.mkdir(parents=True, exist_ok=True)
        log = self.findings / f"{self.name}.log"
        share = 1.0  # of a processor, that a slice has got
        while progress.seconds < seconds:
            before, used, began = self.found(), processor_seconds(), time.monotonic()
            left = max(1, min(SLICE_S, round((seconds - progress.seconds) / share)))
            words = [
                f"-max_total_time={left}",
                "-print_final_stats=1",
                f"-artifact_prefix={self.findings}/{self.name}-",
            ]
            code = None
            try:
                code = run([self.command, *LIMITS, *words, *self.inputs()], log)
            finally:  # an interrupted one counts, too
                used = processor_seconds() - used
                progress.add(used, said_in(log))
                write(file, progress)
            share = min(1.0, max(0.05, used / max(1.0, time.monotonic() - began)))
            print(f"{self.name}: {progress}", flush=True)
            if code != 0 and not self.tell(code, sorted(dict(self.found().items() - before.items())), log):
                return False
        return True

    def tell(self, code: int, paths: Sequence[Path], log: Path) -> bool:
        """Names what was found. True: it was no finding, but a machine that stood still for a while."""
        kept = log.with_suffix(".finding.log") if not paths else Path(f"{paths[0]}.log")
        shutil.copyfile(log, kept)
        if paths and all("-timeout-" in path.name for path in paths) and self.replay(paths, quiet=True):
            print(f"{self.name}: {paths[0].name} takes no longer than others when it is run again: passed over")
            return True
        print("\n".join(said_in(log).splitlines()[-LAST_LINES:]))
        for path in paths:
            print(f"{self.name}: FOUND {path}\n    again: ./run fuzz {self.name} {path}")
        print(f"{self.name}: the target ended with {code}; all that it said: {kept}")
        return False

    def has_mended(self) -> bool:
        """False: what was found before is a finding still."""
        paths = sorted(self.found())
        if not paths or self.replay(paths, quiet=True):
            return True
        print(f"{self.name}: found before, and not mended; mend it, or delete what is none:")
        print("\n".join(f"    ./run fuzz {self.name} {path}" for path in paths))
        return False

    def replay(self, paths: Sequence[Path], quiet: bool = False) -> bool:
        """Once with each input; False: one of them is a finding."""
        self.findings.mkdir(parents=True, exist_ok=True)
        log = self.findings / f"{self.name}.replay.log"
        code = run([self.command, *LIMITS, *(str(path.resolve()) for path in paths)], log)
        if not quiet:
            print(said_in(log), end="")
        return code == 0


def read(file: Path | None) -> Progress:
    return Progress(**json.loads(file.read_text(encoding="utf-8"))) if file and file.exists() else Progress()


def write(file: Path | None, progress: Progress) -> None:
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(asdict(progress)) + "\n", encoding="utf-8")
    beside.replace(file)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run fuzz", description="Look for octets that break a promise.")
    parser.add_argument("target", nargs="?", choices=targets(), help="without it the targets are listed")
    parser.add_argument("words", nargs="*", metavar="SECONDS|FILE", help="seconds of the processor, or inputs")
    parser.add_argument("--progress", type=Path, metavar="FILE", help="go on from it, and write it down there")
    options = parser.parse_args(argv)
    if options.target is None:
        print("\n".join(targets()))
        return 0
    fuzzer = Fuzzer(options.target)
    paths = [Path(word) for word in options.words]
    if paths and all(path.exists() for path in paths):
        return 0 if fuzzer.replay(paths) else 1
    if len(paths) != 1 or not options.words[0].isdecimal():
        parser.error("say for how many seconds, or which files there are to run")
    if not fuzzer.has_mended():
        return 1
    progress = read(options.progress)
    good = fuzzer.fuzz(int(options.words[0]), progress, options.progress)
    print(f"{fuzzer.name}: {progress}, {'no finding' if good else 'A FINDING'}")
    return 0 if good else 1


if __name__ == "__main__":
    interruption.listen()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("fuzz: interrupted")
