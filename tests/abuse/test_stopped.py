# SPDX-License-Identifier: MIT
"""Programs that are stopped for longer than every timer, as by a debugger, a suspended machine or a host that has no
time for them: what came meanwhile is read before anybody is judged by silence [LIVE-06]."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from client import Client
from member import Member
from prosa_conformance.client_history import faults
from prosa_conformance.places import Ports
from scene import Scene
from server import Server
from stage import CLIENT, SERVER, Figures, sized

TALKERS: int = sized(12, 100)  # who say something while the server is stopped
AT_ONCE = 4  # handshakes
DEAD_MS = 2_000
TIMERS = f"ping_after_ms=500,dead_after_ms={DEAD_MS},slow_ms={DEAD_MS}"
SECONDS: int = sized(120, 300)


def cpu_ms(server: Server) -> int:
    """Of the server, since its start."""
    threads = Path(f"/proc/{server.program.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) // 1_000_000


async def begin(scene: Scene) -> Server:
    server = Server(scene, SERVER, Ports(scene.seed).take(), TIMERS)
    scene.cast.append(server)
    await server.start()
    await server.ready()
    return server


async def enter(scene: Scene, server: Server, nick: str) -> Client:
    """A client of ours that is in the room."""
    client = Client(scene, CLIENT, nick, "hall", server)
    scene.cast.append(client)
    scene.spawn(client.live())
    await scene.until(lambda: client.is_joined, f"{nick} to join")
    return client


def gone(scene: Scene, nick: str) -> list[str]:
    """How each connection of this client ended."""
    return [event["how"] for event in scene.history.of(nick, "disconnected")]


async def leave(scene: Scene, server: Server, *clients: Client, idle: str = "") -> None:
    """All is well; the one called `idle` alone was sent away as that."""
    for client in clients:
        client.leave()
        assert await client.program.end() == 0
    await scene.until(scene.history.is_at_rest, "all to have seen everything")
    found = [fault for fault in faults(scene.history) if not (fault.startswith(f"{idle}: ") and "IDLE" in fault)]
    assert found == []
    assert await server.stop() == 0, server.last_words()


def test_a_stopped_server_ends_nobody_whose_words_wait(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        server = await begin(scene)
        watch = await enter(scene, server, "watch")
        talkers: list[Member] = []
        for first in range(0, TALKERS, AT_ONCE):
            some = [Member(scene, f"talker{first + i}", ["hall"]) for i in range(AT_ONCE)]
            for member in some:
                scene.spawn(member.live(server))
            await scene.until(lambda some=some: all(member.is_joined() for member in some), "talkers to join")
            talkers += some
        mute = Member(scene, "mute", ["hall"])  # sends no PING of its own, as it has to [LIVE-04]
        mute.provokes = "IDLE"
        scene.spawn(mute.live(server))
        await scene.until(mute.is_joined, "the mute one to join")

        assert server.program.signal(signal.SIGSTOP)
        before_ms = cpu_ms(server)
        for member in talkers:
            member.say("hall", f"{member.nick} says it to a server that is stopped")
        await scene.until(lambda: "silence" in gone(scene, "watch"), "a client to find the server silent")
        for member in talkers:
            member.say("hall", f"{member.nick} says it again")
        assert server.program.signal(signal.SIGCONT)

        await scene.until(lambda: mute.ends != [], "the mute one to be ended")
        assert mute.ends[0] == ("goodbye", "IDLE")
        mute.leave()
        await scene.until(lambda: watch.is_joined and scene.history.is_at_rest(), "everybody to have seen everything")
        spent_ms = cpu_ms(server) - before_ms
        ended = {member.nick: member.ends for member in talkers if member.ends}
        assert ended == {}, "their words were waiting to be read"
        for member in talkers:
            member.leave()
        await leave(scene, server, watch)
        figures(talkers=TALKERS, said=2 * TALKERS, server_cpu_ms=spent_ms, dead_after_ms=DEAD_MS)

    play(story, SECONDS)


def test_a_stopped_client_is_ended_and_comes_back(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        server = await begin(scene)
        stopped, other = await enter(scene, server, "stopped"), await enter(scene, server, "other")
        assert stopped.program.signal(signal.SIGSTOP)

        def has_left() -> bool:
            return any(
                event["change"] == "left" and event.get("nick") == "stopped"
                for event in scene.history.of("other", "member")
            )

        other.say("said while it is here")
        await scene.until(has_left, "the server to give the stopped one up")
        other.say("said while it is gone")
        assert stopped.program.signal(signal.SIGCONT)
        await scene.until(lambda: gone(scene, "stopped") != [], "the stopped one to learn of it")
        await scene.until(lambda: len(list(scene.history.of("stopped", "joined"))) == 2, "it to come back")
        stopped.say("here I am again")
        await scene.until(scene.history.is_at_rest, "both to have seen everything")
        how = gone(scene, "stopped")
        assert set(how) <= {"goodbye", "reset", "eof"}, how  # its own judgement is not silence: much has come
        assert gone(scene, "other") == []
        await leave(scene, server, stopped, other, idle="stopped")
        figures(how=how, dead_after_ms=DEAD_MS)

    play(story, SECONDS)


def test_a_stopped_client_reads_before_it_judges(play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        server = await begin(scene)
        stopped, other = await enter(scene, server, "stopped"), await enter(scene, server, "other")
        assert stopped.program.signal(signal.SIGSTOP)
        other.say("waits to be read")
        await scene.until(
            lambda: any(event["own"] for event in scene.history.of("other", "message")), "the message to be delivered"
        )
        assert server.program.signal(signal.SIGSTOP)  # so that it does not give the client up
        await scene.until(lambda: "silence" in gone(scene, "other"), "a client to find the server silent")
        assert stopped.program.signal(signal.SIGCONT)
        await scene.until(lambda: any(scene.history.of("stopped", "message")), "it to read what waited")
        assert server.program.signal(signal.SIGCONT)
        await scene.until(lambda: other.is_joined and scene.history.is_at_rest(), "both to have seen everything")
        assert "silence" not in gone(scene, "stopped")
        await leave(scene, server, stopped, other)

    play(story, SECONDS)
