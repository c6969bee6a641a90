# SPDX-License-Identifier: MIT
"""The acceptance rule against plain integers, and every hash against its formula in the text."""

from __future__ import annotations

import hashlib
import random
import re

import pytest
from nacl import bindings

from conftest import ROOT
from prosa_conformance import codec, crypto, edwards
from prosa_conformance.codec import frame
from vectors.samples import ADA_KEY, ADA_SEED, EPOCH, FORM, ROOM, SERVER_KEY, SERVER_SEED

ROUNDS = 12


def test_the_list_of_low_order_encodings_is_all_there_are() -> None:
    generated = {encoding for point in edwards.low_order_points() for encoding in edwards.encodings(point)}
    assert generated == set(crypto.LOW_ORDER_ENCODINGS)
    assert len(crypto.LOW_ORDER_ENCODINGS) == 14


def test_the_list_is_the_one_of_the_text() -> None:
    text = (ROOT / "spec/04-identity.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([1248]) \| `([0-9a-f]{64})` \|$", text, re.MULTILINE)
    assert tuple(bytes.fromhex(encoding) for _, encoding in rows) == crypto.LOW_ORDER_ENCODINGS
    for order, encoding in rows:
        point = edwards.decode_loosely(bytes.fromhex(encoding))
        assert point is not None and edwards.order(point) == int(order)


def test_plain_integers_agree_with_the_library(dice: random.Random) -> None:
    for _ in range(ROUNDS):
        seed, message = dice.randbytes(32), dice.randbytes(dice.randrange(100))
        scalar, prefix = edwards.secret_scalar(seed)
        key = edwards.encode(edwards.multiply(scalar, edwards.BASE))
        nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % edwards.L
        r = edwards.encode(edwards.multiply(nonce, edwards.BASE))
        assert crypto.public_key(seed) == key
        assert crypto.sign(seed, message) == edwards.sign(scalar, nonce, key, r, message)


def test_the_rule_and_the_cofactorless_equation_decide_together(dice: random.Random) -> None:
    """Mixed-order keys and nonces: `verify` says what the plain equation says."""
    eighth = edwards.order_eight_point()
    verdicts = set()
    for _ in range(ROUNDS * 4):
        scalar, nonce = dice.randrange(1, edwards.L), dice.randrange(1, edwards.L)
        key = edwards.encode(_shifted(scalar, dice.randrange(8), eighth))
        r = edwards.encode(_shifted(nonce, dice.choice([0, 4]), eighth))
        message = dice.randbytes(4)
        signature = edwards.sign(scalar, nonce, key, r, message)
        assert edwards.equation(key, message, signature, cofactored=True)
        expected = edwards.equation(key, message, signature, cofactored=False)
        assert crypto.verify(key, signature, message) == expected
        verdicts.add(expected)
    assert verdicts == {True, False}


def _shifted(scalar: int, part: int, eighth: edwards.Point) -> edwards.Point:
    return edwards.add(edwards.multiply(scalar, edwards.BASE), edwards.multiply(part, eighth))


def test_key_mixed_order_tells_the_equations_apart() -> None:
    key, message = crypto.MIXED_ORDER_KEY, crypto.MIXED_ORDER_MESSAGE
    signature = crypto.MIXED_ORDER_SIGNATURE
    assert edwards.equation(key, message, signature, cofactored=True)
    assert not edwards.equation(key, message, signature, cofactored=False)
    assert crypto.key_is_acceptable(key) and crypto.point_is_acceptable(signature[:32])
    assert int.from_bytes(signature[32:], "little") < edwards.L


def test_a_cofactored_library_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert crypto.library_is_cofactorless()
    monkeypatch.setattr(bindings, "crypto_sign_open", lambda signed, key: signed[64:])
    assert not crypto.library_is_cofactorless()


def test_the_rule_stands_before_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library would say, what KEY-01 to KEY-04 refuse never reaches it."""
    asked = []
    monkeypatch.setattr(bindings, "crypto_sign_open", lambda signed, key: asked.append(key))
    key, signature = ADA_KEY, crypto.sign(ADA_SEED, b"m")
    beyond = signature[:32] + crypto.L.to_bytes(32, "little")
    not_canonical = crypto.P.to_bytes(32, "little")
    for bad_key, bad_signature in (
        (key[:31], signature),
        (key + b"\0", signature),
        (key, signature[:63]),
        (key, signature + b"\0"),
        (key, beyond),
        (not_canonical, signature),
        (key, (crypto.P + 5).to_bytes(32, "little") + signature[32:]),
        *((encoding, signature) for encoding in crypto.LOW_ORDER_ENCODINGS),
        *((key, encoding + signature[32:]) for encoding in crypto.LOW_ORDER_ENCODINGS),
    ):
        assert not crypto.verify(bad_key, bad_signature, b"m")
    assert asked == []
    assert crypto.verify(key, signature, b"m") and asked == [key]


# --- hashes of the text -----------------------------------------------------------------


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def test_handshake_hashes_and_signatures() -> None:
    hello = codec.encode(FORM["hello"].minimal())
    challenge = FORM["challenge"].minimal()
    whole = codec.encode(challenge)
    signature_field = 4 + 64
    th1 = sha256(hello, whole[:-signature_field])
    th2 = sha256(hello, whole)
    assert crypto.th1(hello, challenge) == th1
    assert crypto.th1(hello, challenge.without("handshake_sig")) == th1
    assert crypto.th2(hello, whole) == th2
    assert whole[-64:] == crypto.sign(SERVER_SEED, b"PROSA/1 server-auth\0" + th1)
    auth = crypto.sign_auth(ADA_SEED, hello, whole, frame("AUTH", nick="ada"))
    fields = bytes.fromhex("00400003") + b"ada"
    assert codec.encode(auth)[-64:] == crypto.sign(ADA_SEED, b"PROSA/1 client-auth\0" + th2 + fields)
    assert crypto.verify_challenge(SERVER_KEY, hello, challenge)
    assert crypto.verify_auth(ADA_KEY, hello, whole, auth)
    assert not crypto.verify_auth(ADA_KEY, hello + b"\0", whole, auth)
    assert not crypto.verify_challenge(ADA_KEY, hello, challenge)


def test_message_id_and_signature() -> None:
    publish = FORM["publish"].full()
    zone = codec.encode(publish)[8 : -(4 + 64)]
    assert codec.author_zone(publish) == zone
    assert crypto.message_id(publish) == sha256(b"PROSA/1 message-id\0", zone)
    assert publish.octets("author_sig") == crypto.sign(ADA_SEED, b"PROSA/1 message\0" + zone)
    assert crypto.verify_message(publish)
    assert not crypto.verify_message(publish.without("display"))


def test_room_id() -> None:
    named = sha256(b"PROSA/1 room\0", SERVER_KEY, EPOCH, b"\x03lab")
    assert crypto.room_id(SERVER_KEY, EPOCH, "lab") == named == ROOM
    host = sha256(b"PROSA/1 room\0", SERVER_KEY, EPOCH, b"\x05@host", ADA_KEY)
    assert crypto.room_id(SERVER_KEY, EPOCH, "@host", ADA_KEY) == host


def test_chain_and_checkpoint() -> None:
    start = sha256(b"PROSA/1 chain-start\0", ROOM)
    assert crypto.chain_start(ROOM) == start
    linked = sha256(b"PROSA/1 chain\0", start, bytes(7), b"\x01", bytes(6), b"\x01\x02", b"i" * 32)
    assert crypto.chain(start, 1, 0x0102, b"i" * 32) == linked
    checkpoint = FORM["checkpoint"].minimal()
    fields = codec.encode(checkpoint)[8 : -(4 + 64)]
    assert checkpoint.octets("server_sig") == crypto.sign(SERVER_SEED, b"PROSA/1 checkpoint\0" + fields)
    assert crypto.verify_checkpoint(SERVER_KEY, checkpoint)
    assert not crypto.verify_checkpoint(ADA_KEY, checkpoint)
