# SPDX-License-Identifier: MIT
"""The sequence of a test as text: the suite's peers at the left, the program at the right."""

from __future__ import annotations

from prosa_conformance.language import _
from prosa_conformance.transcript import ACTORS, Event, Kind, Transcript, runs, times

WIDTH = 64
MOST = 24


def sequence(transcript: Transcript, program: str) -> str:
    """One line an event between a peer and the program; the last ones of a long test."""
    rows = runs(event for event in transcript.events if event.kind is not Kind.NOTE)
    shown = [row for row in rows if len(rows) <= MOST or not row[0].is_routine][-MOST:]
    actors = [event.actor for event, _ in shown if event.kind in (Kind.SENT, Kind.RECEIVED)]
    left = max((len(actor) for actor in actors), default=5)
    lines = [f"  {'':{left}} |{'':{WIDTH}}| {_(program)}"]
    if len(shown) < len(rows):
        more = _("{count} more").format(count=len(rows) - len(shown))
        lines.append(f"  {'':{left}} :{more:^{WIDTH}}:")
    lines += [_line(event, times(count), left) for event, count in shown]
    return "\n".join(lines)


def _line(event: Event, often: str, left: int) -> str:
    actor = f"  {event.actor[:left]:>{left}} "
    mark, connects = " !" if event.guilty is not None else "", _("connects")
    what = _cut(event.what, WIDTH - 6 - len(often)) + often
    match event.kind:
        case Kind.SENT:
            return f"{actor}|{_arrow(what, to_right=True)}|{mark}"
        case Kind.RECEIVED:
            return f"{actor}|{_arrow(what, to_right=False)}|{mark}"
        case Kind.CONNECT:
            if event.actor in ACTORS:  # the program itself
                return f"  {'':{left}} |{_arrow(connects, to_right=False)}|"
            return f"{actor}|{_arrow(connects, to_right=True)}|"
        case Kind.FIN:
            return f"{actor}|{_arrow('FIN', to_right=False)}|"
        case Kind.RESET:
            return f"{actor}|{_arrow('RST', to_right=False)}| !"
        case Kind.LOST:
            return f"{actor}|{_arrow('BYE GATEWAY_LOST', to_right=False)}|"
        case Kind.ABORT:
            return f"{actor}|{_arrow('RST', to_right=True)}|"
        case Kind.SHUT | Kind.CLOSE:
            return f"{actor}|{_arrow('FIN', to_right=True)}|"
        case _:
            words = _cut(f"{_(event.actor)}: {event.what}", WIDTH - len(often)) + often
            return f"  {'':{left}} |{words:^{WIDTH}}|"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 3] + "..."


def _arrow(words: str, *, to_right: bool) -> str:
    line = f" {words} ".center(WIDTH - 1, "-")
    return line + ">" if to_right else "<" + line
