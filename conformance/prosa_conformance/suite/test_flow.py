# SPDX-License-Identifier: MIT
"""Sections 6.2, 6.3 and 6.5: windows, acknowledgement and the checks of a PUBLISH, at a server."""

import pytest

from prosa_conformance import codec
from prosa_conformance.bracket import bracket_joined, bracket_ready
from prosa_conformance.bugs import marked
from prosa_conformance.clauses import clause, tcp_only
from prosa_conformance.codec import Frame
from prosa_conformance.outcome import NotApplicable
from prosa_conformance.peer import Peer, Room
from prosa_conformance.server import Server

LARGEST = 2**64 - 1
FAR_BEYOND = 8  # more than any answer can raise the limit before the message is looked at


def acks(peer: Peer) -> list[Frame]:
    return [frame for frame in peer.received if frame.name == "ACK"]


def own_delivers(peer: Peer, room: Room) -> list[Frame]:
    return [frame for frame in room.delivered if frame.octets("author_key") == peer.key]


def named(frames: list[Frame], *names: str) -> list[Frame]:
    return [frame for frame in frames if frame.name in names]


def comes_before(peer: Peer, first: Frame, second: Frame) -> bool:
    places = [id(frame) for frame in peer.received]
    return places.index(id(first)) < places.index(id(second))


def ack_of(room: Room, seen_seq: int, limit_seq: int) -> Frame:
    return codec.frame("ACK", room_id=room.id, seen_seq=seen_seq, limit_seq=limit_seq)


# --- 6.2 ACKs of the server ---


@tcp_only
@clause("FLOW-09", quote="MUST be sent only after every message of this author in this room up to c is committed")
@clause("FLOW-26", quote="MUST show nothing to anybody, in ACK, DELIVER or CHECKPOINT, that is not committed")
def test_half_a_message_is_not_acknowledged(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        octets = codec.encode(mallory.make_publish(room, "only the signature is missing"))
        mallory.put(octets[:-64], "PUBLISH without its last 64 octets")
        mallory.half_close()
        mallory.expect_until_end()
        assert not named(mallory.received, "ACK", "DELIVER"), "something shows a message that never came whole"


@clause("FLOW-10", quote="`acked_seq` MUST be the room_seq of the message acked_counter", needs=["answers"])
def test_acked_seq_is_the_place_of_the_message(server: Server) -> None:
    alice, room = server.joined("alice")
    for _ in range(3):
        server.exchange(alice, room)
    alice.barrier()
    places = {frame.number("counter"): frame.number("room_seq") for frame in own_delivers(alice, room)}
    for ack in acks(alice):
        counter, seq = ack.number("acked_counter"), ack.number("acked_seq")
        wanted = places.get(counter, 0)
        assert seq == wanted, f"acked_seq is {seq} where the message {counter} has the room_seq {wanted}"


@clause("FLOW-11", quote="MUST NOT exceed the last committed counter + granted_window", needs=["answers"])
def test_limit_stays_within_the_window(server: Server) -> None:
    alice, room = server.joined("alice")
    for counter in (1, 2, 3):
        server.exchange(alice, room)
        alice.barrier()
        most = counter + room.granted
        assert room.limit_counter <= most, f"after message {counter} the limit is {room.limit_counter}, above {most}"


@clause("FLOW-16", quote="ACKs MAY be coalesced: one for many messages. The last one always comes", role="server")
def test_last_ack_always_comes(server: Server) -> None:
    alice = server.login("alice")
    room = alice.join(send_window=8)
    messages = [alice.make_publish(room, "one of many", counter=number) for number in range(1, room.granted + 1)]
    alice.send_together(*messages)
    room.last_counter = room.granted
    alice.expect_until("ACK", acked_counter=room.granted)


# --- 6.2 ACKs of the client ---


@clause("FLOW-12", quote="MUST take each number as a maximum and ignore one that is lower", needs=["answers"])
def test_lower_numbers_in_an_ack_are_ignored(server: Server) -> None:
    alice = server.login("alice")
    room = alice.join(recv_window=2)
    server.exchange(alice, room)
    alice.send(ack_of(room, 2, 64))
    alice.send(ack_of(room, 1, 2))
    alice.send(ack_of(room, 0, 0))
    server.exchange(alice, room, "is the limit still 64?")


@clause("FLOW-12", quote="MUST take each number as a maximum", role="server", needs=["answers"])
def test_largest_limit(server: Server) -> None:
    alice, room = server.joined("alice")
    alice.send(ack_of(room, 0, LARGEST))
    server.exchange(alice, room)
    alice.send(ack_of(room, 2, LARGEST))
    server.exchange(alice, room)


@pytest.mark.parametrize("seen_seq", [1, LARGEST])
@clause("FLOW-13", quote="(start_seq - 1 before the first) with ACK_TOO_HIGH")
def test_ack_before_the_first_deliver(server: Server, seen_seq: int) -> None:
    def nothing_seen(peer: Peer, room: Room) -> None:
        peer.send(ack_of(room, room.start_seq - 1, 64))
        peer.barrier()

    with bracket_joined(server, nothing_seen) as (mallory, room):
        too_high = min(room.start_seq - 1 + seen_seq, LARGEST)
        mallory.send(marked(ack_of(room, too_high, LARGEST), "seen_seq"))
        mallory.expect_error("ACK_TOO_HIGH")


@clause(
    "FLOW-13",
    quote="MUST refuse an ACK whose seen_seq is above the last room_seq that it delivered in this JOIN",
    needs=["answers"],
)
def test_ack_of_one_too_many(server: Server) -> None:
    def all_seen(peer: Peer, room: Room) -> None:
        server.exchange(peer, room)
        peer.send(ack_of(room, 2, 66))
        peer.barrier()

    with bracket_joined(server, all_seen) as (mallory, room):
        server.exchange(mallory, room)
        mallory.send(marked(ack_of(room, 3, 66), "seen_seq"))
        mallory.expect_error("ACK_TOO_HIGH")


@clause("FLOW-15", quote="A server MUST refuse an ACK for a room that is not joined with WRONG_ROOM")
def test_ack_for_another_room(server: Server) -> None:
    with bracket_joined(server) as (mallory, _):
        foreign = codec.frame("ACK", room_id=mallory.case.rng.randbytes(32), seen_seq=0, limit_seq=64)
        mallory.send(marked(foreign, "room_id"))
        mallory.expect_error("WRONG_ROOM")


# --- 6.2 credit for DELIVER ---


@clause("FLOW-07", quote="The first limit for DELIVER MUST be start_seq + recv_window - 1", needs=["answers"])
@clause("FLOW-18", quote="A server MUST NOT send a DELIVER with a room_seq above limit_seq")
@clause("FLOW-34", quote="ACK, ERROR, PING, PONG, MEMBER, CHECKPOINT and BYE MUST NOT wait for it", role="server")
def test_deliver_waits_for_credit(server: Server) -> None:
    alice = server.login("alice")
    room = alice.join(recv_window=2)
    server.exchange(alice, room)
    question = alice.publish(room, "this one has to wait")
    alice.expect_until("ACK", acked_counter=2)
    reply = server.reply_to(question, "this one, too")
    alice.send(alice.make_join("@nobody"))
    alice.expect_until("ERROR", room="@nobody")
    alice.barrier()
    highest = max(frame.number("room_seq") for frame in room.delivered)
    assert highest == 2, f"the DELIVER with room_seq {highest} came while limit_seq was 2"
    alice.ack(room, 2, 4)
    alice.expect("DELIVER", room_seq=3, counter=question.number("counter"), author_key=alice.key)
    alice.expect_answer(question, reply)


@clause("FLOW-18", quote="A server MUST NOT send a DELIVER with a room_seq above limit_seq", needs=["answers"])
@clause("FLOW-27", quote="MUST NOT raise limit_counter past a question before it has sent the answer's DELIVER")
def test_limit_waits_for_an_answer_without_credit(server: Server) -> None:
    alice = server.login("alice")
    room = alice.join(recv_window=3)
    server.exchange(alice, room)
    question = alice.publish(room, "the answer has to wait")
    alice.expect_own(question)
    reply = server.reply_to(question)
    frames = alice.barrier()
    assert not named(frames, "DELIVER"), "the answer came while limit_seq was below its room_seq"
    assert room.limit_counter == 2, "the limit rose while the answer's DELIVER waited for credit"
    alice.ack(room, 3, 4)
    alice.expect_answer(question, reply)


# --- 6.3 the checks of a PUBLISH ---


@pytest.mark.parametrize("beyond", [1, 2, 1000, LARGEST])
@clause("FLOW-21", quote="A PUBLISH with a counter above limit_counter MUST be refused with FLOW_VIOLATION")
def test_beyond_the_limit(server: Server, beyond: int) -> None:
    with bracket_joined(server) as (mallory, room):
        counter = min(room.limit_counter + beyond, LARGEST)
        mallory.send(marked(mallory.make_publish(room, counter=counter), "counter"))
        mallory.expect_error("FLOW_VIOLATION")
        assert not named(mallory.received, "ACK", "DELIVER"), "something shows a message that is beyond the limit"


@clause("FLOW-21", quote="The messages before it still count", needs=["answers"])
def test_message_before_a_violation_still_counts(fresh_server: Server) -> None:
    alice, room = fresh_server.joined("alice")
    beyond = alice.make_publish(room, "beyond", counter=room.limit_counter + FAR_BEYOND)
    alice.send_together(alice.make_publish(room, "within"), beyond)
    alice.expect_until("ACK", acked_counter=1)
    fresh_server.answer("for a server that reads nothing while it thinks")
    alice.expect_error("FLOW_VIOLATION")
    delivered = {frame.number("counter") for frame in own_delivers(alice, room)}
    assert delivered <= {1}, "the message beyond the limit was delivered"


@clause("FLOW-22", quote="MUST be answered with the current ACK and nothing else", needs=["answers"])
def test_same_message_again(server: Server) -> None:
    alice, room = server.joined("alice")
    first = alice.publish(room, "once")
    question, _ = server.see_answered(alice, first)
    alice.barrier()
    for _ in range(2):
        alice.send(first)
        alice.expect("ACK", acked_counter=1, acked_seq=question.number("room_seq"), limit_counter=2)
    others = [frame for frame in alice.barrier() if frame.name != "ACK"]
    assert not others, f"{others[0].name} came for a message that was there already"
    server.exchange(alice, room, "the next one")


@clause("FLOW-22", quote="the same octets again, MUST be answered with the current ACK", needs=["answers"])
def test_three_times_in_one_segment(server: Server) -> None:
    alice, room = server.joined("alice")
    publish = alice.make_publish(room, "thrice")
    alice.send_together(publish, publish, publish)
    room.last_counter = 1
    _, answer = server.see_answered(alice, publish)
    early = [ack.number("limit_counter") for ack in acks(alice) if comes_before(alice, ack, answer)]
    assert early and max(early) == 1, f"before the answer there were ACKs with the limits {early}, not 1"
    alice.barrier()
    delivered = [frame.number("room_seq") for frame in room.delivered]
    assert delivered == [1, 2], f"one question that came thrice and its answer have the room_seq {delivered}"
    server.exchange(alice, room, "the next one")


@clause("FLOW-23", quote="A PUBLISH whose counter was used for another id MUST be refused", needs=["answers"])
def test_counter_used_for_another_message(server: Server) -> None:
    def used(peer: Peer, room: Room) -> None:
        first = peer.publish(room, "the one and only")
        server.see_answered(peer, first)
        peer.send(first)
        peer.expect("ACK", acked_counter=1)

    with bracket_joined(server, used) as (mallory, room):
        server.exchange(mallory, room, "the one and only")
        mallory.send(marked(mallory.make_publish(room, "another one", counter=1), "text"))
        mallory.expect_error("COUNTER_REUSE")


@clause("FLOW-23", quote="and answered with the current ACK if not", needs=["answers"])
def test_counter_used_long_ago(server: Server) -> None:
    alice, room = server.joined("alice")
    for _ in range(3):
        server.exchange(alice, room)
    alice.barrier()
    alice.send(alice.make_publish(room, "another first one", counter=1))
    alice.send(codec.frame("PING", opaque=b"old"))
    while (frame := alice.next_frame()).name not in ("ACK", "ERROR"):
        assert frame.name not in ("DELIVER", "PONG"), f"{frame.name} came for a counter that was used long ago"
    if frame.name == "ERROR":
        assert frame.value("code") == codec.frame("ERROR", code="COUNTER_REUSE").value("code"), "not COUNTER_REUSE"
        alice.expect_closed()
        return
    assert frame.number("acked_counter") == 3, "the ACK is not the current one"
    alice.expect("PONG", opaque=b"old")


@clause("FLOW-24", quote="A PUBLISH whose counter leaves one out MUST be refused with COUNTER_GAP")
def test_counter_left_out(server: Server) -> None:
    with bracket_ready(server) as mallory:
        room = mallory.join(send_window=8)
        if room.granted < 2:
            raise NotApplicable("the window is 1: what leaves a counter out is beyond the limit, too")
        mallory.send(marked(mallory.make_publish(room, counter=2), "counter"))
        mallory.expect_error("COUNTER_GAP")


@clause("FLOW-25", quote="MUST be appended to the room and committed", needs=["answers"])
@clause("FLOW-25", quote="then acknowledged to its author and delivered to every member, the author included")
def test_next_message_is_acknowledged_and_delivered(server: Server) -> None:
    alice, room = server.joined("alice")
    for counter in (1, 2, 3):
        question, _ = server.exchange(alice, room)
        assert question.number("counter") == counter, f"message {counter} came back as another one"
        assert room.acked_counter == counter, f"message {counter} is delivered, {room.acked_counter} is acknowledged"
