# SPDX-License-Identifier: MIT
"""What two programs that do not know each other play: an operator types at the server's stdin, people at
the clients', as chapter 13 says. `Hole` is what was due between them, and did not happen."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from door import Door
from parties import Party
from prosa_conformance.bridge import Bridge
from prosa_conformance.case import Settings
from prosa_conformance.launch import await_ready, client_values, server_values, spawn
from prosa_conformance.places import Ports
from prosa_conformance.process import Program

WAIT_S = 20 * float(os.environ.get("PROSA_TIME_SCALE", "1"))  # for one event
QUESTIONS = ("are you there?", "ol\u00e1, tudo bem? \N{WAVING HAND SIGN}", "x" * 4096)
SALTS = count(os.getpid())  # of ports: scenes run side by side
Members = dict[str, Any]


class Hole(Exception):
    """What was due between two programs, and did not happen."""


# --- programs that run ---


@dataclass
class Running:
    """A program, and what it is called in a sentence."""

    name: str
    program: Program

    def type_line(self, line: str) -> None:
        if not self.program.type_line(line, WAIT_S):
            raise Hole(f"{self.name} does not take a line on its stdin")

    def expect(self, event: str, **members: object) -> Members:
        """The next event like this; what is printed before it is passed over."""
        deadline = time.monotonic() + WAIT_S
        while (line := self.program.next_line(deadline - time.monotonic())) is not None:
            printed: Members = json.loads(line)
            if printed["event"] == event and members.items() <= printed.items():
                return printed
        raise Hole(f"{self.name} did not print {json.dumps({'event': event, **members}, ensure_ascii=False)[:100]}")

    def expect_end(self) -> None:
        ended = self.program.wait_end(WAIT_S)
        if ended is None or ended.code != 0:
            raise Hole(f"{self.name}: {ended or 'it has not ended'}, and exit code 0 was due")


@dataclass
class Scene:
    """A server that listens, and clients that come to it."""

    server: Running
    address: tuple[str, int]
    level: str
    folder: Path
    stack: ExitStack

    def join(self, party: Party, nick: str, room: str) -> Running:
        """A client that has joined."""
        settings = settings_of(party, self.folder / nick, self.level)
        values = client_values(settings, *self.address, settings.folder("client"), nick, room)
        client = Running(f"the client in {party.name}", spawn(settings, "client", values))
        self.stack.callback(client.program.end)
        client.expect("joined", room=room)
        return client


def settings_of(party: Party, folder: Path, level: str) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    return Settings(party.implementation, folder, level=level, ports=Ports(next(SALTS)))


@contextmanager
def listening(party: Party, level: str) -> Iterator[Scene]:
    with TemporaryDirectory(prefix="prosa-interop-") as name, ExitStack() as stack:
        folder = Path(name)
        settings = settings_of(party, folder / "server", level)
        values = server_values(settings, "127.0.0.1", 0, settings.folder("server"), "")
        program = spawn(settings, "server", values)
        stack.callback(program.end)
        address = await_ready(settings, program)
        if party.bridge is not None:
            bridge = Bridge(settings_of(party.bridge, folder / "bridge", level), address)
            stack.callback(bridge.end)
            address = stack.enter_context(Door(bridge.address)).address
        yield Scene(Running(f"the server in {party.name}", program), address, level, folder, stack)


# --- what they do ---


def converse(scene: Scene, client: Running) -> None:
    """Questions and answers; each is typed when the one before has been shown."""
    for text in QUESTIONS:
        client.type_line(text)
        client.expect("message", own=True, text=text)
        scene.server.type_line(f"you say {text}"[:4096])
        client.expect("message", own=False, nick="host", text=f"you say {text}"[:4096])


def client_ends_it(server: Party, client: Party, level: str) -> None:
    with listening(server, level) as scene:
        guest = scene.join(client, "ada", "@host")
        converse(scene, guest)
        guest.type_line("exit")
        guest.expect("closed", exit=0)
        guest.expect_end()
        scene.server.type_line("exit")
        scene.server.expect_end()


def server_ends_it(server: Party, client: Party, level: str) -> None:
    with listening(server, level) as scene:
        guest = scene.join(client, "ada", "@host")
        converse(scene, guest)
        scene.server.type_line("exit")
        guest.expect("closed", exit=0, code="NORMAL")
        guest.expect_end()
        scene.server.expect_end()


def meet(server: Party, clients: Sequence[Party], level: str) -> None:
    """All in one room: each says something, all see it at the same place, and see one go after the other."""
    with listening(server, level) as scene:
        guests: dict[str, Running] = {}
        for number, party in zip(count(1), clients):
            nick = f"guest{number}"
            joined = scene.join(party, nick, "lobby")
            for guest in guests.values():
                guest.expect("member", change="joined", nick=nick)
            guests[nick] = joined
        for nick, speaker in guests.items():
            speaker.type_line(f"{nick} was here")
            seen = [guest.expect("message", nick=nick, text=f"{nick} was here") for guest in guests.values()]
            if len({(entry["room_seq"], entry["id"]) for entry in seen}) != 1:
                raise Hole(f"what {speaker.name} said is not the same entry for all")
        while len(guests) > 1:
            nick, leaver = guests.popitem()
            leaver.type_line("exit")
            leaver.expect_end()
            for guest in guests.values():
                guest.expect("member", change="left", nick=nick)
        (last,) = guests.values()
        scene.server.type_line("exit")
        last.expect("closed", exit=0, code="NORMAL")
        last.expect_end()
        scene.server.expect_end()
