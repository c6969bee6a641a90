# SPDX-License-Identifier: MIT
"""A server that is killed at any moment has lost nothing that it acknowledged, and a folder is one server's."""

from __future__ import annotations

import random
import sqlite3
import subprocess
from pathlib import Path

from conftest import DRIVER, ROOMS, ask, audit, drive, filled

ROUNDS = 100
BURST = 40  # what the driver has on its way at most

Heads = tuple[int, ...]


def spin(turns: int) -> None:
    """Lets a little time pass, so that the blow falls anywhere in what the writer does."""
    for _ in range(turns):
        pass


def write_and_die(folder: Path, dice: random.Random) -> tuple[Heads | None, Heads | None]:
    """The heads that the writer found, and those that it last acknowledged before it was killed."""
    with subprocess.Popen([DRIVER, "write", folder, str(dice.randrange(1000))], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(dice.randrange(10))]
        spin(dice.randrange(30_000))
        writer.kill()
        seen += writer.stdout.readlines()
    lines = [line.split() for line in seen if line.endswith(b"\n")]
    heads = [tuple(map(int, numbers)) for _, *numbers in lines]
    assert [word for word, *_ in lines] == [b"open", *[b"acked"] * (len(lines) - 1)][: len(lines)]
    return (heads[0], heads[-1]) if heads else (None, None)


def kept(folder: Path) -> tuple[Heads, Heads]:
    """Head and oldest entry of each room; every entry between is what was said there, once, in order."""
    heads, oldest = [0] * len(ROOMS), [1] * len(ROOMS)
    for i, room in enumerate(ROOMS):
        for head, first in ask(folder, "SELECT head_seq, oldest_seq FROM rooms WHERE name = ?", room):
            heads[i], oldest[i] = head, first
        said = ask(folder, "SELECT room_seq, text FROM messages WHERE room = ? ORDER BY room_seq", room)
        assert said == [(n, f"entry {n} of {room}") for n in range(oldest[i], heads[i] + 1)]
        counters = ask(folder, "SELECT nick, counter FROM messages WHERE room = ? ORDER BY room_seq", room)
        assert counters == [
            ("bob", n // 3) if n % 3 == 0 else ("ada", n - n // 3) for n in range(oldest[i], heads[i] + 1)
        ]
    return tuple(heads), tuple(oldest)


def test_killed_again_and_again(tmp_path: Path) -> None:
    """RES-09, RES-10: whatever was acknowledged is there once, in order; what was not is a prefix."""
    dice = random.Random(20)
    heads: Heads = (0,) * len(ROOMS)
    acknowledged = pruned = 0
    for _ in range(ROUNDS):
        found, acked = write_and_die(tmp_path, dice)
        if found is None or acked is None:
            continue
        assert found == heads, "what was there before is there after the restart"
        acknowledged += sum(acked) - sum(found)
        heads, oldest = kept(tmp_path)
        assert all(there >= said for there, said in zip(heads, acked, strict=True))
        assert sum(heads) - sum(acked) <= BURST
        pruned = oldest[1]
    assert acknowledged > 10 * ROUNDS, "the writer was given time to write"
    assert pruned > 1, "and to prune"
    assert drive("dump", tmp_path).returncode == 0


def test_who_asks_from_outside_takes_nothing_away(tmp_path: Path) -> None:
    """RES-10: a connection that may write, as one for a backup does, tidies up when it takes itself for the last
    one; while a server has the log it never is."""
    with subprocess.Popen([DRIVER, "write", tmp_path, "3"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(3):
            assert writer.stdout.readline()
            newest = (tmp_path / "log.db-wal").stat().st_ino
            db = sqlite3.connect(tmp_path / "log.db")
            assert db.execute("SELECT count(*) FROM rooms").fetchone() == (len(ROOMS),)
            db.close()
            assert (tmp_path / "log.db-wal").stat().st_ino == newest
        seen = [writer.stdout.readline() for _ in range(5)]
        writer.kill()
        seen += writer.stdout.readlines()
    acked = [tuple(map(int, line.split()[1:])) for line in seen if line.endswith(b"\n")][-1]
    heads, _ = kept(tmp_path)
    assert all(there >= said for there, said in zip(heads, acked, strict=True))
    assert drive("dump", tmp_path).returncode == 0


def test_a_killed_server_frees_its_folder(tmp_path: Path) -> None:
    """RES-14: the lock dies with its holder."""
    with subprocess.Popen([DRIVER, "hold", tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        refused = drive("dump", tmp_path)
        assert refused.returncode == 1
        assert f"the data folder {tmp_path} is in use by process {holder.pid};" in refused.stderr
        holder.kill()
    assert drive("dump", tmp_path).returncode == 0


def test_the_log_is_judged_while_a_server_has_it(tmp_path: Path) -> None:
    folder = filled(tmp_path / "log", 50, "crash")
    with subprocess.Popen([DRIVER, "hold", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        done = audit("log", folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert "150 entries in 3 rooms" in done.stdout
