# SPDX-License-Identifier: MIT
"""What a person sees on the terminal of a Console: its octets, drawn by a terminal of its own (pyte)."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable

import pyte
from wcwidth import wcwidth

from conftest import Server, Start
from console import DEADLINE_S, Console

ENTER = "\r"
UP, DOWN, RIGHT, LEFT = "\033[A", "\033[B", "\033[C", "\033[D"
HOME, END, DELETE, PAGE_UP, PAGE_DOWN = "\033[H", "\033[F", "\033[3~", "\033[5~", "\033[6~"
WORD_LEFT, WORD_RIGHT, ROW_UP, ROW_DOWN = "\033[1;5D", "\033[1;5C", "\033[1;5A", "\033[1;5B"
TOP, BOTTOM, BACKSPACE, SUSPEND = "\033[1;5H", "\033[1;5F", "\x7f", "\x1a"
PASTE, PASTED = "\033[200~", "\033[201~"

# What curses writes when it takes the terminal and when it gives it back.
ENTERS, LEAVES = b"\033[?1049h", b"\033[?1049l"

Seen = Callable[["Picture"], bool]


class _Screen(pyte.Screen):  # type: ignore[misc]
    """With what pyte does not know of xterm, and curses writes to it."""

    def scroll_up(self, count: int = 1) -> None:
        _, bottom = self.margins or (0, self.lines - 1)
        row, self.cursor.y = self.cursor.y, bottom
        for _ in range(count):
            self.index()
        self.cursor.y = row

    def scroll_down(self, count: int = 1) -> None:
        top, _ = self.margins or (0, self.lines - 1)
        row, self.cursor.y = self.cursor.y, top
        for _ in range(count):
            self.reverse_index()
        self.cursor.y = row

    def repeat(self, count: int = 1) -> None:
        self.draw(self.buffer[self.cursor.y][self.cursor.x - 1].data * count)


class _Stream(pyte.ByteStream):  # type: ignore[misc]
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down", "b": "repeat"}  # noqa: RUF012


class Picture:
    """`rows` are drawn from all that has come so far. The last one is the line being typed, the one above
    it tells the status, the others are what was said."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._screen = _Screen(console.columns, console.rows)
        self._stream = _Stream(self._screen)
        self._drawn = 0

    def resize(self, rows: int, columns: int) -> None:
        self._feed()
        self._screen.resize(rows, columns)
        self.console.resize(rows, columns)

    def wait(self, seen: Seen) -> None:
        """Until the picture is so. A draw is whole when the cursor is back in the line that is typed."""
        deadline = time.monotonic() + DEADLINE_S
        while self.cursor[0] != self._screen.lines - 1 or not seen(self):
            assert self.console.read(deadline), "it is not seen:\n" + "\n".join(self.rows)

    def wait_for(self, text: str) -> None:
        """Until a row has this text."""
        self.wait(lambda picture: any(text in row for row in picture.rows))

    @property
    def rows(self) -> list[str]:
        self._feed()
        return [self._row(y) for y in range(self._screen.lines)]

    @property
    def said(self) -> list[str]:
        """The rows above the status, without the blanks at their ends and without empty ones at the end."""
        rows = [row.rstrip() for row in self.rows[:-2]]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def status(self) -> str:
        return self.rows[-2].strip()

    @property
    def typed(self) -> str:
        return self.rows[-1].removeprefix("> ").rstrip()

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column."""
        self._feed()
        return self._screen.cursor.y, self._screen.cursor.x

    def cells(self, y: int) -> list[str]:
        """Each character with its marks, in Unicode's long form; behind a wide one there is an empty cell."""
        self._feed()
        row = self._screen.buffer[y]
        return [unicodedata.normalize("NFD", row[x].data) for x in range(self._screen.columns)]

    def colour(self, text: str) -> str:
        """Of the first character of the first row that has this text."""
        for y, row in enumerate(self.rows):
            at = row.find(text)
            if at >= 0:
                return str(self._screen.buffer[y][at].fg)
        raise AssertionError(f"{text} is not seen")

    def _row(self, y: int) -> str:
        row = self._screen.buffer[y]
        return "".join(row[x].data for x in range(self._screen.columns))

    def _feed(self) -> None:
        self._stream.feed(self.console.out[self._drawn :])
        self._drawn = len(self.console.out)


def width(text: str) -> int:
    return sum(max(0, wcwidth(character)) for character in text)


# --- a conversation ---


def talk(
    start: Start, server: Server, size: tuple[int, int] = (24, 60), env: dict[str, str] | None = None
) -> tuple[Console, Picture]:
    """A client on the full screen that has joined, and what is seen of it."""
    console = start("prosa-client", "--screen", server.address, env=env, terminal=True, size=size)
    picture = Picture(console)
    picture.wait_for("* joined @host")
    return console, picture


def talk_a_while(console: Console, picture: Picture, count: int = 60) -> None:
    console.type("".join(f"message {number} of some words{ENTER}" for number in range(count)))
    picture.wait(lambda p: texts(p)[-1:] == [f"message {count - 1} of some words"])


def leave(console: Console) -> str:
    """Say goodbye; what stands on the terminal then."""
    console.type(END + "\x15exit" + ENTER)
    assert console.ended() == 0
    return console.out.rpartition(LEAVES)[2].decode()


def texts(picture: Picture, author: str = "host") -> list[str]:
    """The messages of one author that are seen, as far as their first rows have them."""
    rows = [re.match(rf"\d\d:\d\d:\d\d {author}#[0-9a-f]{{4}} ✓( ↳)? (.*)", row) for row in picture.said]
    return [match[2] for match in rows if match]
