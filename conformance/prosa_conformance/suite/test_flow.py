# SPDX-License-Identifier: MIT
"""Chapter 6: windows, acknowledgement, question and answer."""

from prosa_conformance.bracket import bracket_joined
from prosa_conformance.clauses import clause
from prosa_conformance.server import Server


@clause(
    "FLOW-28",
    quote="After the answer's DELIVER the server MUST send an ACK that raises limit_counter",
    needs=["answers"],
)
def test_limit_rises_after_the_answer(server: Server) -> None:
    alice, room = server.joined("alice")
    question, answer = server.exchange(alice, room)
    assert answer.number("room_seq") == question.number("room_seq") + 1, "the answer is the room's next entry"
    server.exchange(alice, room, "and now?")


@clause("FLOW-21", quote="A PUBLISH with a counter above limit_counter MUST be refused with FLOW_VIOLATION")
def test_beyond_the_limit(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.publish(room, counter=room.limit_counter + 1)
        mallory.expect_error("FLOW_VIOLATION")
