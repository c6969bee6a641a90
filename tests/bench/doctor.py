# SPDX-License-Identifier: MIT
"""Stands between the generator and a server that keeps its word, and breaks it for one reader: of the messages that
come for it one is lost, doubled, put behind the next, or changed, or the connection is cut."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

HEADER = struct.Struct(">2sBBL")
MESSAGES = (20, 22)  # PUBLISH, as a relay hands it on, and DELIVER
FIFTH = 5

Treatment = Callable[[int, bytes], list[bytes]]


class Cut(Exception):
    """The connection ends here."""


def lose(number: int, frame: bytes) -> list[bytes]:
    return [] if number == FIFTH else [frame]


def double(number: int, frame: bytes) -> list[bytes]:
    return [frame, frame] if number == FIFTH else [frame]


def alter(number: int, frame: bytes) -> list[bytes]:
    """One bit of the last quarter of what the author wrote: his signature stands there."""
    if number != FIFTH:
        return [frame]
    at = len(frame) // 2
    return [frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]]


def cut(number: int, frame: bytes) -> list[bytes]:
    if number == FIFTH:
        raise Cut
    return [frame]


def nothing(number: int, frame: bytes) -> list[bytes]:
    return [frame]


@dataclass
class Swap:
    """The fifth comes behind the sixth."""

    held: list[bytes] = field(default_factory=list)

    def __call__(self, number: int, frame: bytes) -> list[bytes]:
        if number == FIFTH:
            self.held = [frame]
            return []
        frames, self.held = [frame, *self.held], []
        return frames


def frames(buffer: bytearray) -> Iterator[bytes]:
    """Whole ones, taken from its start."""
    while len(buffer) >= HEADER.size:
        size = HEADER.size + HEADER.unpack_from(buffer)[3]
        if len(buffer) < size:
            return
        yield bytes(buffer[:size])
        del buffer[:size]


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(65536):
        writer.write(octets)


async def treat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, treatment: Treatment) -> None:
    buffer, number = bytearray(), 0
    while octets := await reader.read(65536):
        buffer += octets
        for frame in frames(buffer):
            is_message = HEADER.unpack_from(frame)[2] in MESSAGES
            number += is_message
            writer.writelines(treatment(number, frame) if is_message else [frame])


@contextlib.asynccontextmanager
async def doctored(port: int, treatment: Treatment) -> AsyncIterator[int]:
    """A port in front of a server's; the second connection to it gets the treatment."""
    tasks: set[asyncio.Task[None]] = set()
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        mine = treatment if count == 2 else nothing
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        ways = {
            asyncio.ensure_future(pass_on(reader, up_writer)),
            asyncio.ensure_future(treat(up_reader, writer, mine)),
        }
        _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in rest:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, up_writer):
            end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
