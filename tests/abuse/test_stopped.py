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


def first_of(scene: Scene, nick: str, since: int, *kinds: str) -> str:
    """The first event of one of these kinds, from number `since` on."""
    return next(event["event"] for event in scene.history.events[nick][since:] if event["event"] in kinds)


def knows_it_is_gone(scene: Scene, nick: str, other: str) -> bool:
    """`nick` was told of `other`, and then that it has left, or of all who are there when it came itself."""
    was_there = is_there = False
    for event in scene.history.events[nick]:
        if event["event"] == "joined":
            is_there = False
        elif event["event"] == "member" and event.get("nick") == other:
            is_there = event["change"] in ("here", "joined")
            was_there = was_there or is_there
    return was_there and not is_there


async def close(scene: Scene, server: Server) -> None:
    """All have seen everything. Whoever has no time to answer a PING may be sent away as idle, and comes back."""
    await scene.until(scene.history.is_at_rest, "all to have seen everything")
    assert [fault for fault in faults(scene.history) if "IDLE" not in fault] == []
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
        await scene.until(lambda: all(one.is_joined() for one in (mute, *talkers)), "all to be there")

        assert server.program.signal(signal.SIGSTOP)
        before_ms = cpu_ms(server)
        since = {member.nick: len(scene.history.events[member.nick]) for member in talkers}
        for member in talkers:
            member.say("hall", f"{member.nick} says it to a server that is stopped")
        await scene.until(lambda: "silence" in gone(scene, "watch"), "a client to find the server silent")
        for member in talkers:
            member.say("hall", f"{member.nick} says it again")
        assert server.program.signal(signal.SIGCONT)

        await scene.until(lambda: mute.ends != [], "the mute one to be ended")
        assert mute.ends[0] == ("goodbye", "IDLE")
        await scene.until(lambda: watch.is_joined and scene.history.is_at_rest(), "everybody to have seen everything")
        spent_ms = cpu_ms(server) - before_ms
        ended = [nick for nick, at in since.items() if first_of(scene, nick, at, "acked", "disconnected") != "acked"]
        assert ended == [], "their words were waiting to be read"
        mute.leave()
        await close(scene, server)
        figures(talkers=TALKERS, said=2 * TALKERS, server_cpu_ms=spent_ms, dead_after_ms=DEAD_MS)

    play(story, SECONDS)


def test_a_stopped_client_is_ended_and_comes_back(play: Callable[..., None], figures: Figures) -> None:
    async def story(scene: Scene) -> None:
        server = await begin(scene)
        stopped, other = await enter(scene, server, "stopped"), await enter(scene, server, "other")
        await scene.until(
            lambda: any(event.get("nick") == "stopped" for event in scene.history.of("other", "member")), "both to meet"
        )
        assert stopped.program.signal(signal.SIGSTOP)
        before = len(gone(scene, "stopped"))
        other.say("said while it is here")
        await scene.until(lambda: knows_it_is_gone(scene, "other", "stopped"), "the server to give the stopped one up")
        other.say("said while it is gone")
        assert stopped.program.signal(signal.SIGCONT)
        await scene.until(lambda: len(gone(scene, "stopped")) > before, "the stopped one to learn of it")
        how = gone(scene, "stopped")[before]
        assert how in ("goodbye", "reset", "eof"), how  # it does not judge by silence: much has come
        stopped.say("here I am again")
        await scene.until(lambda: stopped.is_joined and scene.history.is_at_rest(), "both to have seen everything")
        await close(scene, server)
        figures(how=how, dead_after_ms=DEAD_MS)

    play(story, SECONDS)


def test_a_stopped_client_reads_before_it_judges(play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        server = await begin(scene)
        stopped, other = await enter(scene, server, "stopped"), await enter(scene, server, "other")
        assert stopped.program.signal(signal.SIGSTOP)
        since = len(scene.history.events["stopped"])
        for words in ("waits to be read", "and is on its way to all before this"):
            other.say(words)
            await scene.until(lambda: not scene.history.unseen["other"], "the message to be delivered")
        assert server.program.signal(signal.SIGSTOP)  # so that it does not give the client up
        silent = gone(scene, "other").count("silence")
        await scene.until(lambda: gone(scene, "other").count("silence") > silent, "a client to find the server silent")
        assert stopped.program.signal(signal.SIGCONT)
        await scene.until(
            lambda: any(
                event["event"] in ("message", "disconnected") for event in scene.history.events["stopped"][since:]
            ),
            "it to read what waited, or to judge",
        )
        assert first_of(scene, "stopped", since, "message", "disconnected") == "message"
        assert server.program.signal(signal.SIGCONT)
        await close(scene, server)

    play(story, SECONDS)
