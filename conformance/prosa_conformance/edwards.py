# SPDX-License-Identifier: MIT
"""Ed25519 in plain integers: slow, not constant-time, never for a real key.

It makes the signatures that no library will make (points of low and mixed order, scalars out
of range, encodings that are not canonical) and generates the list of KEY-02. RFC 8032,
section 5.1, in affine coordinates.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x, y


def multiply(scalar: int, point: Point) -> Point:
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def recover_x(y: int, sign: int) -> int | None:
    """The x of the curve at y, with the given lowest bit; None off the curve."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return -x % P if x & 1 != sign else x


def encode(point: Point) -> bytes:
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode_loosely(octets: bytes) -> Point | None:
    """The point that lenient libraries see: y is reduced modulo p, a sign on x = 0 is forgiven."""
    number = int.from_bytes(octets, "little")
    y = (number & (2**255 - 1)) % P
    x = recover_x(y, number >> 255)
    return None if x is None else (x, y)


_BASE_Y = 4 * pow(5, -1, P) % P
_BASE_X = recover_x(_BASE_Y, 0)
assert _BASE_X is not None
BASE: Point = (_BASE_X, _BASE_Y)


def order_eight_point() -> Point:
    """A point of order 8: what is left of the first point of the curve that has one, times L."""
    for y in range(2, 1000):
        x = recover_x(y, 0)
        if x is None:
            continue
        point = multiply(L, (x, y))
        if multiply(4, point) != IDENTITY:
            return point
    raise AssertionError("a quarter of the points would do")


def low_order_points() -> list[Point]:
    """The eight points whose order divides 8, as multiples 0 to 7 of one of order 8."""
    generator = order_eight_point()
    return [multiply(n, generator) for n in range(8)]


def order(point: Point) -> int:
    """The order of a low-order point."""
    return next(n for n in (1, 2, 4, 8) if multiply(n, point) == IDENTITY)


def encodings(point: Point) -> set[bytes]:
    """Every string of 32 octets that `decode_loosely` reads as the point."""
    x, y = point
    signs = (0, 1) if x == 0 else (x & 1,)
    ys = [y] if y + P >= 2**255 else [y, y + P]
    return {(value | sign << 255).to_bytes(32, "little") for value in ys for sign in signs}


def secret_scalar(seed: bytes) -> tuple[int, bytes]:
    """The scalar and the prefix that RFC 8032 derives from a seed."""
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (2**254 - 8) | 2**254, digest[32:]


def challenge(r: bytes, a: bytes, message: bytes) -> int:
    """k = SHA-512(R || A || message) mod L."""
    return int.from_bytes(hashlib.sha512(r + a + message).digest(), "little") % L


def sign(scalar: int, nonce: int, a: bytes, r: bytes, message: bytes) -> bytes:
    """R || S for any encodings of A and R: the caller chooses what they stand for."""
    s = (nonce + challenge(r, a, message) * scalar) % L
    return r + s.to_bytes(32, "little")


def equation(a: bytes, message: bytes, signature: bytes, *, cofactored: bool) -> bool:
    """[S]B = R + [k]A, or both sides times 8, with the points read loosely and S as it is."""
    key, r = decode_loosely(a), decode_loosely(signature[:32])
    if key is None or r is None:
        return False
    left = multiply(int.from_bytes(signature[32:], "little"), BASE)
    right = add(r, multiply(challenge(signature[:32], a, message), key))
    factor = 8 if cofactored else 1
    return multiply(factor, left) == multiply(factor, right)
