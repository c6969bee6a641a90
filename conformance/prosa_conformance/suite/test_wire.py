# SPDX-License-Identifier: MIT
"""Chapter 3: frames and fields, as a server takes them from the wire."""


import pytest

from prosa_conformance import codec
from prosa_conformance.bracket import bracket, bracket_ready
from prosa_conformance.bugs import truncated, with_header
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.outcome import Guilty
from prosa_conformance.peer import Peer
from prosa_conformance.registry import CONSTANTS
from prosa_conformance.server import Server

HANDSHAKE_CAP = CONSTANTS["max_frame_handshake"]
PADDING_TAG = 0x3FFD  # odd, unknown, the last but one of the author zone
UNKNOWN_EVEN_TYPE = 0x7E


def padded(frame: Frame, length: int) -> Frame:
    """The frame with one more ignorable field, so that its `length` is this."""
    missing = length - len(codec.encode_fields(frame.fields)) - codec.FIELD_HEADER.size
    return frame.plus((PADDING_TAG, bytes(missing)))


def ping(opaque: bytes = b"wire") -> Frame:
    return codec.frame("PING", opaque=opaque)


# --- 3.1 the frame ---


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
    with bracket(server, lambda peer: peer.hello()) as mallory:
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


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x00010001])
@clause("WIRE-06", quote="before it allocates or waits for the octets that the header promises", level="L1")
def test_oversize_length_is_refused_at_once(server: Server, length: int) -> None:
    with bracket(server) as mallory:
        mallory.send(truncated(_with_length(mallory.make_hello(), length), codec.HEADER.size))
        mallory.expect_error("TOO_LARGE")


def _with_length(frame: Frame, length: int) -> Frame:
    """A frame whose header, cut off behind it, promises `length` octets."""
    return Frame(frame.type, (_Promise(length),), frame.version)


class _Promise(tuple[int, bytes]):
    """A field whose encoding is never sent; it only makes the header promise a length."""

    def __new__(cls, length: int) -> "_Promise":
        return super().__new__(cls, (1, b""))
