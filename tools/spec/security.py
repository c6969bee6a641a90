# SPDX-License-Identifier: MIT
"""SECURITY.md against the threats of section 10.3: the same rows with the same clauses, and what tests each of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

THREATS = "spec/10-security.md"
PROMISES = "SECURITY.md"
HEADING = "## 10.3 "
COLUMNS = 3  # Threat | Answer | Clauses, and Threat | Clauses | Tested by
SPAN = re.compile(r"([A-Z]{2,4})-(\d{2,3})(?: to \1-(\d{2,3}))?")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)\s]*\)")


@dataclass(frozen=True)
class Row:
    """Of a table."""

    line: int
    cells: tuple[str, ...]


def threats(root: Path) -> list[Row]:
    """Threat, answer, clauses."""
    return _rows((root / THREATS).read_text(encoding="utf-8"), after=HEADING)


def promises(root: Path) -> list[Row]:
    """Threat, clauses, tests."""
    return _rows((root / PROMISES).read_text(encoding="utf-8"), after="## ", columns=("Threat", "Clauses", "Tested by"))


def _rows(text: str, after: str, columns: tuple[str, ...] = ("Threat", "Answer", "Clauses")) -> list[Row]:
    """Of the first table with these columns below a heading that begins so."""
    found: list[Row] = []
    is_below = is_table = False
    for number, line in enumerate(text.splitlines(), 1):
        is_below = is_below or line.startswith(after)
        cells = tuple(cell.strip() for cell in line.strip("|").split("|")) if line.startswith("|") else ()
        if is_below and cells == columns:
            is_table = True
        elif is_table and not cells:
            break
        elif is_table and not set(line) <= set("|- "):
            found.append(Row(number, cells))
    return found


def ids(cell: str) -> list[str]:
    """`KEY-01 to KEY-03, ID-01` one by one."""
    return [
        f"{area}-{number:02}"
        for area, first, last in SPAN.findall(cell)
        for number in range(int(first), int(last or first) + 1)
    ]


def links(text: str) -> Iterator[tuple[int, str]]:
    """Line and target of each link to a file of the tree."""
    for number, line in enumerate(text.splitlines(), 1):
        for target in LINK.findall(line):
            if not re.match(r"[a-z]+:", target):
                yield number, target
