# SPDX-License-Identifier: MIT
"""Octets for people: sixteen in a row, a caret under the guilty ones, the field's name beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prosa_conformance.outcome import Guilty

ROW = 16
ROWS_AROUND = 3  # rows shown before and after the guilty ones
LEFT = len("  0000  ")


@dataclass(frozen=True)
class Row:
    """Up to sixteen octets; those from `low` to before `high` are guilty. The first such row has the name."""

    start: int
    octets: bytes
    low: int = 0
    high: int = 0
    name: str = ""

    @property
    def text(self) -> str:
        """Each octet as a character; a dot for what is not printable ASCII."""
        return "".join(chr(octet) if 32 <= octet < 127 else "." for octet in self.octets)


def rows(guilty: Guilty) -> Iterator[Row | None]:
    """The rows near the guilty octets and the first one; None where some are left out."""
    octets, first = guilty.octets, guilty.offset
    end = first + max(guilty.length, 1)
    marks = bool(guilty.name)
    skipped = False
    for start in range(0, max(len(octets), end if marks else 1), ROW):
        if not _is_near(start, first, end - 1, marks):
            if not skipped:
                yield None
            skipped = True
            continue
        skipped = False
        row = octets[start : start + ROW]
        if marks and start < end and start + ROW > first:
            low, high = max(first, start), min(end, start + ROW)
            yield Row(start, row, low - start, high - start, guilty.name if low == first else "")
        else:
            yield Row(start, row)


def hexdump(guilty: Guilty) -> str:
    """The rows as text."""
    return "\n".join(line for row in rows(guilty) for line in _lines(row))


def _is_near(start: int, first: int, last: int, marks: bool) -> bool:
    if start == 0:
        return True
    if not marks:
        return start < 2 * ROWS_AROUND * ROW
    return first - ROWS_AROUND * ROW <= start <= last + ROWS_AROUND * ROW


def _lines(row: Row | None) -> list[str]:
    if row is None:
        return ["  ...."]
    lines = [f"  {row.start:04x}  {row.octets.hex(' '):<{ROW * 3}} {row.text}"]
    if row.high:
        carets = " ".join(["^^"] * (row.high - row.low))
        lines.append(" " * (LEFT + 3 * row.low) + f"{carets} {row.name}".rstrip())
    return lines
