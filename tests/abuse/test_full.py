# SPDX-License-Identifier: MIT
"""All rooms taken, and all names: who asks for one more is told so, and nobody else notices. The numbers are the
reference's own: the text lets a server have its greatest number of rooms [MSG-29] and of places [AUTH-07]."""

from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from bare import Bare, make_join
from calm import calm_pair, latency, part_calmly, said, talk
from crowd import Crowd
from eyes import Eyes, serve_watched
from log import audit
from mob import name_of, source_of
from prosa_conformance import codec
from prosa_conformance.registry import EVENTS
from scene import Scene
from server import Server
from stage import ROOT, Figures, raise_descriptors, sized


def number_in(source: str, name: str) -> int:
    """A number of the reference that it does not announce."""
    found = re.search(rf"^#define {name} +([0-9]+)u$", (ROOT / "ref-server" / source).read_text(), re.MULTILINE)
    assert found, f"{name} is not in {source} any more"
    return int(found[1])


ROOMS_MAX, NAMES_MAX = number_in("joining.c", "ROOMS_MAX"), number_in("admission.c", "NAMES_MAX")
ROOMS_OF_ONE = 100
MANY_TOKENS = {"token_burst": 1_000_000, "token_rate": 1_000_000}
SECONDS: int = sized(300, 900)
BY_THEMSELVES: int = sized(200, NAMES_MAX - 4)  # names that come over the wire; the others stand in the log before
AT_ONCE = 8_000
STORES = {"durable": (), "in-memory": ("--memory",)}


# --- rooms ---


def hoard(server: Server, count: int) -> list[Bare]:
    """So many rooms, each with somebody in it."""
    hoarders = []
    for first in range(0, count, ROOMS_OF_ONE):
        hoarder = Bare(server, f"hoarder-{first}", source_of(first))
        assert hoarder.enter().name == "WELCOME"
        rooms = [f"room-{number}" for number in range(first, min(first + ROOMS_OF_ONE, count))]
        hoarder.sock.sendall(b"".join(codec.encode(make_join(room)) for room in rooms))
        for room in rooms:
            answer = hoarder.take_joined()
            assert (answer.name, answer.value("room")) == ("JOINED", room)
        hoarders.append(hoarder)
    return hoarders


def ask_for_one_more(server: Server, hoarders: list[Bare]) -> None:
    """It is refused, and the session goes on; rooms that are there are open, and a place comes back when one
    is left."""
    late = Bare(server, "late")
    assert late.enter().name == "WELCOME"
    for attempt in range(3):
        answer = late.join(f"one-more-{attempt}")
        assert (name_of(answer), answer.value("room")) == ("ERROR NO_ROOM", f"one-more-{attempt}"), "[MSG-29] [FLOW-01]"
    late.barrier()
    assert late.join("room-0").name == "JOINED", "a room that is there takes whoever comes"
    assert late.join("@host").name == "JOINED", "@host is nobody's to take"
    leave(hoarders[0], "room-1")
    assert late.join("one-more").name == "JOINED"
    assert name_of(late.join("one-more-still")) == "ERROR NO_ROOM"
    hoarders[-1].reset()  # a whole lot of them
    while name_of(late.join("one-more-again")) == "ERROR NO_ROOM":
        late.barrier()  # until the server has seen it
    late.close()


def leave(member: Bare, room: str) -> None:
    member.send(codec.frame("LEAVE", room_id=member.rooms[room]))
    while member.expect("MEMBER").number("event") != EVENTS["left"]:
        pass  # who is here, of all its rooms


@pytest.mark.parametrize("words", STORES.values(), ids=STORES.keys())
def test_when_all_rooms_are_taken_the_next_is_refused(
    play: Callable[..., None], figures: Figures, words: tuple[str, ...]
) -> None:
    async def story(scene: Scene) -> None:
        raise_descriptors(ROOMS_MAX // ROOMS_OF_ONE + 200)
        eyes = await serve_watched(scene, words=words, max_rooms=ROOMS_OF_ONE, **MANY_TOKENS)
        calm = await calm_pair(scene, eyes.server)
        before = await talk(calm, lambda: True)
        private = eyes.private()
        hoarding = asyncio.create_task(asyncio.to_thread(hoard, eyes.server, ROOMS_MAX - 1))  # and the calm have one
        during = await talk(calm, hoarding.done)
        hoarders = await hoarding
        full = eyes.private()
        await asyncio.to_thread(ask_for_one_more, eyes.server, hoarders)
        for hoarder in hoarders:
            hoarder.close()
        after = await talk(calm, lambda: eyes.metrics()["prosa_rooms"] == 1)
        await part_calmly(calm, said([*before, *during, *after]))
        assert await eyes.server.stop() == 0, eyes.server.last_words()
        if not words:
            audit(eyes.server.data)
        figures(
            rooms=ROOMS_MAX,
            calm_before=latency(before),
            calm_during=latency(during),
            private_before=private,
            private_full=full,
            octets_per_room=(full - private) // ROOMS_MAX,
        )

    play(story, SECONDS)


# --- names ---


def fill_names(eyes: Eyes, count: int) -> None:
    """So many names stand in the log of a server that has ended (docs/log.md)."""
    with closing(sqlite3.connect(eyes.server.data / "log.db")) as file, file:
        file.executemany(
            "INSERT INTO names (key, nick, banned) VALUES (?, ?, 0)",
            ((secrets.token_bytes(32), f"old-{number}") for number in range(count)),
        )


async def come_and_go(scene: Scene, server: Server) -> None:
    """Members of a crowd, each with a name of its own."""
    for first in range(0, BY_THEMSELVES, AT_ONCE):
        crowd = Crowd(scene, server, f"name-{first}", sources=40)
        await crowd.start()
        await crowd.do(f"connect {min(AT_ONCE, BY_THEMSELVES - first)}")
        await crowd.leave()


def comes(server: Server, nick: str) -> str:
    """What it is told, and it is gone again."""
    peer = Bare(server, nick)
    answer = peer.enter()
    peer.close()
    return name_of(answer)


def check_full(server: Server) -> None:
    """New names are refused, known ones are not; nor are names that belong to somebody given away."""
    for number in range(5):
        assert comes(server, f"new-{number}") == "ERROR BUSY", "[AUTH-07]"
    assert comes(server, "known") == "WELCOME"
    assert comes(server, "name-0-7") == "ERROR NICK_TAKEN", "[ID-07]"


def test_when_all_names_are_taken_known_ones_come_in(play: Callable[..., None], figures: Figures) -> None:
    """With a log that has nearly all of them; over a restart."""

    async def story(scene: Scene) -> None:
        raise_descriptors(AT_ONCE + 200)
        eyes = await serve_watched(scene)
        assert comes(eyes.server, "known") == "WELCOME"
        assert await eyes.server.stop() == 0, eyes.server.last_words()
        fill_names(eyes, NAMES_MAX - 4 - BY_THEMSELVES)
        await again(eyes.server)
        calm = await calm_pair(scene, eyes.server)  # takes two
        before = await talk(calm, lambda: True)
        coming = asyncio.create_task(come_and_go(scene, eyes.server))
        during = await talk(calm, coming.done)
        await coming
        assert comes(eyes.server, "last") == "WELCOME"
        await asyncio.to_thread(check_full, eyes.server)
        during += await talk(calm, lambda: True)
        rss = eyes.server.rss()
        await part_calmly(calm, said([*before, *during]))
        assert await eyes.server.stop() == 0, eyes.server.last_words()
        await again(eyes.server)
        await asyncio.to_thread(check_full, eyes.server)
        assert comes(eyes.server, "last") == "WELCOME"
        assert await eyes.server.stop() == 0, eyes.server.last_words()
        audit(eyes.server.data)
        figures(
            names=NAMES_MAX,
            over_the_wire=BY_THEMSELVES,
            rss=rss,
            calm_before=latency(before),
            calm_during=latency(during),
        )

    play(story, SECONDS)


async def again(server: Server) -> None:
    await server.start()
    await server.ready()
