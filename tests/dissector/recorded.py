# SPDX-License-Identifier: MIT
"""A session with the reference server, recorded by the suite's scripted client."""

from __future__ import annotations

from pathlib import Path

from prosa_conformance import codec, pcap
from prosa_conformance.case import Case, Settings
from prosa_conformance.codec import raw_field, raw_frame
from prosa_conformance.contract import Implementation
from prosa_conformance.registry import FIELDS, FRAMES, GREASE_TYPES
from prosa_conformance.server import Server, ServerProcess

QUESTIONS = ("hello", "olá, que horas são?")
ANSWERS = tuple(f"I am: {question}" for question in QUESTIONS)


def record(command: str, directory: Path) -> tuple[pcap.Conversation, pcap.Conversation]:
    """Alice's good session with the server of this command, and Bob's that ends with a bad frame."""
    settings = Settings(Implementation("prosa", directory, {"server": command}), directory)
    case = Case(settings, "dissector", "server")
    process = ServerProcess(settings, {})
    try:
        server = Server(case, process)
        _good_session(server)
        _bad_session(server)
    finally:
        case.close_wires()
        process.stop()
    alice, bob = pcap.of_transcript(case.transcript.events, "client")
    return alice, bob


def _good_session(server: Server) -> None:
    alice, room = server.joined("alice")
    for question in QUESTIONS:
        server.exchange(alice, room, question)
    alice.ack(room, 2 * len(QUESTIONS))
    alice.put(raw_frame(GREASE_TYPES[0], b"nobody looks at this"), "a frame to ignore")
    alice.barrier()
    alice.leave_politely()


def _bad_session(server: Server) -> None:
    """A PING with its fields in the wrong order, and what the server says to it."""
    bob = server.login("bob")
    grease = raw_field(0x0A0B, b"")
    opaque = raw_field(FIELDS["opaque"].tag, b"")
    bob.put(raw_frame(FRAMES["PING"].type, grease + opaque), "a PING with descending tags")
    error = bob.expect("ERROR")
    assert error.value("code") == codec.NAMED_NUMBERS["code"]["BAD_FRAME"]
    bob.half_close()
    bob.expect_closed()
    bob.close()
