# SPDX-License-Identifier: MIT
"""Chapter 3: frames and fields, as a client takes them from a server."""

import pytest

from prosa_conformance import codec
from prosa_conformance.bugs import (
    MALFORMED,
    SOUND,
    Fault,
    header_alone,
    marked,
    with_extra,
    with_header,
)
from prosa_conformance.chat import Chat
from prosa_conformance.clauses import clause
from prosa_conformance.codec import Frame
from prosa_conformance.fixtures import StartClient
from prosa_conformance.outcome import Guilty, Violation
from prosa_conformance.registry import (
    CONSTANTS,
    FIELDS,
    FRAMES,
    GREASE_TAGS,
    GREASE_TYPES,
    LIMITS,
)
from prosa_conformance.scripted_server import ScriptedServer, Session

HANDSHAKE_CAP = CONSTANTS["max_frame_handshake"]
SERVER_GREASE = [(tag, b"grease") for tag in GREASE_TAGS if tag <= codec.SERVER_ZONE_LAST]
NEVER_CHALLENGE = ["HELLO", "AUTH", "JOIN", "WELCOME", "JOINED", "DELIVER", "server's ACK", "PING", "PONG"]
NEVER_WELCOME = ["HELLO", "AUTH", "JOIN", "JOINED", "DELIVER", "server's ACK", "PING", "PONG"]
UNKNOWN_TYPES = ["unknown odd", "unknown even"]
CLIENT_FRAMES = ["HELLO", "AUTH", "JOIN", "LEAVE", "PUBLISH"]


def answers_pings(session: Session) -> None:
    """The client reads, and takes a good frame."""
    session.barrier()


# --- 3.1 the frame ---


@pytest.mark.parametrize("octets", [b"H", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"PS", b"\x00" * 8])
@clause("WIRE-03", quote="the receiver MUST close the connection without sending anything")
def test_a_server_of_another_protocol(newcomer: Chat, octets: bytes) -> None:
    newcomer.session.put(octets, f"no frame: {octets!r}", Guilty(octets, 0, min(len(octets), 2), "magic"))
    newcomer.session.expect_closed(silently=True)
    newcomer.session.close()
    newcomer.client.expect_closed(1)


@clause("WIRE-02", quote="A receiver MUST treat a frame that begins with other octets as malformed", level="L1")
def test_bad_magic_after_good_frames(chat: Chat) -> None:
    chat.ask()
    answers_pings(chat.session)
    chat.session.send(with_header(codec.frame("PING", opaque=b"?"), magic=0x5053))
    chat.expect_refusal("BAD_FRAME")


@pytest.mark.parametrize("version", [0, 2, 255])
@clause("WIRE-04", quote="The version octet MUST be the version that the handshake chose", level="L1")
def test_other_version_octet_in_challenge(newcomer: Chat, version: int) -> None:
    newcomer.session.challenge(with_header(newcomer.session.make_challenge(), version=version))
    newcomer.expect_refusal_of_challenge("UNSUPPORTED")


@pytest.mark.parametrize("version", [0, 2])
@clause("WIRE-04", quote="The version octet MUST be the version that the handshake chose", level="L1")
def test_other_version_octet_after_the_handshake(chat: Chat, version: int) -> None:
    chat.ask()
    answers_pings(chat.session)
    chat.session.send(with_header(codec.frame("PING", opaque=b"?"), version=version))
    chat.expect_refusal("UNSUPPORTED")


def challenge_of(session: Session, length: int) -> Frame:
    """A good CHALLENGE whose `length` is this."""
    session.grease = False
    own = len(codec.encode_fields(session.make_challenge().fields))
    filling = bytes(length - own - codec.FIELD_HEADER.size)
    return session.make_challenge(extra=[(SERVER_GREASE[0][0], filling)])


@clause("WIRE-07", quote="Before READY the cap on `length` MUST be 1,024 in both directions")
def test_largest_challenge(newcomer: Chat) -> None:
    newcomer.session.challenge(challenge_of(newcomer.session, HANDSHAKE_CAP))
    newcomer.session.expect_auth()


@clause("WIRE-07", quote="Before READY the cap on `length` MUST be 1,024 in both directions")
def test_challenge_above_the_cap(newcomer: Chat) -> None:
    newcomer.session.challenge(challenge_of(newcomer.session, HANDSHAKE_CAP + 1))
    newcomer.expect_refusal_of_challenge("TOO_LARGE")


@pytest.mark.parametrize("max_frame", [LIMITS["max_frame"].min, LIMITS["max_frame"].default, LIMITS["max_frame"].max])
@clause("WIRE-08", quote="From READY on the cap on `length` MUST be the `max_frame` that CHALLENGE announced")
@clause("WIRE-06", quote="above the cap of the current state with TOO_LARGE", level="L1")
def test_cap_from_ready_on(scripted_server: ScriptedServer, start_client: StartClient, max_frame: int) -> None:
    scripted_server.limits["max_frame"] = max_frame
    chat = Chat.begin(scripted_server, start_client(scripted_server))
    question = chat.ask()
    answer = chat.session.make_deliver(chat.session.make_answer(question, "at full length"))
    chat.session.send(padded_for_server(answer, max_frame))
    chat.client.expect_event("message", text="at full length")
    chat.session.send(header_alone("DELIVER", max_frame + 1))
    chat.expect_refusal("TOO_LARGE")


def padded_for_server(deliver: Frame, length: int) -> Frame:
    """A DELIVER grown in the zone that its author did not sign."""
    missing = length - len(codec.encode_fields(deliver.fields)) - codec.FIELD_HEADER.size
    return deliver.plus((SERVER_GREASE[-1][0], bytes(missing)))


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x00010001])
@clause("WIRE-06", quote="before it allocates or waits for the octets that the header promises", level="L1")
@clause("SEC-04", quote="Whatever octets a server sends, a client MUST NOT crash or hang")
def test_oversize_length_is_refused_at_once(newcomer: Chat, length: int) -> None:
    newcomer.session.send(header_alone("CHALLENGE", length))
    newcomer.expect_refusal("TOO_LARGE")


@clause("WIRE-10", quote="MUST take the same meaning from the same octets however they are split into TCP segments")
@clause("WIRE-11", quote="A receiver MUST treat a prefix of a good frame as incomplete, never as an error", level="L1")
def test_every_octet_alone(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server))
    chat.session.piecewise = True
    chat.shake_hands()
    chat.join()
    chat.exchange("in pieces?", "in pieces")


@clause("WIRE-10", quote="One `recv` may return half a header, or twenty frames and a half")
def test_many_frames_and_a_half_in_one_segment(chat: Chat) -> None:
    chat.client.type_line("all at once?")
    session, question = chat.session, chat.session.expect_publish(text="all at once?")
    own = session.make_deliver(question)
    asides = [session.make_deliver(session.make_message(f"aside {number}")) for number in range(9)]
    answer = session.make_deliver(session.make_answer(question, "yes"))
    last = codec.encode(session.make_ack(limit=question.number("counter") + 1))
    octets = b"".join(map(codec.encode, [own, session.make_ack(), *asides, answer])) + last[:5]
    session.put(octets, "12 frames and half a header in one segment")
    for text in ["all at once?", *(f"aside {number}" for number in range(9)), "yes"]:
        chat.client.expect_event("message", text=text)
    session.put(last[5:], "the other half")
    chat.exchange("and now?", "still here")


# --- 3.2 types ---


@pytest.mark.parametrize("name", [*NEVER_CHALLENGE, *UNKNOWN_TYPES])
@clause("WIRE-13", quote="MUST refuse any frame but the expected one, ERROR and BYE with BAD_STATE")
def test_other_frames_in_the_place_of_challenge(newcomer: Chat, name: str) -> None:
    newcomer.session.send(SOUND[name])
    newcomer.expect_refusal_of_challenge("BAD_STATE")


@pytest.mark.parametrize("name", [*NEVER_WELCOME, *UNKNOWN_TYPES])
@clause("WIRE-13", quote="even one of an unknown odd type")
def test_other_frames_in_the_place_of_welcome(newcomer: Chat, name: str) -> None:
    newcomer.session.challenge()
    newcomer.session.expect_auth()
    newcomer.session.send(SOUND[name])
    newcomer.expect_refusal("BAD_STATE")


@clause("WIRE-13", quote="MUST refuse any frame but the expected one, ERROR and BYE with BAD_STATE")
def test_a_second_challenge(newcomer: Chat) -> None:
    newcomer.session.challenge()
    newcomer.session.expect_auth()
    newcomer.session.challenge()
    newcomer.expect_refusal("BAD_STATE")


@clause("WIRE-14", quote="MUST refuse a frame of an unknown even type with UNSUPPORTED", level="L1")
def test_unknown_even_type(chat: Chat) -> None:
    chat.ask()
    answers_pings(chat.session)
    chat.session.send(SOUND["unknown even"])
    chat.expect_refusal("UNSUPPORTED")


@pytest.mark.parametrize("name", CLIENT_FRAMES)
@clause("WIRE-15", quote="whose type only the receiver itself may send with BAD_STATE")
def test_frames_that_only_a_client_sends(chat: Chat, name: str) -> None:
    chat.ask()
    answers_pings(chat.session)
    chat.session.send(SOUND[name])
    chat.expect_refusal("BAD_STATE")


@pytest.mark.parametrize("type_", [*GREASE_TYPES, 0x7F, 0xFF])
@clause("WIRE-12", quote="MUST ignore a frame of an unknown odd type as a whole", level="L1")
@clause("WIRE-26", quote="A receiver MUST give no meaning to a GREASE tag or type")
def test_unknown_odd_type_is_ignored(chat: Chat, type_: int) -> None:
    question = chat.ask()
    octets = codec.raw_frame(type_, b"\x00\x00 this is no list of fields \xff")
    chat.session.put(octets, f"frame of type {type_:#x} with a body that is no list of fields")
    answers = [frame for frame in chat.session.barrier() if frame.name != "ACK"]
    assert not answers, "something was sent in answer to a frame that is to be ignored"
    chat.answer(question)


@clause("WIRE-28", quote="A sender MUST NOT send a GREASE type before READY")
@clause("AUTH-22", quote="MUST NOT send a frame other than ERROR and BYE between HELLO and AUTH")
def test_nothing_unknown_in_the_handshake(newcomer: Chat) -> None:
    newcomer.session.challenge()
    newcomer.session.expect_auth()
    assert not newcomer.session.ignored, "a frame of an unknown type came before WELCOME"


# --- 3.3 fields ---


@clause("WIRE-22", quote="A receiver MUST ignore a field with an odd tag", level="L1")
@clause("WIRE-26", quote="A receiver MUST give no meaning to a GREASE tag or type")
def test_all_grease_tags_in_every_frame(scripted_server: ScriptedServer, start_client: StartClient) -> None:
    chat = Chat.meet(scripted_server, start_client(scripted_server))
    session = chat.session
    session.grease = False
    session.challenge(extra=SERVER_GREASE)
    session.expect_auth()
    session.welcome(extra=SERVER_GREASE)
    chat.join(extra=SERVER_GREASE)
    chat.client.type_line("greased?")
    question = session.expect_publish()
    session.deliver(question, extra=SERVER_GREASE[-1:])
    answer = session.make_answer(question, "greased", extra=SERVER_GREASE[:4])
    session.deliver(answer, extra=SERVER_GREASE[-1:])
    session.send(session.make_ack(limit=question.number("counter") + 1).plus(*SERVER_GREASE))
    chat.client.expect_event("message", text="greased?", own=True)
    chat.client.expect_event("message", text="greased", own=False)
    chat.exchange()


@clause("WIRE-27", quote="A client SHOULD send one GREASE field in HELLO and in each PUBLISH")
def test_client_sends_grease(chat: Chat) -> None:
    chat.ask()
    for frame in chat.session.received:
        if frame.name in ("HELLO", "PUBLISH"):
            expect_grease(chat, frame)


def expect_grease(chat: Chat, frame: Frame) -> None:
    """One GREASE field; none is tolerated, a made-up tag of another kind is not GREASE."""
    known = {FIELDS[name].tag for name in FRAMES[frame.name or ""].fields}
    unknown = [tag for tag, _ in frame.fields if tag not in known]
    if any(tag % 2 == 0 for tag in unknown):
        raise Violation(
            f"the client sent {frame.name} with a critical field that nobody knows",
            expected="fields of section 3.6, or odd ones",
            actual=", ".join(f"{tag:#06x}" for tag in unknown),
        )
    if not any(tag in GREASE_TAGS for tag in unknown):
        chat.session.case.not_strict(f"{frame.name} without a GREASE field")


@pytest.mark.parametrize("fault", MALFORMED)
@clause("WIRE-20", quote="A receiver MUST refuse a frame that breaks WIRE-16 to WIRE-19", level="L1")
@clause("SEC-04", quote="Whatever octets a server sends, a client MUST NOT crash or hang")
def test_malformed_fields(chat: Chat, fault: Fault) -> None:
    chat.ask()
    answers_pings(chat.session)
    chat.session.send(fault(chat.session.make_ack()))
    chat.expect_refusal("BAD_FRAME")


@pytest.mark.parametrize("field", ["limit_counter", "acked_seq", "seen_seq"])
@clause("WIRE-20", quote="in which a field that section 3.6 requires is absent, with BAD_FRAME", level="L1")
@clause("WIRE-30", quote="MUST have the fields room_id, limit_counter, acked_counter and acked_seq", level="L1")
def test_ack_with_other_fields(chat: Chat, field: str) -> None:
    chat.ask()
    answers_pings(chat.session)
    ack = chat.session.make_ack()
    wrong = ack.without(field) if ack.has(field) else ack.plus(codec.field_value(field, 1))
    chat.session.send(wrong)
    chat.expect_refusal("BAD_FRAME")


@clause("WIRE-21", quote="has a length, range or alphabet other than section 3.5 allows, with BAD_FRAME", level="L1")
def test_number_of_the_wrong_width(chat: Chat) -> None:
    chat.ask()
    answers_pings(chat.session)
    short = chat.session.make_ack().without("limit_counter").plus((FIELDS["limit_counter"].tag, b"\x02"))
    chat.session.send(marked(short, "limit_counter"))
    chat.expect_refusal("BAD_FRAME")


@pytest.mark.parametrize("field", ["max_frame", "dead_after_ms"])
@clause("WIRE-21", quote="has a length, range or alphabet other than section 3.5 allows, with BAD_FRAME", level="L1")
def test_limit_out_of_its_range(newcomer: Chat, field: str) -> None:
    newcomer.session.challenge(newcomer.session.make_challenge(**{field: FIELDS[field].min - 1}))
    newcomer.expect_refusal_of_challenge("BAD_FRAME")


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut \xe2\x82", b"a\x00b"]
)
@clause("WIRE-21", quote="or with BAD_TEXT where the kind is `utf8`", level="L1")
def test_bad_text(chat: Chat, text: bytes) -> None:
    question = chat.ask()
    chat.session.send(marked(chat.session.make_deliver(chat.session.make_answer(question, text)), "text"))
    chat.expect_refusal("BAD_TEXT")


@pytest.mark.parametrize("tag", [0x00FE, FIELDS["text"].tag, 0x3FFE])
@clause("WIRE-23", quote="an even tag that the row of its type does not list with UNSUPPORTED", level="L1")
def test_unknown_even_tag(chat: Chat, tag: int) -> None:
    chat.ask()
    chat.session.send(chat.session.make_ack().plus((tag - 1, b"?")))
    answers_pings(chat.session)
    chat.session.send(with_extra(chat.session.make_ack(), tag))
    chat.expect_refusal("UNSUPPORTED")


@clause("WIRE-23", quote="an even tag that the row of its type does not list with UNSUPPORTED", level="L1")
def test_unknown_even_tag_in_the_zone_of_the_server(chat: Chat) -> None:
    question = chat.ask()
    chat.session.send(with_extra(chat.session.make_deliver(chat.session.make_answer(question, "no")), 0x40FE))
    chat.expect_refusal("UNSUPPORTED")


@clause("WIRE-24", quote="A field with a tag above 0x7FFF in a frame other than CHALLENGE and AUTH", level="L1")
def test_tag_of_the_handshake_elsewhere(chat: Chat) -> None:
    chat.ask()
    answers_pings(chat.session)
    chat.session.send(with_extra(chat.session.make_ack(), 0x8A8B))
    chat.expect_refusal("BAD_FRAME")


@clause("WIRE-25", quote="A field after `handshake_sig` MUST be refused with BAD_FRAME", level="L1")
def test_field_after_the_signature(newcomer: Chat) -> None:
    newcomer.session.challenge(with_extra(newcomer.session.make_challenge(), 0xFFFF))
    newcomer.expect_refusal_of_challenge("BAD_FRAME")
