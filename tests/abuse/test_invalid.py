# SPDX-License-Identifier: MIT
"""Fifty connections that send what is wrong, or too much of what is right, as fast as they can, while two members
talk: each earns what the text says, and the two notice nothing but that the machine is busy."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from bare import DEADLINE_S, Bare, make_join
from calm import CALM, calm_pair, latency, part_calmly, said, talk
from eyes import serve_watched
from mob import source_of
from prosa_conformance import codec
from prosa_conformance.registry import LIMITS
from scene import Scene
from server import Server
from stage import Figures, raise_descriptors, sized

ATTACKERS = 50
ROUNDS: int = sized(1, 20)  # of each, with a connection of its own
MUCH: int = sized(64, 512)  # frames of the largest size in a round
BEYOND_BURST: int = sized(16, 128)  # frames that cost a token, answered beyond those that a full bucket allows
SECONDS: int = sized(300, 600)

MAX_FRAME = LIMITS["max_frame"].default
TOKENS = LIMITS["token_burst"].default + BEYOND_BURST
UNKNOWN_TYPE = 0x4B  # odd: a receiver ignores it [WIRE-12]
LARGEST = codec.raw_frame(UNKNOWN_TYPE, bytes(MAX_FRAME))
WELL = "as it came"  # not ended by the server


def garbage(member: Bare, rng: random.Random) -> str:
    return push(member, b"PX" + rng.randbytes(64 * 1024))


def too_large(member: Bare, rng: random.Random) -> str:
    return push(member, codec.raw_frame(UNKNOWN_TYPE, bytes(MAX_FRAME + 1)))


def largest(member: Bare, rng: random.Random) -> str:
    member.sock.sendall(LARGEST * MUCH)
    member.barrier()
    member.reset()
    return WELL


def bad_signatures(member: Bare, rng: random.Random) -> str:
    publish = bytearray(codec.encode(member.make_publish(member.rooms["hall"], 1)))
    publish[-1 - rng.randrange(32)] ^= 1 << rng.randrange(8)  # of S, which may be too large then: likewise no good
    return push(member, bytes(publish) * LIMITS["max_window"].default)


def pings(member: Bare, rng: random.Random) -> str:
    """More than the kernel takes: the server stops reading when the tokens are spent [FLOW-37]."""
    flood(member, b"".join(codec.encode(codec.frame("PING", opaque=count.to_bytes(8, "big"))) for count in range(8192)))
    for count in range(TOKENS):
        assert int.from_bytes(member.expect("PONG").need("opaque"), "big") == count, "[LIVE-01]"
    member.reset()
    return WELL


def comings_and_goings(member: Bare, rng: random.Random) -> str:
    """In the room of the calm, whom each of them is told of."""
    leave = codec.encode(codec.frame("LEAVE", room_id=member.rooms["hall"]))
    flood(member, (leave + codec.encode(make_join("hall"))) * 2048)
    for _ in range(TOKENS // 2 - 1):
        assert member.take_joined().name == "JOINED"
    member.reset()
    return WELL


def push(member: Bare, octets: bytes) -> str:
    """All of it, however it ends."""
    with contextlib.suppress(ConnectionError):  # the server's last words may wait to be read
        member.sock.sendall(octets)
    return member.last_words()


def flood(member: Bare, octets: bytes) -> None:
    """As much as the kernel takes."""
    member.sock.setblocking(False)
    member.sock.send(octets)
    member.sock.settimeout(DEADLINE_S)


@dataclass(frozen=True)
class Attack:
    do: Callable[[Bare, random.Random], str]
    earns: str


ATTACKS = {
    "garbage": Attack(garbage, "ERROR BAD_FRAME"),
    "too-large-frames": Attack(too_large, "ERROR TOO_LARGE"),
    "largest-frames": Attack(largest, WELL),
    "bad-signatures": Attack(bad_signatures, "ERROR BAD_SIG"),
    "pings": Attack(pings, WELL),
    "joins-and-leaves": Attack(comings_and_goings, WELL),
}


def storm(server: Server, attack: Attack) -> Counter[str]:
    def go_on(number: int) -> Counter[str]:
        rng = random.Random(f"{server.scene.seed} {number}")
        earned: Counter[str] = Counter()
        for turn in range(ROUNDS):
            member = Bare(server, f"attacker-{number}-{turn}", source_of(number))
            assert member.enter().name == "WELCOME"
            assert member.join("hall").name == "JOINED"
            earned[attack.do(member, rng)] += 1
        return earned

    with ThreadPoolExecutor(ATTACKERS) as pool:
        return sum(pool.map(go_on, range(ATTACKERS)), Counter())


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_who_breaks_the_protocol_is_sent_away_alone(
    play: Callable[..., None], figures: Figures, attack: Attack
) -> None:
    async def story(scene: Scene) -> None:
        raise_descriptors(ATTACKERS + 200)
        eyes = await serve_watched(scene)
        calm = await calm_pair(scene, eyes.server)
        before = await talk(calm, lambda: True)
        private, cpu_ms = eyes.private(), eyes.cpu_ms()
        storming = asyncio.create_task(asyncio.to_thread(storm, eyes.server, attack))
        during = await talk(calm, storming.done)
        earned, cpu_ms = await storming, eyes.cpu_ms() - cpu_ms
        during += await talk(calm, lambda: eyes.metrics()["prosa_connections"] == CALM)
        told, grown = eyes.metrics(), eyes.private() - private
        await part_calmly(calm, said([*before, *during]))
        assert await eyes.server.stop() == 0, eyes.server.last_words()

        assert earned == Counter({attack.earns: ATTACKERS * ROUNDS})
        refused = {name: number for name, number in told.items() if name.startswith("prosa_refused_total") and number}
        code = attack.earns.partition(" ")[2]
        wanted = {f'prosa_refused_total{{code="{code}"}}': ATTACKERS * ROUNDS} if attack.earns != WELL else {}
        assert refused == wanted, "[ERR-01]"
        figures(
            attackers=ATTACKERS,
            rounds=ROUNDS,
            earned=dict(earned),
            octets_in=int(told['prosa_octets_total{direction="in"}']),
            calm_before=latency(before),
            calm_during=latency(during),
            grown_octets=grown,
            cpu_ms=cpu_ms,
        )

    play(story, SECONDS)
