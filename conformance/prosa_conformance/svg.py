# SPDX-License-Identifier: MIT
"""The sequence of a failed test as a picture: peers at the left, the program at the right, time goes down.

Made of the events in result.json. Colours and fonts are the page's (templates/style.css): what is red
there has a sign and a word here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from markupsafe import Markup, escape

from prosa_conformance.case import SUBJECTS
from prosa_conformance.language import _
from prosa_conformance.transcript import ACTORS, Kind, times
from prosa_conformance.visible import visible

Event = Mapping[str, Any]

GUTTER = 62  # for the times
LANE = 92  # from one peer to the next
GAP = 430  # from the last peer to the program: here the words stand
MARGIN = 62
HEAD = 34
ROW = 30
LONGEST = 58  # characters of a row's words
LONG_ROW = 5  # equal frames that are drawn as one, with their number
PAUSE_S = 0.25  # a silence that is shown
NAME = re.compile(r"([A-Z]{3,})\b(.*)", re.DOTALL)
FROM_PEER = (Kind.SENT, Kind.CONNECT, Kind.SHUT, Kind.CLOSE, Kind.ABORT)
FROM_PROGRAM = (Kind.RECEIVED, Kind.FIN, Kind.RESET, Kind.LOST)


class Picture:
    """The drawing as it grows: `y` is where the next row begins."""

    def __init__(self, peers: Sequence[str], program: str) -> None:
        self.lanes = {peer: GUTTER + MARGIN + LANE * number for number, peer in enumerate(peers)}
        self.last = max(self.lanes.values(), default=GUTTER)
        self.end = self.last + GAP
        self.program = program
        self.width = self.end + MARGIN
        self.y = HEAD + 14
        self.parts: list[Markup] = []

    # --- strokes ---

    def add(self, template: str, **values: object) -> None:
        self.parts.append(Markup(template).format(**values))

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.add('<line class="{k}" x1="{a}" y1="{b}" x2="{c}" y2="{d}"/>', k=kind, a=x1, b=y1, c=x2, d=y2)

    def text(self, x: float, y: float, words: object, kind: str, anchor: str = "middle") -> None:
        template = '<text class="{k}" x="{x}" y="{y}" text-anchor="{a}">{w}</text>'
        self.add(template, k=kind, x=x, y=y, a=anchor, w=words)

    def head(self, x: float, y: float, *, right: bool, kind: str) -> None:
        back = x - 9 if right else x + 9
        self.add('<path class="{k}" d="M{x} {y}L{b} {u}V{l}Z"/>', k=kind, x=x, y=y, b=back, u=y - 4.5, l=y + 4.5)

    def cross(self, x: float, y: float, style: str) -> None:
        self.add('<path class="cross{s}" d="M{a} {c}l10 10m0 -10l-10 10"/>', s=style, a=x - 5, c=y - 5)

    # --- rows ---

    def row(self, event: Event) -> None:
        kind, actor = event["kind"], event["actor"]
        often = times(event["times"])
        if kind == Kind.LEFT_OUT:
            self.pause(event["what"] or _("{count} events left out").format(count=event["times"]))
        elif kind == Kind.NOTE:
            self._note(event["what"] + often)
        elif actor in self.lanes and kind in (*FROM_PEER, *FROM_PROGRAM):
            self._arrow(event, self.lanes[actor], often)
        elif kind == Kind.CONNECT:
            x = next(reversed(self.lanes.values()), GUTTER)
            self._label(_("connects"), "words soft")
            self.line(self.end, self.y + 20, x, self.y + 20, "arrow quiet")
            self.head(x, self.y + 20, right=False, kind="tip quiet")
            self.y += ROW
        else:
            self._pill(f"{_(actor)}: {event['what']}{often}", printed=kind == Kind.PRINTED)

    def time(self, at: float) -> None:
        self.text(GUTTER - 10, self.y + 24, f"{at:.3f} s", "time", "end")

    def _arrow(self, event: Event, lane: float, often: str) -> None:
        kind, guilty = event["kind"], event["guilty"]
        right = kind in FROM_PEER
        level = self.y + 20
        tone = {Kind.CONNECT: " quiet", Kind.RESET: " fault"}
        style = " fault" if guilty else tone.get(kind, "")
        self._label(_words(event, often), "words" + style)
        start, stop = (lane, self.end) if right else (self.end, lane)
        if kind in (Kind.RESET, Kind.ABORT):
            self.add('<path class="arrow{s}" d="{d}"/>', s=style, d=_zigzag(start, stop, level))
            self.cross(stop - 8 if right else stop + 8, level, style)
        else:
            self.line(start, level, stop, level, "arrow" + style)
            self.head(stop, level, right=right, kind="tip" + style)
        if kind in (Kind.FIN, Kind.LOST, Kind.SHUT, Kind.CLOSE):
            bar = stop - 13 if right else stop + 13
            self.line(bar, level - 6, bar, level + 6, "bar")
        if right:
            self.add('<circle class="dot{s}" cx="{x}" cy="{y}" r="3"/>', s=style, x=lane, y=level)
        self.y += ROW
        if guilty:
            words = _("fault: {name}").format(name=guilty["name"])
            self.text(self._middle, self.y + 7, f"\u2717 {words}", "fault-name")
            self.y += 16

    @property
    def _middle(self) -> float:
        return (self.last + self.end) / 2

    def _label(self, words: object, kind: str) -> None:
        self.text(self._middle, self.y + 14, words, kind)

    def _note(self, words: str) -> None:
        self.add('<rect class="note" x="{x}" y="{y}" width="{w}" height="20" rx="3"/>',
                 x=GUTTER, y=self.y + 6, w=self.end - GUTTER + MARGIN - 6)  # fmt: skip
        self.text((GUTTER + self.width) / 2, self.y + 20, _cut(words, 96), "words soft")
        self.y += ROW

    def pause(self, words: str) -> None:
        self.text(self._middle, self.y + 16, f"\u22ee  {words}", "words soft")
        self.y += 24

    def _pill(self, words: str, *, printed: bool) -> None:
        left, right, middle = self.last + 16, self.end - 30, self.y + 16
        self.add('<rect class="pill" x="{x}" y="{y}" width="{w}" height="22" rx="11"/>',
                 x=left, y=self.y + 5, w=right - left)  # fmt: skip
        self.line(right, middle, self.end, middle, "arrow quiet")
        self.head(right if printed else self.end, middle, right=not printed, kind="tip quiet")
        self.text((left + right) / 2, self.y + 20, _cut(words, 56), "words soft")
        self.y += ROW

    def verdict(self, sentence: str, *, held: bool) -> None:
        """Where it failed, or what was shown, in its own words."""
        sign, style = ("\u2713 ", " kept") if held else ("\u2717 ", "")
        lines = textwrap.wrap(sign + sentence, int((self.width - GUTTER) / 8.2))[:4]
        self.y += 8
        self.add('<rect class="end{s}" x="{x}" y="{y}" width="{w}" height="{h}" rx="4"/>',
                 s=style, x=GUTTER, y=self.y, w=self.width - GUTTER - 6, h=18 * len(lines) + 12)  # fmt: skip
        for number, line in enumerate(lines, 1):
            self.text((GUTTER + self.width) / 2, self.y + 18 * number + 2, line, "sentence" + style)
        self.y += 18 * len(lines) + 20

    def lifelines(self) -> Markup:
        """Names above, a line down for each."""
        body, self.parts = self.parts, []
        for peer, x in self.lanes.items():
            self.line(x, HEAD, x, self.y, "life")
            self.text(x, HEAD - 12, _cut(peer, 14), "name")
        self.line(self.end, HEAD, self.end, self.y, "life program")
        self.text(self.end, HEAD - 12, self.program, "name program")
        return Markup("").join([*self.parts, *body])


def draw(events: Sequence[Event], role: str, sentence: str, identity: str, *, held: bool = False) -> Markup:
    """The <svg> of a failed test, or of what `held`; nothing when no peer of it did anything."""
    shown = [{**event, **_harmless(event)} for event in events]
    peers = _peers(shown)
    shown = [one for row in _rows(shown) for one in _folded(row)]
    if not peers:
        return Markup("")
    program = _(SUBJECTS[role])
    picture = Picture(peers, program)
    before = shown[0]["at"]
    for event in shown:
        if event["at"] - before >= PAUSE_S:
            picture.pause(_("{seconds} s pass").format(seconds=f"{event['at'] - before:.2f}"))
        if event["kind"] not in (Kind.NOTE, Kind.LEFT_OUT):
            picture.time(event["at"])
        picture.row(event)
        before = event["at"]
    picture.verdict(visible(sentence), held=held)
    drawing = picture.lifelines()
    told = _("The frames between {peers} and {program}, from above to below; the steps say the same in words.")
    return Markup(
        '<svg role="img" aria-labelledby="{i}-t {i}-d" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
        '<title id="{i}-t">{title}</title><desc id="{i}-d">{desc}</desc>{drawing}</svg>'
    ).format(
        i=identity, w=picture.width, h=picture.y + 4, title=_("Sequence of the test"),
        desc=told.format(peers=", ".join(peers), program=program), drawing=drawing,
    )  # fmt: skip


def _harmless(event: Event) -> dict[str, str]:
    return {"what": visible(event["what"]).replace("\n", " "), "actor": visible(event["actor"])}


def _peers(events: Iterable[Event]) -> list[str]:
    """Who has a lifeline: whoever sent or got something, in the order of appearance."""
    busy = [event["actor"] for event in events if event["kind"] in (*FROM_PEER, *FROM_PROGRAM)]
    return list(dict.fromkeys(actor for actor in busy if actor not in ACTORS))


def _rows(events: Iterable[Event]) -> Iterable[list[Event]]:
    """Frames of one name without a fault that go the same way, one behind the other."""

    def alike(event: Event) -> tuple[object, ...]:
        found = NAME.match(event["what"]) if event["kind"] in (Kind.SENT, Kind.RECEIVED) else None
        return (event["kind"], found[1]) if found and not event["guilty"] else (id(event),)

    return (list(row) for _key, row in groupby(events, key=alike))


def _folded(row: list[Event]) -> list[Event]:
    """Of a long row the first and the last, and between them how many more."""
    if len(row) < LONG_ROW:
        return row
    found = NAME.match(row[0]["what"])
    name = found[1] if found else ""
    words = _("{count} more {name}").format(count=sum(event["times"] for event in row[1:-1]), name=name)
    return [row[0], {**row[-2], "kind": Kind.LEFT_OUT, "what": words}, row[-1]]


def _words(event: Event, often: str) -> Markup:
    """What an arrow carries: a frame's name stands out."""
    ends = {
        Kind.CONNECT: _("connects"),
        Kind.FIN: _("FIN: the end of the stream"),
        Kind.LOST: _("BYE GATEWAY_LOST: the server's connection has ended"),
        Kind.RESET: "\u2717 " + _("RST: the connection is reset"),
        Kind.SHUT: _("FIN: sends no more"),
        Kind.CLOSE: _("closes (FIN)"),
        Kind.ABORT: _("RST: resets the connection"),
    }
    words = _cut(ends.get(event["kind"], event["what"]), LONGEST - len(often))
    found = NAME.fullmatch(words)
    if found is None:
        return escape(words + often)
    parts = '<tspan class="frame">{name}</tspan><tspan class="soft">{rest}</tspan>'
    return Markup(parts).format(name=found[1], rest=found[2] + often)


def _zigzag(start: float, stop: float, level: float) -> str:
    steps = int(abs(start - stop) // 8)
    side = 8 if stop > start else -8
    return f"M{start} {level}" + "".join(f"l{side} {4 if number % 2 else -4}" for number in range(steps))


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "\u2026"
