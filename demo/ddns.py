# SPDX-License-Identifier: MIT
"""The server moves to another address; its name follows by a signed DNS update, and so do the clients."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from demo import engine
from demo.claims import judge_room
from demo.container import Container, Person
from demo.stage import PORT, PROPS, Ear, Stage

ROOM = "lobby"
NICKS = ("ada", "bruno", "clara")
ZONE, NAME, KEY = "class.test", "chat.class.test", "mover"
TTL_S = 1
LINES, QUICK_LINES = 6, 2  # of each person, before and after


class Names:
    """The name server, and those who change the name or ask for it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self.address = ""

    async def start(self) -> None:
        command = ("python3", "-m", "demo.props.nameserver", ZONE, KEY)
        named = await self.stage.run("dns", PROPS, *command, env={"TSIG_SECRET": self.secret})
        await self.stage.started(named, lambda: any(line.endswith(" running") for line in named.errors))
        self.address = await engine.address(named.name, self.stage.network)

    async def point(self, machine: Ear, secret: str, address: str = "") -> Container:
        """An update of the name, made on a machine and signed with this secret; the nsupdate, at its end."""
        update = await self.stage.beside(machine, "nsupdate")
        update.type(
            f"server {self.address}", f"zone {ZONE}", f"key hmac-sha256:{KEY} {secret}",
            f"update delete {NAME} A", f"update add {NAME} {TTL_S} A {address or machine.address}", "send", "quit",
        )  # fmt: skip
        await self.stage.until(lambda: update.code is not None, "the update to be answered")
        return update

    async def ask(self, machine: Ear) -> list[str]:
        """The addresses that the name has."""
        lines: list[str] = []
        dig = await self.stage.beside(machine, "dig", f"@{self.address}", NAME, "A", "+short", hear=lines.append)
        await self.stage.until(lambda: dig.code is not None, "the name server to answer")
        return lines


async def play(stage: Stage) -> None:
    say = stage.narrator.say
    names = Names(stage)
    await names.start()
    old = await stage.ear("old", alias="")
    server = await stage.server(old)
    await names.point(old, names.secret)
    before = await names.ask(old)
    say(f"The server runs at {old.address}. It has told the name server so: {NAME} is {', '.join(before)}.")
    people = await stage.clients(NICKS, ROOM, host=NAME, options=[f"--dns={names.address}"])
    stage.listeners.append(_show(stage))
    say(f"Three clients look {NAME} up and connect. Each pins the server's key under that name.")
    await _talk(stage, people, "before")
    await _intrude(stage, names, old, before)
    say("Now the server moves: it says goodbye (SHUTDOWN), and its folder goes to another machine.")
    stage.expects_goodbye = True
    await server.container.signal("TERM")
    await stage.until(lambda: not any(person.is_joined for person in people), "the clients to notice")
    new = await stage.ear("new", alias="")
    await stage.server(new, life=2)
    say(f"It runs at {new.address} now. The clients still try {old.address}, where nobody answers.")
    await stage.breathe(1.5)
    await names.point(new, names.secret)
    after = await names.ask(new)
    say(f"The new machine updates the name: {NAME} is {', '.join(after)}, for {TTL_S} s at a time.")
    await stage.until(lambda: all(person.is_joined for person in people), "the clients to follow the name")
    say("All of them looked the name up again, found the server, and it has the key that they pinned.")
    await _talk(stage, people, "after")
    _judge_move(stage, people, (before, after), (old.address, new.address))
    await _knock(stage, new, old.address)
    judge_room(stage.claims, stage.history, ROOM, NICKS)
    await stage.leave(people)
    await stage.close_ears(old, new)


def _show(stage: Stage) -> Any:
    def show(member: str, event: Mapping[str, Any]) -> None:
        if member == NICKS[0] and event["event"] == "message":
            stage.narrator.heard(event["nick"], event["text"])

    return show


async def _talk(stage: Stage, people: Sequence[Person], when: str) -> None:
    for number in range(1, (QUICK_LINES if stage.demo.quick else LINES) + 1):
        for person in people:
            await stage.breathe(0.4)
            person.say(f"line {number} {when} the move")
        await stage.rest()


async def _intrude(stage: Stage, names: Names, machine: Ear, before: list[str]) -> None:
    """Somebody without the key would like to have the name."""
    wrong = base64.b64encode(secrets.token_bytes(32)).decode()
    refused = await names.point(machine, wrong, "192.0.2.66")
    unchanged = await names.ask(machine) == before
    stage.narrator.say(f"Somebody without the key asks for the name, too: {refused.last_words}.")
    held = refused.code != 0 and unchanged
    stage.claims.add("an update without the right key is refused, and the name stays", held, refused.last_words)


def _judge_move(stage: Stage, people: Sequence[Person], named: Any, addresses: tuple[str, str]) -> None:
    held = named == ([addresses[0]], [addresses[1]]) and addresses[0] != addresses[1]
    words = f"the name pointed to {addresses[0]}, then to {addresses[1]}"
    stage.claims.add(words, held, f"the name server said {named}")
    back = [person.nick for person in people if len(person.of("joined")) == 2]
    stage.claims.add(f"{len(back)} of {len(people)} clients followed it by themselves", len(back) == len(people))
    keys = {event["server_key"] for person in people for event in person.of("joined")}
    ended = [f"{person.nick}: {person.of('closed')[-1]['reason']}" for person in people if person.of("closed")]
    stage.claims.add("the pin held: one server key, at both addresses", len(keys) == 1 and not ended, *ended)


async def _knock(stage: Stage, machine: Ear, address: str) -> None:
    answers: list[str] = []
    command = ("python3", "-m", "demo.props.knock", address, str(PORT))
    knock = await stage.beside(machine, *command, hear=answers.append)
    await stage.until(lambda: knock.code is not None, "a knock at the old address to have its answer")
    words = f"at the old address nobody answers ({'; '.join(answers)})"
    stage.claims.add(words, answers not in ([], ["answered"]), "somebody answered there")
