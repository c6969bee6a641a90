# SPDX-License-Identifier: MIT
"""The full screen of the reference client: what is seen of it, whatever comes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from conftest import Server, Start
from console import INTERRUPT
from picture import (
    BOTTOM,
    ENTER,
    ENTERS,
    PAGE_DOWN,
    PAGE_UP,
    PASTE,
    PASTED,
    ROW_DOWN,
    ROW_UP,
    TOP,
    Picture,
    leave,
    talk,
    talk_a_while,
    texts,
    width,
)

Serve = Callable[..., Server]

FRAME_S = 0.033

# MSG-19 but for U+0000, which is in no text, and U+000A, which begins a new line.
FORBIDDEN = [
    chr(code)
    for low, high in [
        (0x01, 0x09),
        (0x0B, 0x1F),
        (0x7F, 0x9F),
        (0x61C, 0x61C),
        (0x200B, 0x200F),
        (0x2028, 0x202E),
        (0x2060, 0x2069),
        (0xFEFF, 0xFEFF),
    ]
    for code in range(low, high + 1)
]

# What curses writes to this terminal; any other control would be a stranger's.
SEQUENCES = re.compile(r"\033\[[?>]?[0-9;]*[A-Za-z]|\033[()][0B]|\033[=>78M]|[\r\n\b]")


def joined(picture: Picture, begin: str) -> str:
    """The message whose first row has `begin`, its rows in one."""
    rows = picture.said
    first = next(y for y, row in enumerate(rows) if begin in row)
    text = rows[first][rows[first].index(begin) :]
    for row in rows[first + 1 :]:
        if not row.startswith(" "):
            break
        text += row.strip()
    return text


# --- layout ---


@pytest.mark.parametrize("size", [(24, 80), (100, 300), (12, 40)])
def test_what_was_said_the_status_and_the_line(start: Start, serve: Serve, size: tuple[int, int]) -> None:
    console, picture = talk(start, serve("echo"), size=size)
    console.type("what time is it?" + ENTER + "half a sentence")
    picture.wait(lambda p: texts(p) == ["what time is it?"] and p.typed == "half a sentence")
    assert texts(picture, "ada") == ["what time is it?"]
    assert picture.status == "@host  connected"
    assert picture.cursor == (size[0] - 1, len("> half a sentence"))
    assert "you said goodbye" in leave(console)


@pytest.mark.parametrize("size", [(5, 20), (3, 10), (2, 9), (1, 4), (1, 1)])
def test_a_small_window_shows_what_it_has_room_for(
    start: Start, serve: Serve, size: tuple[int, int]
) -> None:
    console = start("prosa-client", "--screen", serve("echo").address, terminal=True, size=size)
    console.expect(ENTERS)
    picture = Picture(console)
    console.type("漢字漢字漢字漢字漢字" + ENTER + "typed")
    last = "typed"[-max(1, size[1] - 3) :] if size[1] > 1 else ""
    picture.wait(lambda p: last in p.rows[-1])
    if size == (5, 20):
        picture.wait(lambda p: "on the way" not in p.status and len(p.said) == 3)
        assert picture.status.startswith("@host")
    picture.resize(24, 80)
    picture.wait(lambda p: texts(p) == ["漢字漢字漢字漢字漢字"] and p.typed == "typed")
    leave(console)


def test_what_waits_is_told(start: Start, serve: Serve) -> None:
    server = serve()
    console, picture = talk(start, server)
    console.type("one" + ENTER + "two" + ENTER + "three" + ENTER)
    picture.wait(lambda p: p.status == "@host  connected  2 on the way" and texts(p, "ada") == ["one"])
    server.console.line("first answer")
    picture.wait(lambda p: p.status == "@host  connected  1 on the way")
    leave(console)


def test_the_prompt_tells_the_room_and_what_waits(start: Start, serve: Serve) -> None:
    console = start("prosa-client", serve().address, terminal=True)
    console.expect("@host> ")
    console.line("one")
    console.line("two")
    console.expect("@host (1 on the way)> ")
    console.type(INTERRUPT)
    assert console.ended() == 0


def test_with_a_second_room_each_message_names_its_own(start: Start, serve: Serve) -> None:
    server = serve(level="L4")
    console = start("prosa-client", "--screen", "--room", "lobby", server.address, terminal=True)
    picture = Picture(console)
    picture.wait_for("* joined lobby")
    console.type("here" + ENTER)
    picture.wait(lambda p: texts(p, "ada") == ["here"] and p.status == "lobby  connected")
    console.type("/join garden" + ENTER)
    picture.wait(lambda p: p.status == "garden  connected")
    picture.wait_for("* joined garden")
    console.type("there" + ENTER)
    picture.wait(lambda p: re.search(r"\d \[garden\] ada#[0-9a-f]{4} ✓ there$", p.said[-1]) is not None)
    leave(console)


def test_a_name_has_the_colour_of_its_key_and_no_other(start: Start, serve: Serve) -> None:
    server = serve("echo")
    colours = set()
    for _ in range(2):
        console, picture = talk(start, server)
        console.type("hello" + ENTER)
        picture.wait(lambda p: texts(p) == ["hello"])
        colours.add(picture.colour("host#"))
        leave(console)
    assert len(colours) == 1
    assert colours <= {"red", "green", "brown", "blue", "magenta", "cyan"}
    assert picture.colour("✓ ↳ hello") == "default"


def test_without_colours(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"), env={"NO_COLOR": "1"})
    console.type("hello" + ENTER)
    picture.wait(lambda p: texts(p) == ["hello"])
    leave(console)
    assert not re.search(rb"\033\[[0-9;]*3[0-7][;m]", console.out)
    assert b"\033[1m" not in console.out


# --- where there can be no full screen ---


@pytest.mark.parametrize(("terminal", "said"), [("dumb", "cannot move"), ("no-such-thing", "TERM"), ("", "TERM")])
def test_a_terminal_that_cannot_is_told_and_it_goes_on(
    start: Start, serve: Serve, terminal: str, said: str
) -> None:
    server = serve("echo")
    console = start("prosa-client", "--screen", server.address, env={"TERM": terminal}, terminal=True)
    why = console.expect("it goes on without").decode()
    assert "there can be no full screen" in why
    assert said in why
    console.expect("* joined")
    console.line("hello")
    console.expect("↳ hello")
    console.line("exit")
    assert console.ended() == 0
    assert ENTERS not in console.out


def test_without_a_terminal_there_are_plain_lines(start: Start, serve: Serve) -> None:
    console = start("prosa-client", "--screen", serve("echo").address)
    console.line("hello")
    console.expect("↳ hello")
    console.line("exit")
    assert console.ended() == 0
    assert "stdin and stdout are not both a terminal" in console.err.decode()


def test_a_screen_of_events_is_a_contradiction(start: Start) -> None:
    console = start("prosa-client", "--screen", "--json", "localhost:1")
    assert console.ended() == 2
    assert "--screen" in console.err.decode()
    assert "--json" in console.err.decode()


# --- hostile text ---


def test_nothing_that_came_over_the_wire_commands_the_terminal(start: Start, serve: Serve) -> None:
    server = serve()
    console, picture = talk(start, server, size=(40, 80))
    console.type("question" + ENTER)
    picture.wait(lambda p: texts(p, "ada") == ["question"])
    server.console.line("begin." + ".".join(FORBIDDEN) + ".end")
    picture.wait_for(".end")
    shown = "begin." + ".".join(f"\\u{ord(character):04x}" for character in FORBIDDEN) + ".end"
    assert joined(picture, "begin.") == shown
    leave(console)
    rest = SEQUENCES.sub("", console.out.decode())
    assert [character for character in rest if character in FORBIDDEN] == []


def test_marks_do_not_pile_up(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    console.type("e" + "\u0332" * 41 + "x" + ENTER)
    picture.wait(lambda p: texts(p) != [])
    y = next(y for y, row in enumerate(picture.rows) if "↳ e" in row)
    cells = [cell for cell in picture.cells(y) if "\u0332" in cell]
    assert [len(cell) - 1 for cell in cells] == [4] * 10 + [1]
    assert [cell[0] for cell in cells] == ["e"] + ["◌"] * 10
    assert "x" in picture.cells(y)
    leave(console)


@pytest.mark.parametrize("columns", [20, 33, 60])
@pytest.mark.parametrize(
    "text",
    [
        "begin" + "x" * 500 + "end",
        "begin" + "漢字" * 100 + "end",
        "begin" + "a漢" * 100 + "end",
        "begin" + "שלום" * 50 + "end",
        "begin" + "🙂" * 100 + "end",
    ],
    ids=["word", "wide", "mixed", "right-to-left", "emoji"],
)
def test_a_text_without_a_space_is_cut_into_rows(start: Start, serve: Serve, columns: int, text: str) -> None:
    console, picture = talk(start, serve("echo"), size=(60, columns))
    console.type(text + ENTER)
    picture.wait(lambda p: "".join(row.strip() for row in p.said).count(text) == 2)
    assert all(width(row) <= columns for row in picture.rows)
    leave(console)


def test_what_goes_on_never_looks_like_a_message(start: Start, serve: Serve) -> None:
    """Not even when a text is as long as a row and goes on with what a message begins with."""
    console, picture = talk(start, serve("echo"))
    for length in range(20, 60):
        console.type("x" * length + " 12:00:00 host#0000 ✓ send money" + ENTER)
    picture.wait(lambda p: p.status == "@host  connected" and "send money" in p.said[-1])
    console.type(TOP)
    picture.wait_for("more below")
    while "more below" in picture.status:
        assert [row for row in picture.said if row.startswith("12:00:00")] == []
        before = picture.rows
        console.type(PAGE_DOWN)
        picture.wait(lambda p, before=before: p.rows != before)
    leave(console)


def test_a_character_that_nobody_knows_yet_has_a_stand_in(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    console.type("a\U000e0fffb\u0378c" + ENTER)
    picture.wait(lambda p: texts(p) == ["a\ufffdb\ufffdc"])
    leave(console)


# --- going back ---


def test_pages_have_a_row_in_common_and_lead_back(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    talk_a_while(console, picture)
    last = picture.said
    console.type(PAGE_UP)
    picture.wait(lambda p: p.status.endswith("more below"))
    assert picture.said[-1] == last[0]
    first = picture.said
    console.type(ROW_UP)
    picture.wait(lambda p: p.said[1] == first[0])
    console.type(ROW_DOWN)
    picture.wait(lambda p: p.said == first)
    console.type(PAGE_DOWN)
    picture.wait(lambda p: p.said == last and p.status == "@host  connected")
    console.type(TOP)
    picture.wait(lambda p: p.said[0].startswith("* reached"))
    console.type(BOTTOM)
    picture.wait(lambda p: p.said == last)
    leave(console)


def test_what_comes_meanwhile_moves_nothing_and_stands_below_a_mark(start: Start, serve: Serve) -> None:
    server = serve()
    console, picture = talk(start, server)
    console.type(PASTE + ENTER.join(f"row {number}" for number in range(60)) + PASTED + ENTER)
    picture.wait(lambda p: p.said[-1].endswith("row 59"))
    console.type(PAGE_UP)
    picture.wait(lambda p: p.status.endswith("more below"))
    read = picture.said
    server.console.line("the answer")
    picture.wait(lambda p: p.status.endswith("more below, 1 new"))
    assert picture.said == read
    console.type(PAGE_DOWN)
    picture.wait(lambda p: p.status.endswith("more below, 1 new") and p.said[-1].endswith("row 59"))
    console.type(PAGE_DOWN)
    picture.wait(lambda p: p.status == "@host  connected")
    row, mark, answer = picture.said[-3:]
    assert (row.strip(), mark) == ("row 59", "─── unread " + "─" * 49)
    assert answer.endswith("the answer")
    console.type(ENTER)
    picture.wait(lambda p: p.said[-2:] == [row, answer])
    leave(console)


def test_a_window_of_another_size_keeps_what_is_read(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    talk_a_while(console, picture)
    console.type(2 * PAGE_UP)
    picture.wait(lambda p: p.status.endswith("more below") and len(texts(p)) > 0)
    read = picture.said
    for rows, columns in [(24, 30), (10, 20), (50, 200), (5, 20), (90, 60), (200, 300), (3, 8), (24, 60)]:
        picture.resize(rows, columns)
        picture.wait(lambda p, rows=rows: p.cursor[0] == rows - 1)
        if (rows, columns) == (24, 30):
            picture.wait(lambda p: read[0].startswith(p.said[0]) and len(p.said[0]) > 20)
    picture.wait(lambda p: p.said == read and p.status.endswith("more below"))
    leave(console)


def test_a_window_of_another_size_keeps_the_place_inside_a_long_message(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    console.type(" ".join(f"w{number:03}" for number in range(800)) + ENTER)
    picture.wait(lambda p: "w799" in p.said[-1])
    console.type(2 * PAGE_UP)
    picture.wait(lambda p: p.status.endswith("more below"))
    read = picture.said
    first = read[0].split()[0]
    assert re.fullmatch(r"w\d{3}", first)
    for rows, columns in [(24, 30), (10, 20), (9, 200), (5, 20), (24, 60)]:
        picture.resize(rows, columns)
        picture.wait(lambda p, columns=columns: first in p.said[0] and width(p.rows[0]) == columns)
    picture.wait(lambda p: p.said == read and p.status.endswith("more below"))
    leave(console)


def test_a_window_that_changes_while_messages_flow(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"), size=(24, 80))
    sizes = [(5, 20), (100, 300), (1, 1), (24, 80), (2, 200), (60, 7), (30, 81)]
    for turn, (rows, columns) in enumerate(sizes * 4):
        console.type("".join(f"turn {turn} message {number}{ENTER}" for number in range(10)))
        picture.resize(rows, columns)
    picture.wait(lambda p: texts(p)[-1:] == [f"turn {turn} message 9"])
    said = texts(picture)
    sent = [f"turn {number // 10} message {number % 10}" for number in range(10 * len(sizes) * 4)]
    assert said == sent[-len(said) :]
    assert picture.status == "@host  connected"
    leave(console)


def test_the_oldest_goes_first_when_there_is_too_much(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    for number in range(180):  # twice 4,000 octets each: more than a mebibyte
        console.type(f"message {number} " + "x" * 4000 + ENTER)
    console.type("the last" + ENTER)
    picture.wait(lambda p: texts(p)[-1:] == ["the last"])
    console.type(TOP)
    picture.wait_for("more below")
    assert not any("* reached" in row for row in picture.said)
    leave(console)


def test_it_draws_no_more_often_than_anybody_sees(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"), size=(24, 80))
    begin, drawn = time.monotonic(), len(console.out)
    talk_a_while(console, picture, count=900)
    frames = (time.monotonic() - begin) / FRAME_S
    octets = console.out[drawn:]
    # A draw ends with the cursor in the line that is typed, which no other octets go to.
    assert octets.count(b"\033[24;3H") <= frames + 2
    assert b"\033[2J" not in octets
    assert b"\033[J" not in octets
    assert not re.search(rb"\033\[([0-9;]*;)?5(;[0-9;]*)?m", console.out)
    leave(console)
