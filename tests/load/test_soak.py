# SPDX-License-Identifier: MIT
"""Half of what the server can take, for as long as one likes, while one after the other is killed: nothing is lost,
doubled or moved, and the server does not grow.

Busy rooms have crowds that come back by themselves and check what they are told against each other; in the other
rooms everybody's history is judged as a whole. Turn by turn: all speak, somebody is struck, the server is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
import random
import shlex
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from statistics import median

import vitals
from company import ROOMS, Company
from crowd import Crowd
from growth import Bound, excess, plateau
from log import audit, read_log
from member import Member
from program import Program
from prosa_conformance.client_history import History, faults
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import IS_REFERENCE, ROOT, SERVER, Figures

sys.path.insert(0, str(ROOT / "bench"))

from prosa_bench.goals import FLAT
from prosa_bench.machine import Processors, pinned

LOAD = os.environ.get("PROSA_LOAD", str(ROOT / "build" / "default" / "bench" / "load"))
MINUTES = float(os.environ.get("PROSA_SOAK_MINUTES", "0"))  # 0: the small edition, of which all is judged
PROCESSORS = Processors.of_this_process()

BUSY = ("bazaar", "station")
SPEAKERS, LURKERS = 3, 3  # of a busy room
SLOW = 2  # readers of the first busy room, with the least window there is
OCTETS = 128  # of a text there, as of a post of `./run bench`
BURST_MS = 20
# Who comes back often is no flood here; and a machine that sleeps for some minutes is no fault of anybody.
TIMERS = "linger_ms=300,token_rate=1000000,token_burst=1000000,handshake_ms=600000,dead_after_ms=600000,slow_ms=600000"
EVENTS_OF_A_TEXT = 8  # about so many: it is said, shown to all in the room, acknowledged


@dataclass(frozen=True)
class Size:
    clients: int  # programs, each in one of ROOMS
    members: int  # of our own, each in all of them
    visitors: int  # likewise, who come and go
    posts: int  # that the capacity is measured with
    keep: int  # entries of a room
    lives: int  # of the server
    turns: int  # of a life
    turn_posts: int | None  # of the busy rooms in a turn, each of which keeps more; None: as many as TURN_SECONDS take
    seconds: float


TURN_SECONDS = 5
LIVES = 6
# So many turns as take so many minutes: on a machine that does other things, too, they take longer.
SIZE = (
    Size(9, 4, 2, 60_000, 20_000, LIVES, round(MINUTES * 60 / TURN_SECONDS / LIVES), None, MINUTES * 240 + 300)
    if MINUTES
    else Size(6, 3, 1, 3_000, 300, 3, 11, 300, 300)
)


@dataclass(frozen=True)
class Turn:
    """What happens in the rooms where all is judged. Members are numbers, the clients first."""

    speeches: tuple[tuple[int, str], ...]
    events: int  # to be seen before the blow
    victim: int | None  # a client, killed
    cut: int | None  # a member that loses its connection
    stalled: int | None  # a member that reads nothing until the next turn
    visitor: int | None  # one who comes, says a word, and goes
    ends_life: bool  # the server is killed


def jitter(size: Size) -> int:
    """Turns by which a life may be longer or shorter."""
    return size.turns // 5


def turns(rng: random.Random, size: Size) -> Iterator[Turn]:
    """Endless, and the same for the same seed."""
    while True:
        length = size.turns + rng.randint(-jitter(size), jitter(size))
        for left in reversed(range(length)):
            speakers = rng.sample(range(size.clients + size.members), 3)
            yield Turn(
                tuple((speaker, rng.choice(ROOMS)) for speaker in speakers for _ in range(2)),
                rng.randint(0, EVENTS_OF_A_TEXT * 6),
                rng.randrange(size.clients) if rng.random() < 0.5 else None,
                rng.randrange(size.members) if rng.random() < 0.3 else None,
                rng.randrange(size.members) if rng.random() < 0.3 else None,
                rng.randrange(size.visitors) if rng.random() < 0.5 else None,
                left == 0,
            )


def command() -> list[str]:
    """The server has the first processor, where there are two, and one thread that verifies: as in `./run bench`."""
    words = [*SERVER, *(["--verifiers", "1"] if IS_REFERENCE else [])]
    return words if PROCESSORS.is_shared else pinned(PROCESSORS.server(), words)


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """This process, and all that it starts, leaves the server's processor alone."""
    if not PROCESSORS.is_shared:
        os.sched_setaffinity(0, set(PROCESSORS.all) - set(PROCESSORS.server()))
    try:
        yield
    finally:
        os.sched_setaffinity(0, PROCESSORS.all)


async def capacity(scene: Scene, posts: int) -> float:
    """Posts a second that a server takes at most, in a room like the busy ones."""
    folder = scene.folder / "capacity"
    folder.mkdir()
    beside = Scene(folder, scene.seed + 1)
    server = Server(beside, command(), Ports(scene.seed + 1).take(), TIMERS)
    beside.cast.append(server)
    words = [LOAD, "--server", f"{server.host}:{server.port}", "--readers", str(SPEAKERS + LURKERS)]
    words += ["--writers", str(SPEAKERS), "--posts", str(posts // SPEAKERS), "--body", str(OCTETS)]
    words += ["--patience", "600", "stream"]
    try:
        await server.start()
        await server.ready()
        load = await Program.start(words, folder / "load.log", {})
        beside.cast.append(load)
        told = [json.loads(line) for line in [await load.line() for _ in range(3)] if line]
        assert told, f"{shlex.join(words)}: {(folder / 'load.log').read_text()}"
        assert told[-1]["event"] == "done", told[-1]
        assert not any(told[-1]["faults"].values()), told[-1]
        return float(told[-1]["posts"] / told[-1]["seconds"])
    finally:
        await beside.end()


class Soak(Company):
    def __init__(self, scene: Scene, size: Size, posts_per_s: float) -> None:
        super().__init__(scene, size.clients, size.members, TIMERS, command(), size.keep)
        self.size = size
        self.busy = [Crowd(scene, self.server, room, events=not MINUTES, returns=True) for room in BUSY]
        self.slow = Crowd(scene, self.server, "slow", events=not MINUTES, returns=True, recv_window=2)
        self.visitors = [Member(scene, f"visitor-{number}", ROOMS) for number in range(size.visitors)]
        self.visiting: set[int] = set()
        self.stalled: set[int] = set()
        self.posts = 0  # in each busy room
        self.busy_seconds = 0.0
        self.kills = self.server_kills = self.cuts = self.stalls = self.visits = 0
        self.lives: list[list[vitals.Vitals]] = [[]]
        self.samples = ROOT / "report" / "soak.csv" if MINUTES else scene.folder / "soak.csv"
        self.samples.write_text(",".join(["life", *(one.name for one in fields(vitals.Vitals))]) + "\r\n")
        per_speaker = posts_per_s / 2 / len(BUSY) / SPEAKERS
        self.burst = max(1, round(per_speaker * BURST_MS / 1000))
        self.every_ms = max(1, round(self.burst * 1000 / per_speaker))
        wanted = size.turn_posts / len(BUSY) / SPEAKERS if size.turn_posts else per_speaker * TURN_SECONDS
        self.times = self.burst * max(1, round(wanted / self.burst))

    async def begin(self) -> None:
        await super().begin()
        for crowd, room, members in (*((crowd, crowd.name, SPEAKERS + LURKERS) for crowd in self.busy),
                                     (self.slow, BUSY[0], SLOW)):  # fmt: skip
            await crowd.start()
            await crowd.do(f"connect {members}")
            await crowd.do(f"join {room} 0 {members}")

    def is_over(self) -> bool:
        return len(self.lives) >= self.size.lives and len(self.lives[-1]) >= self.size.turns - jitter(self.size)

    async def turn(self, plan: Turn) -> None:
        started = time.monotonic()
        words = f"0 {SPEAKERS} {self.times} {self.burst} {self.every_ms} {OCTETS}"
        speaking = asyncio.gather(*(crowd.do(f"say {crowd.name} {words}") for crowd in self.busy))
        due = self.scene.history.count + plan.events
        for speaker, room in plan.speeches:
            self.say(speaker, room)
        for number in self.stalled:
            self.members[number].release()
        self.stalled.clear()
        await self.scene.until(lambda: self.is_time(due), "a blow")
        await self.strike(plan)
        await speaking
        self.busy_seconds += time.monotonic() - started
        self.posts += SPEAKERS * self.times
        await self.slow.do(f"see {BUSY[0]} 0 {SLOW} {self.posts}")  # before what it has not seen is pruned
        await self.scene.until(self.server.up.is_set, "the server to serve")
        self.measure()

    def measure(self) -> None:
        """One more sample, and a row for a spreadsheet."""
        sample = vitals.read(self.server)
        self.lives[-1].append(sample)
        with self.samples.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([len(self.lives), *asdict(sample).values()])

    def is_time(self, due: int) -> bool:
        """So much has happened, or nothing more is to happen; those who read nothing are not waited for."""
        unseen = self.scene.history.unseen
        waiting = {member.nick for number, member in enumerate(self.members) if number in self.stalled}
        return self.scene.history.count >= due or not any(unseen[name] for name in unseen if name not in waiting)

    async def strike(self, plan: Turn) -> None:
        if plan.victim is not None:
            self.kills += self.clients[plan.victim].kill()
        if plan.cut is not None:
            self.cuts += 1
            self.members[plan.cut].cut()
        if plan.stalled is not None:
            self.stalls += 1
            self.stalled.add(plan.stalled)
            self.members[plan.stalled].provokes = "SLOW_CONSUMER"  # it may be, and comes back
            self.members[plan.stalled].stall()
        if plan.visitor is not None and plan.visitor not in self.visiting:
            self.visits += 1
            self.visiting.add(plan.visitor)
            self.scene.spawn(self.visit(plan.visitor))
        if plan.ends_life:
            self.server_kills += 1
            self.lives.append([])
            await self.restart()

    async def visit(self, number: int) -> None:
        """Comes, says a word in each room, and goes when all of them are there."""
        visitor, history = self.visitors[number], self.scene.history
        visitor.goes_on = True
        self.scene.spawn(visitor.live(self.server))
        await self.scene.until(visitor.is_joined, f"{visitor.nick} to come")
        for room in ROOMS:
            self.said += 1
            visitor.say(room, f"text {self.said}")
        await self.scene.until(
            lambda: visitor.is_joined() and not history.unseen[visitor.nick], f"{visitor.nick} to be heard"
        )
        visitor.leave()
        await self.scene.until(lambda: not visitor.connections, f"{visitor.nick} to go")
        self.visiting.remove(number)

    async def come_to_rest(self) -> None:
        for member in self.members:
            member.release()
        await self.scene.until(lambda: not self.visiting, "the visitors to go")
        await super().come_to_rest()
        for crowd in self.busy:
            await crowd.do(f"see {crowd.name} 0 {SPEAKERS + LURKERS} {self.posts}")

    async def leave(self) -> None:
        for crowd in (*self.busy, self.slow):
            await crowd.leave()
        await super().leave()

    # --- what came of it ---

    def judge_log(self) -> None:
        """Octets, chain and signatures of all that is kept; the judged rooms whole, of the busy ones the end."""
        audit(self.server.data)
        log = {room: read_log(self.server.data, room)[room] for room in ROOMS}
        assert faults(self.scene.history, log) == []
        with closing(sqlite3.connect(f"file:{self.server.data / 'log.db'}?mode=ro", uri=True)) as file:
            heads = dict(file.execute("SELECT name, head_seq FROM rooms WHERE retired = 0"))
        assert {room: heads[room] for room in BUSY} == dict.fromkeys(BUSY, self.posts)

    def judge_crowds(self) -> None:
        """Of the small edition: each guest's history, as everybody's, and the log against them."""
        history = History()
        for crowd in (*self.busy, self.slow):
            crowd.gather(history)
        assert faults(history) == []
        assert history.heads() == dict.fromkeys(BUSY, self.posts)
        if not IS_REFERENCE:
            return
        for room in BUSY:
            kept, shown = read_log(self.server.data, room)[room], history.shown_to(f"{room}-0", room)
            assert kept == {seq: shown[seq] for seq in range(min(kept), self.posts + 1)}
            assert len(kept) >= self.size.keep

    def growth(self) -> list[str]:
        """Of each life by itself, and from one life to the next."""
        bounds = {**vitals.BOUNDS, "rss": Bound(FLAT - 1, vitals.RSS_LEAST)}
        found = []
        for name, bound in bounds.items():
            for number, life in enumerate(self.lives, 1):
                found.append(excess(f"life {number}: {name}", series(life, name), bound))
            found.append(excess(f"from life to life: {name}", self.medians(name), bound))
        return [sentence for sentence in found if sentence]

    def medians(self, name: str) -> list[float]:
        return [median(series(life, name)) for life in self.lives if life]

    def figures(self) -> dict[str, object]:
        seen = [plateau(series(life, "rss")) for life in self.lives]
        known = [one for one in seen if one is not None]
        names = ("rss", *vitals.BOUNDS, "entries", "octets_per_entry")
        return {
            "plateaus": len(known),
            "samples": sum(map(len, self.lives)),
            "rss_growth": round(max(1 + one.growth / one.level for one in known), 4) if known else None,
            **{name: [round(number, 1) for number in self.medians(name)] for name in names},
        }


def series(life: Sequence[vitals.Vitals], name: str) -> list[float]:
    return [float(getattr(one, name)) for one in life]


def test_hours_of_kills_lose_nothing_and_leave_nothing(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        posts_per_s = await capacity(scene, SIZE.posts)
        soak = Soak(scene, SIZE, posts_per_s)
        await soak.begin()
        started = time.monotonic()
        for plan in turns(random.Random(scene.seed), SIZE):
            if soak.is_over():
                break
            await soak.turn(plan)
        await soak.come_to_rest()
        assert faults(scene.history) == []
        judged = scene.history.heads()
        assert judged.keys() == set(ROOMS)
        await soak.leave()
        await soak.end()
        if IS_REFERENCE:
            soak.judge_log()
        if not MINUTES:
            soak.judge_crowds()
        rate = len(BUSY) * soak.posts / soak.busy_seconds
        figures(
            minutes=round((time.monotonic() - started) / 60, 1),
            capacity_per_s=round(posts_per_s),
            posts_per_s=round(rate),
            of_capacity=round(rate / posts_per_s, 2),
            posts=len(BUSY) * soak.posts,
            judged=sum(judged.values()),
            of_the_server=soak.server_kills,
            kills=soak.kills,
            cuts=soak.cuts,
            stalls=soak.stalls,
            visits=soak.visits,
            **soak.figures(),
        )
        grown = soak.growth()
        assert not grown, "\n".join(grown)
        assert soak.figures()["plateaus"], "no life of the server was long enough to say anything of its growth"

    with elsewhere():
        play(story, SIZE.seconds)
