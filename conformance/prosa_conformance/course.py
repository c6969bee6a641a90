# SPDX-License-Identifier: MIT
"""How a failed test went, for the page: the picture, the frames decoded, and octets with the guilty ones marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from prosa_conformance import hexdump, svg
from prosa_conformance.case import SUBJECTS
from prosa_conformance.dissect import Dissected, dissect
from prosa_conformance.language import _
from prosa_conformance.outcome import Guilty
from prosa_conformance.transcript import Kind
from prosa_conformance.visible import visible

Table = Mapping[str, Any]
MOST_FRAMES = 12  # decoded on a test's page


@dataclass(frozen=True)
class Frames:
    """The frames of one event: who to whom, decoded, and the octets."""

    way: str
    what: str
    size: int
    guilty: str
    frames: list[Dissected]
    dump: Markup


@dataclass(frozen=True)
class Course:
    """How a failed test went: the picture and the frames."""

    diagram: Markup
    dump: Markup
    parts: list[Dissected]
    events: list[Frames]
    left_out: int


def course(failure: Table, role: str, identity: str) -> Course:
    """Of a failure in result.json; `identity` is that of its page."""
    octets = bytes.fromhex(failure["octets"])
    mark = failure["guilty"] or {"offset": 0, "length": 0, "name": ""}
    talk = [event for event in failure["events"] if event["kind"] in (Kind.SENT, Kind.RECEIVED) and event["octets"]]
    numbers = [number for number, event in enumerate(talk) if event["guilty"] or number >= len(talk) - MOST_FRAMES]
    return Course(
        diagram=svg.draw(failure["events"], role, failure["sentence"], f"s-{identity}"),
        dump=_dump(Guilty(octets, **mark)) if octets else Markup(""),
        parts=dissect(octets),
        events=[_frames(talk[number], role) for number in numbers],
        left_out=len(talk) - len(numbers),
    )


def _frames(event: Table, role: str) -> Frames:
    octets = bytes.fromhex(event["octets"])
    program = _(SUBJECTS[role])
    way = (event["actor"], program) if event["kind"] == Kind.SENT else (program, event["actor"])
    mark = event["guilty"] or {"offset": 0, "length": 0, "name": ""}
    return Frames(
        way=" \u2192 ".join(way),
        what=event["what"],
        size=event["size"],
        guilty=mark["name"],
        frames=dissect(octets),
        dump=_dump(Guilty(octets, **mark)),
    )


def _dump(guilty: Guilty) -> Markup:
    return Markup("\n").join(line for row in hexdump.rows(guilty) for line in _dump_lines(row))


def _dump_lines(row: hexdump.Row | None) -> list[Markup]:
    if row is None:
        return [Markup("....")]
    cells = row.octets.hex(" ").split()
    filler = "   " * (hexdump.ROW - len(cells))
    before, guilty, after = (
        " ".join(part) for part in (cells[: row.low], cells[row.low : row.high], cells[row.high :])
    )
    if not row.high:
        return [escape(f"{row.start:04x}  {after}{filler}  {row.text}")]
    line = Markup("{start:04x}  {before}<mark>{guilty}</mark>{after}{filler}  {text}")
    carets = " " * (6 + 3 * row.low) + " ".join(["^^"] * (row.high - row.low))
    return [
        line.format(
            start=row.start,
            before=f"{before} " if before else "",
            guilty=guilty or "  ",
            after=f" {after}" if after else "",
            filler=filler,
            text=row.text,
        ),
        Markup('<span class="carets">{carets} {name}</span>').format(carets=carets, name=visible(row.name)),
    ]
