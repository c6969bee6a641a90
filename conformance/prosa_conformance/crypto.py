# SPDX-License-Identifier: MIT
"""Hashes, signatures and the acceptance rule of PROSA/1 (chapters 4 and 5).

SHA-256 is hashlib's, Ed25519 is libsodium's through PyNaCl; what PROSA/1 adds of its own,
the labels and the rule of section 4.5, is written out here on plain octets.
"""

from __future__ import annotations

import hashlib

from nacl import bindings
from nacl.exceptions import BadSignatureError

from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import LABELS

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493

# KEY-02, in the order of the text: the eight points, then the other ways to write them.
LOW_ORDER_ENCODINGS = tuple(
    bytes.fromhex(encoding)
    for encoding in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
)

# KEY-07: the vector key-mixed-order. A is a good key plus a point of order 8, so that the
# cofactored equation holds and the cofactorless one does not.
MIXED_ORDER_KEY = bytes.fromhex("1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da")
MIXED_ORDER_SIGNATURE = bytes.fromhex(
    "077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a57"
    "8adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407"
)
MIXED_ORDER_MESSAGE = b"cofactored or cofactorless?"


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


# --- Ed25519 ----------------------------------------------------------------------------


def point_is_acceptable(encoding: bytes) -> bool:
    """KEY-02 and KEY-03 on 32 octets: no low-order point, y below p."""
    y = int.from_bytes(encoding, "little") & (2**255 - 1)
    return encoding not in LOW_ORDER_ENCODINGS and y < P


def key_is_acceptable(key: bytes) -> bool:
    """KEY-01 to KEY-03 on a public key alone."""
    return len(key) == 32 and point_is_acceptable(key)


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """The acceptance rule, KEY-01 to KEY-05."""
    if len(signature) != 64 or not key_is_acceptable(key):
        return False
    if not point_is_acceptable(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    return _equation_holds(key, signature, message)


def _equation_holds(key: bytes, signature: bytes, message: bytes) -> bool:
    """KEY-05: what the library says, cofactorless if it is a suitable one."""
    try:
        bindings.crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


def library_is_cofactorless() -> bool:
    """KEY-07: ask the library itself; a program that gets False refuses to run."""
    return not _equation_holds(MIXED_ORDER_KEY, MIXED_ORDER_SIGNATURE, MIXED_ORDER_MESSAGE)


def public_key(seed: bytes) -> bytes:
    key, _ = bindings.crypto_sign_seed_keypair(seed)
    return bytes(key)


def sign(seed: bytes, message: bytes) -> bytes:
    """The RFC 8032 signature of the message with the key of the seed."""
    _, secret = bindings.crypto_sign_seed_keypair(seed)
    return bytes(bindings.crypto_sign(message, secret)[:64])


# --- handshake --------------------------------------------------------------------------


def th1(hello: bytes, challenge: Frame, header: bytes | None = None) -> bytes:
    """AUTH-12: HELLO, CHALLENGE's header with its final length, its fields before the signature."""
    if header is None:
        header = codec.encode(complete(challenge))[: codec.HEADER.size]
    return sha256(hello, header, codec.before(challenge, "handshake_sig"))


def th2(hello: bytes, challenge: bytes) -> bytes:
    """AUTH-15: HELLO and CHALLENGE, both whole."""
    return sha256(hello, challenge)


def complete(frame: Frame, signature: bytes = bytes(64)) -> Frame:
    """A CHALLENGE or AUTH with this handshake_sig in place of its own or none."""
    return frame.without("handshake_sig").plus(codec.field_value("handshake_sig", signature))


def server_auth_octets(hello: bytes, challenge: Frame) -> bytes:
    """What the signature of CHALLENGE covers (AUTH-12)."""
    return LABELS["server_auth"] + th1(hello, challenge)


def client_auth_octets(hello: bytes, challenge: bytes, auth: Frame) -> bytes:
    """What the signature of AUTH covers (AUTH-15)."""
    return LABELS["client_auth"] + th2(hello, challenge) + codec.before(auth, "handshake_sig")


def sign_challenge(seed: bytes, hello: bytes, challenge: Frame) -> Frame:
    return complete(challenge, sign(seed, server_auth_octets(hello, challenge)))


def sign_auth(seed: bytes, hello: bytes, challenge: bytes, auth: Frame) -> Frame:
    return complete(auth, sign(seed, client_auth_octets(hello, challenge, auth)))


def verify_challenge(key: bytes, hello: bytes, challenge: Frame) -> bool:
    signature = challenge.octets("handshake_sig") or b""
    return verify(key, signature, server_auth_octets(hello, challenge))


def verify_auth(key: bytes, hello: bytes, challenge: bytes, auth: Frame) -> bool:
    signature = auth.octets("handshake_sig") or b""
    return verify(key, signature, client_auth_octets(hello, challenge, auth))


# --- messages and rooms -----------------------------------------------------------------


def message_id(message: Frame) -> bytes:
    """MSG-02, of a PUBLISH or DELIVER."""
    return sha256(LABELS["message_id"], codec.author_zone(message))


def sign_message(seed: bytes, message: Frame) -> Frame:
    """The message with its author_sig (MSG-01)."""
    unsigned = message.without("author_sig")
    signature = sign(seed, LABELS["message"] + codec.author_zone(unsigned))
    return unsigned.plus(codec.field_value("author_sig", signature))


def verify_message(message: Frame) -> bool:
    """Whether author_sig is author_key's (MSG-01, MSG-16)."""
    key, signature = message.octets("author_key") or b"", message.octets("author_sig") or b""
    return verify(key, signature, LABELS["message"] + codec.author_zone(message))


def room_id(server_key: bytes, epoch: bytes, room: str, client_key: bytes | None = None) -> bytes:
    """MSG-22; `client_key` for @host and for no other room."""
    name = room.encode("ascii")
    return sha256(LABELS["room"], server_key, epoch, bytes([len(name)]), name, client_key or b"")


# --- audit ------------------------------------------------------------------------------


def chain_start(room: bytes) -> bytes:
    """h_0 of the room with this room_id (AUD-01)."""
    return sha256(LABELS["chain_start"], room)


def chain(previous: bytes, room_seq: int, server_time: int, identity: bytes) -> bytes:
    """h_n from h_(n-1) and entry n (AUD-01)."""
    return sha256(
        LABELS["chain"],
        previous,
        room_seq.to_bytes(8, "big"),
        server_time.to_bytes(8, "big"),
        identity,
    )


def checkpoint_octets(checkpoint: Frame) -> bytes:
    """What the signature of a CHECKPOINT covers (AUD-03)."""
    return LABELS["checkpoint"] + codec.before(checkpoint, "server_sig")


def sign_checkpoint(seed: bytes, checkpoint: Frame) -> Frame:
    unsigned = checkpoint.without("server_sig")
    return unsigned.plus(codec.field_value("server_sig", sign(seed, checkpoint_octets(unsigned))))


def verify_checkpoint(server_key: bytes, checkpoint: Frame) -> bool:
    return verify(server_key, checkpoint.octets("server_sig") or b"", checkpoint_octets(checkpoint))
