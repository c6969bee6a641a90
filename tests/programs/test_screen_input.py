# SPDX-License-Identifier: MIT
"""What is typed at the full screen of the reference client."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest

from conftest import Server, Start
from console import END_OF_FILE
from picture import (
    BACKSPACE,
    DELETE,
    DOWN,
    END,
    ENTER,
    HOME,
    LEFT,
    PASTE,
    PASTED,
    RIGHT,
    UP,
    WORD_LEFT,
    WORD_RIGHT,
    leave,
    talk,
    talk_a_while,
    texts,
    width,
)

Serve = Callable[..., Server]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("bc" + HOME + "a" + END + "d", "abcd"),
        ("ac" + LEFT + "b" + RIGHT + "d", "abcd"),
        ("\033OH1\033OF2\033[1~3\033[4~4", "3124"),
        ("one two three" + WORD_LEFT + WORD_LEFT + "x", "one xtwo three"),
        ("one two three\033b\033b\033fx", "one twox three"),
        ("one two three" + HOME + WORD_RIGHT + WORD_RIGHT + "x", "one twox three"),
        ("one two  three\x17x", "one two  x"),
        ("one two  \x17x", "one x"),
        ("one two" + HOME + "\033dx", "x two"),
        ("one two\033\x7fx", "one x"),
        ("one two" + LEFT * 3 + "\x15x", "xtwo"),
        ("one two" + LEFT * 3 + "\x0bx", "one x"),
        ("abc" + LEFT * 2 + DELETE + "x", "axc"),
        ("abc" + LEFT * 2 + END_OF_FILE.decode() + "x", "axc"),
        ("abc" + BACKSPACE * 2 + "x", "ax"),
        ("abc" + LEFT * 9 + BACKSPACE + "x" + RIGHT * 9 + DELETE + "y", "xabcy"),
        ("a漢e\u0301b" + LEFT * 2 + BACKSPACE + "x", "axe\u0301b"),
        ("ae\u0301b" + LEFT + BACKSPACE + "x", "axb"),
        ("a\033\033[Db\033xc\033[99~\033[[Ad", "bxcda"),
        ("\x01\x02\x05\x06a\x02b\x01c\x05d", "cbad"),
        ("a\tb\x00c", "abc"),
        (f"{PASTE}one\r\ntwo\nthree\rfour{PASTED}!", "one\ntwo\nthree\nfour!"),
    ],
)
def test_the_line_is_edited_as_everywhere(start: Start, serve: Serve, keys: str, line: str) -> None:
    console, picture = talk(start, serve("echo"))
    console.type(keys)
    pictured = unicodedata.normalize("NFC", line.replace("\n", "␊"))
    picture.wait(lambda p: p.typed == pictured)
    console.type(ENTER)
    picture.wait(lambda p: len(texts(p)) == 1 and p.typed == "")
    first, *more = unicodedata.normalize("NFC", line).split("\n")
    assert texts(picture) == [first]
    assert [row.strip() for row in picture.said[-len(more) :] if more] == more
    leave(console)


def test_lines_typed_before_are_called_for(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    console.type("one" + ENTER + "two" + ENTER + "two" + ENTER + "unfinished")
    for key, line in [(UP, "two"), (UP, "one"), (UP, "one"), (DOWN, "two"), (DOWN, "unfinished"), ("\x10", "two")]:
        console.type(key)
        picture.wait(lambda p, line=line: p.typed == line)
    console.type("!" + ENTER)
    picture.wait(lambda p: texts(p) == ["one", "two", "two", "two!"])
    leave(console)


def test_a_line_longer_than_the_window_goes_aside(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"), size=(24, 40))
    line = "".join(f"{number:03} " for number in range(100))
    console.type(line)
    picture.wait(lambda p: p.typed.endswith("099"))
    assert picture.typed.startswith("<")
    y, x = picture.cursor
    assert (y, picture.rows[y][x - 4 : x]) == (23, "099 ")
    console.type(HOME)
    picture.wait(lambda p: p.typed == line[:37] + ">" and p.cursor == (23, 2))
    console.type(RIGHT * 200)
    picture.wait(lambda p: p.typed.startswith("<") and p.typed.endswith(">"))
    y, x = picture.cursor
    assert picture.rows[y][x : x + 4] == "050 "
    leave(console)


def test_a_wide_line_goes_aside_by_whole_characters(start: Start, serve: Serve) -> None:
    for columns in range(20, 24):
        console, picture = talk(start, serve("echo"), size=(24, columns))
        console.type("x" + "漢" * 50 + "y")
        picture.wait(lambda p: p.typed.startswith("<") and p.typed.endswith("y"))
        assert set(picture.typed) <= set("< 漢y")
        assert width(picture.rows[-1]) == columns
        leave(console)


def test_what_a_message_has_no_room_for_is_told(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    console.type("x" * 5000)
    picture.wait(lambda p: p.status.endswith("full: 904 octets left out"))
    console.type(ENTER)
    picture.wait_for("a line of more than 4096 octets is not sent")
    assert picture.status == "@host  connected"
    console.type(UP + BACKSPACE * 4000 + "y" + ENTER)
    picture.wait(lambda p: "".join(p.said).replace(" ", "").endswith("↳" + "x" * 96 + "y"))
    leave(console)


def test_a_long_paste_is_one_message_and_sent_by_hand(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"), size=(60, 80))
    lines = [f"line {number} of a long paste" for number in range(20)]
    console.type(PASTE + "\r".join(lines) + PASTED)
    picture.wait(lambda p: p.typed.endswith(lines[-1]))
    assert texts(picture) == []
    console.type(ENTER)
    picture.wait(lambda p: texts(p) == [lines[0]] and lines[-1] in p.said[-1])
    assert [row.strip() for row in picture.said[-19:]] == lines[1:]
    leave(console)


def test_many_lines_at_once_are_as_many_messages(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    talk_a_while(console, picture, count=1500)
    leave(console)


def test_end_of_file_ends_and_an_escape_alone_does_nothing(start: Start, serve: Serve) -> None:
    console, picture = talk(start, serve("echo"))
    console.type("a\033\r")
    picture.wait(lambda p: texts(p) == ["a"])
    console.type(END_OF_FILE)
    assert console.ended() == 0
