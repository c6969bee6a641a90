# SPDX-License-Identifier: MIT
"""What the ears recorded: the frames of each connection with their times, and all captures as one file."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dpkt

from prosa_conformance import codec
from prosa_conformance.codec import Decoded, Frame, Ignored, Partial
from prosa_conformance.match import describe
from prosa_conformance.registry import CONSTANTS
from prosa_conformance.transcript import Kind

SNAPLEN = 262_144
WRAP = 1 << 32
Packet = tuple[float, bytes]


@dataclass(frozen=True)
class Seen:
    """Something that passed on a connection. `actor` is the nick of its client, or where it came from."""

    at: float
    actor: str
    kind: Kind
    what: str
    octets: bytes = b""


@dataclass
class Half:
    """One direction: octets that came, and segments that came before their time."""

    due: int | None = None
    early: dict[int, bytes] = field(default_factory=dict)
    octets: bytes = b""
    ended: bool = False

    def take(self, sequence: int, octets: bytes) -> None:
        if self.due is None:
            self.due = sequence
        self.early[sequence] = octets
        while (found := next((at for at in self.early if (self.due - at) % WRAP < WRAP // 2), None)) is not None:
            segment = self.early.pop(found)[(self.due - found) % WRAP :]
            self.octets += segment
            self.due = (self.due + len(segment)) % WRAP


@dataclass
class Connection:
    """From its first packet on."""

    client: str
    halves: dict[str, Half] = field(default_factory=lambda: {"client": Half(), "server": Half()})
    seen: list[Seen] = field(default_factory=list)
    nick: str = ""

    def take(self, at: float, sender: str, segment: dpkt.tcp.TCP) -> None:
        half = self.halves[sender]
        if segment.flags & dpkt.tcp.TH_SYN:
            half.due = (segment.seq + 1) % WRAP
            if sender == "client":
                self._add(at, Kind.CONNECT, "")
            return
        half.take(segment.seq, bytes(segment.data))
        self._frames(at, sender, half)
        if segment.flags & dpkt.tcp.TH_RST and not half.ended:
            self._end(at, sender, half, Kind.ABORT, Kind.RESET)
        elif segment.flags & dpkt.tcp.TH_FIN and not half.ended:
            self._end(at, sender, half, Kind.SHUT, Kind.FIN)

    def _end(self, at: float, sender: str, half: Half, ours: Kind, theirs: Kind) -> None:
        half.ended = True
        self._add(at, ours if sender == "client" else theirs, "")

    def _frames(self, at: float, sender: str, half: Half) -> None:
        while half.octets:
            verdict = codec.decode(half.octets, sender, CONSTANTS["max_frame_ceiling"])
            if isinstance(verdict, Partial):
                return
            if not isinstance(verdict, Decoded | Ignored):
                self._add(at, Kind.SENT if sender == "client" else Kind.RECEIVED, f"no frame: {verdict.why}")
                half.octets = b""
                return
            octets, half.octets = half.octets[: verdict.consumed], half.octets[verdict.consumed :]
            if isinstance(verdict, Decoded):
                self._take_frame(at, sender, verdict.frame, octets)

    def _take_frame(self, at: float, sender: str, frame: Frame, octets: bytes) -> None:
        if frame.name == "AUTH":
            self.nick = str(frame.value("nick"))
        self._add(at, Kind.SENT if sender == "client" else Kind.RECEIVED, describe(frame), octets)

    def _add(self, at: float, kind: Kind, what: str, octets: bytes = b"") -> None:
        self.seen.append(Seen(at, self.client, kind, what, octets))

    def told(self, name: str) -> Iterator[Seen]:
        return (Seen(one.at, name, one.kind, one.what, one.octets) for one in self.seen)


def read(paths: Iterable[Path]) -> list[Packet]:
    """All packets of all captures, in the order of their times."""
    packets: list[Packet] = []
    for path in paths:
        with path.open("rb") as file:
            packets += ((float(at), octets) for at, octets in dpkt.pcap.Reader(file))
    return sorted(packets, key=lambda packet: packet[0])


def write(path: Path, packets: Iterable[Packet]) -> None:
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=SNAPLEN, linktype=dpkt.pcap.DLT_EN10MB)
        for at, octets in packets:
            writer.writepkt(octets, at)


def conversation(packets: Iterable[Packet], port: int) -> list[Seen]:
    """What passed between clients and the server at this port."""
    connections: dict[tuple[bytes, int], Connection] = {}
    every: list[Connection] = []
    for at, octets in packets:
        packet = dpkt.ethernet.Ethernet(octets).data
        if not isinstance(packet, dpkt.ip.IP) or not isinstance(packet.data, dpkt.tcp.TCP):
            continue
        segment = packet.data
        sender = "client" if segment.dport == port else "server"
        end = (packet.src, segment.sport) if sender == "client" else (packet.dst, segment.dport)
        opens = sender == "client" and bool(segment.flags & dpkt.tcp.TH_SYN)
        if opens or end not in connections:
            connections[end] = Connection(".".join(map(str, struct.unpack("4B", end[0]))))
            every.append(connections[end])
        connections[end].take(at, sender, segment)
    return sorted((one for connection in every for one in connection.told(_name(connection, every))), key=_when)


def _name(connection: Connection, every: Iterable[Connection]) -> str:
    """The nick that it gave; of one that came to nothing that of the others from there, if they had one only."""
    nicks = {other.nick for other in every if other.client == connection.client and other.nick}
    return connection.nick or (nicks.pop() if len(nicks) == 1 else connection.client)


def _when(one: Seen) -> float:
    return one.at
