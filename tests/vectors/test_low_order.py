# SPDX-License-Identifier: MIT
"""The constants of the acceptance rule, made again by integer arithmetic on the curve: nothing
here knows the table of the text or that of the code."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def times(factor: int, point: Point) -> Point:
    result = NEUTRAL
    while factor:
        if factor & 1:
            result = add(result, point)
        point = add(point, point)
        factor >>= 1
    return result


def point_at(y: int, sign: int) -> Point | None:
    """The point of this y whose x is odd if sign is 1, or None when there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_MINUS_ONE % P
    if x * x % P != square:
        return None
    return (P - x if x % 2 != sign and x else x), y % P


def decode(octets: bytes) -> Point | None:
    number = int.from_bytes(octets, "little")
    return point_at(number % 2**255, number >> 255)


def low_order_points() -> set[Point]:
    """The eight points whose order divides 8: L times any point of the curve is one of them."""
    points: set[Point] = set()
    y = 2
    while len(points) < 8:
        point = point_at(y, 0)
        if point is not None:
            torsion = times(L, point)
            points |= {times(factor, torsion) for factor in range(8)}
        y += 1
    return points


def encodings() -> set[bytes]:
    """Every 32 octets that a decoder which reduces y and forgives the sign of x = 0 takes for one."""
    wanted = {y for _, y in low_order_points()}
    ys = {y + extra for y in wanted for extra in (0, P) if y + extra < 2**255}
    return {(y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)}


def ask(requests: list[str]) -> list[str]:
    done = subprocess.run(
        [os.environ["PROSA_CODEC"]], input="\n".join(requests) + "\n", capture_output=True, text=True, timeout=60
    )
    return [json.loads(line)["verdict"] for line in done.stdout.splitlines()]


def test_the_encodings_are_those_of_the_text() -> None:
    text = (ROOT / "spec/04-identity.md").read_text(encoding="utf-8")
    table = {bytes.fromhex(octets) for octets in re.findall(r"^\| \d \| `([0-9a-f]{64})` \|$", text, re.MULTILINE)}
    assert len(table) == 14
    assert encodings() == table


def test_the_codec_refuses_them_and_their_neighbours_only_when_it_must() -> None:
    refused = sorted(encodings())
    assert ask([f"key {octets.hex()}" for octets in refused]) == ["invalid"] * 14
    beyond = [y.to_bytes(32, "little") for y in range(P, 2**255)]
    assert ask([f"key {octets.hex()}" for octets in beyond]) == ["invalid"] * 19
    below = [y.to_bytes(32, "little") for y in (2, 3, P - 2, P - 3)]
    assert ask([f"key {octets.hex()}" for octets in below]) == ["valid"] * 4


def test_the_mixed_order_vector_tells_the_equations_apart() -> None:
    """KEY-07: the program's vector fulfils the cofactored equation and not the cofactorless one."""
    source = (ROOT / "libprosa/src/sign.c").read_text(encoding="utf-8")
    key = array_of(source, "mixed_order_key")
    signature = array_of(source, "mixed_order_sig")
    message = re.search(r'mixed_order_message\[\] = "([^"]*)"', source)
    assert message is not None
    a, r = decode(key), decode(signature[:32])
    base = point_at(4 * pow(5, -1, P) % P, 0)
    assert a is not None and r is not None and base is not None
    s = int.from_bytes(signature[32:], "little")
    assert s < L
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message[1].encode()).digest(), "little") % L
    left, right = times(s, base), add(r, times(k, a))
    assert left != right
    assert times(8, left) == times(8, right)


def array_of(source: str, name: str) -> bytes:
    """The octets of a C array of hexadecimal numbers."""
    found = re.search(rf"{name}\[[A-Z_]+\] = \{{([^}}]*)\}}", source)
    assert found is not None, name
    return bytes(int(octet, 16) for octet in re.findall(r"0x([0-9A-F]{2})", found[1]))
