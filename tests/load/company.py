# SPDX-License-Identifier: MIT
"""Those who talk while one after the other is killed: a server, clients that are programs, members of our own."""

from __future__ import annotations

from collections.abc import Sequence

from client import Client
from member import Member
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import CLIENT, SERVER

ROOMS = ("hall", "attic", "cellar")


class Company:
    """Numbered: the clients, each in one of ROOMS, and then the members, each in all of them."""

    def __init__(
        self, scene: Scene, clients: int, members: int, timers: str, command: Sequence[str] = SERVER, keep: int = 0
    ) -> None:
        self.scene = scene
        self.server = Server(scene, command, Ports(scene.seed).take(), timers, env={"PROSA_KEEP_MESSAGES": str(keep)})
        self.clients = [
            Client(scene, CLIENT, f"client-{number}", ROOMS[number % len(ROOMS)], self.server)
            for number in range(clients)
        ]
        self.members = [Member(scene, f"member-{number}", ROOMS) for number in range(members)]
        self.said = 0
        scene.cast += [self.server, *self.clients]

    async def begin(self) -> None:
        await self.server.start()
        await self.server.ready()
        for client in self.clients:
            self.scene.spawn(client.live())
        for member in self.members:
            self.scene.spawn(member.live(self.server))
        await self.scene.until(self.all_joined, "all to join")

    def all_joined(self) -> bool:
        return all(life.is_joined for life in self.clients) and all(life.is_joined() for life in self.members)

    def say(self, speaker: int, room: str) -> None:
        """A client says it in its own room."""
        self.said += 1
        if speaker < len(self.clients):
            self.clients[speaker].say(f"text {self.said}")
        else:
            self.members[speaker - len(self.clients)].say(room, f"text {self.said}")

    async def restart(self) -> None:
        """kill -9, and the next life at once."""
        await self.server.kill()
        await self.server.start()

    async def come_to_rest(self) -> None:
        """Everybody is there, says a last text everywhere, and has seen all."""
        await self.scene.until(lambda: self.server.up.is_set() and self.all_joined(), "all to come back")
        for number in range(len(self.clients) + len(self.members)):
            for room in ROOMS[: 1 if number < len(self.clients) else None]:
                self.say(number, room)
        await self.scene.until(self.scene.history.is_at_rest, "all to catch up")

    async def leave(self) -> None:
        for life in (*self.clients, *self.members):
            life.leave()
        await self.scene.until(lambda: all(client.exit_code is not None for client in self.clients), "all to exit")
        await self.scene.until(lambda: not any(member.connections for member in self.members), "all to leave")
        assert {client.exit_code for client in self.clients} <= {0}

    async def end(self) -> None:
        assert await self.server.stop() == 0, self.server.last_words()
