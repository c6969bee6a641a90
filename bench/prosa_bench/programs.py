# SPDX-License-Identifier: MIT
"""What a person waits for: libsodium, a client's start, the suite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from prosa_bench import subjects
from prosa_bench.bench import Bench, Scenario, of
from prosa_bench.child import CannotMeasure
from prosa_bench.figures import Measure, Pass
from prosa_bench.machine import pinned
from prosa_bench.rates import LIBSODIUM, micro, no_start
from prosa_bench.sizes import Sizes
from prosa_bench.subjects import Subject

SUITE_S = 600

PRIMITIVES = tuple(
    Measure(f"{name}_per_s", "per s", words, more_is_better=True)
    for name, words in (
        ("verify", "Ed25519 verify, 200 octets, one core"),
        ("sign", "Ed25519 sign, 200 octets, one core"),
        ("sha256", "SHA-256, 200 octets, one core"),
    )
)
START = Measure("start_p50_us", "us", "from the start of the program to being in the room", more_is_better=False)
SECONDS = Measure("seconds", "s", "from start to end, by the clock", more_is_better=False)

CLIENT = Subject("prosa-client", "prosa", 0, subjects.prosa(), kind="prosa", signs=True)
BARE = Subject("bare client", "prosa", 0, subjects.prosa(), kind="floor", signs=True)


def run_libsodium(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
    rates = micro(bench)
    return {measure.name: Pass(rates[measure.name]) for measure in PRIMITIVES}


def run_start(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
    with bench.serving(subject) as served:
        command = served.unwatched.words("stream", readers=1, writers=0)
        word = '"event": "joined"'
        if subject is CLIENT:
            data = served.folder / "client"
            data.mkdir()
            command = [str(bench.programs / "bin" / "prosa-client"), "--json", "--data", str(data), "--room", "bench"]
            command = pinned(bench.processors.load, [*command, "--nick", "bench", f"127.0.0.1:{served.port}"])
            word = '"joined"'
        words = [str(bench.program("startup")), str(bench.sizes.starts), word, *command]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMeasure(" ".join(done.stderr.split()))
    return {START.name: Pass(json.loads(done.stdout)["p50"])}


def suites(sizes: Sizes) -> Sequence[Subject]:
    return [Subject(name, "", 0, no_start, kind="prosa") for name, _ in sizes.suites]


def run_suite(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
    words = [sys.executable, "-m", "prosa_conformance", "--cmd", str(bench.programs / "bin" / "prosa-server")]
    words += dict(bench.sizes.suites)[subject.name]
    with tempfile.TemporaryDirectory(prefix="prosa-bench-") as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env |= {"PYTHONPATH": str(bench.root / "conformance"), "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        # Python compiles what it reads for the first time, and never again: that is no part of the suite.
        subprocess.run([*words, "--list"], capture_output=True, check=False, env=env, timeout=SUITE_S)
        start = time.monotonic()
        done = subprocess.run(
            [*words, "--report", folder], capture_output=True, text=True, check=False, env=env, timeout=SUITE_S
        )
        seconds = time.monotonic() - start
    if done.returncode not in (0, 1):
        raise CannotMeasure(f"the suite ended with {done.returncode}: {' '.join(done.stderr.split())[-200:]}")
    return {SECONDS.name: Pass(seconds, faults={} if done.returncode == 0 else {"violations": 1})}


SCENARIOS = (
    Scenario("libsodium", "libsodium alone", PRIMITIVES, of(LIBSODIUM), run_libsodium),
    Scenario(
        "start",
        "a client starts, and is in a room; beside the least program that does the same",
        (START,),
        of(CLIENT, BARE),
        run_start,
    ),
    Scenario("suite", "the conformance suite on the reference server", (SECONDS,), suites, run_suite, is_long=True),
)
