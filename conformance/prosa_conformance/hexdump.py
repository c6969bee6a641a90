# SPDX-License-Identifier: MIT
"""Octets for people: sixteen in a row, a caret under the guilty ones, the field's name beside it."""

from __future__ import annotations

from prosa_conformance.outcome import Guilty

ROW = 16
ROWS_AROUND = 3  # rows shown before and after the guilty ones
LEFT = len("  0000  ")


def hexdump(guilty: Guilty) -> str:
    """Rows of octets; rows far from the guilty ones are left out."""
    octets, first = guilty.octets, guilty.offset
    last = first + max(guilty.length, 1) - 1
    marks = bool(guilty.name)
    lines: list[str] = []
    skipped = False
    for start in range(0, max(len(octets), last + 1 if marks else 1), ROW):
        if not _is_near(start, first, last, marks):
            if not skipped:
                lines.append("  ....")
            skipped = True
            continue
        skipped = False
        lines.append(_row(octets, start))
        if marks and start <= last and start + ROW > first:
            lines.append(_carets(start, first, last, guilty.name))
    return "\n".join(lines)


def _is_near(start: int, first: int, last: int, marks: bool) -> bool:
    if start == 0:
        return True
    if not marks:
        return start < 2 * ROWS_AROUND * ROW
    return first - ROWS_AROUND * ROW <= start <= last + ROWS_AROUND * ROW


def _row(octets: bytes, start: int) -> str:
    row = octets[start : start + ROW]
    text = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
    return f"  {start:04x}  {row.hex(' '):<{ROW * 3}} {text}"


def _carets(start: int, first: int, last: int, name: str) -> str:
    low, high = max(first, start), min(last, start + ROW - 1)
    carets = " ".join(["^^"] * (high - low + 1))
    label = f" {name}" if low == first else ""
    return " " * (LEFT + 3 * (low - start)) + carets + label
