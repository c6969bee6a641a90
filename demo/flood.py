# SPDX-License-Identifier: MIT
"""One client floods at full speed while two talk calmly; then another one runs past its credit."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from demo import engine
from demo.claims import judge_room
from demo.container import Container, Person
from demo.stage import PROPS, Ear, Missing, Stage

ROOM = "lobby"
CALM = ("ada", "bruno")
LEAST, QUICK_LEAST = 4_000, 1_000  # messages of the flood
READY = 2_000  # messages of the flood that are signed before it begins
FLOOD_S = 6.0  # at the usual pace
METRICS_PORT = 9100
TURN_S = 0.05  # a calm line in so many seconds, at any pace
WARM_UP = 6  # calm lines before the flood
LEAST_AMID = 5  # calm lines that must have found their places amid the flood
MOST_MEMORY_MIB = 48  # growth that the limits of section 9 allow three clients, and the log's cache
ACCEPTED, UNDECIDED = "prosa_messages_accepted_total", "prosa_undecided_octets"


class Talk:
    """ada and bruno in turn: who sees the other's line says the next one. How long each took is kept."""

    def __init__(self, stage: Stage, people: list[Person]) -> None:
        self.stage, self.people = stage, people
        self.said_at: dict[str, float] = {}
        self.took_ms: list[float] = []
        self.seen: dict[str, set[str]] = {nick: set() for nick in CALM}
        self.goes_on = True
        stage.listeners.append(self._hear)

    def begin(self) -> None:
        self._speak(self.people[0])

    def _speak(self, person: Person) -> None:
        text = f"calm line {len(self.said_at) + 1}"
        self.said_at[text] = time.monotonic()
        person.say(text)

    def _hear(self, member: str, event: Mapping[str, Any]) -> None:
        if event["event"] != "message" or member not in CALM:
            return
        self.seen[member].add(event["text"])
        if event["text"] not in self.said_at:
            return
        if event["own"]:
            self.took_ms.append(1000 * (time.monotonic() - self.said_at[event["text"]]))
        elif self.goes_on:
            self.stage.spawn(self._answer(self.people[CALM.index(member)]))

    async def _answer(self, person: Person) -> None:
        await asyncio.sleep(TURN_S)
        if self.goes_on:
            self._speak(person)


@dataclass
class Board:
    """What the live view shows."""

    stage: Stage
    talk: Talk
    figures: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    acked: int = 0
    window: int = 0
    memory: list[float] = field(default_factory=list)  # MiB, as the engine counts

    def hear_meter(self, line: str) -> None:
        self.figures = json.loads(line)
        self.draw()

    async def weigh(self, server: Container) -> None:
        while True:
            self.memory.append(await engine.memory(server.name))
            self.stage.wake()

    def draw(self) -> None:
        if not self.talk.goes_on:
            return
        self.stage.narrator.show(self._table(), self._line())

    def _table(self) -> list[str]:
        open_credit = self.window - (self.sent - self.acked)
        credit = f"[{'#' * open_credit}{'.' * (self.window - open_credit)}]" if self.window else ""
        return [
            f"  flo         sent {self.sent:6}   acknowledged {self.acked:6}   credit {open_credit:3}",
            f"              {credit}",
            f"  server      accepted {self._figure(ACCEPTED):6}   not yet decided {self._figure(UNDECIDED):7} octets"
            f"   memory {self.memory[-1]:.1f} MiB",
            f"  ada, bruno  said {len(self.talk.said_at):4}   the last line took {self.talk.took_ms[-1]:.0f} ms",
        ]

    def _line(self) -> str:
        return (
            f"flo: {self.sent} sent, {self.acked} acknowledged; server: {self.memory[-1]:.1f} MiB; "
            f"calm: {len(self.talk.said_at)} lines, the last took {self.talk.took_ms[-1]:.0f} ms"
        )

    def _figure(self, name: str) -> int:
        return int(self.figures[name])


async def play(stage: Stage) -> None:
    say = stage.narrator.say
    ear = await stage.ear()
    server = await stage.server(ear, "--metrics", f"127.0.0.1:{METRICS_PORT}")
    people = await stage.clients(CALM, ROOM)
    talk = Talk(stage, people)
    board = Board(stage, talk)
    stage.spawn(board.weigh(server.container))
    say("ada and bruno talk calmly, one line after the other.")
    talk.begin()
    await stage.until(lambda: len(talk.took_ms) >= WARM_UP and bool(board.memory), "the talk to begin")
    await _meter(stage, board, ear)
    before, idle = list(talk.took_ms), max(board.memory)
    await _flood(stage, board)
    during = talk.took_ms[len(before) :]
    await _beyond(stage, talk)
    talk.goes_on = False
    await stage.rest()
    say(
        f"From typing to seeing it, a calm line took {statistics.median(before):.0f} ms before the flood (median), "
        f"{statistics.median(during):.0f} ms during it, {max(during):.0f} ms at most."
    )
    _judge_order(stage)
    grown = max(0.0, max(board.memory) - idle)
    words = f"the server's memory grew by {grown:.1f} MiB at most, from {idle:.1f} MiB"
    stage.claims.add(words, grown <= MOST_MEMORY_MIB, f"the limit is {MOST_MEMORY_MIB} MiB")
    judge_room(stage.claims, stage.history, ROOM, CALM)
    await stage.leave(people)
    await stage.close_ears(ear)


async def _meter(stage: Stage, board: Board, ear: Ear) -> None:
    """In the server's own network: nobody else can reach the page."""
    meter = await stage.beside(ear, "python3", "-m", "demo.props.meter", str(METRICS_PORT), hear=board.hear_meter)
    await stage.started(meter, lambda: bool(board.figures))


async def _flood(stage: Stage, board: Board) -> None:
    """Until the calm ones have said some lines meanwhile, and the engine has weighed the server again."""
    events: list[dict[str, Any]] = []

    def hear(line: str) -> None:
        events.append(json.loads(line))
        board.sent, board.acked = (events[-1].get(name, 0) for name in ("sent", "acked"))

    flooder = await _flooder(stage, "flo", str(READY), events, hear)
    board.window = events[0]["granted"]
    stage.narrator.say(f"flo comes in and floods: as fast as she may, with credit for {board.window} messages.")
    least, lines = (QUICK_LEAST, LEAST_AMID) if stage.demo.quick else (LEAST, 3 * LEAST_AMID)
    said, weighed = len(board.talk.took_ms), len(board.memory)
    flooder.type("go")

    def is_enough() -> bool:
        amid, looks = len(board.talk.took_ms) - said, len(board.memory) - weighed
        return board.acked >= least and amid > lines and looks > 1

    await stage.breathe(FLOOD_S)
    await stage.started(flooder, is_enough)
    flooder.type("enough")
    await stage.started(flooder, lambda: events[-1]["event"] == "over")
    await _enter(stage, board.talk, "flo", events[0]["author_key"], events[-1])
    stage.narrator.say(f"flo stops: {board.sent} messages sent, {board.acked} acknowledged.")


async def _beyond(stage: Stage, talk: Talk) -> None:
    events: list[dict[str, Any]] = []
    flooder = await _flooder(stage, "max", "beyond", events, lambda line: events.append(json.loads(line)))
    stage.narrator.say("max comes in. He sends a whole window, and behind it one message that he has no credit for.")
    flooder.type("go")
    await stage.started(flooder, lambda: events[-1]["event"] == "refused")
    told = events[-1]
    await _enter(stage, talk, "max", events[0]["author_key"], told)
    stage.narrator.say(f"The server tells him {told['code']} and ends his connection. Nobody else is touched.")
    held = told["code"] == "FLOW_VIOLATION" and told["acked"] == len(told["texts"])
    words = f"max ran past his credit and was told FLOW_VIOLATION; the {len(told['texts'])} messages before count"
    stage.claims.add(words, held, f"he was told {told['code']}, {told['acked']} were acknowledged")


async def _flooder(
    stage: Stage, nick: str, how_many: str, events: list[dict[str, Any]], hear: Callable[[str], None]
) -> Container:
    command = ("python3", "-m", "demo.props.flooder", nick, ROOM, how_many)
    container = await stage.run(nick, PROPS, *command, hear=hear)
    await stage.started(container, lambda: bool(events))
    return container


async def _enter(stage: Stage, talk: Talk, nick: str, key: str, told: Mapping[str, Any]) -> None:
    """What a flooder said, for the history; it keeps no events of its own. The calm ones have seen it by then."""
    stage.history.note(nick, {"event": "started", "author_key": key})
    for text in told["texts"]:
        stage.history.note(nick, {"event": "said", "room": ROOM, "text": text})
    stage.history.note(nick, {"event": "acked", "room": ROOM, "counter": told["acked"]})
    stage.history.note(nick, {"event": "left"})
    last = told["texts"][told["acked"] - 1]
    await stage.until(lambda: all(last in seen for seen in talk.seen.values()), f"the calm ones to see: {last}")


def _judge_order(stage: Stage) -> None:
    """Whether the calm ones had their turns, by places in the room and not by time."""
    nicks = [event["nick"] for event in stage.history.of(CALM[0], "message")]
    if "flo" not in nicks:
        raise Missing("the flood was not seen in the room")
    first, last = nicks.index("flo"), len(nicks) - nicks[::-1].index("flo")
    amid = nicks[first:last]
    calm, count = sum(nick in CALM for nick in amid), amid.count("flo")
    rows = [len(list(row)) for is_flood, row in groupby(amid, key=lambda nick: nick == "flo") if is_flood]
    words = f"{calm} calm lines found their places amid {count} flood messages, at most {max(rows)} of them in a row"
    stage.claims.add(words, calm >= LEAST_AMID and max(rows) <= count // 2, "the calm ones had to wait for the flood")
