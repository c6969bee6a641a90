# SPDX-License-Identifier: MIT
"""What a recorded run leaves: demo.pcap, demo.html (one file, no network), demo.cast and events.jsonl."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2

from demo import capture
from demo.capture import Seen
from demo.stage import PORT, Stage
from prosa_conformance import svg
from prosa_conformance.html import TEMPLATES
from prosa_conformance.transcript import Kind
from prosa_conformance.visible import visible

HERE = Path(__file__).parent
ROUTINE = ("PUBLISH", "DELIVER", "ACK", "PING", "PONG", "MEMBER", "CHECKPOINT")
MOST_FIRST, MOST_LAST = 60, 24  # routine frames that the picture shows: of the beginning, and of the end


def write(folder: Path, stage: Stage, captures: Path) -> None:
    """All of it, in the place of an earlier run's."""
    folder.mkdir(parents=True, exist_ok=True)
    packets = capture.read(sorted(captures.glob("*.pcap")))
    capture.write(folder / "demo.pcap", packets)
    (folder / "demo.html").write_text(page(stage, capture.conversation(packets, PORT)), encoding="utf-8")
    stage.history.write(folder / "events.jsonl")
    stage.narrator.say(f"Recorded in {folder.name}/: demo.pcap, demo.html, demo.cast and events.jsonl.")
    stage.narrator.cast.write(folder / "demo.cast")


def page(stage: Stage, seen: Sequence[Seen]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE, TEMPLATES]), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    claims = stage.claims
    broken = [claim.words for claim in claims.all if not claim.held]
    sentence = "; ".join(broken) if broken else "; ".join(claim.words for claim in claims.all)
    started = stage.narrator.cast.started
    return environment.get_template("page.html").render(
        title=visible(stage.narrator.cast.title),
        claims=[(claim.held, visible(claim.words), [visible(reason) for reason in claim.why]) for claim in claims.all],
        sentences=[(f"{at - started:.1f}", visible(words)) for at, words in stage.narrator.sentences],
        diagram=svg.draw(events(stage, seen), "server", sentence, "course", held=claims.hold),
        hold=claims.hold,
    )


def events(stage: Stage, seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """The frames as the picture wants them, with the narrator's sentences between them."""
    started = stage.narrator.cast.started
    notes = [Seen(at, "", Kind.NOTE, words) for at, words in stage.narrator.sentences]
    rows = sorted([*_fewer(seen), *notes], key=lambda one: one.at)
    return [_event(one, started) for one in rows]


def _event(one: Seen, started: float) -> dict[str, Any]:
    times = int(one.what) if one.kind is Kind.LEFT_OUT else 1
    what = "" if one.kind is Kind.LEFT_OUT else one.what
    return {"at": one.at - started, "actor": one.actor, "kind": one.kind, "what": what, "times": times, "guilty": None}


def _fewer(seen: Sequence[Seen]) -> Iterator[Seen]:
    """Connections, handshakes, errors and goodbyes all; of what goes on for ever the beginning and the end."""
    routine = [number for number, one in enumerate(seen) if one.what.startswith(ROUTINE)]
    left_out = set(routine[MOST_FIRST:-MOST_LAST]) if len(routine) > MOST_FIRST + MOST_LAST else set()
    hidden = 0
    for number, one in enumerate(seen):
        if number in left_out:
            hidden += 1
            continue
        if hidden:
            yield Seen(one.at, "", Kind.LEFT_OUT, str(hidden))
            hidden = 0
        yield one
