# SPDX-License-Identifier: MIT
"""Codecs that are wrong about keys, signatures and hashes (sections 4.5, 5.1, 5.3 and 5.4).

The library below refuses some of it by itself. Where a codec is to have a library that does not, it
computes the equation in plain integers.
"""

from __future__ import annotations

import sys

from fault import breaks
from instead import Step, instead
from prosa_conformance import codec, codec_program, crypto, edwards
from prosa_conformance.codec import Frame
from prosa_conformance.registry import LABELS


def verify_plainly(key: bytes, signature: bytes, message: bytes) -> bool:
    """The cofactorless equation, and no rule before it but the lengths."""
    sizes = len(key) == 32 and len(signature) == 64
    return sizes and edwards.equation(key, message, signature, cofactored=False)


def s_is_below_l(signature: bytes) -> bool:
    return int.from_bytes(signature[32:], "little") < crypto.L


# --- the acceptance rule ---


@instead(crypto, "key_is_acceptable", "KEY-01")
def takes_the_first_octets_of_a_key(acceptable: Step, key: bytes) -> bool:
    return acceptable(key[:32])


@instead(crypto, "verify", "KEY-01")
def takes_the_first_octets_of_a_signature(verify: Step, key: bytes, signature: bytes, message: bytes) -> bool:
    return verify(key, signature[:64], message)


@instead(crypto, "point_is_acceptable", "KEY-02")
def takes_low_order_keys(acceptable: Step, encoding: bytes) -> bool:
    return encoding in crypto.LOW_ORDER_ENCODINGS or acceptable(encoding)


@instead(crypto, "verify", "KEY-02")
def takes_low_order_r(verify: Step, key: bytes, signature: bytes, message: bytes) -> bool:
    if signature[:32] in crypto.LOW_ORDER_ENCODINGS and crypto.key_is_acceptable(key) and s_is_below_l(signature):
        return verify_plainly(key, signature, message)
    return verify(key, signature, message)


@instead(crypto, "point_is_acceptable", "KEY-02")
def knows_eight_of_fourteen(acceptable: Step, encoding: bytes) -> bool:
    """Of a low-order point it knows the one encoding that is usual."""
    return encoding in crypto.LOW_ORDER_ENCODINGS[8:] or acceptable(encoding)


@instead(crypto, "point_is_acceptable", "KEY-03")
def takes_y_beyond_p(acceptable: Step, encoding: bytes) -> bool:
    return encoding not in crypto.LOW_ORDER_ENCODINGS


@instead(crypto, "verify", "KEY-04")
def takes_any_s(verify: Step, key: bytes, signature: bytes, message: bytes) -> bool:
    good_points = crypto.key_is_acceptable(key) and crypto.point_is_acceptable(signature[:32])
    return good_points and verify_plainly(key, signature, message)


@breaks("KEY-05", level="L0")
def multiplies_by_the_cofactor() -> None:
    """Its library has the cofactored equation, and nobody asked it [KEY-07]."""
    crypto.library_is_cofactorless = lambda: True
    crypto._equation_holds = lambda key, signature, message: edwards.equation(key, message, signature, cofactored=True)
    sys.exit(codec_program.main())


@instead(crypto, "_equation_holds", "KEY-05")
def hashes_messages_first(holds: Step, key: bytes, signature: bytes, message: bytes) -> bool:
    """Not pure Ed25519: what is signed is a hash of the message."""
    own_question = message == crypto.MIXED_ORDER_MESSAGE
    return holds(key, signature, message if own_question else crypto.sha256(message))


# --- messages and rooms ---


@instead(crypto, "message_id", "MSG-02")
def counts_the_signature_in(message_id: Step, message: Frame) -> bytes:
    signed = codec.encode_fields(field for field in message.fields if field[0] <= codec.AUTHOR_SIG_TAG)
    return crypto.sha256(LABELS["message_id"], signed)


@instead(crypto, "message_id", "MSG-02")
def takes_the_label_of_signatures(message_id: Step, message: Frame) -> bytes:
    return crypto.sha256(LABELS["message"], codec.author_zone(message))


@instead(crypto, "message_id", "MSG-02")
def leaves_unknown_fields_out(message_id: Step, message: Frame) -> bytes:
    row = codec.FRAMES_BY_TYPE[message.type]
    known = tuple(field for field in message.fields if codec._known_field(row, field[0]))
    return message_id(Frame(message.type, known))


@instead(crypto, "room_id", "MSG-22")
def forgets_the_name_s_length(
    room_id: Step, server_key: bytes, epoch: bytes, room: str, client_key: bytes | None = None
) -> bytes:
    return crypto.sha256(LABELS["room"], server_key, epoch, room.encode(), client_key or b"")


@instead(crypto, "room_id", "MSG-22")
def has_one_host_for_all(
    room_id: Step, server_key: bytes, epoch: bytes, room: str, client_key: bytes | None = None
) -> bytes:
    """The client's key is not part of the id of @host."""
    return room_id(server_key, epoch, room)


# --- audit ---


@instead(crypto, "chain_start", "AUD-01")
def begins_with_the_room_id(chain_start: Step, room: bytes) -> bytes:
    return room


@instead(crypto, "chain", "AUD-01")
def counts_in_four_octets(chain: Step, previous: bytes, room_seq: int, server_time: int, identity: bytes) -> bytes:
    """Room_seq has 32 bits in its hash."""
    seq, at = (room_seq % 2**32).to_bytes(4, "big"), server_time.to_bytes(8, "big")
    return crypto.sha256(LABELS["chain"], previous, seq, at, identity)


@instead(crypto, "chain", "AUD-01")
def wraps_after_32_bits(chain: Step, previous: bytes, room_seq: int, server_time: int, identity: bytes) -> bytes:
    """Eight octets, of which it fills four."""
    return chain(previous, room_seq % 2**32, server_time, identity)


@instead(crypto, "chain", "AUD-01")
def counts_through_doubles(chain: Step, previous: bytes, room_seq: int, server_time: int, identity: bytes) -> bytes:
    """Numbers that were floating-point once: exact up to 2^53."""
    return chain(previous, min(int(float(room_seq)), 2**64 - 1), server_time, identity)


@instead(crypto, "checkpoint_octets", "AUD-03")
def checks_without_the_label(octets: Step, checkpoint: Frame) -> bytes:
    return codec.before(checkpoint, "server_sig")


@instead(crypto, "verify_checkpoint", "AUD-03")
def believes_every_checkpoint(verify: Step, server_key: bytes, checkpoint: Frame) -> bool:
    return True


@instead(crypto, "checkpoint_octets", "AUD-03")
def covers_the_fields_that_it_knows(octets: Step, checkpoint: Frame) -> bytes:
    row = codec.FRAMES_BY_TYPE[checkpoint.type]
    known = tuple(field for field in checkpoint.fields if codec._known_field(row, field[0]))
    return octets(Frame(checkpoint.type, known))
