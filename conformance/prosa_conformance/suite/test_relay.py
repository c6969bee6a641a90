# SPDX-License-Identifier: MIT
"""Chapter 12: what a bridge does with messages, frames and connections. The server behind it is the suite's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import MALFORMED, SOUND, flipped, with_header
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.registry import GREASE_TYPES
from prosa_conformance.relay import HELLO, Relay, check_came, see_relayed
from prosa_conformance.scripted_server import Session
from prosa_conformance.zmq_client import ZmqClient

PROCESS = ["process"]
PING = codec.encode(SOUND["PING"])
BYE = codec.frame("BYE", code="NORMAL")
FATAL = codec.frame("ERROR", code="BAD_FRAME", reason="said by the suite")
HARMLESS = codec.frame("ERROR", code="NO_ROOM", reason="said by the suite")
# What a relay has no right to judge or to change: unknown types, faulty bodies, another version, fields in no order.
STRANGE = [
    codec.raw_frame(GREASE_TYPES[0], b"\x00\x00 this is no list of fields \xff"),
    codec.raw_frame(0x7E, bytes(3000)),
    codec.encode(SOUND["JOIN"].plus((0x4001, b"grease"))),
    *[fault(SOUND["JOIN"]).octets for fault in MALFORMED],
    flipped(SOUND["PUBLISH"], "author_sig").octets,
    with_header(SOUND["PING"], version=9).octets,
    with_header(SOUND["PING"], magic=0x5053).octets,
    codec.raw_frame(0x20, bytes(65_536)),
]


def frames_of(count: int) -> list[Frame]:
    return [codec.frame("PING", opaque=number.to_bytes(4, "big")) for number in range(count)]


def take(client: ZmqClient, frames: list[Frame]) -> None:
    """These come, one message each, in this order, the octets unchanged."""
    for frame in frames:
        came = client.next_octets(frame.name or "")
        assert came == codec.encode(frame), f"{client.name} got other octets than the server sent"


# --- ZMQ-01, ZMQ-02 ---


@clause("ZMQ-01", quote="One message part MUST be exactly one frame, header included", needs=PROCESS)
def test_frames_that_came_in_one_segment(relay: Relay) -> None:
    alice, server = relay.pair()
    frames = frames_of(20)
    server.put(b"".join(map(codec.encode, frames)), "20 PINGs in one segment")
    take(alice, frames)


@clause("ZMQ-01", quote="One message part MUST be exactly one frame, header included", needs=PROCESS)
def test_frame_that_came_in_pieces(relay: Relay) -> None:
    """A header that is cut in two, and a body of many segments."""
    alice, server = relay.pair()
    frame = codec.frame("PING", opaque=b"in pieces")
    octets = codec.encode(frame)
    server.put_piecewise(octets, "a PING")
    long = codec.raw_frame(0x21, bytes(40_000))
    server.put_piecewise(long, "a long frame", range(1000, len(long), 1000))
    take(alice, [frame])
    assert alice.next_octets() == long, "alice got other octets than the server sent"


PARTS = {
    "delimiter": [b"", PING],
    "two frames in two parts": [PING, PING],
    "empty": [b""],
    "less than a header": [b"PR\x01"],
    "one octet more": [PING + b"!"],
    "one octet less": [PING[:-1]],
    "two frames in one part": [PING + PING],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=list(PARTS))
@clause("ZMQ-02", quote="MUST be answered with ERROR BAD_FRAME", needs=PROCESS)
def test_first_message_that_is_not_one_frame(relay: Relay, parts: list[bytes]) -> None:
    with relay.bracket():
        mallory = relay.connect("mallory")
        mallory.send_parts(*parts, what="a message that is not one part with one frame")
        mallory.expect("ERROR", code="BAD_FRAME")
        assert not relay.server.has_caller, "there is a connection to the server, and nobody has said HELLO"


@pytest.mark.parametrize("parts", PARTS.values(), ids=list(PARTS))
@clause("ZMQ-02", quote="and the end of that client's connection", needs=PROCESS)
def test_message_that_is_not_one_frame(relay: Relay, parts: list[bytes]) -> None:
    with relay.bracket():
        alice, her_server = relay.pair("alice")
        mallory, his_server = relay.pair("mallory")
        mallory.send_parts(*parts, what="a message that is not one part with one frame")
        mallory.expect("ERROR", code="BAD_FRAME")
        his_server.expect_closed(silently=True)
        see_relayed(alice, her_server)


# --- ZMQ-03, ZMQ-04 ---


@clause("ZMQ-03", quote="A relay MUST pass frames on unchanged in both directions", needs=PROCESS)
def test_frames_pass_unchanged(relay: Relay) -> None:
    """Whatever they are: to judge them is for the two ends."""
    alice, server = relay.pair()
    for octets in STRANGE:
        alice.send_parts(octets, what="a frame that is none of the relay's business")
        check_came(server, octets)
        server.put(octets, "the same frame back")
        assert alice.next_octets() == octets, "alice got other octets than the server sent"


@clause("ZMQ-03", quote="the handshake is end to end between client and server", needs=PROCESS)
def test_handshake_is_end_to_end(relay: Relay) -> None:
    """CHALLENGE, AUTH and WELCOME come as they were sent, with fields that nobody knows."""
    alice, server = relay.pair()
    challenge = codec.frame(
        "CHALLENGE", extra=[(0x00FD, b"grease")], versions=(1,), nonce=bytes(32), features=0, version=1,
        server_key=relay.server.key, handshake_sig=bytes(64), **relay.server.limits,
    )  # fmt: skip
    there = [SOUND["AUTH"].plus((0x3FF1, b"?")), SOUND["JOIN"]]
    server.send(challenge)
    take(alice, [challenge])
    for frame in there:
        alice.send(frame)
        check_came(server, codec.encode(frame))
    server.send(SOUND["WELCOME"])
    take(alice, [SOUND["WELCOME"]])


@clause("ZMQ-04", quote="A relay MUST hold one TCP connection for each routing id", needs=PROCESS)
def test_each_client_has_a_connection(relay: Relay) -> None:
    pairs = [relay.pair(name) for name in ("alice", "bob", "carol")]
    for number, (client, _session) in enumerate(pairs):
        client.send(codec.frame("PING", opaque=b"of %d" % number))
    for number, (_client, session) in enumerate(pairs):
        session.expect("PING", opaque=b"of %d" % number)
        session.send(codec.frame("PONG", opaque=b"for %d" % number))
    for number, (client, _session) in enumerate(pairs):
        client.expect("PONG", opaque=b"for %d" % number)
    pairs[0][1].close()
    pairs[0][0].expect("BYE", code="GATEWAY_LOST")
    for client, session in pairs[1:]:
        see_relayed(client, session)
    assert not relay.server.has_caller, "there is a connection more than there are clients"


@clause("ZMQ-04", quote="A relay MUST hold one TCP connection for each routing id", needs=PROCESS)
def test_session_that_begins_anew(relay: Relay) -> None:
    """Same routing id, another session: another connection. What was on its way in between is dropped."""
    alice, server = relay.pair()
    server.send(BYE)
    server.close()
    alice.expect("BYE", code="NORMAL")
    alice.send(SOUND["PING"])
    alice.send(SOUND["PUBLISH"])
    see_relayed(alice, relay.begin(alice))


# --- ZMQ-05 ---


@pytest.mark.parametrize("name", ["PING", "AUTH", "PUBLISH", "unknown odd"])
@clause("ZMQ-05", quote="that is not HELLO MUST be answered with ERROR BAD_STATE", needs=PROCESS)
def test_first_frame_is_hello(relay: Relay, name: str) -> None:
    with relay.bracket():
        alice = relay.connect()
        alice.send(SOUND[name])
        alice.expect("ERROR", code="BAD_STATE")
        assert not relay.server.has_caller, "there is a connection to the server, and nobody has said HELLO"
        see_relayed(alice, relay.begin(alice))


# --- ZMQ-06 ---


def closes(session: Session) -> None:
    session.close()


def is_reset(session: Session) -> None:
    session.reset()


def dies_in_mid_frame(session: Session) -> None:
    session.put(PING[:-1], "a PING without its last octet")
    session.close()


@pytest.mark.parametrize("end", [closes, is_reset, dies_in_mid_frame])
@clause("ZMQ-06", quote="the relay MUST send BYE GATEWAY_LOST to that client", needs=PROCESS)
def test_server_that_ends_without_a_word(relay: Relay, end: Callable[[Session], None]) -> None:
    alice, server = relay.pair()
    see_relayed(alice, server)
    end(server)
    alice.expect("BYE", code="GATEWAY_LOST")
    see_relayed(alice, relay.begin(alice))


@clause("ZMQ-06", quote="When the TCP side ends and the server has said neither BYE nor a fatal ERROR", needs=PROCESS)
def test_what_the_server_said_before_comes_first(relay: Relay) -> None:
    alice, server = relay.pair()
    frames = [*frames_of(200), HARMLESS]
    server.put(b"".join(map(codec.encode, frames)), "200 PINGs and an ERROR that ends nothing")
    server.close()
    take(alice, frames)
    alice.expect("BYE", code="GATEWAY_LOST")


@pytest.mark.parametrize("last", [BYE, FATAL], ids=["BYE", "ERROR"])
@clause("ZMQ-06", quote="the server has said neither BYE nor a fatal ERROR", needs=PROCESS)
def test_goodbye_of_the_server_is_no_loss(relay: Relay, last: Frame) -> None:
    """Of two goodbyes the second would be taken for the next session's."""
    alice, server = relay.pair()
    server.send(last)
    server.close()
    take(alice, [last])
    again = relay.begin(alice)
    see_relayed(alice, again)


@clause("ZMQ-06", quote="or cannot be reached, the relay MUST send BYE GATEWAY_LOST", needs=PROCESS)
def test_server_that_cannot_be_reached(relay: Relay) -> None:
    relay.serves("before")
    relay.server.stop_listening()
    alice = relay.connect()
    alice.send(HELLO)
    alice.expect("BYE", code="GATEWAY_LOST")
    relay.server.listen()
    see_relayed(alice, relay.begin(alice))


# --- ZMQ-13 ---


@clause("ZMQ-13", quote="the relay MUST close the client's TCP connection", needs=PROCESS)
def test_client_that_vanishes(relay: Relay) -> None:
    bob, his_server = relay.pair("bob")
    alice, server = relay.pair("alice")
    see_relayed(alice, server)
    alice.close()
    server.expect_closed(silently=True)
    see_relayed(bob, his_server)
    relay.serves("carol")


@clause("ZMQ-13", quote="after it has passed on what came before", needs=PROCESS)
def test_last_words_of_who_vanishes(relay: Relay) -> None:
    """Also of one who was there for a moment only."""
    alice = relay.connect()
    alice.send(HELLO)
    row = frames_of(300)
    for frame in row:
        alice.send(frame)
    alice.close()
    server = relay.accept("alice")
    server.expect("HELLO")
    for frame in row:
        server.expect("PING", opaque=frame.octets("opaque"))
    server.expect_closed(silently=True)


@clause("ZMQ-13", quote="What comes under its routing id from then on begins anew, by ZMQ-05", needs=PROCESS)
def test_routing_id_that_comes_back(relay: Relay) -> None:
    """A client that names itself, and does not know that its connection was another one."""
    alice, server = relay.pair("alice", routing_id=b"alice")
    see_relayed(alice, server)
    alice.close()
    server.expect_closed(silently=True)
    again = relay.connect("alice-again", routing_id=b"alice")
    again.send(SOUND["PING"])
    again.expect("ERROR", code="BAD_STATE")
    see_relayed(again, relay.begin(again))
