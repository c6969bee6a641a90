# SPDX-License-Identifier: MIT
"""The server is killed with -9 while everybody talks, and started again: nothing is lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demo.claims import judge_room
from demo.container import Person
from demo.stage import Stage

ROOM = "lobby"
NICKS = ("ada", "bruno", "clara", "dora", "emil")
EACH, QUICK_EACH = 40, 12  # lines of each person
AT_ONCE = 3  # lines of one person that are on their way: the kill finds some of them half done


class Chatter:
    """A person who says the next line as soon as an earlier one has come back from the room, `most` in all."""

    def __init__(self, stage: Stage, person: Person, most: int) -> None:
        self.stage, self.person, self.most = stage, person, most
        self.said = self.seen = 0
        stage.listeners.append(self._hear)

    def _hear(self, member: str, event: Mapping[str, Any]) -> None:
        if member == self.person.nick and event["event"] == "message" and event["own"]:
            self.seen += 1
            self.stage.spawn(self._go_on())

    async def _go_on(self) -> None:
        await self.stage.breathe(1.0)
        self.speak()

    def speak(self, lines: int = 1) -> None:
        for _ in range(min(lines, self.most - self.said)):
            self.said += 1
            self.person.say(f"line {self.said} of {self.person.nick}")

    def speak_more(self, most: int) -> None:
        """Up to so many from now on, a few at once."""
        self.most = most
        self.speak(AT_ONCE)

    @property
    def waiting(self) -> int:
        return self.said - self.seen


async def play(stage: Stage) -> None:
    say = stage.narrator.say
    each = QUICK_EACH if stage.demo.quick else EACH
    ear = await stage.ear()
    server = await stage.server(ear)
    people = await stage.clients(NICKS, ROOM)
    chatters = [Chatter(stage, person, each // 2) for person in people]  # some are left for the time of the kill
    say(f"Five people talk, {each} lines each, {AT_ONCE} of each on their way at any time.")
    for chatter in chatters:
        chatter.speak(AT_ONCE)
    await stage.until(lambda: _seen(chatters) >= len(chatters) * each // 3, "a third of the lines to be seen")
    await server.container.signal("STOP")
    for chatter in chatters:
        chatter.speak_more(chatter.said + AT_ONCE)
    say("The server hangs (SIGSTOP); what is said now waits in its socket, and nobody knows whether it was read.")
    await stage.breathe(1.5)
    say("Now: kill -9.")
    await server.container.signal("KILL")
    await stage.until(lambda: not any(person.is_joined for person in people), "everybody to notice")
    gone = people[0].of("disconnected")[0]
    waiting = sum(one.waiting for one in chatters)
    say(f"All five programs noticed at once ({gone['how']}: {gone['reason']}), and will try again.")
    say(f"{_seen(chatters)} lines had come back to their authors, {waiting} were on their way.")
    for chatter in chatters:
        chatter.speak_more(chatter.said + AT_ONCE)
    typed = sum(one.waiting for one in chatters)
    say(f"Nobody is connected. They type on: {typed} lines wait on the disks of their authors.")
    await stage.breathe(2.0)
    say("The server is started again: the same folder, the same address.")
    await stage.server(ear, life=2)
    await stage.until(lambda: all(person.is_joined for person in people), "everybody to come back")
    places = {person.of("joined")[-1]["start_seq"] for person in people}
    say(f"All of them came back by themselves, and go on with place {', '.join(sorted(places))} of the room.")
    for chatter in chatters:
        chatter.speak_more(each)
    await stage.until(lambda: _seen(chatters) == len(chatters) * each, "all lines to be seen", 120)
    await stage.rest()
    _judge(stage, people, typed)
    judge_room(stage.claims, stage.history, ROOM, NICKS)
    await stage.leave(people)
    await stage.close_ears(ear)


def _seen(chatters: Sequence[Chatter]) -> int:
    return sum(chatter.seen for chatter in chatters)


def _judge(stage: Stage, people: Sequence[Person], typed: int) -> None:
    lives = {person.nick: len(person.of("joined")) for person in people}
    back = [nick for nick, count in lives.items() if count > 1]
    words = f"{len(back)} of {len(people)} clients were cut off, and came back by themselves"
    stage.claims.add(words, len(back) == len(people), f"sessions of each: {lives}")
    ended = [f"{person.nick}: {person.of('closed')[-1]['reason']}" for person in people if person.of("closed")]
    stage.claims.add("no client's program ended because of it", not ended, *ended)
    stage.claims.add(f"{typed} lines were on their way or typed while nobody was connected", typed > 0)
