# SPDX-License-Identifier: MIT
"""A log that is not as it was written is not served: every damage is found, and told in a sentence that
says where, and what to do."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from conftest import audit, change, drive, filled

PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("whole") / "log", 60)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything but the schema stands in log.db-wal."""
    folder = filled(tmp_path_factory.mktemp("crashed") / "log", 60, "crash")
    assert (folder / "log.db-wal").stat().st_size > 10 * PAGE
    return folder


def copied(folder: Path, tmp_path: Path, name: str = "copy") -> Path:
    copy = tmp_path / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    return copy


def content(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in (folder / "log.db", folder / "log.db-wal") if file.exists()]


def refusal(folder: Path) -> str:
    """The sentence with which the log is refused; whoever can mend it finds it as it was."""
    before = content(folder)
    done = drive("dump", folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert [octets for octets in content(folder) if octets] == [octets for octets in before if octets]
    assert str(folder / "log.db") in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def damage(folder: Path, place: int, flip: int) -> None:
    with (folder / "log.db").open("r+b") as file:
        file.seek(place)
        octet = file.read(1)[0]
        file.seek(place)
        file.write(bytes([octet ^ flip]))


def test_a_whole_log_is_served(whole: Path, crashed: Path, tmp_path: Path) -> None:
    dumps = [drive("dump", copied(folder, tmp_path)) for folder in (whole, crashed)]
    assert [done.returncode for done in dumps] == [0, 0]
    assert dumps[0].stdout == dumps[1].stdout
    assert dumps[0].stdout.count("entry ") == 180


def test_cut_at_every_page(whole: Path, tmp_path: Path) -> None:
    size = (whole / "log.db").stat().st_size
    for cut in range(0, size, PAGE):
        copy = copied(whole, tmp_path)
        with (copy / "log.db").open("r+b") as file:
            file.truncate(cut)
        assert "--restored" in refusal(copy)


def test_any_octet(whole: Path, tmp_path: Path) -> None:
    """One octet changed anywhere: the server refuses the log, or nothing of what it reads has changed."""
    dice = random.Random(7)
    size = (whole / "log.db").stat().st_size
    good = drive("dump", copied(whole, tmp_path)).stdout
    refused = 0
    heads = [page + dice.randrange(16) for page in range(0, size, PAGE)]
    for place in [*range(100), *heads, *(dice.randrange(size) for _ in range(200))]:
        copy = copied(whole, tmp_path)
        damage(copy, place, 1 << dice.randrange(8))
        done = drive("dump", copy)
        if done.returncode == 0:
            assert done.stdout == good, f"octet {place}"
        else:
            assert str(copy / "log.db") in done.stderr
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("octet", [0x60, 0x1B], ids=["quotation", "escape"])
def test_words_of_a_torn_schema_are_printed_and_not_obeyed(whole: Path, tmp_path: Path, octet: int) -> None:
    """SQLite quotes what it cannot read: the rest of the schema with its lines, or any octet."""
    copy = copied(whole, tmp_path)
    place = (copy / "log.db").read_bytes().index(b" retired INTEGER NOT NULL")
    damage(copy, place, ord(" ") ^ octet)
    said = refusal(copy)
    assert "is torn or corrupted (malformed database schema (rooms)" in said
    assert "\x1b" not in said


def test_any_octet_of_a_message(whole: Path, tmp_path: Path) -> None:
    """Everything of an entry is covered, its signature included; the audit names it as well."""
    file = (whole / "log.db").read_bytes()
    text = file.index(b"entry 17 of dev")
    for place in range(text - 120, text + 180, 3):
        copy = copied(whole, tmp_path)
        damage(copy, place, 0x10)
        said = refusal(copy)
        assert "room 1 (dev)" in said or "torn or corrupted" in said
    copy = copied(whole, tmp_path)
    damage(copy, text, 0x01)
    assert "room 1 (dev): entry 17 is torn" in refusal(copy)
    assert "BAD room 1 (dev): entry 17 is torn" in audit("log", copy).stdout


def test_the_newest_part_is_cut_or_changed(crashed: Path, tmp_path: Path) -> None:
    """What was committed last stands in log.db-wal alone: without its end the log is an older one."""
    size = (crashed / "log.db-wal").stat().st_size
    dice = random.Random(3)
    for cut in [0, 1, 31, 32, 2000, *(dice.randrange(32, size) for _ in range(20))]:
        copy = copied(crashed, tmp_path)
        (copy / "log.db-shm").unlink()
        with (copy / "log.db-wal").open("r+b") as file:
            if dice.randrange(2):
                file.truncate(cut)
            else:
                file.seek(cut)
                octet = file.read(1)[0]
                file.seek(cut)
                file.write(bytes([octet ^ 0xA5]))
        said = refusal(copy)
        assert "committed in this folder" in said
        assert "log.db-wal was lost or cut off" in said
    copy = copied(crashed, tmp_path)
    (copy / "log.db-shm").unlink()
    (copy / "log.db-wal").unlink()
    assert "180 were committed in this folder" in refusal(copy)
    assert drive("retire", copy).returncode == 0
    assert drive("dump", copy).returncode == 0


def test_an_older_copy_has_to_be_called_one(whole: Path, tmp_path: Path) -> None:
    """MSG-24: the folder's server has gone on since the copy was made."""
    folder = copied(whole, tmp_path)
    copy = (folder / "log.db").read_bytes()
    assert drive("fill", folder, 5).returncode == 0
    (folder / "log.db").write_bytes(copy)
    assert "has 180 entries, and 195 were committed in this folder: it is an older copy" in refusal(folder)
    assert drive("retire", folder).returncode == 0
    after = drive("dump", folder)
    assert (after.returncode, after.stdout.count("no ")) == (0, 3)


def test_the_log_is_gone(crashed: Path, tmp_path: Path) -> None:
    """A person has to say that it is lost; what is left of it is not mixed with a new one."""
    copy = copied(crashed, tmp_path)
    (copy / "log.db").unlink()
    assert "log.db is missing, and 180 entries were committed in this folder" in refusal(copy)
    refused = drive("retire", copy)
    assert refused.returncode == 1
    assert "log.db is missing, but" in refused.stderr
    (copy / "log.db-wal").unlink()
    assert "180 entries were committed" in refusal(copy)
    assert drive("retire", copy).returncode == 0
    assert drive("dump", copy).stdout.count("no ") == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: it was cut off"),
        (b"SQLite", "is not a log of prosa-server"),
        (b"-- notes, and no log at all", "is not a log of prosa-server"),
    ],
)
def test_no_database(whole: Path, tmp_path: Path, content: bytes, said: str) -> None:
    copy = copied(whole, tmp_path)
    (copy / "log.db").write_bytes(content)
    assert said in refusal(copy)


def test_a_database_of_another_program(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "log.db") as db:
        db.execute("CREATE TABLE birds (name TEXT)")
    db.close()
    assert "is a database of another program" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["PRAGMA user_version = 7"], "has version 7, and this program knows version 1 alone"),
        (["UPDATE server SET key = zeroblob(32)"], "is the log of a server with another key"),
        (["DROP INDEX names_banned"], "its schema is not as it was made (names_banned)"),
        (["DELETE FROM server"], "its schema is not as it was made (server)"),
        (["DELETE FROM entries WHERE room = 2 AND room_seq = 30"], "room 2 (lab): entry 30 is missing"),
        (["DELETE FROM entries WHERE room = 2 AND room_seq = 60"], "room 2 (lab): entry 60 is missing"),
        (["UPDATE rooms SET head_seq = 59 WHERE room = 1"], "room 1 (dev): entry 60 stands behind the last one"),
        (["UPDATE rooms SET chain = zeroblob(32) WHERE room = 1"], "room 1 (dev): its chain does not lead to"),
        (["UPDATE rooms SET epoch = zeroblob(16) WHERE room = 3"], "room 3 (@host): its room_id is not that of"),
        (["UPDATE rooms SET server_time = 5 WHERE room = 3"], "has not the time of its last entry"),
        (["UPDATE rooms SET oldest_seq = 9 WHERE room = 3"], "room 3 (@host): entry 9"),
        (["DELETE FROM rooms WHERE room = 2"], "rows of rooms that table rooms has not"),
        (["UPDATE entries SET id = zeroblob(32) WHERE room = 1 AND room_seq = 4"], "entry 4 has not the id of"),
        (["UPDATE entries SET text_size = 3 WHERE room = 1 AND room_seq = 4"], "entry 4 has columns that are not"),
        (["UPDATE entries SET octets = zeroblob(9) WHERE room = 1 AND room_seq = 4"], "entry 4 is torn"),
        (["UPDATE authors SET key = zeroblob(32) WHERE author = 1"], "entry 1 has columns that are not"),
        (
            ["UPDATE entries SET room_seq = 1000 - room_seq WHERE room = 1 AND room_seq IN (7, 993)"],
            "room 1 (dev): entry 7 is missing",
        ),
    ],
)
def test_changed_by_hand(whole: Path, tmp_path: Path, statements: list[str], said: str) -> None:
    copy = copied(whole, tmp_path)
    change(copy, *statements)
    assert said in refusal(copy)


def test_a_folder_where_nothing_can_be_written(tmp_path: Path) -> None:
    done = drive("dump", tmp_path / "nowhere")
    assert done.returncode == 1
    assert f"{tmp_path}/nowhere/lock cannot be opened: No such file or directory" in done.stderr
