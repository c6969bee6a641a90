# SPDX-License-Identifier: MIT
"""Chapter 3: frames and fields, as a server takes them from the wire."""

import pytest

from prosa_conformance import codec
from prosa_conformance.bracket import bracket, bracket_joined, bracket_ready
from prosa_conformance.bugs import (
    MALFORMED,
    SOUND,
    Fault,
    Faulty,
    header_alone,
    marked,
    padded,
    with_extra,
    with_fields,
    with_header,
)
from prosa_conformance.clauses import clause, tcp_only
from prosa_conformance.codec import Frame
from prosa_conformance.outcome import Guilty
from prosa_conformance.peer import AUTHOR_GREASE, Peer
from prosa_conformance.registry import CONSTANTS, FIELDS, GREASE_TYPES, LIMITS
from prosa_conformance.server import Server

HANDSHAKE_CAP = CONSTANTS["max_frame_handshake"]


def ping(opaque: bytes = b"wire") -> Frame:
    return codec.frame("PING", opaque=opaque)


# --- 3.1 the frame ---


@tcp_only
@pytest.mark.parametrize("octets", [b"G", b"GET / HTTP/1.1\r\n\r\n", b"PS", b"\x00" * 8])
@clause("WIRE-03", quote="the receiver MUST close the connection without sending anything")
def test_bad_magic_closes_silently(server: Server, octets: bytes) -> None:
    with bracket(server) as mallory:
        mallory.put(octets, f"no frame: {octets!r}", Guilty(octets, 0, min(len(octets), 2), "magic"))
        mallory.expect_closed(silently=True)


@clause("WIRE-02", quote="A receiver MUST treat a frame that begins with other octets as malformed", level="L1")
def test_bad_magic_after_good_frames(server: Server) -> None:
    with bracket_ready(server, Peer.barrier) as mallory:
        mallory.send(with_header(ping(), magic=0x5053))
        mallory.expect_error("BAD_FRAME")


@pytest.mark.parametrize("version", [0, 2, 255])
@clause("WIRE-04", quote="The version octet MUST be the version that the handshake chose", level="L1")
def test_other_version_octet(server: Server, version: int) -> None:
    def right_version(peer: Peer) -> None:
        peer.hello()
        peer.expect_challenge()

    with bracket(server, right_version) as mallory:
        mallory.hello(with_header(mallory.make_hello(), version=version))
        mallory.expect_error("UNSUPPORTED")


@clause("WIRE-07", quote="Before READY the cap on `length` MUST be 1,024 in both directions")
def test_cap_before_ready(server: Server) -> None:
    def largest(peer: Peer) -> None:
        peer.hello(padded(peer.make_hello(), HANDSHAKE_CAP))
        peer.expect_challenge()

    with bracket(server, largest) as mallory:
        mallory.send(padded(mallory.make_hello(), HANDSHAKE_CAP + 1))
        mallory.expect_error("TOO_LARGE")


@clause("WIRE-08", quote="From READY on the cap on `length` MUST be the `max_frame` that CHALLENGE announced")
def test_cap_from_ready_on(server: Server) -> None:
    def largest(peer: Peer) -> None:
        join = padded(peer.make_join(), peer.cap)
        peer.send(join)
        peer.expect_joined(join)

    with bracket_ready(server, largest) as mallory:
        mallory.send(padded(mallory.make_join(), mallory.cap + 1))
        mallory.expect_error("TOO_LARGE")


@tcp_only
@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x00010001])
@clause("WIRE-06", quote="before it allocates or waits for the octets that the header promises", level="L1")
def test_oversize_length_is_refused_at_once(server: Server, length: int) -> None:
    with bracket(server) as mallory:
        mallory.send(header_alone("HELLO", length))
        mallory.expect_error("TOO_LARGE")


@clause("WIRE-09", quote="`max_frame` MUST be from 8,192 to 65,536")
def test_announced_max_frame(server: Server) -> None:
    alice = server.connect("alice")
    alice.hello()
    announced = alice.expect_challenge().number("max_frame")
    limit = LIMITS["max_frame"]
    assert limit.min <= announced <= limit.max, f"max_frame is {announced}"


@tcp_only
@clause(
    "WIRE-10",
    quote="MUST take the same meaning from the same octets however they are split into TCP segments",
    needs=["answers"],
)
def test_every_octet_alone(server: Server) -> None:
    alice = server.connect("alice")
    hello = alice.make_hello()
    alice.hello_octets = codec.encode(hello)
    alice.put_piecewise(alice.hello_octets, "HELLO")
    alice.expect_challenge()
    alice.put_piecewise(codec.encode(alice.make_auth()), "AUTH")
    alice.expect_welcome()
    join = alice.make_join()
    alice.put_piecewise(codec.encode(join), "JOIN")
    room = alice.expect_joined(join)
    publish = alice.make_publish(room, "in pieces")
    alice.put_piecewise(codec.encode(publish), "PUBLISH")
    alice.expect_own(publish, text="in pieces")
    server.answer("whole")
    alice.expect_answer(publish)


@tcp_only
@clause("WIRE-10", quote="One `recv` may return half a header, or twenty frames and a half")
def test_twenty_frames_and_a_half_in_one_segment(server: Server) -> None:
    alice = server.login("alice")
    pings = [ping(b"ping %d" % number) for number in range(20)]
    last = codec.encode(ping(b"the last one"))
    octets = b"".join(map(codec.encode, pings)) + last[:5]
    alice.put(octets, "20 PINGs and half a header in one segment")
    for sent in pings:
        alice.expect("PONG", opaque=sent.octets("opaque"))
    alice.put(last[5:], "the other half")
    alice.expect("PONG", opaque=b"the last one")


# --- 3.2 types ---


BEFORE_READY = ["JOIN", "LEAVE", "PUBLISH", "ACK", "PING", "PONG", "WELCOME", "unknown odd", "unknown even"]


@pytest.mark.parametrize("name", BEFORE_READY)
@clause("WIRE-13", quote="MUST refuse any frame but the expected one, ERROR and BYE with BAD_STATE")
def test_other_frames_in_the_place_of_hello(server: Server, name: str) -> None:
    with bracket(server) as mallory:
        mallory.send(SOUND[name])
        mallory.expect_error("BAD_STATE")


@pytest.mark.parametrize("name", BEFORE_READY)
@clause("WIRE-13", quote="MUST refuse any frame but the expected one, ERROR and BYE with BAD_STATE")
def test_other_frames_in_the_place_of_auth(server: Server, name: str) -> None:
    with bracket(server) as mallory:
        mallory.hello()
        mallory.expect_challenge()
        mallory.send(SOUND[name])
        mallory.expect_error("BAD_STATE")


@clause("WIRE-14", quote="MUST refuse a frame of an unknown even type with UNSUPPORTED", level="L1")
def test_unknown_even_type(server: Server) -> None:
    with bracket_ready(server) as mallory:
        mallory.send(SOUND["unknown even"])
        mallory.expect_error("UNSUPPORTED")


@pytest.mark.parametrize("name", ["CHALLENGE", "WELCOME", "JOINED", "DELIVER"])
@clause("WIRE-15", quote="whose type only the receiver itself may send with BAD_STATE")
def test_frames_that_only_a_server_sends(server: Server, name: str) -> None:
    with bracket_ready(server) as mallory:
        frame = mallory.challenge if name == "CHALLENGE" else SOUND[name]
        assert frame is not None, "login keeps the CHALLENGE"
        mallory.send(frame)
        mallory.expect_error("BAD_STATE")


@pytest.mark.parametrize("type_", [*GREASE_TYPES, 0x7F, 0xFF])
@clause("WIRE-12", quote="MUST ignore a frame of an unknown odd type as a whole", level="L1")
@clause("WIRE-26", quote="A receiver MUST give no meaning to a GREASE tag or type")
def test_unknown_odd_type_is_ignored(server: Server, type_: int) -> None:
    alice = server.login("alice")
    octets = codec.raw_frame(type_, b"\x00\x00 this is no list of fields \xff")
    alice.put(octets, f"frame of type {type_:#x} with a body that is no list of fields")
    assert not alice.barrier(), "something was sent in answer to a frame that is to be ignored"


@clause("WIRE-28", quote="A sender MUST NOT send a GREASE type before READY", role="server")
def test_nothing_unknown_in_the_handshake(server: Server) -> None:
    alice = server.login("alice")
    assert not alice.ignored, "a frame of an unknown type came before WELCOME"


# --- 3.3 fields ---


@clause("WIRE-22", quote="A receiver MUST ignore a field with an odd tag", level="L1")
@clause("WIRE-26", quote="A receiver MUST give no meaning to a GREASE tag or type")
def test_all_grease_tags_in_every_frame(server: Server) -> None:
    alice = server.connect("alice")
    alice.grease = False
    grease = [(tag, b"grease") for tag in AUTHOR_GREASE]
    alice.hello(alice.make_hello(extra=grease))
    alice.expect_challenge()
    alice.auth(alice.make_auth(extra=grease))
    alice.expect_welcome()
    join = alice.make_join().plus(*grease)
    alice.send(join)
    room = alice.expect_joined(join)
    publish = alice.publish(room, "greased", extra=grease)
    delivered = alice.expect_own(publish)
    for field in grease:
        assert field in delivered.fields, f"the DELIVER lacks the field {field[0]:#06x} of its PUBLISH"


def field_missing(frame: Frame) -> Faulty:
    return with_fields(frame, frame.without("recv_window").fields, "JOIN without recv_window")


def field_too_short(frame: Frame) -> Faulty:
    short = (FIELDS["recv_window"].tag, b"\x40")
    return with_fields(frame, frame.without("recv_window").plus(short).fields, "recv_window of one octet")


def high_tag(frame: Frame) -> Faulty:
    return with_extra(frame, 0x8A8B)


@pytest.mark.parametrize("fault", [*MALFORMED, field_missing, field_too_short, high_tag])
@clause("WIRE-20", quote="A receiver MUST refuse a frame that breaks WIRE-16 to WIRE-19", level="L1", role="server")
@clause("SEC-03", quote="a program MUST NOT crash, hang, or stop serving others")
def test_malformed_fields(server: Server, fault: Fault) -> None:
    def unharmed(peer: Peer) -> None:
        peer.join()

    with bracket_ready(server, unharmed) as mallory:
        mallory.send(fault(mallory.make_join()))
        mallory.expect_error("BAD_FRAME")


@pytest.mark.parametrize("tag", [0x00FE, FIELDS["text"].tag, 0x3FFE])
@clause("WIRE-23", quote="an even tag that the row of its type does not list with UNSUPPORTED", level="L1")
def test_unknown_even_tag(server: Server, tag: int) -> None:
    with bracket_ready(server, lambda peer: _joins(peer, tag - 1)) as mallory:
        mallory.send(with_extra(mallory.make_join(), tag))
        mallory.expect_error("UNSUPPORTED")


def _joins(peer: Peer, odd_tag: int) -> None:
    join = peer.make_join().plus((odd_tag, b"?"))
    peer.send(join)
    peer.expect_joined(join)


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut \xe2\x82", b"a\x00b"]
)
@clause("WIRE-21", quote="or with BAD_TEXT where the kind is `utf8`", level="L1", role="server")
def test_bad_text(server: Server, text: bytes) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.send(marked(mallory.make_publish(room, text), "text"))
        mallory.expect_error("BAD_TEXT")
