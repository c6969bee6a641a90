# SPDX-License-Identifier: MIT
"""Annotated hexadecimal: written from recorded sessions, read back out of the text.

A block is fenced as `hex`; its first line says what it shows, `# vector: ID`,
`# vector: ID NAME` or `# session: ID step N`. A line is an offset of four digits, two spaces,
octets, two spaces, a remark; offset and remark may be absent.
"""

import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spec.errors import SpecError
from spec.model import Registry

OCTETS = 16
VALUE_COLUMN = 6 + 3 * OCTETS + 1
WIDTH = 100
TITLE = re.compile(
    r"# (?:vector: (?P<vector>[\w-]+)(?: (?P<name>\w+))?"
    r"|session: (?P<session>[\w-]+) step (?P<step>\d+))"
)
LINE = re.compile(r"(?:[0-9a-f]{4}  )?((?:[0-9a-f]{2})+(?: (?:[0-9a-f]{2})+)*)(?:  .*)?")


@dataclass(frozen=True)
class Shown:
    """What the first line of a block promises."""

    vector: str | None
    name: str | None
    session: str | None
    step: int


def title(line: str) -> Shown | None:
    match = TITLE.fullmatch(line.strip())
    if match is None:
        return None
    return Shown(match["vector"], match["name"], match["session"], int(match["step"] or 0))


def octets(lines: list[str]) -> str | None:
    """The hexadecimal digits of a block without its first line; None if a line has no octets."""
    found = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.rstrip())
        if match is None:
            return None
        found.append(match.group(1).replace(" ", ""))
    return "".join(found)


def load_sessions(path: Path) -> dict[str, dict[str, Any]]:
    """The recorded sessions by id; none when there is no file yet."""
    if not path.exists():
        return {}
    try:
        return {session["id"]: session for session in json.loads(path.read_text())["sessions"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(str(path), "file", f"is no list of sessions ({error})", "make it anew") from error


def render(session: dict[str, Any], registry: Registry) -> str:
    """A whole session: an arrow line and a block for each step."""
    names = {field.tag: field.name for field in registry.fields}
    parts = []
    for number, step in enumerate(session["steps"], 1):
        other = "server" if step["from"] == "client" else "client"
        frame = step["frame"]
        remark = f" -- {step['comment']}" if step.get("comment") else ""
        arrow = f"{number}. {step['from']} -> {other}: **{frame['frame'] or 'ignored frame'}**{remark}"
        rows = _frame(bytes.fromhex(step["hex"]), frame, names)
        head = f"# session: {session['id']} step {number}"
        parts.append("\n".join([*textwrap.wrap(arrow, WIDTH), "", "```hex", head, *rows, "```"]))
    return "\n\n".join(parts)


def _frame(data: bytes, frame: dict[str, Any], names: dict[int, str]) -> list[str]:
    kind = frame["frame"] or "unknown, ignored"
    rows = _chunk(data, 0, 8, f"type {frame['type']} {kind}, length {frame['length']}")
    at = 8
    while at < len(data):
        tag = int.from_bytes(data[at:at + 2], "big")
        end = at + 4 + int.from_bytes(data[at + 2:at + 4], "big")
        # A tag that the row does not list stands under its number in the projection.
        key = next((key for key in (names.get(tag), f"0x{tag:04x}") if key in frame.get("fields", {})), None)
        value = frame["fields"][key] if key else "?"
        rows += _chunk(data, at, end, f"{key or f'0x{tag:04x}'} = {_value(value)}")
        at = end
    return rows


def _value(value: Any) -> str:
    """A value for people: long hexadecimal is left to the octets beside it."""
    text = value if isinstance(value, str) else json.dumps(value)
    binary = len(text) > 20 and re.fullmatch(r"[0-9a-f]+", text) and not text.isdecimal()
    if binary:
        return f"({len(text) // 2} octets)"
    # MSG-19: nothing from a frame reaches a reader's terminal raw.
    return "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in text)


def _chunk(data: bytes, start: int, end: int, remark: str) -> list[str]:
    remarks = textwrap.wrap(remark, WIDTH - VALUE_COLUMN, break_long_words=True) or [""]
    lines = [data[at:min(at + OCTETS, end)] for at in range(start, end, OCTETS)]
    if len(remarks) > len(lines):
        room = WIDTH - VALUE_COLUMN
        remarks = textwrap.wrap(remark, room, max_lines=len(lines), placeholder=" ...")
    rows = []
    for index, part in enumerate(lines):
        left = f"{start + index * OCTETS:04x}  {part.hex(' ')}"
        right = remarks[index] if index < len(remarks) else ""
        rows.append(f"{left:<{VALUE_COLUMN}}{right}".rstrip())
    return rows
