# SPDX-License-Identifier: MIT
"""prosa-audit: what it finds in a log and in two checkpoints."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from conftest import AUDIT, DEADLINE, ROOMS, audit, drive, filled

SERVER = SigningKey(bytes([1]) + bytes(31))  # as the driver's
KEY = SERVER.verify_key.encode().hex()
CHECKPOINT = 27


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("whole") / "log", 90)


# --- log ---


def test_a_good_log(whole: Path) -> None:
    done = audit("log", whole)
    assert (done.returncode, done.stderr) == (0, "")
    *rooms, verdict = done.stdout.splitlines()
    assert rooms == [f"room {n} ({name}): 90 entries, 1 to 90: good" for n, name in enumerate(ROOMS, 1)]
    assert verdict.startswith(f"{whole}/log.db, server ")
    assert verdict.endswith("270 entries in 3 rooms, all as they were signed and ordered")


def test_whose_log_it_is(whole: Path) -> None:
    assert audit("log", "--key", KEY, whole).returncode == 0
    done = audit("log", "--key", "ab" * 32, whole)
    assert done.returncode == 1
    assert "is the log of a server with another key" in done.stderr


def test_rooms_that_were_put_aside(tmp_path: Path) -> None:
    folder = filled(tmp_path / "log", 3)
    assert drive("retire", folder).returncode == 0
    done = audit("log", folder)
    assert done.returncode == 0
    assert "room 1 (dev): 3 entries, 1 to 3, put aside: good" in done.stdout


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A folder that a stranger can read."""
    with tempfile.TemporaryDirectory(prefix="prosa-store-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_copy_that_rests(whole: Path, foreign: Path) -> None:
    """Judged by somebody who can write nowhere there, under a name that means something to SQLite."""
    folder = foreign / "a %41 b?c#d"
    folder.mkdir()
    program = Path(shutil.copy(AUDIT, foreign))
    copy = folder / "copy.db"
    copy.write_bytes((whole / "log.db").read_bytes())
    copy.chmod(0o444)
    folder.chmod(0o555)
    stranger = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run([program, "log", copy], capture_output=True, text=True, timeout=DEADLINE, **stranger)
    assert (done.returncode, done.stderr) == (0, "")
    assert "270 entries in 3 rooms" in done.stdout
    assert [file.name for file in folder.iterdir()] == ["copy.db"]
    folder.chmod(0o755)
    (folder / "copy.db-wal").write_bytes(b"newest part")
    folder.chmod(0o555)
    done = subprocess.run([program, "log", copy], capture_output=True, text=True, timeout=DEADLINE, **stranger)
    assert done.returncode == 1, "without its newest part it would be another log"
    assert "cannot be read" in done.stderr
    folder.chmod(0o755)


Field = tuple[int, bytes]


def fields_of(frame: bytes) -> Iterator[Field]:
    at = 8
    while at < len(frame):
        tag, size = struct.unpack_from(">HH", frame, at)
        yield tag, frame[at + 4 : at + 4 + size]
        at += 4 + size


def encoded(fields: list[Field]) -> bytes:
    return b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in fields)


def framed(kind: int, body: bytes) -> bytes:
    return struct.pack(">HBBI", 0x5052, 1, kind, len(body)) + body


def sum_of(octets: bytes) -> int:
    """The column `sum`: FNV-1a, by eight octets while there are."""
    whole = len(octets) - len(octets) % 8
    value = 0xCBF29CE484222325
    for word in [*struct.unpack(f">{whole // 8}Q", octets[:whole]), *octets[whole:]]:
        value = ((value ^ word) * 0x100000001B3) % 2**64
    return value - 2**64 if value >= 2**63 else value


def rewrite(db: sqlite3.Connection, room: int, old: bytes, new: bytes) -> None:
    """What a server can do that rewrites its own history: all is consistent again, but for one signature."""
    (chain,) = db.execute("SELECT pruned_chain FROM rooms WHERE room = ?", [room]).fetchone()
    rows = db.execute("SELECT room_seq, server_time, octets FROM entries WHERE room = ? ORDER BY 1", [room])
    for seq, time, octets in rows.fetchall():
        fields = [(tag, chain if tag == 0x4005 else value) for tag, value in fields_of(octets.replace(old, new))]
        frame = framed(octets[3], encoded(fields))
        author_zone = encoded([field for field in fields if field[0] <= 0x3FFF])
        id_ = sha256(b"PROSA/1 message-id\0" + author_zone).digest()
        chain = sha256(b"PROSA/1 chain\0" + chain + struct.pack(">QQ", seq, time) + id_).digest()
        db.execute(
            "UPDATE entries SET octets = ?, sum = ?, id = ? WHERE room = ? AND room_seq = ?",
            [frame, sum_of(frame), id_, room, seq],
        )
    db.execute("UPDATE rooms SET chain = ? WHERE room = ?", [chain, room])


def test_a_server_cannot_rewrite_what_others_signed(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "log.db").write_bytes((whole / "log.db").read_bytes())
    with sqlite3.connect(folder / "log.db") as db:
        rewrite(db, 2, b"entry 17 of lab", b"entry 99 of lab")
    db.close()
    assert b"entry 99 of lab".hex() in drive("dump", folder).stdout, "nothing else shows it"
    done = audit("log", folder)
    assert done.returncode == 1
    assert "BAD room 2 (lab): entry 17 is forged: its signature is not its author's" in done.stdout
    assert "room 3 (@host): 90 entries, 1 to 90: good" in done.stdout, "the other rooms are judged all the same"
    assert done.stdout.endswith("1 of 3 rooms damaged or forged\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM entries WHERE room = 1 AND room_seq = 40", "room 1 (dev): entry 40 is missing"),
        ("UPDATE entries SET sum = sum + 1 WHERE room = 3 AND room_seq = 8", "room 3 (@host): entry 8 is torn"),
        ("UPDATE rooms SET room_id = zeroblob(32) WHERE room = 1", "room 1 (dev): its room_id is not that of"),
        ("INSERT INTO pruned VALUES (1, 1, 5, 2, zeroblob(32))", "table pruned has rows"),
    ],
)
def test_damage(whole: Path, tmp_path: Path, change: str, said: str) -> None:
    (tmp_path / "log.db").write_bytes((whole / "log.db").read_bytes())
    with sqlite3.connect(tmp_path / "log.db") as db:
        db.execute(change)
    db.close()
    done = audit("log", tmp_path)
    assert done.returncode == 1
    assert f"BAD {said}" in done.stdout


def test_no_log(tmp_path: Path) -> None:
    done = audit("log", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path}/log.db: No such file or directory" in done.stderr
    (tmp_path / "log.db").write_text("Once upon a time")
    done = audit("log", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a log of prosa-server" in done.stderr


# --- compare ---


def checkpoint(
    path: Path, seq: int = 320, chain: int = 1, room: int = 5, key: SigningKey = SERVER, digits: bool = False
) -> Path:
    """A file with a signed CHECKPOINT."""
    fields = [
        (0x0012, struct.pack(">Q", 1_700_000_000_123)),
        (0x0044, bytes([room]) * 32),
        (0x0090, struct.pack(">Q", seq)),
        (0x0092, bytes([chain]) * 32),
    ]
    signature = key.sign(b"PROSA/1 checkpoint\0" + encoded(fields)).signature
    frame = framed(CHECKPOINT, encoded([*fields, (0x4006, signature)]))
    path.write_bytes(frame.hex(" ", 16).encode() + b"\n" if digits else frame)
    return path


def test_two_histories_are_proved(tmp_path: Path, whole: Path) -> None:
    """AUD-07's last words: one room_id, one seq, two chains, both signed."""
    ours = checkpoint(tmp_path / "ours", chain=1)
    theirs = checkpoint(tmp_path / "theirs", chain=2, digits=True)
    for source in (["--key", KEY], ["--log", str(whole)]):
        done = audit("compare", *source, ours, theirs)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.startswith("PROOF: this server has signed two histories of one room\n")
        for part in (KEY, "05" * 32, "entry 320", "01" * 32, "02" * 32, "2023-11-14T22:13:20.123Z", str(theirs)):
            assert part in done.stdout


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({}, "both state the same history"),
        ({"chain": 2, "seq": 321}, "about different entries"),
        ({"chain": 2, "room": 6}, "about different entries"),
    ],
)
def test_what_does_not_contradict(tmp_path: Path, other: dict[str, int], said: str) -> None:
    done = audit("compare", "--key", KEY, checkpoint(tmp_path / "a"), checkpoint(tmp_path / "b", **other))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("consistent: ")
    assert said in done.stdout


def test_what_proves_nothing(tmp_path: Path) -> None:
    good = checkpoint(tmp_path / "good")
    forged = checkpoint(tmp_path / "forged", chain=2, key=SigningKey(bytes(32)))
    longer = tmp_path / "longer"
    longer.write_bytes(good.read_bytes() * 2)
    odd = tmp_path / "odd"
    odd.write_text(good.read_bytes().hex() + "0")
    words = tmp_path / "words"
    words.write_text("not a frame")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for file, said in [
        (forged, "is not signed by this server"),
        (longer, "is not one CHECKPOINT frame"),
        (odd, "is not one CHECKPOINT frame"),
        (words, "is not one CHECKPOINT frame"),
        (empty, "is not one CHECKPOINT frame"),
        (tmp_path / "missing", "No such file or directory"),
    ]:
        for pair in ((good, file), (file, good)):
            done = audit("compare", "--key", KEY, *pair)
            assert (done.returncode, done.stdout) == (2, "")
            assert str(file) in done.stderr and said in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        [], ["weather"], ["log"], ["log", "a", "b"], ["log", "--log", "a", "b"], ["log", "/nowhere"],
        ["log", "--key", "AB" * 32, "/"], ["log", "--colour", "/"], ["compare", "a", "b"],
        ["compare", "--key", KEY, "a"], ["compare", "--key", KEY, "--log", "/", "a", "b"],
        ["compare", "--key", "12", "a", "b"], ["compare", "--log", "/nowhere", "a", "b"],
    ],
)  # fmt: skip
def test_words_that_make_no_sense(words: list[str]) -> None:
    done = audit(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("prosa-audit: ")


@pytest.mark.parametrize("words", [["--help"], ["log", "--help"], ["compare", "--help"]])
def test_help(words: list[str]) -> None:
    done = audit(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: prosa-audit log")
