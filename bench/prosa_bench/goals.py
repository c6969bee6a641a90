# SPDX-License-Identifier: MIT
"""The goals, as data: what must be how large beside what, in the same run. Nothing else knows a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prosa_bench import subjects
from prosa_bench.figures import Figure, Key

AT_LEAST, AT_MOST = ">=", "<="
FLAT = 1.05  # memory at the end of a server's life beside that at its beginning, both without what is odd


@dataclass(frozen=True)
class Goal:
    """`figure` is to be at least or at most `factor` times the base: the one figure of `bases`, the least of several
    (the greatest for AT_LEAST), or 1 when there is none."""

    name: str
    figure: Key
    relation: str
    factor: float
    bases: tuple[Key, ...] = ()
    elsewhere: str = ""  # why this run cannot measure it


@dataclass(frozen=True)
class Verdict:
    goal: Goal
    verdict: str  # "met", "missed" or "not measured"
    value: float | None
    bound: float | None
    why: str


def prosa(scenario: str, measure: str, subject: str = "prosa") -> Key:
    return Key(scenario, measure, subject)


def all_peers(scenario: str, measure: str) -> tuple[Key, ...]:
    return tuple(Key(scenario, measure, peer.name) for peer in subjects.PEERS)


def posts(subject: str) -> Key:
    return Key("posts", "posts_per_s", subject)


def fanout(name: str) -> tuple[Goal, ...]:
    rate, outside = "deliveries_per_s", "outside_us"
    return (
        Goal(f"{name}: deliveries a second, beside the verifying relay", prosa(name, rate), AT_LEAST, 0.95,
             (Key(name, rate, "verifying relay"),)),
        Goal(f"{name}: CPU time a delivery outside the verifier, beside NATS", prosa(name, outside), AT_MOST, 1.0,
             (Key(name, outside, "nats"),)),
        Goal(f"{name}: CPU time a delivery outside the verifier, beside Redis", prosa(name, outside), AT_MOST, 1.0,
             (Key(name, outside, "redis"),)),
    )  # fmt: skip


def flood(name: str) -> tuple[Goal, ...]:
    during = prosa(name, "during_p99_us")
    return (
        Goal(f"{name}: p99 of the calm, beside their own before", during, AT_MOST, 2.0,
             (prosa(name, "before_p99_us"),)),
        Goal(f"{name}: p99 of the calm, in microseconds", during, AT_MOST, 1_000),
        Goal(f"{name}: peak memory, in octets", prosa(name, "peak_octets"), AT_MOST, 10_000_000),
    )  # fmt: skip


GOALS: tuple[Goal, ...] = (
    Goal("posts: one core, beside libsodium's verify", posts("prosa"), AT_LEAST, 0.90, (posts("libsodium"),)),
    Goal("posts: two cores, beside one", posts("prosa, 2 cores"), AT_LEAST, 1.6, (posts("prosa"),)),
    Goal("posts: durable, beside memory", posts("prosa, durable"), AT_LEAST, 0.80, (posts("prosa"),)),
    Goal("posts: durable on two cores, beside memory", posts("prosa, durable, 2 cores"), AT_LEAST, 0.80,
         (posts("prosa, 2 cores"),)),
    *fanout("fanout-1"),
    *fanout("fanout-10"),
    Goal("window-1: deliveries a second, beside NATS", prosa("window-1", "deliveries_per_s"), AT_LEAST, 1.0,
         (Key("window-1", "deliveries_per_s", "nats"),)),
    Goal("window-1: deliveries a second, beside Redis", prosa("window-1", "deliveries_per_s"), AT_LEAST, 0.9,
         (Key("window-1", "deliveries_per_s", "redis"),)),
    Goal("latency: p50, beside the verifying relay", prosa("latency", "p50_us"), AT_MOST, 1.15,
         (Key("latency", "p50_us", "verifying relay"),)),
    Goal("latency: p99, beside the verifying relay", prosa("latency", "p99_us"), AT_MOST, 1.3,
         (Key("latency", "p99_us", "verifying relay"),)),
    Goal("deliveries a second, beside a Nostr relay", prosa("fanout-1", "deliveries_per_s"), AT_LEAST, 10.0,
         (Key("fanout-1", "deliveries_per_s", "nostr relay"),), "Debian has no package of a Nostr relay"),
    Goal("latency p50, beside a Nostr relay", prosa("latency", "p50_us"), AT_MOST, 0.01,
         (Key("latency", "p50_us", "nostr relay"),), "Debian has no package of a Nostr relay"),
    *flood("flood-over"),
    *flood("flood-full"),
    Goal("crowd: octets an idle connection", prosa("crowd", "idle_octets"), AT_MOST, 512),
    Goal("crowd: one post to the last of all, beside the relay", prosa("crowd", "to_last_us"), AT_MOST, 1.15,
         (Key("crowd", "to_last_us", "relay"),)),
    Goal("crowd: one post to the last of all, beside the best peer", prosa("crowd", "to_last_us"), AT_MOST, 1.0,
         all_peers("crowd", "to_last_us")),
    Goal("memory: flat over an hour, last beside first", prosa("soak", "rss_growth"), AT_MOST, FLAT, (),
         "./run nightly measures it, and fails above it"),
    Goal("handshakes a second on one core, beside 1 / (sign + verify)", prosa("handshakes", "handshakes_per_s"),
         AT_LEAST, 0.8, (Key("handshakes", "handshakes_per_s", "libsodium"),)),
    Goal("replay: messages a second to one client", prosa("replay", "messages_per_s", "prosa, durable"), AT_LEAST,
         500_000),
    Goal("start: client in the room, beside the least that does it", Key("start", "start_p50_us", "prosa-client"),
         AT_MOST, 1.2, (Key("start", "start_p50_us", "bare client"),)),
    Goal("suite: L1, in seconds", Key("suite", "seconds", "L1"), AT_MOST, 3.0),
    Goal("suite: whole server suite, in seconds", Key("suite", "seconds", "whole server suite"), AT_MOST, 20.0),
)  # fmt: skip


def judge(goal: Goal, figures: Mapping[Key, Figure]) -> Verdict:
    """A figure with a lost, doubled or altered message meets no goal."""
    if goal.elsewhere:
        return Verdict(goal, "not measured", None, None, goal.elsewhere)
    bases = [figures[key] for key in goal.bases if key in figures and figures[key].value is not None]
    figure = figures.get(goal.figure)
    if figure is None or figure.value is None:
        return Verdict(goal, "not measured", None, None, figure.missing if figure else "not in this run")
    if goal.bases and not bases:
        return Verdict(goal, "not measured", figure.value, None, why_missing(goal.bases, figures))
    pick: Callable[[Sequence[float]], float] = max if goal.relation == AT_LEAST else min
    bound = goal.factor * (pick([base.value for base in bases if base.value is not None]) if goal.bases else 1.0)
    if figure.faults:
        words = ", ".join(f"{count:,} {name}" for name, count in figure.faults.items())
        return Verdict(goal, "missed", figure.value, bound, words)
    is_met = figure.value >= bound if goal.relation == AT_LEAST else figure.value <= bound
    return Verdict(goal, "met" if is_met else "missed", figure.value, bound, "")


def why_missing(bases: Sequence[Key], figures: Mapping[Key, Figure]) -> str:
    for key in bases:
        if key in figures and figures[key].missing:
            return f"{key.subject}: {figures[key].missing}"
    return f"{', '.join(key.subject for key in bases)}: not in this run"
