# SPDX-License-Identifier: MIT
"""Conversations to dissect: a recorded one cut anew, and made ones for single frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from prosa_conformance import codec
from prosa_conformance.codec import Decoded, Ignored
from prosa_conformance.kinds import Value
from prosa_conformance.pcap import Conversation, End, Step
from prosa_conformance.registry import CONSTANTS, LIMITS, TIMERS, Field

CAP = CONSTANTS["max_frame_ceiling"]
SIDES = ("client", "server")


# --- cut anew -----------------------------------------------------------------------------


def coalesced(conversation: Conversation) -> Conversation:
    """What one side sends without an answer between is one segment."""
    steps: list[Step] = []
    for at, sender, what in conversation.steps:
        if steps and steps[-1][1] == sender and isinstance(what, bytes) and isinstance(steps[-1][2], bytes):
            steps[-1] = (steps[-1][0], sender, steps[-1][2] + what)
        else:
            steps.append((at, sender, what))
    return replace(conversation, steps=steps)


def cut_everywhere(conversation: Conversation) -> Conversation:
    """Each octet is a segment of its own."""
    return _cut(conversation, lambda octets: list(range(1, len(octets))))


def cut_in_headers(conversation: Conversation) -> Conversation:
    """Each frame is cut after its third octet, and between header and fields."""
    return _cut(conversation, lambda octets: [start + cut for start in _starts(octets) for cut in (3, 8)])


def _cut(conversation: Conversation, cuts: Callable[[bytes], list[int]]) -> Conversation:
    steps: list[Step] = []
    for at, sender, what in conversation.steps:
        if isinstance(what, End):
            steps.append((at, sender, what))
            continue
        edges = [0, *(cut for cut in cuts(what) if cut < len(what)), len(what)]
        steps.extend((at, sender, what[a:b]) for a, b in pairwise(edges))
    return replace(conversation, steps=steps)


def _starts(octets: bytes) -> list[int]:
    starts, at = [], 0
    while at < len(octets):
        starts.append(at)
        at += codec.HEADER.size + int.from_bytes(octets[at + 4 : at + 8], "big")
    return starts


# --- what is in it, by the suite's own codec -------------------------------------------------


def verdicts(conversation: Conversation, side: str) -> list[Decoded | Ignored]:
    """All frames that one side sent; a bad one ends the list."""
    octets = b"".join(what for _, sender, what in conversation.steps if sender == side and isinstance(what, bytes))
    found: list[Decoded | Ignored] = []
    while octets:
        verdict = codec.decode(octets, side, CAP)
        if not isinstance(verdict, Decoded | Ignored):
            break
        found.append(verdict)
        octets = octets[verdict.consumed :]
    return found


def shown(field: Field, value: object) -> str:
    """A value as tshark prints it."""
    if isinstance(value, bytes):
        return value.hex() or "<MISSING>"
    if isinstance(value, tuple):
        return bytes(value).hex()
    if isinstance(value, int) and field.name in ("code", "features"):
        return f"0x{value:0{8 if field.kind == 'u32' else 4}x}"
    return str(value).translate({ord(c): f"\\{name}" for c, name in (("\t", "t"), ("\n", "n"), ("\r", "r"))})


# --- made -------------------------------------------------------------------------------------


def handshake(max_frame: int) -> list[tuple[str, bytes]]:
    """HELLO to WELCOME, with signatures of nobody: the dissector does not check them."""
    key, signature = bytes(range(32)), bytes(64)
    numbers: dict[str, Value | None] = {n: limit.default for n, limit in {**LIMITS, **TIMERS}.items()}
    numbers |= {"features": 0, "version": 1, "max_frame": max_frame}
    frames = [
        ("client", codec.frame("HELLO", versions=(1,), nonce=key, client_key=key, features=0, target="a:1")),
        ("server", codec.frame(
            "CHALLENGE", (), versions=(1,), nonce=key, server_key=key, handshake_sig=signature, **numbers
        )),
        ("client", codec.frame("AUTH", nick="ada", handshake_sig=signature)),
        ("server", codec.frame("WELCOME", session=1, time=0)),
    ]
    return [(sender, codec.encode(frame)) for sender, frame in frames]


def conversation(number: int, sent: list[tuple[str, bytes]], server_port: int = 65432) -> Conversation:
    """A whole connection: what each side sent, in order."""
    steps: list[Step] = [(number + at / 1000, sender, octets) for at, (sender, octets) in enumerate(sent)]
    client = (f"10.{number >> 14 & 255}.{number >> 7 & 127}.{number & 127}", 40000)
    return Conversation(steps, client=client, server=("127.0.0.1", server_port))


def before(cap: int) -> list[tuple[str, bytes]]:
    """What brings a connection into the state in which this cap holds."""
    return [] if cap == CONSTANTS["max_frame_handshake"] else handshake(cap)


def under_cap(number: int, sender: str, cap: int, octets: bytes) -> Conversation:
    return conversation(number, [*before(cap), (sender, octets)])
