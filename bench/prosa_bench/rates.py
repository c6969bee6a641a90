# SPDX-License-Identifier: MIT
"""How much: posts that a server accepts, deliveries that it makes of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping

from prosa_bench import subjects
from prosa_bench.bench import Bench, Scenario, of
from prosa_bench.child import CannotMeasure, Command
from prosa_bench.figures import Measure, Pass
from prosa_bench.generator import Event, once
from prosa_bench.machine import pinned
from prosa_bench.subjects import Place, Subject

WIDE_WINDOW = 256
POSTERS = 4
LEAST_POSTS = 20
VERIFY_HINT = 20_000  # signatures a second: sets how long a pass lasts, like a subject's hint

POSTS = Measure("posts_per_s", "posts/s", "messages accepted and shown to all", more_is_better=True)
DELIVERIES = Measure("deliveries_per_s", "deliveries/s", "messages shown, each reader counted", more_is_better=True)
OUTSIDE = Measure("outside_us", "us", "server's CPU time a delivery, without that of signatures", more_is_better=False)


def no_start(place: Place) -> Command:
    raise CannotMeasure("it is no server")


LIBSODIUM = Subject("libsodium", "", 0, no_start, kind="floor", signs=True)


def micro(bench: Bench) -> dict[str, float]:
    """Times a second, by CPU time, on the server's processor."""
    words = [str(bench.program("micro")), str(bench.sizes.micro_ms)]
    done = subprocess.run(pinned(bench.processors.server(), words), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMeasure(done.stderr.strip())
    rates: dict[str, float] = json.loads(done.stdout)
    return rates


def stream(bench: Bench, subject: Subject, *, readers: int, writers: int, window: int, per_s: float) -> Event:
    """One pass as fast as it goes, of about `stream_s` when the subject says `per_s` posts a second."""
    posts = max(LEAST_POSTS, int(per_s * bench.sizes.stream_s / writers))
    with bench.serving(subject) as served:
        return once(served.load.words("stream", readers=readers, writers=writers, window=window, posts=posts))


def rate(event: Event, count: str) -> Pass:
    if event["seconds"] <= 0:
        raise CannotMeasure("nobody was shown anything")
    return Pass.of(event[count] / event["seconds"], event)


def run_posts(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
    if subject is LIBSODIUM:
        return {POSTS.name: Pass(micro(bench)["verify_per_s"], note="verify alone")}
    per_s = VERIFY_HINT * subject.cores
    event = stream(bench, subject, readers=POSTERS, writers=POSTERS, window=WIDE_WINDOW, per_s=per_s)
    return {POSTS.name: rate(event, "posts")}


def outside(event: Event) -> Pass:
    server = event["server"]
    if event["deliveries"] == 0:
        raise CannotMeasure("nobody was shown anything")
    return Pass.of((server["cpu_s"] - server["verifier_s"]) * 1e6 / event["deliveries"], event)


def run_fanout(writers: int, window: int) -> Callable[[Bench, Subject], Mapping[str, Pass]]:
    def run(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
        readers = bench.sizes.readers
        hint = subject.hint / readers
        # A message at a time costs a turn each: fewer of them fill the same time.
        per_s = hint if window > 1 else min(hint, 8_000)
        event = stream(
            bench, subject, readers=readers, writers=min(writers, readers), window=window, per_s=max(per_s, 1)
        )
        figures = {DELIVERIES.name: rate(event, "deliveries")}
        if subject is not subjects.VERIFYING:  # which verifies on its only thread
            figures[OUTSIDE.name] = outside(event)
        return figures

    return run


SCENARIOS = (
    Scenario(
        "posts",
        "4 members in one room, each with a window of 256 (or what the server grants): posts accepted a second",
        (POSTS,),
        of(
            subjects.PROSA,
            LIBSODIUM,
            subjects.VERIFYING,
            subjects.PROSA_2,
            subjects.DURABLE,
            subjects.DURABLE_2,
        ),
        run_posts,
    ),
    Scenario(
        "fanout-1",
        "100 members, one of them writes with a window of 256",
        (DELIVERIES, OUTSIDE),
        of(*subjects.ALL),
        run_fanout(1, WIDE_WINDOW),
    ),
    Scenario(
        "fanout-10",
        "100 members, ten of them write with windows of 256",
        (DELIVERIES, OUTSIDE),
        of(*subjects.ALL),
        run_fanout(10, WIDE_WINDOW),
    ),
    Scenario(
        "window-1",
        "100 members, ten of them write one message at a time: the next when they were shown the last",
        (DELIVERIES,),
        of(*subjects.ALL),
        run_fanout(10, 1),
    ),
)
