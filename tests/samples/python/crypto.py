# SPDX-License-Identifier: MIT
"""Keys, signatures and hashes of PROSA/1: the acceptance rule (section 4.5), and all that is hashed or signed."""
from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey

from wire import AUTHOR_SIG, HANDSHAKE_SIG, SERVER_SIG, Frame, encode_fields

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
# The 14 encodings of points of low order (KEY-02): seven numbers y, each with either sign bit.
LOW_ORDER = {y | sign << 255 for sign in (0, 1) for y in (0, 1, P - 1, P, P + 1, *(
    int.from_bytes(bytes.fromhex(octets), "little") for octets in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")))}


def key_is_good(point: bytes) -> bool:
    """KEY-01 to KEY-03, for a key as for the R of a signature."""
    number = int.from_bytes(point, "little")
    return len(point) == 32 and number not in LOW_ORDER and number % 2**255 < P


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """The whole rule: comparisons of octets first, then the equation, which is libsodium's (KEY-05)."""
    if len(signature) != 64 or not key_is_good(key) or not key_is_good(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= L:  # KEY-04
        return False
    try:
        crypto_sign_open(signature + message, key)
    except CryptoError:
        return False
    return True


# KEY-07: refuse to run on a library that computes the cofactored equation (the vector `key-mixed-order`).
if verify(*map(bytes.fromhex, (
        "1965b79abed89ab3813e7d047b1290199b2f8ca77ac71940c2bc79c2954835da",
        "077f9ddc0144af4d16de9db597e2f8936e1732eb148c2eb3abaeaa30b13e3a57"
        "8adf076fc419046ef2a5a07c2f5e8e3dc863be863e20c9392688a71f34825407",
        "636f666163746f726564206f7220636f666163746f726c6573733f"))):
    raise SystemExit("this Ed25519 library is unsuitable (KEY-07)")


class KeyPair:
    """A private key of RFC 8032, and the public key that belongs to it."""

    def __init__(self, seed: bytes) -> None:
        self._secret = SigningKey(seed)
        self.key = bytes(self._secret.verify_key)

    def sign(self, message: bytes) -> bytes:
        return self._secret.sign(message).signature

    @classmethod
    def load(cls, path: Path) -> KeyPair:
        """From a file that only its owner can read, made at the first start (ID-01)."""
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(os.urandom(32).hex() + "\n")
        return cls(bytes.fromhex(path.read_text()))


def fingerprint(key: bytes) -> str:
    digits = sha256(key).hexdigest()[:32]
    return " ".join(digits[i : i + 4] for i in range(0, 32, 4))


def suffix(key: bytes) -> str:
    return fingerprint(key)[-4:]


# ---------------------------------------------------------------- what is hashed and signed [4.2, 4.3, chapter 5]
def _hash(label: bytes, *parts: bytes) -> bytes:
    return sha256(b"PROSA/1 " + label + b"\0" + b"".join(parts)).digest()


def u64(value: int) -> bytes:
    return value.to_bytes(8)


def th1(hello: bytes, challenge: bytes) -> bytes:
    """AUTH-12: all that was said before the CHALLENGE's signature, its last field of 68 octets."""
    return sha256(hello + challenge[:-68]).digest()


def th2(hello: bytes, challenge: bytes) -> bytes:
    return sha256(hello + challenge).digest()  # AUTH-15


def challenge_proof(hello: bytes, challenge: bytes) -> bytes:
    return b"PROSA/1 server-auth\0" + th1(hello, challenge)


def auth_proof(hello: bytes, challenge: bytes, fields: bytes) -> bytes:
    return b"PROSA/1 client-auth\0" + th2(hello, challenge) + fields


def challenge_is_signed(hello: bytes, challenge: Frame) -> bool:
    return verify(challenge["server_key"], challenge["handshake_sig"], challenge_proof(hello, challenge.octets))


def auth_is_signed(key: bytes, hello: bytes, challenge: bytes, auth: Frame) -> bool:
    return verify(key, auth["handshake_sig"], auth_proof(hello, challenge, auth.before(HANDSHAKE_SIG)))


def compose(keys: KeyPair, fields: dict[str, object]) -> bytes:
    """The fields of a signed message (MSG-01)."""
    zone = encode_fields(fields | {"author_key": keys.key})
    return zone + encode_fields({"author_sig": keys.sign(b"PROSA/1 message\0" + zone)})


def message_is_signed(frame: Frame) -> bool:
    return verify(frame["author_key"], frame["author_sig"], b"PROSA/1 message\0" + frame.before(AUTHOR_SIG))


def message_id(frame: Frame) -> bytes:
    return _hash(b"message-id", frame.before(AUTHOR_SIG))  # MSG-02


def room_id(server_key: bytes, epoch: bytes, room: str, client_key: bytes) -> bytes:
    """MSG-22: the client's key belongs to the private room."""
    name = room.encode()
    return _hash(b"room", server_key, epoch, bytes([len(name)]), name, client_key if room == "@host" else b"")


def chain_start(room: bytes) -> bytes:
    return _hash(b"chain-start", room)  # AUD-01


def chain_next(previous: bytes, seq: int, time: int, message: bytes) -> bytes:
    return _hash(b"chain", previous, u64(seq), u64(time), message)


def checkpoint_is_signed(key: bytes, frame: Frame) -> bool:
    return verify(key, frame["server_sig"], b"PROSA/1 checkpoint\0" + frame.before(SERVER_SIG))  # AUD-03
