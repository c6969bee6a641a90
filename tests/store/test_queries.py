# SPDX-License-Identifier: MIT
"""What docs/log.md tells teachers: its queries run, and answer what it says."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from conftest import ask, drive, filled

PAGE = (Path(__file__).parents[2] / "docs" / "log.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("whole") / "log", 30)


def test_there_are_three() -> None:
    assert len(QUERIES) == 3


def test_who_says_how_much(folder: Path) -> None:
    rows = ask(folder, QUERIES[0])
    assert [row[:3] for row in rows] == [
        (room, nick, count) for room in ("@host", "dev", "lab") for nick, count in (("ada", 20), ("bob", 10))
    ]
    characters = sum(len(f"entry {n} of dev") for n in range(3, 31, 3))
    assert rows[3] == ("dev", "bob", 10, characters, "2023-11-14T22:13:20.503Z", "2023-11-14T22:13:20.530Z")


def test_the_last_hour(folder: Path) -> None:
    rows = ask(folder, QUERIES[1])
    assert rows[0] == (1, "2023-11-14T22:13:20.500Z", "ada", "entry 1 of dev")
    assert [row[0] for row in rows] == list(range(1, 31))


def test_who_waited_longest(folder: Path) -> None:
    rows = ask(folder, QUERIES[2])
    assert len(rows) == 10
    assert rows[0] == ("dev", "bob", 30, 0.52)
    assert [row[3] for row in rows] == sorted((row[3] for row in rows), reverse=True)


def test_every_column_and_table_is_explained(folder: Path) -> None:
    ((columns,),) = ask(folder, "SELECT group_concat(name) FROM pragma_table_info('messages')")
    for name in str(columns).split(","):
        assert re.search(rf"^\|.*`{name}`.*\|", PAGE, re.MULTILINE), name
    for (name,) in ask(folder, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
        assert f"\n| `{name}` |" in PAGE, name


def test_messages_show_what_was_said(folder: Path) -> None:
    row = ask(folder, "SELECT * FROM messages WHERE room = 'lab' AND room_seq = 3")[0]
    key = ask(folder, "SELECT lower(hex(key)) FROM authors WHERE author = ?", 2)[0][0]
    assert row == (
        2, "lab", 0, 3, "bob", key, 1, "2023-11-14T22:13:20.001Z", "2023-11-14T22:13:20.503Z", "entry 3 of lab",
    )  # fmt: skip


def test_a_backup_while_the_server_was_killed(tmp_path: Path) -> None:
    """The backup that the page recommends has everything; the bare file would not."""
    folder = filled(tmp_path / "log", 20, "crash")
    copy = tmp_path / "copy"
    copy.mkdir()
    source, target = sqlite3.connect(folder / "log.db"), sqlite3.connect(copy / "log.db")
    source.backup(target)
    source.close()
    target.close()
    before, after = drive("dump", folder), drive("dump", copy)
    assert (before.returncode, after.returncode) == (0, 0)
    assert before.stdout == after.stdout
    assert before.stdout.count("entry ") == 60
