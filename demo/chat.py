# SPDX-License-Identifier: MIT
"""Five people talk in a room, a watcher sees it, and whoever comes in is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.characters import CAST, WATCHER, Character, Play, read_s
from demo.claims import judge_room
from demo.container import Person
from demo.stage import Stage

ROOM = "lobby"
QUICK_TOPICS, TOPICS = 2, 6
GUEST_S = 120.0  # longest time that the room stays open for a guest after the last line
JOIN = "./run demo join"


class Guests:
    """Who came in from outside: their part in the history is written by what the watcher sees of them."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.here: set[str] = set()
        self.keys: dict[str, str] = {}
        self.answered = 0

    def watch(self, member: str, event: Mapping[str, Any]) -> None:
        nick = str(event.get("nick", ""))
        if member != WATCHER or nick in ("", WATCHER, *CAST):
            return
        if event["event"] == "member" and event["change"] in ("here", "joined"):
            self.here.add(nick)
        elif event["event"] == "member" and event["change"] == "left":
            self.here.discard(nick)
        elif event["event"] == "message":
            if nick not in self.keys:
                self.keys[nick] = event["author_key"]
                self.stage.history.note(nick, {"event": "started", "author_key": event["author_key"]})
            self.stage.history.note(nick, {"event": "said", "room": ROOM, "text": event["text"]})

    def end(self) -> None:
        for nick in self.keys:
            self.stage.history.note(nick, {"event": "left"})


async def play(stage: Stage) -> None:
    say = stage.narrator.say
    say("A server starts in a container. Nothing in this network can reach the Internet.")
    ear = await stage.ear()
    await stage.server(ear)
    guests = Guests(stage)
    stage.listeners += [guests.watch, _show(stage)]
    await stage.clients([WATCHER], ROOM)
    script = Play.of(stage.demo.seed, QUICK_TOPICS if stage.demo.quick else TOPICS)
    say(f"Five clients come in, each with a key of its own. Come in yourself, in another terminal: {JOIN}")
    stage.listeners.append(_act(stage, {nick: Character(nick, script) for nick in CAST}))
    people = await stage.clients(CAST, ROOM)
    await stage.until(lambda: script.is_over(stage.history, WATCHER), "the last line of the play", 300)
    if guests.here:
        say(f"{', '.join(sorted(guests.here))} is here: the room stays open until you leave, {GUEST_S:g} s at most.")
        await stage.until(lambda: not guests.here, "the guest to leave", GUEST_S)
    guests.end()
    await stage.rest()
    everybody = [stage.people[WATCHER], *people]
    judge_room(stage.claims, stage.history, ROOM, [person.nick for person in everybody])
    said = sum(1 for _ in stage.history.of(WATCHER, "message"))
    stage.claims.add(f"{said} lines were said, {len(script.lines)} of them are the play's", said >= len(script.lines))
    await stage.leave(everybody)
    await stage.close_ears(ear)


def _show(stage: Stage) -> Any:
    """What the watcher sees is what the class sees."""

    def show(member: str, event: Mapping[str, Any]) -> None:
        if member == WATCHER and event["event"] == "message":
            stage.narrator.heard(event["nick"], event["text"])
        elif member == WATCHER and event["event"] == "member" and event["change"] == "joined":
            stage.narrator.say(f"{event['nick']} comes in.")

    return show


def _act(stage: Stage, characters: Mapping[str, Character]) -> Any:
    """Each character hears through its own client, and answers there."""

    def act(member: str, event: Mapping[str, Any]) -> None:
        character = characters.get(member)
        lines = character.hear(event) if character else []
        if lines:
            stage.spawn(_speak(stage, stage.people[member], lines))

    return act


async def _speak(stage: Stage, person: Person, lines: list[str]) -> None:
    for line in lines:
        await stage.breathe(read_s(line))
        person.say(line)
