# SPDX-License-Identifier: MIT
"""The stage of one demo: its network, the containers on it, what their programs told, and one wait for all.

    async with Stage(demo) as stage:
        server = await stage.server()
        ada = await stage.client("ada", "lobby")
        await stage.until(lambda: ada.is_joined, "ada to join")

Whatever ends the demo, nothing of it stays behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from demo import engine
from demo.claims import Claims
from demo.container import Container, Hear, Person
from demo.narrator import Narrator
from prosa_conformance.client_history import History

PORT = 65432
SERVER, CLIENT, BRIDGE, PROPS = "prosa-server", "prosa-client", "prosa-bridge", "prosa-demo"
START_S, WAIT_S = 60.0, 60.0  # longest waits: for a container to begin, and for the next thing of the story
EAR_BUFFER_KIB = 16384
EAR_RIGHTS = ("--user=root", "--cap-add=NET_RAW", "--cap-add=SETUID", "--cap-add=SETGID")  # until it has opened, only


@dataclass
class Demo:
    """What was asked for on the command line."""

    name: str
    narrator: Narrator
    quick: bool = False
    seed: int = 1
    image: str = SERVER
    captures: Path | None = None  # a folder, when the run is recorded


class Missing(Exception):
    """What the story waited for did not come."""


@dataclass
class Ear:
    """Holds the network of a server, whatever becomes of the server, and records what passes there."""

    container: Container
    address: str


@dataclass
class Server:
    """One life of a server; `lines` are what it printed."""

    container: Container
    ear: Ear
    lines: list[str] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        return any(line.startswith("READY ") for line in self.lines)

    def printed(self, text: str) -> bool:
        return any(text in line for line in self.lines)


class Stage:
    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.narrator = demo.narrator
        self.claims = Claims()
        self.history = History()
        self.people: dict[str, Person] = {}
        self.network = engine.PREFIX + demo.name
        self.expects_goodbye = False  # the server ends in order and comes back: not a fault then
        self.listeners: list[Callable[[str, Mapping[str, Any]], None]] = []
        self._containers: list[Container] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Stage:
        await engine.claim(self.demo.name)
        try:
            await engine.call("network", "create", "--internal", *self._labels, self.network)
        except BaseException:
            engine.clear(self.demo.name)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(one.dispose() for one in self._containers), return_exceptions=True)
        # A second look: the engine may have been making a container just now.
        while engine.clear(self.demo.name):
            pass

    @property
    def _labels(self) -> list[str]:
        return [f"--label={engine.LABEL}={self.demo.name}", f"--label={engine.OWNER}={os.getpid()}"]

    # --- who is on it ---

    async def run(
        self,
        name: str,
        image: str,
        *command: str,
        hear: Hear = lambda _: None,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        stdout: int = subprocess.PIPE,
    ) -> Container:
        """A new container; without an option that says otherwise it is on the demo's network."""
        network = [] if any(option.startswith("--network=") for option in options) else [f"--network={self.network}"]
        settings = [f"--env={name}={value}" for name, value in (env or {}).items()]
        full_name = f"{self.network}-{name}"
        words = ["run", "--rm", "--interactive", f"--name={full_name}", *engine.HARDENED, *self._labels]
        process = await engine.start([*words, *network, *settings, *options, image, *command], stdout)
        container = Container(full_name, process, hear, self.wake)
        self._containers.append(container)
        return container

    async def beside(self, ear: Ear, *command: str, hear: Hear = lambda _: None) -> Container:
        """A program on the machine of an ear, and with its address."""
        words = ["exec", "--interactive", f"--user={engine.USER}", ear.container.name, *command]
        container = Container(f"{ear.container.name}/{command[0]}", await engine.start(words), hear, self.wake)
        self._containers.append(container)
        return container

    async def ear(self, name: str = "server", alias: str = "server") -> Ear:
        """Where a server will listen; clients find it under the alias."""
        path = self.demo.captures / f"{name}.pcap" if self.demo.captures else Path(os.devnull)
        command = ["tcpdump", "-i", "eth0", "-p", "-n", "-U", "-B", str(EAR_BUFFER_KIB), "-w", "-"]
        options = [*EAR_RIGHTS, *([f"--network-alias={alias}"] if alias else [])]
        with path.open("wb") as file:
            container = await self.run(
                f"{name}-net", PROPS, *command, f"tcp port {PORT}", options=options, stdout=file.fileno()
            )
        await self.started(container, lambda: any("listening on" in line for line in container.errors))
        return Ear(container, await engine.address(container.name, self.network))

    async def server(self, ear: Ear, *words: str, life: int = 1, level: str = "L4") -> Server:
        """A server that is ready. All of them have one folder: what one has kept the next one finds."""
        env = {"PROSA_HOST": "0.0.0.0", "PROSA_PORT": str(PORT), "PROSA_DATA": "/data", "PROSA_LEVEL": level}
        lines: list[str] = []
        options = [f"--network=container:{ear.container.name}", f"--volume={await self._volume()}:/data"]
        name = "server" if life == 1 else f"server-{life}"
        container = await self.run(name, self.demo.image, *words, hear=lines.append, env=env, options=options)
        server = Server(container, ear, lines)
        await self.started(container, lambda: server.is_ready)
        return server

    async def _volume(self) -> str:
        name = f"{self.network}-data"
        await engine.call("volume", "create", *self._labels, name)
        return name

    async def client(
        self,
        nick: str,
        room: str,
        *words: str,
        host: str = "server",
        options: Sequence[str] = (),
        image: str = CLIENT,
        command: Sequence[str] = (),
    ) -> Person:
        """A client for a person of this nick; `command` stands before its words in an image of several programs."""
        person = Person(nick, room, self.note)
        where = {"PROSA_HOST": host, "PROSA_PORT": str(PORT), "PROSA_ROOM": room}
        env = {**where, "PROSA_NICK": nick, "PROSA_DATA": "/data"}
        said = [*command, "--json", *words]
        self.people[nick] = person
        person.container = await self.run(
            nick, image, *said, hear=person.hear, env=env, options=[engine.OWN_DATA, *options]
        )
        return person

    async def clients(self, nicks: Sequence[str], room: str, **more: Any) -> list[Person]:
        """Several, all of them in the room."""
        people = await asyncio.gather(*(self.client(nick, room, **more) for nick in nicks))
        for person in people:
            await self.joined(person)
        return list(people)

    async def joined(self, person: Person) -> None:
        await self.started(person.program, lambda: person.is_joined)

    async def started(self, container: Container, holds: Callable[[], bool]) -> None:
        """It is as far as that; or it ended first, with these words."""
        await self.until(lambda: holds() or container.code is not None, f"{container.name} to be ready", START_S)
        if not holds():
            raise Missing(f"{container.name} ended with {container.code}: {container.last_words}")

    # --- what happens ---

    def note(self, member: str, event: Mapping[str, Any]) -> None:
        """An event of a client, or of the stage, for the history and for whoever listens."""
        if not (self.expects_goodbye and event["event"] == "disconnected" and event["how"] == "goodbye"):
            self.history.note(member, event)
        for listener in self.listeners:
            listener(member, event)
        self.wake()

    def wake(self) -> None:
        self._changed.set()

    def spawn(self, life: Coroutine[Any, Any, None]) -> None:
        """Goes on beside the story; its failure is the story's."""
        task = asyncio.create_task(life)
        task.add_done_callback(lambda _: self.wake())
        self._tasks.append(task)

    async def until(self, holds: Callable[[], bool], words: str, seconds: float = WAIT_S) -> None:
        """Wait until it holds; `words` say what was missing when it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
                    self._look()
        except TimeoutError:
            raise Missing(f"the demo waited {seconds:g} s in vain for {words}") from None

    def _look(self) -> None:
        """Whatever went wrong meanwhile ends the wait."""
        for task in [*self._tasks, *(one.life for one in self._containers)]:
            if task.done() and not task.cancelled():
                task.result()
        trouble = next((person.trouble for person in self.people.values() if person.trouble), "")
        if trouble:
            raise Missing(trouble)

    async def rest(self, seconds: float = WAIT_S) -> None:
        """All that was said is acknowledged, and shown to everybody."""
        try:
            await self.until(self.history.is_at_rest, "everything said to be acknowledged and seen by all", seconds)
        except Missing as missing:
            unrest = list(self.history.unrest())
            raise Missing("; ".join([str(missing), *unrest[:4]])) from None

    async def breathe(self, seconds: float) -> None:
        """Time for people to read; none at a pace of 0."""
        if self.narrator.pace:
            await asyncio.sleep(seconds * self.narrator.pace)

    async def leave(self, people: Sequence[Person]) -> None:
        """All of them type `exit`; their exit codes are a claim."""
        for person in people:
            person.leave()
        await self.until(lambda: all(one.program.code is not None for one in people), "the clients to end after exit")
        codes = {person.nick: person.program.code for person in people}
        wrong = [f"{nick} ended with {code}" for nick, code in codes.items() if code != 0]
        self.claims.add("the clients said goodbye and ended with exit code 0", not wrong, *wrong)

    async def close_ears(self, *ears: Ear) -> None:
        """The captures are whole afterwards."""
        for ear in ears:
            with contextlib.suppress(engine.EngineError):
                await ear.container.signal("INT")
