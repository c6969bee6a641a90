# SPDX-License-Identifier: MIT
"""What pcap.py writes is TCP as tshark knows it: sequence numbers, checksums, ends."""

from __future__ import annotations

from conversations import conversation, handshake
from tshark import Tshark

from prosa_conformance.pcap import SEGMENT_MOST, Conversation, End, of_transcript
from prosa_conformance.transcript import Kind, Transcript

CHECKED = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")
NAMES = ("tcp.srcport", "tcp.len", "tcp.flags.syn", "tcp.flags.fin", "tcp.flags.reset")
FAULTS = "tcp.analysis.flags || ip.checksum.status == Bad || tcp.checksum.status == Bad"
CLIENT, SERVER = "40000", "65432"


def ends(tshark: Tshark, made: Conversation, flag: str) -> list[str]:
    packets = tshark.packets(tshark.capture([made]), NAMES)
    return [packet["tcp.srcport"][0] for packet in packets if packet[f"tcp.flags.{flag}"] == ["1"]]


def test_tshark_finds_nothing_wrong(tshark: Tshark, alice: Conversation, bob: Conversation) -> None:
    capture = tshark.capture([alice, bob])
    assert tshark.packets(capture, NAMES, *CHECKED, "-Y", FAULTS) == []
    good = "ip.checksum.status == Good && tcp.checksum.status == Good"
    everything = tshark.packets(capture, NAMES)
    assert tshark.packets(capture, NAMES, *CHECKED, "-Y", good) == everything != []


def test_both_sides_of_a_polite_session_end(tshark: Tshark, alice: Conversation) -> None:
    assert ends(tshark, alice, "syn") == [CLIENT, SERVER]
    assert sorted(ends(tshark, alice, "fin")) == [CLIENT, SERVER]
    assert ends(tshark, alice, "reset") == []


def test_a_long_step_becomes_several_segments(tshark: Tshark) -> None:
    made = conversation(0, [*handshake(65536), ("client", bytes(2 * SEGMENT_MOST + 1))])
    packets = tshark.packets(tshark.capture([made]), NAMES)
    assert [packet["tcp.len"] for packet in packets[-3:]] == [[str(SEGMENT_MOST)], [str(SEGMENT_MOST)], ["1"]]


def test_a_transcript_of_a_scripted_server(tshark: Tshark) -> None:
    """Its own octets are the server's, what it receives is the client's; a reset ends it."""
    transcript = Transcript()
    transcript.add("the client", Kind.CONNECT, "")
    for sender, octets in handshake(8192):
        transcript.add("server", Kind.SENT if sender == "server" else Kind.RECEIVED, "", octets)
    transcript.add("server", Kind.RESET, "")
    transcript.add("server", Kind.CLOSE, "")
    [made] = of_transcript(transcript.events, "server")
    assert [step[1] for step in made.steps] == ["client", "server", "client", "server", "client", "server"]
    assert made.steps[-2][2] is End.RESET
    assert ends(tshark, made, "reset") == [CLIENT]


def test_a_name_that_connects_twice_has_two_conversations(tshark: Tshark) -> None:
    transcript = Transcript()
    for _ in range(2):
        transcript.add("alice", Kind.CONNECT, "")
        transcript.add("alice", Kind.SENT, "", handshake(8192)[0][1])
        transcript.add("alice", Kind.CLOSE, "")
    made = of_transcript(transcript.events, "client")
    streams = [packet["tcp.stream"] for packet in tshark.packets(tshark.capture(made), ["tcp.stream"])]
    assert sorted({stream[0] for stream in streams}) == ["0", "1"]
