# SPDX-License-Identifier: MIT
"""What the class sees: plain sentences with their time, what is said in the room, a table that is drawn anew.

The same goes into an asciicast (version 2) when the run is recorded; there the terminal is WIDTH by HEIGHT.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from prosa_conformance.visible import visible

WIDTH, HEIGHT = 100, 32
COLOURS = (36, 33, 35, 32, 34, 31)
INDENT = " " * 10
PLAIN_EVERY_S = 1.0  # how often a table is told where it cannot be drawn


@dataclass
class Cast:
    """An asciicast: what was put on the terminal, and when."""

    title: str
    started: float = field(default_factory=time.time)
    frames: list[tuple[float, str]] = field(default_factory=list)

    def put(self, text: str) -> None:
        self.frames.append((time.time() - self.started, text.replace("\n", "\r\n")))

    def write(self, path: Path) -> None:
        head = {
            "version": 2, "width": WIDTH, "height": HEIGHT, "timestamp": int(self.started), "title": self.title,
            "env": {"TERM": "xterm-256color"},
        }  # fmt: skip
        lines = [json.dumps(head), *(json.dumps([round(at, 6), "o", text]) for at, text in self.frames)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Narrator:
    """`pace` is how much time people get to read: 0 none, 1 as it is meant, 2 twice that."""

    def __init__(self, title: str, pace: float, stream: TextIO | None = None) -> None:
        self.pace = pace
        self.cast = Cast(title)
        self.stream = stream or sys.stdout
        self.sentences: list[tuple[float, str]] = []  # seconds since 1970
        self._on_terminal = self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._colours = self._on_terminal and not os.environ.get("NO_COLOR")
        self._shown_at = 0.0
        self._drawn = 0  # lines of the table that stand at the end
        self._names: dict[str, int] = {}

    def say(self, sentence: str) -> None:
        """One sentence of the story."""
        now = time.time()
        self.sentences.append((now, sentence))
        self._paragraph(f"[{now - self.cast.started:5.1f} s] ", sentence)

    def heard(self, nick: str, text: str) -> None:
        """What somebody says in the room."""
        colour = self._names.setdefault(nick, COLOURS[len(self._names) % len(COLOURS)])
        name, text = visible(nick), visible(text).replace("\n", " ")
        first, *rest = textwrap.wrap(f"{name}: {text}", WIDTH - len(INDENT), subsequent_indent="  ")
        said = "\n".join([first.removeprefix(name), *(INDENT + line for line in rest)])
        self._put(f"{INDENT}\x1b[{colour}m{name}\x1b[0m{said}\n", f"{INDENT}{name}{said}\n")

    def show(self, table: Sequence[str], in_short: str) -> None:
        """A table in the place of the one before; a line where nothing can be drawn over."""
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        drawn = up + "".join(f"\x1b[2K{line[:WIDTH]}\n" for line in table)
        plain = ""
        if not self._on_terminal and time.time() >= self._shown_at + PLAIN_EVERY_S:
            plain, self._shown_at = f"{INDENT}{in_short}\n", time.time()
        self._put(drawn, drawn if self._on_terminal else plain, keeps=True)
        self._drawn = len(table)

    def title(self, words: str) -> None:
        self._put(f"\n\x1b[1m{words}\x1b[0m\n\n", f"\n{words}\n\n")

    def claim(self, held: bool, words: str, why: Sequence[str]) -> None:
        sign, colour, verdict = ("\u2713", 32, "yes") if held else ("\u2717", 31, "NO")
        lines = textwrap.wrap(f"{sign} {visible(words)}: {verdict}", WIDTH - 2, subsequent_indent="  ")
        reasons = [line for reason in why for line in textwrap.wrap(visible(reason), WIDTH - 6)]
        text = "\n".join([*(f"  {line}" for line in lines), *(f"      {line}" for line in reasons)])
        self._put(f"\x1b[{colour}m{text}\x1b[0m\n", f"{text}\n")

    def _paragraph(self, start: str, words: str) -> None:
        lines = textwrap.wrap(visible(words), WIDTH - len(start))
        self._put("\n".join([start + lines[0], *(" " * len(start) + line for line in lines[1:])]) + "\n")

    def _put(self, drawn: str, plain: str | None = None, *, keeps: bool = False) -> None:
        if not keeps:
            self._drawn = 0
        self.cast.put(drawn)
        self.stream.write(drawn if plain is None or self._colours else plain)
        self.stream.flush()
