# SPDX-License-Identifier: MIT
"""How many: connections that are held, that come, and one that comes back for all it has missed."""

from __future__ import annotations

from collections.abc import Mapping

from prosa_bench import subjects
from prosa_bench.bench import Bench, Scenario, of
from prosa_bench.calm import percentile
from prosa_bench.child import resident
from prosa_bench.figures import Measure, Pass
from prosa_bench.generator import Load, loading, once
from prosa_bench.machine import slab_octets
from prosa_bench.rates import LIBSODIUM, micro, rate
from prosa_bench.subjects import Subject

FILLERS = 10  # members that say what is replayed
BROADCASTS = "it tells all of a channel of each who joins, which takes minutes"
AT_ONCE = 24  # handshakes: a server has places for 64 strangers

IDLE = Measure("idle_octets", "octets", "resident memory an idle authenticated connection", more_is_better=False)
KERNEL = Measure("kernel_octets", "octets", "kernel memory an end of a connection, about", more_is_better=False)
TO_LAST = Measure("to_last_us", "us", "one post, to the last of all", more_is_better=False)
HANDSHAKES = Measure("handshakes_per_s", "handshakes/s", "from connect to READY", more_is_better=True)
MESSAGES = Measure("messages_per_s", "messages/s", "replayed to one client", more_is_better=True)


def run_crowd(bench: Bench, subject: Subject) -> Mapping[str, Pass | str]:
    size = bench.sizes.crowd
    with bench.serving(subject) as served:
        words = served.load.words(
            "stream", readers=size, writers=1, window=1, posts=bench.sizes.crowd_posts, together=True, pauses=True,
            patience=20,
        )  # fmt: skip
        before, slab = resident(served.pid), slab_octets()
        with loading(words) as load:
            present = load.until("present")
            kernel = max(0, slab_octets() - slab) / (2 * size)
            to_last = BROADCASTS if subject.dialect == "irc" else post_to_all(load)
    each = max(0, present["server"]["rss"] - before) / size
    return {IDLE.name: Pass.of(each, present), KERNEL.name: Pass.of(kernel, present), TO_LAST.name: to_last}


def post_to_all(load: Load) -> Pass:
    load.go_on()
    load.until("joined")
    load.go_on()
    return percentile(load.until("done"), "p50")


def run_handshakes(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
    if subject is LIBSODIUM:
        rates = micro(bench)
        bound = 1 / (1 / rates["sign_per_s"] + 1 / rates["verify_per_s"])
        return {HANDSHAKES.name: Pass(bound, note="1 / (sign + verify)")}
    with bench.serving(subject) as served:
        words = served.load.words("arrive", readers=bench.sizes.handshakes, at_once=AT_ONCE)
        event = once(words, "arrived")
    return {HANDSHAKES.name: Pass.of(event["members"] / event["seconds"], event)}


def run_replay(bench: Bench, subject: Subject) -> Mapping[str, Pass]:
    posts = max(1, bench.sizes.replay // FILLERS)
    with bench.serving(subject) as served:
        said = {"writers": FILLERS, "posts": posts, "run": 1}
        fill = once(served.load.words("stream", readers=FILLERS, **said))
        replay = once(served.load.words("replay", source="r", readers=1, recv_window=65535, **said))
    one = rate(replay, "deliveries")
    return {MESSAGES.name: Pass(one.value, one.server, one.load, one.faults, one.generator_was_busy,
                                note=f"of {fill['posts']:,} in the log")}  # fmt: skip


SCENARIOS = (
    Scenario(
        "crowd",
        "10,000 connections (fewer in a quick run): what one costs that says nothing; one post to all of them",
        (IDLE, KERNEL, TO_LAST),
        of(*subjects.ALL),
        run_crowd,
        is_long=True,
    ),
    Scenario(
        "handshakes",
        "clients that come, are READY, and go: 24 at a time",
        (HANDSHAKES,),
        of(subjects.PROSA, LIBSODIUM),
        run_handshakes,
    ),
    Scenario(
        "replay",
        "one client that comes back for 100,000 messages (fewer in a quick run)",
        (MESSAGES,),
        of(subjects.DURABLE),
        run_replay,
    ),
)
