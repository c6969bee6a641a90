# SPDX-License-Identifier: MIT
"""The kinds of a field's value and their bounds."""

from typing import Any

INTEGER_BITS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}
# Kinds of one exact size, with the constant that says it.
SIZE_CONSTANT = {
    "key": "key_size",
    "hash": "hash_size",
    "sig": "signature_size",
    "nonce": "nonce_size",
    "epoch": "epoch_size",
}
TEXT_KINDS = ("versions", "nick", "room", "target", "clause", "utf8", "opaque")
KINDS = (*INTEGER_BITS, *SIZE_CONSTANT, *TEXT_KINDS)


def bounds(raw: dict[str, Any], entry: dict[str, Any]) -> tuple[int, int]:
    """The smallest and largest value (integers) or size in octets (all others) of a field."""
    kind = entry["kind"]
    if kind in SIZE_CONSTANT:
        size = raw["constants"][SIZE_CONSTANT[kind]]["value"]
        return size, size
    if "limit" in entry:
        limit = raw["limits"].get(entry["limit"]) or raw["timers"][entry["limit"]]
        return limit["min"], limit["max"]
    largest = 2 ** INTEGER_BITS[kind] - 1 if kind in INTEGER_BITS else 0xFFFF
    return entry.get("min", 0), entry.get("max", largest)
