# SPDX-License-Identifier: MIT
"""How soon: a message to the last of ten members, in peace and while others flood."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prosa_bench import subjects
from prosa_bench.bench import Bench, Scenario, Served, of
from prosa_bench.child import CannotMeasure
from prosa_bench.figures import Measure, Pass
from prosa_bench.generator import Event, Options, faults_of, loading, once
from prosa_bench.subjects import Subject

MEMBERS = 10
RATE = 200  # messages a second, of all
OVER = 100  # windows beyond its credit, that one flooder goes
FULL = 10  # flooders at full credit
WINDOW = 64
LONGEST_FLOOD_S = 60
REPEATED = 1_000  # messages that are said again and again, where a protocol does not number them

P50 = Measure("p50_us", "us", "to the last member, half of the messages at most", more_is_better=False)
P99 = Measure("p99_us", "us", "to the last member, 99 of 100 messages at most", more_is_better=False)
BEFORE = Measure("before_p99_us", "us", "p99 of the calm, before", more_is_better=False)
DURING = Measure("during_p99_us", "us", "p99 of the calm, during the flood", more_is_better=False)
PEAK = Measure("peak_octets", "octets", "the server's largest resident memory during the flood", more_is_better=False)


def speak(options: Options, seconds: float) -> Event:
    posts = max(1, int(RATE * seconds / MEMBERS))
    return once(options.words("stream", source="c", readers=MEMBERS, writers=MEMBERS, rate=RATE, posts=posts))


def percentile(event: Event, name: str, note: str = "") -> Pass:
    if event["each_us"]["count"] == 0:
        raise CannotMeasure("no message reached all members")
    return Pass.of(event["each_us"][name], event, note)


def run_latency(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
    with bench.serving(subject) as served:
        event = speak(served.load, bench.sizes.latency_s)
    return {P50.name: percentile(event, "p50"), P99.name: percentile(event, "p99")}


def under_flood(bench: Bench, served: Served, flooders: int, over: int) -> tuple[Event, Event, bool]:
    """What the calm and the flood tell, and whether the flood went on as long as the calm spoke."""
    posts = (bench.sizes.flood_posts if served.subject is subjects.PROSA else REPEATED) // flooders
    words = served.load.words(
        "flood", source="f", readers=flooders, writers=flooders, stalled=1, window=WINDOW, over=over, posts=posts,
        seconds=LONGEST_FLOOD_S, pauses=True, recv_window=65535,
    )  # fmt: skip
    with loading(words) as flood:
        flood.until("flooding")
        calm = speak(served.unwatched, bench.sizes.calm_s)
        lasted = not flood.has_said_more()
        flood.go_on()
        return calm, flood.until("done"), lasted


def run_flood(flooders: int, over: int) -> Callable[[Bench, Subject], Mapping[str, Pass]]:
    def run(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
        with bench.serving(subject) as served:
            before = speak(served.load, bench.sizes.calm_s)
            during, flood, lasted = under_flood(bench, served, flooders, over)
        note = f"{flood['posts'] / flood['seconds']:,.0f} flood posts/s"
        if flood["returned"]:
            note = f"sent away {flood['returned']} times"
        note += "" if lasted else "; the flood was over before the calm was"
        peak = Pass.of(flood["server"]["peak_rss"], flood, "the reader that never reads was ended" * flood["cut"])
        calm = percentile(during, "p99", note)
        sides = Pass(calm.value, peak.server, calm.load, faults_of(during), calm.generator_was_busy, note=note)
        return {BEFORE.name: percentile(before, "p99"), DURING.name: sides, PEAK.name: peak}

    return run


# What hands on all that comes floods the generator with it: no floor for this.
FLOODED = tuple(subject for subject in subjects.ALL if subject is not subjects.RELAY)

SCENARIOS = (
    Scenario(
        "latency",
        "10 members, 200 messages a second between them: time to the last member",
        (P50, P99),
        of(*subjects.ALL),
        run_latency,
    ),
    Scenario(
        "flood-over",
        "10 calm members at 200 messages a second; one floods at 100 times its credit (without credit: as fast as"
        " its socket takes it), and one never reads",
        (BEFORE, DURING, PEAK),
        of(*FLOODED),
        run_flood(1, OVER),
    ),
    Scenario(
        "flood-full",
        "10 calm members at 200 messages a second; ten flood at full credit, windows of 64, and one never reads",
        (BEFORE, DURING, PEAK),
        of(*FLOODED),
        run_flood(FULL, 0),
    ),
)
