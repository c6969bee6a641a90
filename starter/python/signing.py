# SPDX-License-Identifier: MIT
"""Keys, signatures and hashes (chapter 4, section 4.5 and chapter 5). Ed25519 is libsodium's, through PyNaCl."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from registry import LABELS
from wire import AUTHOR_SIG, HANDSHAKE_SIG, Frame, Value, encode_fields

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
# The y of the points of low order (KEY-02); their other encodings have a sign bit, or a y that is not below P.
LOW_ORDER = (0, 1, P - 1, *(int.from_bytes(bytes.fromhex(y), "little") for y in (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)))  # fmt: skip
HOST = "@host"


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def fingerprint(key: bytes) -> str:
    """A key for people to compare (section 4.4)."""
    digits = sha256(key)[:16].hex()
    return " ".join(digits[at : at + 4] for at in range(0, 32, 4))


def load_key(path: Path) -> SigningKey:
    """The key in a file that only its owner can read, made at the first start (ID-01)."""
    if not path.exists():
        path.touch(0o600, exist_ok=False)
        path.write_bytes(os.urandom(32))
    return SigningKey(path.read_bytes())


# --- the acceptance rule ----------------------------------------------------------------


def key_is_good(point: bytes) -> bool:
    """KEY-01 to KEY-03, for a key as for the R of a signature."""
    # >>> crypto KEY-01 KEY-02 KEY-03 | 32 octets, not one of LOW_ORDER, and y (little-endian, without its highest bit)
    # below P
    y = int.from_bytes(point, "little") % 2**255
    return len(point) == 32 and y < P and y not in LOW_ORDER
    # <<<


def verify(key: bytes, signature: bytes, *parts: bytes) -> bool:
    """KEY-01 to KEY-05."""
    # >>> crypto KEY-01 KEY-04 KEY-05 | key_is_good of the key and of R, S below L, and then the library
    if len(signature) != 64 or not key_is_good(key) or not key_is_good(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        VerifyKey(key).verify(b"".join(parts), signature)
    except BadSignatureError:
        return False
    return True
    # <<<


def library_is_good() -> bool:
    """KEY-07: false for a library that accepts the vector key-mixed-order."""
    return not verify(
        bytes.fromhex("1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da"),
        bytes.fromhex(
            "077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a57"
            "8adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407"
        ),
        b"cofactored or cofactorless?",
    )


# --- the handshake ----------------------------------------------------------------------


def sign_challenge(key: SigningKey, hello: bytes, challenge: bytes) -> bytes:
    """A CHALLENGE whose handshake_sig is 64 octets of zero, signed (AUTH-12)."""
    # >>> crypto AUTH-12 | th1 is SHA-256 over HELLO and all of CHALLENGE before its last field, of 4 + 64 octets; the
    # signature is over the label server_auth and th1
    th1 = sha256(hello, challenge[:-68])
    return challenge[:-64] + key.sign(LABELS["server_auth"] + th1).signature
    # <<<


def challenge_is_signed(hello: bytes, challenge: Frame) -> bool:
    # >>> crypto AUTH-12 AUTH-13 | verify what sign_challenge makes
    th1 = sha256(hello, challenge.octets[:-68])
    return verify(challenge["server_key"], challenge["handshake_sig"], LABELS["server_auth"], th1)
    # <<<


def sign_auth(key: SigningKey, hello: bytes, challenge: bytes, nick: str) -> dict[str, Value]:
    """The fields of AUTH (AUTH-15)."""
    # >>> crypto AUTH-15 | th2 is SHA-256 over both frames; the signature is over the label client_auth, th2 and the
    # encoded nick
    proof = LABELS["client_auth"] + sha256(hello, challenge) + encode_fields({"nick": nick})
    return {"nick": nick, "handshake_sig": key.sign(proof).signature}
    # <<<


def auth_is_signed(key: bytes, hello: bytes, challenge: bytes, auth: Frame) -> bool:
    # >>> crypto AUTH-15 AUTH-16 | verify what sign_auth makes; auth.before(HANDSHAKE_SIG) are the signed fields
    th2 = sha256(hello, challenge)
    return verify(key, auth["handshake_sig"], LABELS["client_auth"], th2, auth.before(HANDSHAKE_SIG))
    # <<<


# --- messages ---------------------------------------------------------------------------


def compose(key: SigningKey, **fields: Value | None) -> bytes:
    """The body of a PUBLISH: the author zone and its signature (MSG-01)."""
    # >>> crypto MSG-01 | encode the fields and author_key; sign the label message and these octets; author_sig behind
    # them
    zone = encode_fields({**fields, "author_key": bytes(key.verify_key)})
    return zone + encode_fields({"author_sig": key.sign(LABELS["message"] + zone).signature})
    # <<<


def message_is_signed(message: Frame) -> bool:
    # >>> crypto MSG-01 MSG-03 | message.before(AUTHOR_SIG) is the author zone
    return verify(message["author_key"], message["author_sig"], LABELS["message"], message.before(AUTHOR_SIG))
    # <<<


def message_id(message: Frame) -> bytes:
    # >>> crypto MSG-02 | SHA-256 over the label message_id and the author zone
    return sha256(LABELS["message_id"], message.before(AUTHOR_SIG))
    # <<<


def room_id(server_key: bytes, epoch: bytes, name: str, client_key: bytes) -> bytes:
    """The id of a room; the client's key belongs to the private one (MSG-22)."""
    # >>> crypto MSG-22 | SHA-256 over the label room, the server's key, the epoch, the name and its length, and for
    # @host the client's key
    private = client_key if name == HOST else b""
    return sha256(LABELS["room"], server_key, epoch, bytes((len(name),)), name.encode(), private)
    # <<<
