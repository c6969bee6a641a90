# SPDX-License-Identifier: MIT
"""keys.json: the acceptance rule of section 4.5, case by case.

Where it can be had, a signature that the rule refuses fulfils the bare equation, so that a
program that leaves the rule to a lenient library is found out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from prosa_conformance import crypto, edwards
from prosa_conformance.edwards import BASE, IDENTITY, L, P, Point
from vectors.collection import Collection, seed, word

SECRET = seed("key edge cases")
SCALAR, PREFIX = edwards.secret_scalar(SECRET)
KEY_POINT = edwards.multiply(SCALAR, BASE)
KEY = edwards.encode(KEY_POINT)
MESSAGE = b"edge"
EIGHTH = edwards.order_eight_point()

RFC_8032 = (  # section 7.1: TEST 1, TEST 2, TEST 3
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)


def make() -> Collection:
    made = Collection("keys", "The Ed25519 acceptance rule: edge cases of keys and signatures, section 4.5.")
    _sizes(made)
    _low_order_keys(made)
    _low_order_r(made)
    _not_canonical(made)
    _off_the_curve(made)
    _scalars(made)
    _mixed_order(made)
    _good(made)
    _wrong(made)
    return made


def _key(made: Collection, identity: str, clauses: str, comment: str, key: bytes, good: bool) -> None:
    made.add(identity, clauses, comment, f"key {word(key)}", {"verdict": "valid" if good else "invalid"})


def _verify(
    made: Collection, identity: str, clauses: str, comment: str, triple: tuple[bytes, bytes, bytes], good: bool
) -> None:
    key, signature, message = triple
    request = f"verify {word(key)} {word(signature)} {word(message)}"
    made.add(identity, clauses, comment, request, {"verdict": "valid" if good else "invalid"})


def _nonces() -> Iterator[int]:
    """Fixed nonces, as many as a search needs."""
    for number in range(10_000):
        digest = hashlib.sha512(PREFIX + number.to_bytes(4, "big")).digest()
        yield int.from_bytes(digest, "little") % L


def _sizes(made: Collection) -> None:
    signature = crypto.sign(SECRET, MESSAGE)
    for name, key in (("0", b""), ("31", KEY[:31]), ("33", KEY + b"\0"), ("64", KEY + KEY)):
        _key(made, f"key-{name}-octets", "KEY-01", f"a key of {len(key)} octets", key, False)
        _verify(
            made, f"verify-key-{name}-octets", "KEY-01", f"a key of {len(key)} octets", (key, signature, MESSAGE), False
        )
    shapes = (signature[:0], signature[:32], signature[:63], signature + b"\0", signature + signature)
    for wrong in shapes:
        why = f"a signature of {len(wrong)} octets"
        _verify(made, f"signature-{len(wrong)}-octets", "KEY-01", why, (KEY, wrong, MESSAGE), False)
    _key(made, "key-good", "KEY-01 KEY-02 KEY-03", "an ordinary key", KEY, True)


def _low_order_keys(made: Collection) -> None:
    """Every encoding as A; R and S make the bare equation true."""
    for number, encoding in enumerate(crypto.LOW_ORDER_ENCODINGS):
        point = edwards.decode_loosely(encoding)
        assert point is not None
        why = f"a point of order {edwards.order(point)}, encoding {number + 1} of the list"
        _key(made, f"key-low-order-{number + 1}", "KEY-02", why, encoding, False)
        triple = _with_low_order_key(encoding, point)
        comment = f"A is {why}; the equation holds"
        _verify(made, f"verify-low-order-a-{number + 1}", "KEY-02", comment, triple, False)


def _with_low_order_key(encoding: bytes, point: Point) -> tuple[bytes, bytes, bytes]:
    for nonce in _nonces():
        r = edwards.encode(edwards.multiply(nonce, BASE))
        if edwards.multiply(edwards.challenge(r, encoding, MESSAGE), point) == IDENTITY:
            triple = (encoding, edwards.sign(0, nonce, encoding, r, MESSAGE), MESSAGE)
            assert _holds(triple, cofactored=False)
            return triple
    raise AssertionError("one nonce in eight is good")


def _low_order_r(made: Collection) -> None:
    """Every encoding as R; a key of mixed order makes the bare equation true."""
    for number, encoding in enumerate(crypto.LOW_ORDER_ENCODINGS):
        point = edwards.decode_loosely(encoding)
        assert point is not None
        comment = f"R is a point of order {edwards.order(point)}, encoding {number + 1} of the list; the equation holds"
        triple = _with_low_order_r(encoding, point)
        _verify(made, f"verify-low-order-r-{number + 1}", "KEY-02", comment, triple, False)


def _with_low_order_r(encoding: bytes, point: Point) -> tuple[bytes, bytes, bytes]:
    mixed = edwards.add(KEY_POINT, EIGHTH)
    key = edwards.encode(mixed)
    for number in range(1000):
        message = MESSAGE + number.to_bytes(2, "big")
        k = edwards.challenge(encoding, key, message)
        if edwards.add(point, edwards.multiply(k, EIGHTH)) == IDENTITY:
            triple = (key, edwards.sign(SCALAR, 0, key, encoding, message), message)
            assert _holds(triple, cofactored=False)
            return triple
    raise AssertionError("one message in eight is good")


def _holds(triple: tuple[bytes, bytes, bytes], *, cofactored: bool) -> bool:
    key, signature, message = triple
    return edwards.equation(key, message, signature, cofactored=cofactored)


def _not_canonical(made: Collection) -> None:
    """All 38 encodings with y from p to 2^255 - 1; four of them are in the list of KEY-02 too."""
    signature = crypto.sign(SECRET, MESSAGE)
    for excess in range(19):
        for sign in (0, 1):
            encoding = (P + excess | sign << 255).to_bytes(32, "little")
            if encoding in crypto.LOW_ORDER_ENCODINGS:
                continue
            name, why = f"p-plus-{excess}-sign-{sign}", f"y = p + {excess}, sign bit {sign}"
            _key(made, f"key-{name}", "KEY-03", why, encoding, False)
            triple = (KEY, encoding + signature[32:], MESSAGE)
            _verify(made, f"verify-r-{name}", "KEY-03", f"R with {why}", triple, False)
    for name, y in (("p-minus-2", P - 2), ("p-minus-3", P - 3), ("2", 2), ("3", 3)):
        encoding = y.to_bytes(32, "little")
        _key(made, f"key-y-{name}", "KEY-03", "y is below p: rules 1 to 3 are fulfilled", encoding, True)


def _off_the_curve(made: Collection) -> None:
    signature = crypto.sign(SECRET, MESSAGE)
    off = [y for y in range(2, 40) if edwards.recover_x(y, 0) is None][:4]
    for y in off:
        encoding = y.to_bytes(32, "little")
        _key(
            made,
            f"key-off-curve-{y}",
            "KEY-03",
            f"y = {y} is no point; a key alone is not asked for that",
            encoding,
            True,
        )
        _verify(
            made,
            f"verify-a-off-curve-{y}",
            "KEY-05",
            f"A with y = {y} is no point",
            (encoding, signature, MESSAGE),
            False,
        )
        triple = (KEY, encoding + signature[32:], MESSAGE)
        _verify(made, f"verify-r-off-curve-{y}", "KEY-05", f"R with y = {y} is no point", triple, False)


def _scalars(made: Collection) -> None:
    signature = crypto.sign(SECRET, MESSAGE)
    s = int.from_bytes(signature[32:], "little")
    for times in range(1, 16):
        if s + times * L >= 2**256:
            break
        beyond = signature[:32] + (s + times * L).to_bytes(32, "little")
        assert _holds((KEY, beyond, MESSAGE), cofactored=False)
        _verify(
            made,
            f"s-plus-{times}-l",
            "KEY-04",
            f"S is the good one plus {times} L; the equation holds",
            (KEY, beyond, MESSAGE),
            False,
        )
    for name, number in (("l", L), ("l-plus-1", L + 1), ("2-253", 2**253), ("2-255", 2**255), ("most", 2**256 - 1)):
        _verify(
            made,
            f"s-is-{name}",
            "KEY-04",
            "S is not below L",
            (KEY, signature[:32] + number.to_bytes(32, "little"), MESSAGE),
            False,
        )
    for name, number in (("0", 0), ("l-minus-1", L - 1), ("l-minus-s", L - s)):
        _verify(
            made,
            f"s-is-{name}",
            "KEY-05",
            "S is below L, but the equation does not hold",
            (KEY, signature[:32] + number.to_bytes(32, "little"), MESSAGE),
            False,
        )


def _mixed_order(made: Collection) -> None:
    """Points with a part of low order: the cofactored equation does not see it, ours does."""
    standard = (crypto.MIXED_ORDER_KEY, crypto.MIXED_ORDER_SIGNATURE, crypto.MIXED_ORDER_MESSAGE)
    assert _holds(standard, cofactored=True) and not _holds(standard, cofactored=False)
    why = "A has a part of order 8: only the cofactored equation holds; a program checks this at its start"
    _verify(made, "key-mixed-order", "KEY-05", why, standard, False)
    _key(made, "key-mixed-order-alone", "KEY-02 KEY-03", "rules 1 to 3 allow a key of mixed order", standard[0], True)
    for order in (2, 4, 8):
        torsion = edwards.multiply(8 // order, EIGHTH)
        for good in (False, True):
            how = "both equations hold" if good else "only the cofactored equation holds"
            verdict = "good" if good else "bad"
            triple = _mixed(torsion, IDENTITY, good)
            _verify(
                made,
                f"mixed-a-order-{order}-{verdict}",
                "KEY-05",
                f"A has a part of order {order}; {how}",
                triple,
                good,
            )
            triple = _mixed(torsion, torsion, good)
            _verify(
                made,
                f"mixed-both-order-{order}-{verdict}",
                "KEY-05",
                f"A and R have a part of order {order}; {how}",
                triple,
                good,
            )
        comment = f"R has a part of order {order}; only the cofactored equation holds"
        _verify(made, f"mixed-r-order-{order}", "KEY-05", comment, _mixed(IDENTITY, torsion, False), False)


def _mixed(key_part: Point, r_part: Point, good: bool) -> tuple[bytes, bytes, bytes]:
    """A and R with these parts of low order, that fulfil the cofactorless equation or do not."""
    key = edwards.encode(edwards.add(KEY_POINT, key_part))
    for nonce in _nonces():
        r = edwards.encode(edwards.add(edwards.multiply(nonce, BASE), r_part))
        triple = (key, edwards.sign(SCALAR, nonce, key, r, MESSAGE), MESSAGE)
        assert _holds(triple, cofactored=True)
        if _holds(triple, cofactored=False) == good:
            return triple
    raise AssertionError("the parts cannot do that")


def _good(made: Collection) -> None:
    for number, (secret, key, text, signed) in enumerate(RFC_8032, start=1):
        triple = (bytes.fromhex(key), bytes.fromhex(signed), bytes.fromhex(text))
        _verify(made, f"rfc-8032-{number}", "KEY-05", f"RFC 8032, section 7.1, TEST {number}", triple, True)
        made.add(
            f"sign-rfc-8032-{number}",
            "KEY-05",
            f"RFC 8032, section 7.1, TEST {number}: the signature is determined",
            f"sign {secret} {text or '-'}",
            {"key": key, "signature": signed},
        )
    for bits in range(4):
        sign_a, sign_r = bits & 1, bits >> 1
        triple = _with_signs(sign_a, sign_r)
        _verify(made, f"good-signs-{sign_a}{sign_r}", "KEY-05", f"sign bit of A {sign_a}, of R {sign_r}", triple, True)
    for size in (0, 1, 63, 64, 65, 111, 112, 128, 1024):
        message = bytes(at % 251 for at in range(size))
        signature = crypto.sign(SECRET, message)
        _verify(made, f"good-message-{size}", "KEY-05", f"a message of {size} octets", (KEY, signature, message), True)


def _with_signs(sign_a: int, sign_r: int) -> tuple[bytes, bytes, bytes]:
    for number in range(1000):
        secret = seed(f"signs {number}")
        key, signature = crypto.public_key(secret), crypto.sign(secret, MESSAGE)
        if key[31] >> 7 == sign_a and signature[31] >> 7 == sign_r:
            return key, signature, MESSAGE
    raise AssertionError("a quarter of the seeds is good")


def _wrong(made: Collection) -> None:
    signature = crypto.sign(SECRET, MESSAGE)
    for name, at, bit in (("r-first", 0, 0), ("r-sign", 31, 7), ("s-first", 32, 0), ("s-high", 62, 3)):
        flipped = bytearray(signature)
        flipped[at] ^= 1 << bit
        why = f"bit {bit} of octet {at} of the signature is flipped"
        _verify(made, f"wrong-{name}", "KEY-05", why, (KEY, bytes(flipped), MESSAGE), False)
    negated = KEY[:31] + bytes([KEY[31] ^ 0x80])
    _verify(made, "wrong-key-sign", "KEY-05", "A is the other point with this y", (negated, signature, MESSAGE), False)
    other = crypto.public_key(seed("another key"))
    _verify(made, "wrong-key", "KEY-05", "the signature of somebody else", (other, signature, MESSAGE), False)
    _verify(made, "wrong-message", "KEY-05", "one letter differs", (KEY, signature, b"edgy"), False)
    _verify(
        made,
        "wrong-message-longer",
        "KEY-05",
        "a zero octet behind the message",
        (KEY, signature, MESSAGE + b"\0"),
        False,
    )
    _wrongly_encoded(made, signature)


def _wrongly_encoded(made: Collection, signature: bytes) -> None:
    halves = signature[32:] + signature[:32]
    halves_s = int.from_bytes(halves[32:], "little")
    assert halves_s >= L or not _holds((KEY, halves, MESSAGE), cofactored=True)
    _verify(made, "wrong-halves", "KEY-04 KEY-05", "R and S exchanged", (KEY, halves, MESSAGE), False)
    big_endian = signature[:32] + signature[:31:-1]
    _verify(made, "wrong-s-big-endian", "KEY-04 KEY-05", "S in big-endian order", (KEY, big_endian, MESSAGE), False)
    prehashed = crypto.sign(SECRET, hashlib.sha512(MESSAGE).digest())
    _verify(
        made, "wrong-prehashed", "KEY-05", "the SHA-512 of the message was signed", (KEY, prehashed, MESSAGE), False
    )
    hexadecimal = crypto.sign(SECRET, MESSAGE.hex().encode())
    _verify(
        made,
        "wrong-hexadecimal",
        "KEY-05",
        "the hexadecimal text of the message was signed",
        (KEY, hexadecimal, MESSAGE),
        False,
    )
