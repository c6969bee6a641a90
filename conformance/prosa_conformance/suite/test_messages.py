# SPDX-License-Identifier: MIT
"""Chapter 5: signed messages, as a server takes, judges, delivers and answers them."""

from collections.abc import Mapping
from typing import Any

import pytest

from prosa_conformance import codec, crypto
from prosa_conformance.bracket import bracket_joined, bracket_ready
from prosa_conformance.bugs import Faulty, flipped, marked, with_extra, with_fields
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame, RawField
from prosa_conformance.peer import Peer, Room
from prosa_conformance.registry import CONSTANTS, FIELDS, GREASE_TAGS
from prosa_conformance.server import Server

UNKNOWN_ODD = 0x2345
PADDING_TAG = 0x3FFD  # odd, unknown, the last but one of the author zone
PLAIN_FIELDS = 7  # of a PUBLISH without anything optional
MOST_FIELDS = CONSTANTS["max_publish_fields"]
HEADROOM = CONSTANTS["publish_headroom"]
LARGEST = 2**64 - 1


def assert_nothing_shown(peer: Peer) -> None:
    """No message of this connection was acknowledged or delivered."""
    shown = [frame for frame in peer.received if frame.name == "DELIVER" or _acknowledges(frame)]
    assert not shown, f"{shown[0].name} shows a message that the server had to refuse"


def _acknowledges(frame: Frame) -> bool:
    return frame.name == "ACK" and frame.number("acked_counter") > 0


# --- 5.1 whose signature ---


@pytest.mark.parametrize(
    ("field", "bit"), [("author_sig", 0), ("author_sig", 511), ("text", 0), ("sent_at", 63), ("display", 0)]
)
@clause("MSG-03", quote="MUST refuse a PUBLISH whose signature does not verify with BAD_SIG")
@clause("FLOW-26", quote="MUST show nothing to anybody, in ACK, DELIVER or CHECKPOINT, that is not committed")
def test_changed_after_signing(server: Server, field: str, bit: int) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.send(flipped(mallory.make_publish(room, "signed", display="Mallory"), field, bit))
        mallory.expect_error("BAD_SIG")
        assert_nothing_shown(mallory)


@clause("MSG-03", quote="MUST refuse a PUBLISH whose signature does not verify with BAD_SIG")
def test_unknown_field_changed_after_signing(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        signed = mallory.make_publish(room, "signed", extra=[(UNKNOWN_ODD, b"signed")])
        changed = [(tag, b"change" if tag == UNKNOWN_ODD else value) for tag, value in signed.fields]
        mallory.send(with_fields(signed, changed, "PUBLISH with another unknown field than was signed"))
        mallory.expect_error("BAD_SIG")


@clause("MSG-03", quote="MUST refuse a PUBLISH whose signature does not verify with BAD_SIG")
def test_signature_of_another_key(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        forged = mallory.make_publish(room, seed=mallory.case.seed("somebody else"))
        mallory.send(marked(forged, "author_sig", "PUBLISH signed with another key"))
        mallory.expect_error("BAD_SIG")


@clause("MSG-03", quote="MUST refuse a PUBLISH whose signature does not verify with BAD_SIG")
def test_signature_without_the_label(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        good = mallory.make_publish(room)
        bare = crypto.sign(mallory.seed, codec.author_zone(good))
        mallory.send(with_signature(good, bare, "PUBLISH whose signature covers the author zone alone"))
        mallory.expect_error("BAD_SIG")


@clause("KEY-04", quote="A verifier MUST refuse when S is not below L", level="L1", role="server")
def test_message_signature_with_s_not_below_l(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        good = mallory.make_publish(room)
        signature = good.octets("author_sig")
        assert signature is not None, "make_publish signs"
        larger = int.from_bytes(signature[32:], "little") + crypto.L
        forged = signature[:32] + larger.to_bytes(32, "little")
        mallory.send(with_signature(good, forged, "PUBLISH with L added to S"))
        mallory.expect_error("BAD_SIG")


def with_signature(publish: Frame, signature: bytes, what: str) -> Faulty:
    resigned = publish.without("author_sig").plus(codec.field_value("author_sig", signature))
    return marked(resigned, "author_sig", what)


# --- 5.1 who, where, when ---


@clause("MSG-04", quote="MUST refuse a PUBLISH whose author_key or nick is not the session's with WRONG_AUTHOR")
def test_key_of_another_author(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        other = mallory.case.seed("somebody else")
        publish = mallory.make_publish(room, author_key=crypto.public_key(other), seed=other)
        mallory.send(marked(publish, "author_key", "PUBLISH by another key, well signed by it"))
        mallory.expect_error("WRONG_AUTHOR")
        assert_nothing_shown(mallory)


@pytest.mark.parametrize("nick", ["somebody-else", "host"])
@clause("MSG-04", quote="MUST refuse a PUBLISH whose author_key or nick is not the session's with WRONG_AUTHOR")
def test_nick_of_another_author(server: Server, nick: str) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.send(marked(mallory.make_publish(room, nick=nick), "nick"))
        mallory.expect_error("WRONG_AUTHOR")
        assert_nothing_shown(mallory)


@clause("MSG-05", quote="whose room_id is not that of a room joined on this connection with WRONG_ROOM")
def test_room_that_nobody_knows(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.send(marked(mallory.make_publish(room, room_id=mallory.case.rng.randbytes(32)), "room_id"))
        mallory.expect_error("WRONG_ROOM")


@clause("MSG-05", quote="whose room_id is not that of a room joined on this connection with WRONG_ROOM")
def test_room_of_another_client(server: Server) -> None:
    alice, hers = server.joined("alice")
    alice.leave_politely()
    with bracket_joined(server) as (mallory, room):
        mallory.send(marked(mallory.make_publish(room, room_id=hers.id), "room_id"))
        mallory.expect_error("WRONG_ROOM")


@clause("MSG-05", quote="whose room_id is not that of a room joined on this connection with WRONG_ROOM")
def test_room_of_an_earlier_connection(server: Server) -> None:
    earlier, room = server.joined("mallory")
    earlier.leave_politely()
    with bracket_ready(server) as mallory:
        mallory.send(marked(mallory.make_publish(room), "room_id"))
        mallory.expect_error("WRONG_ROOM")


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"text": b"\xff", "room_id": bytes(32), "nick": "somebody", "counter": 9}, "BAD_TEXT"),
        ({"room_id": bytes(32), "nick": "somebody", "counter": 9}, "WRONG_ROOM"),
        ({"nick": "somebody", "counter": 9}, "WRONG_AUTHOR"),
        ({"counter": 9}, "FLOW_VIOLATION"),
    ],
)
@clause("MSG-05", quote="MUST refuse a PUBLISH whose room_id is not that of a room joined")
@clause("MSG-04", quote="MUST refuse a PUBLISH whose author_key or nick is not the session's")
@clause("FLOW-21", quote="A PUBLISH with a counter above limit_counter MUST be refused with FLOW_VIOLATION")
def test_first_of_several_faults_decides(server: Server, faults: Mapping[str, Any], code: str) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.send(mallory.make_publish(room, author_sig=bytes(64), **faults))
        mallory.expect_error(code)


@clause("MSG-07", quote="A server MUST NOT judge a message by its `sent_at`", needs=["answers"])
def test_any_sent_at(server: Server) -> None:
    alice, room = server.joined("alice")
    for sent_at in (0, LARGEST, 1, 2**63):
        delivered, _ = server.exchange(alice, room, sent_at=sent_at)
        assert delivered.number("sent_at") == sent_at, f"sent_at {sent_at} was changed on its way"


TEXTS = {
    "one-octet": "x",
    "blank": " ",
    "longest": "a" * 4096,
    "longest-in-two-octets": "\u00e9" * 2048,
    "longest-in-four-octets": "\U0001f4ef" * 1024,
    "exit": "exit",
    "controls": "\x01\x1b[2J\x7f\x9b",
    "invisible": "\u202e\u200b\ufeff",
    "lines": "two\nlines\r\n",
    "no-characters": "\ufffe\uffff",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@clause("MSG-08", quote="A PUBLISH MUST be accepted, or the connection ends", needs=["answers"])
def test_any_text_is_accepted(server: Server, text: str) -> None:
    alice, room = server.joined("alice")
    server.see_answered(alice, alice.publish(room, text), reply="I see")


@clause("MSG-08", quote="no single message is ever refused")
def test_good_message_behind_a_bad_one(server: Server) -> None:
    with bracket_joined(server) as (mallory, room):
        good = mallory.make_publish(room, "the same without the fault")
        mallory.send_together(flipped(good, "author_sig"), good)
        mallory.expect_error("BAD_SIG")
        assert_nothing_shown(mallory)


# --- 5.1 how many fields, how long ---


def spare_fields(count: int) -> list[RawField]:
    """Unknown fields that make a PUBLISH, which has nothing optional, one of `count` fields."""
    return [(0x3001 + 2 * number, b"") for number in range(count - PLAIN_FIELDS)]


@clause("MSG-09", quote="A PUBLISH with more than 24 fields", level="L1", role="server", needs=["answers"])
def test_one_field_too_many(server: Server) -> None:
    def most(peer: Peer, room: Room) -> None:
        peer.grease = False
        server.exchange(peer, room, extra=spare_fields(MOST_FIELDS))

    with bracket_joined(server, most) as (mallory, room):
        mallory.grease = False
        mallory.send(mallory.make_publish(room, extra=spare_fields(MOST_FIELDS + 1)))
        mallory.expect_error("BAD_FRAME")


@pytest.mark.parametrize("tag", [0x4001, FIELDS["room_seq"].tag, GREASE_TAGS[4], 0x7FFF, 0x8001])
@clause("MSG-09", quote="even if that tag is odd or GREASE", level="L1", role="server")
def test_tag_above_the_signature(server: Server, tag: int) -> None:
    with bracket_joined(server) as (mallory, room):
        mallory.send(with_extra(mallory.make_publish(room), tag, bytes(8)))
        mallory.expect_error("BAD_FRAME")


def padding(peer: Peer, room: Room, length: int) -> list[RawField]:
    """What a PUBLISH of the text "long" lacks to have this `length`."""
    peer.grease = False
    body = codec.encode_fields(peer.make_publish(room, "long").fields)
    return [(PADDING_TAG, bytes(length - len(body) - codec.FIELD_HEADER.size))]


@clause(
    "MSG-10",
    quote="A PUBLISH whose `length` is above max_frame - 256 MUST be refused with TOO_LARGE",
    level="L1",
    role="server",
    needs=["answers"],
)
def test_one_octet_too_long(server: Server) -> None:
    def longest(peer: Peer, room: Room) -> None:
        server.exchange(peer, room, "long", extra=padding(peer, room, peer.cap - HEADROOM))

    with bracket_joined(server, longest) as (mallory, room):
        mallory.send(mallory.make_publish(room, "long", extra=padding(mallory, room, mallory.cap - HEADROOM + 1)))
        mallory.expect_error("TOO_LARGE")


# --- 5.2 DELIVER ---


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"display": "Zo\u00eb \U0001f600"},
        {"reply_to": bytes(range(32))},
        {"extra": [(1, b""), (UNKNOWN_ODD, b"unknown"), (0x3FFF, bytes(range(256)))]},
        {"extra": spare_fields(MOST_FIELDS - 1)},
    ],
    ids=["plain", "display", "reply_to", "unknown", "many"],
)
@clause("MSG-11", quote="MUST be the octets of the author's PUBLISH, unchanged", needs=["answers"])
def test_what_was_signed_is_delivered(server: Server, changes: Mapping[str, Any]) -> None:
    alice, room = server.joined("alice")
    publish = alice.publish(room, "to the letter", **changes)
    delivered, _ = server.see_answered(alice, publish)
    signed = tuple(field for field in delivered.fields if field[0] <= codec.AUTHOR_SIG_TAG)
    assert signed == publish.fields, "the fields of the DELIVER up to author_sig are not those of the PUBLISH"


@clause("MSG-12", quote="`room_seq` MUST count the entries of a room from 1 without a gap", needs=["answers"])
def test_room_seq_counts_from_one(server: Server) -> None:
    alice, room = server.joined("alice")
    for _ in range(3):
        server.exchange(alice, room)
    alice.barrier()
    seqs = [frame.number("room_seq") for frame in room.delivered]
    assert seqs == [1, 2, 3, 4, 5, 6], f"three questions and their answers have the room_seq {seqs}"


@clause("MSG-13", quote="`server_time` MUST NOT decrease within a room", needs=["answers"])
def test_server_time_does_not_decrease(server: Server) -> None:
    """Also when the clocks of authors do."""
    alice, room = server.joined("alice")
    for sent_at in (3, 2, 1):
        server.exchange(alice, room, sent_at=sent_at)
    times = [frame.number("server_time") for frame in room.delivered]
    assert times == sorted(times), f"server_time goes back: {times}"


@pytest.mark.parametrize("tag", [0x00FE, 0x2222, 0x3FFE, FIELDS["opaque"].tag])
@clause("MSG-15", quote="MUST refuse a PUBLISH with an unknown even tag with UNSUPPORTED", needs=["answers"])
def test_unknown_even_tag(server: Server, tag: int) -> None:
    def odd(peer: Peer, room: Room) -> None:
        server.exchange(peer, room, extra=[(tag + 1, b"?")])

    with bracket_joined(server, odd) as (mallory, room):
        mallory.send(mallory.make_publish(room, extra=[(tag, b"?")]))
        mallory.expect_error("UNSUPPORTED")


@clause(
    "MSG-20",
    quote="MUST be a message with author_key the server's key and nick `host`, signed by the server",
    needs=["answers"],
)
def test_answer_is_a_message_of_the_server(server: Server) -> None:
    alice, room = server.joined("alice")
    _, answer = server.exchange(alice, room)  # which looks at its key, nick and signature
    assert answer.octets("room_id") == room.id, "the answer is not for the room of the question"


@clause("MSG-20", quote="counted by its own counter from 1", needs=["answers"])
def test_answers_have_a_counter_of_their_own(server: Server) -> None:
    alice, room = server.joined("alice")
    counters = [server.exchange(alice, room)[1].number("counter") for _ in range(3)]
    assert counters == [1, 2, 3], f"the counters of the answers are {counters}"


@clause("MSG-21", quote="MUST carry the question's id in `reply_to`", needs=["answers"])
def test_answer_names_its_question(server: Server) -> None:
    alice, room = server.joined("alice")
    for text in ("first", "second"):
        question, answer = server.exchange(alice, room, text)
        named = answer.octets("reply_to")
        assert named == crypto.message_id(question), f"reply_to of the {text} question's answer is not its id"
