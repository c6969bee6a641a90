#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every client with every server: they converse over loopback, and a matrix says who could.

    tests/interop/matrix.py [FOLDER]    FOLDER has the programs in C (default: build/default/bin)

A pair runs at the highest level that both have. An operator types at the server's stdin, a person at
the client's, as chapter 13 says. Where both have named rooms, two clients of different authors meet
in one. Exit: 0 everybody understands everybody, 1 not.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "conformance"))
os.environ["PYTHONPATH"] = str(ROOT / "conformance")

from prosa_conformance.case import Settings  # noqa: E402
from prosa_conformance.contract import Implementation  # noqa: E402
from prosa_conformance.launch import await_ready, client_values, server_values, spawn  # noqa: E402
from prosa_conformance.outcome import Unsupported, Violation  # noqa: E402
from prosa_conformance.process import Program  # noqa: E402

WAIT_S = 20 * float(os.environ.get("PROSA_TIME_SCALE", "1"))  # for one event
NAMED_ROOMS = "L3"
QUESTIONS = ("are you there?", "olá, tudo bem? \N{WAVING HAND SIGN}", "x" * 4096)
Members = dict[str, Any]


class Hole(Exception):
    """What was due between two programs, and did not happen."""


@dataclass(frozen=True)
class Party:
    """Somebody's programs, and the highest level that they have."""

    name: str
    level: str
    server: str
    client: str


def parties(programs: Path) -> list[Party]:
    def c(name: str) -> str:
        return shlex.quote(str(programs.resolve() / name))

    def python(name: str) -> str:
        return shlex.join([sys.executable, str(ROOT / "tests" / "suite" / name)])

    def node(name: str) -> str:
        return shlex.join(["node", str(ROOT / "tests" / "samples" / "javascript" / name)])

    return [
        Party("c", "L4", c("prosa-server"), f"{c('prosa-client')} --json"),
        Party("python", "L4", python("mini_server.py"), python("mini_client.py")),
        Party("javascript", "L1", node("server.mjs"), node("client.mjs")),
    ]


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

    settings: Settings
    stack: ExitStack
    server: Running
    address: tuple[str, int]

    def join(self, party: Party, nick: str, room: str) -> Running:
        """A client that has joined."""
        self.settings.subject = Implementation(party.name, ROOT, {"client": party.client})
        values = client_values(self.settings, *self.address, self.settings.folder("client"), nick, room)
        client = self.start(f"the client in {party.name}", "client", values)
        client.expect("joined", room=room)
        return client

    def start(self, name: str, role: str, values: dict[str, str]) -> Running:
        program = spawn(self.settings, role, values)
        self.stack.callback(program.end)
        return Running(name, program)


@contextmanager
def listening(party: Party, level: str) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="prosa-interop-") as folder, ExitStack() as stack:
        settings = Settings(Implementation(party.name, ROOT, {"server": party.server}), Path(folder), level=level)
        values = server_values(settings, "127.0.0.1", 0, settings.folder("server"), "")
        program = spawn(settings, "server", values)
        stack.callback(program.end)
        address = await_ready(settings, program)
        yield Scene(settings, stack, Running(f"the server in {party.name}", program), address)


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


def meet(server: Party, first: Party, second: Party, level: str) -> None:
    """Both say something in a room, see it at the same place, and one sees the other go."""
    with listening(server, level) as scene:
        ada = scene.join(first, "ada", "lobby")
        bob = scene.join(second, "bob", "lobby")
        ada.expect("member", change="joined", nick="bob")
        for speaker, nick in ((ada, "ada"), (bob, "bob"), (ada, "ada")):
            speaker.type_line(f"{nick} was here")
            seen = [who.expect("message", nick=nick, text=f"{nick} was here") for who in (ada, bob)]
            if len({(entry["room_seq"], entry["id"]) for entry in seen}) != 1:
                raise Hole(f"what {nick} said is not the same entry for both")
        bob.type_line("exit")
        bob.expect_end()
        ada.expect("member", change="left", nick="bob")
        scene.server.type_line("exit")
        ada.expect("closed", exit=0, code="NORMAL")
        ada.expect_end()
        scene.server.expect_end()


# --- the matrix ---


@dataclass(frozen=True)
class Cell:
    """Who meets whom, in which table, and what they play."""

    table: str
    row: str
    column: str
    level: str
    scenes: tuple[Callable[[], None], ...]

    def hole(self) -> str:
        """The first sentence of what goes wrong; empty when all goes well."""
        try:
            for play in self.scenes:
                play()
        except Hole as hole:
            return str(hole)
        except (Violation, Unsupported, json.JSONDecodeError) as error:
            return f"{type(error).__name__}: {error}"
        return ""


def cells(everybody: Sequence[Party]) -> Iterator[Cell]:
    for server, client in product(everybody, everybody):
        level = min(server.level, client.level)
        scenes = tuple(partial(play, server, client, level) for play in (client_ends_it, server_ends_it))
        yield Cell("@host", f"server in {server.name}", f"client in {client.name}", level, scenes)
    with_rooms = [party for party in everybody if party.level >= NAMED_ROOMS]
    for server, (first, second) in product(with_rooms, permutations(with_rooms, 2)):
        level = min(server.level, first.level, second.level)
        scene = partial(meet, server, first, second, level)
        yield Cell("a room", f"server in {server.name}", f"{first.name} and {second.name}", level, (scene,))


def show(holes: dict[Cell, str]) -> None:
    for table in dict.fromkeys(cell.table for cell in holes):
        here = [cell for cell in holes if cell.table == table]
        columns = list(dict.fromkeys(cell.column for cell in here))
        print(f"{table:24}" + "".join(f"{column:>24}" for column in columns))
        for row in dict.fromkeys(cell.row for cell in here):
            marks = [f"{cell.level} {'HOLE' if holes[cell] else 'ok'}" for cell in here if cell.row == row]
            print(f"{row:24}" + "".join(f"{mark:>24}" for mark in marks))
        print()
    for cell, hole in holes.items():
        if hole:
            print(f"hole: {cell.row}, {cell.column}, at {cell.level}: {hole}")


def main(words: Sequence[str]) -> int:
    everybody = parties(Path(words[0]) if words else ROOT / "build" / "default" / "bin")
    wanted = list(cells(everybody))
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        holes = dict(zip(wanted, pool.map(Cell.hole, wanted), strict=True))
    show(holes)
    if any(holes.values()):
        return 1
    print("everybody understands everybody")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
