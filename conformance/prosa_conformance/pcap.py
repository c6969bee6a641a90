# SPDX-License-Identifier: MIT
"""Writes conversations as a pcap file, for Wireshark and the dissector in spec/wireshark.

What the suite sees are the octets of a TCP stream; the IPv4 and TCP headers around them are made
up here: a handshake, right sequence numbers, FIN and RST. Nothing is captured from a network.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from pathlib import Path

from prosa_conformance.transcript import Event, Kind

FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)  # 101: LINKTYPE_RAW
SEGMENT_MOST = 65000  # octets; more do not fit into one IPv4 packet
HEADER_SIZE = 20  # of IPv4, and of TCP, without options
SEQUENCES = 2**32
SEQUENCE_CLOCK = 250_000  # a second: a later connection begins with another number (RFC 9293, 3.4.1)
Address = tuple[str, int]


class End(StrEnum):
    """How one side ends its direction."""

    FIN = "fin"
    RESET = "reset"


Step = tuple[float, str, "bytes | End"]  # seconds since 1970, "client" or "server", what it sent


class Flag(IntFlag):
    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


@dataclass
class Conversation:
    """One connection: each step's octets become a segment of their own.

    Without `whole` the file begins in the middle of it: there is no SYN. Steps in `lost`, counted
    from 0, were sent but are not in the file.
    """

    steps: list[Step] = field(default_factory=list)
    client: Address = ("127.0.0.1", 40000)
    server: Address = ("127.0.0.1", 65432)
    whole: bool = True
    lost: frozenset[int] = frozenset()


def write(path: Path, conversations: Iterable[Conversation]) -> None:
    """Write all packets of all conversations in the order of their times."""
    packets = [packet for one in conversations for packet in _packets(one)]
    packets.sort(key=lambda packet: packet[0])
    path.write_bytes(FILE_HEADER + b"".join(_record(at, octets) for at, octets in packets))


def of_transcript(events: Iterable[Event], side: str) -> list[Conversation]:
    """The conversations of a transcript whose scripted peers are all on `side`."""
    other = "server" if side == "client" else "client"
    since_1970 = time.time() - time.monotonic()
    kinds: dict[Kind, tuple[str, End | None]] = {
        Kind.SENT: (side, None),
        Kind.RECEIVED: (other, None),
        Kind.SHUT: (side, End.FIN),
        Kind.CLOSE: (side, End.FIN),
        Kind.ABORT: (side, End.RESET),
        Kind.FIN: (other, End.FIN),
        Kind.LOST: (other, End.FIN),
        Kind.RESET: (other, End.RESET),
    }
    all_of_them: list[Conversation] = []
    current: dict[str, Conversation] = {}
    for event in events:
        if event.kind in kinds and (event.actor not in current):
            current[event.actor] = Conversation(client=("127.0.0.1", 40000 + len(all_of_them)))
            all_of_them.append(current[event.actor])
        if event.kind in kinds:
            sender, end = kinds[event.kind]
            current[event.actor].steps.append((event.at + since_1970, sender, end or event.octets))
        if event.kind in (Kind.CLOSE, Kind.ABORT):
            del current[event.actor]
    return all_of_them


# --- packets ----------------------------------------------------------------------------


def _packets(conversation: Conversation) -> Iterator[tuple[float, bytes]]:
    addresses = {"client": conversation.client, "server": conversation.server}
    start = conversation.steps[0][0] if conversation.steps else 0.0
    first = int(start * SEQUENCE_CLOCK)
    sequence = {"client": first % SEQUENCES, "server": (first + SEQUENCES // 2) % SEQUENCES}
    ended: set[str] = set()

    def advance(sender: str, octets: int) -> None:
        sequence[sender] = (sequence[sender] + octets) % SEQUENCES

    def packet(sender: str, flags: Flag, octets: bytes = b"") -> bytes:
        receiver = "server" if sender == "client" else "client"
        acked = sequence[receiver] if Flag.ACK in flags else 0
        segment = _segment(addresses[sender], addresses[receiver], sequence[sender], acked, flags, octets)
        advance(sender, len(octets) + (Flag.SYN in flags) + (Flag.FIN in flags))
        return segment

    if conversation.whole and conversation.steps:
        yield start, packet("client", Flag.SYN)
        yield start, packet("server", Flag.SYN | Flag.ACK)
        yield start, packet("client", Flag.ACK)
    for number, (at, sender, what) in enumerate(conversation.steps):
        if sender in ended:
            continue
        if isinstance(what, End):
            ended.add(sender)
            yield at, packet(sender, Flag.ACK | (Flag.FIN if what is End.FIN else Flag.RST))
            continue
        if number in conversation.lost:
            advance(sender, len(what))
            continue
        for start_at in range(0, len(what), SEGMENT_MOST):
            yield at, packet(sender, Flag.PSH | Flag.ACK, what[start_at : start_at + SEGMENT_MOST])


def _segment(
    source: Address, target: Address, sequence: int, acked: int, flags: Flag, octets: bytes
) -> bytes:
    """One IPv4 packet with one TCP segment, checksums included."""
    ends = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    size = HEADER_SIZE + len(octets)
    ports = (source[1], target[1], sequence, acked, (HEADER_SIZE // 4) << 4, flags, 65535)
    pseudo = ends + struct.pack("!HH", socket.IPPROTO_TCP, size)
    checksum = _checksum(pseudo + struct.pack("!HHIIBBHHH", *ports, 0, 0) + octets)
    tcp = struct.pack("!HHIIBBHHH", *ports, checksum, 0)
    start = struct.pack("!BBHHHBB", 0x45, 0, HEADER_SIZE + size, 0, 0, 64, socket.IPPROTO_TCP)
    ip = start + struct.pack("!H", _checksum(start + b"\0\0" + ends)) + ends
    return ip + tcp + octets


def _checksum(octets: bytes) -> int:
    """RFC 1071."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _record(at: float, octets: bytes) -> bytes:
    microseconds = round(at * 1_000_000)
    return struct.pack("<IIII", *divmod(microseconds, 1_000_000), len(octets), len(octets)) + octets
