# SPDX-License-Identifier: MIT
"""The log as a file: it is killed, torn, and asked from outside. PROSA_STORE_DRIVER and PROSA_AUDIT name
the programs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

DRIVER = os.environ["PROSA_STORE_DRIVER"]
AUDIT = os.environ["PROSA_AUDIT"]
DEADLINE = 120 * float(os.environ.get("PROSA_TIME_SCALE", "1"))
ROOMS = ("dev", "lab", "@host")


def drive(*words: str | Path | int) -> subprocess.CompletedProcess[str]:
    """Runs the driver to its end, which is an exit by itself: a signal is our own fault."""
    done = subprocess.run([DRIVER, *map(str, words)], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode in (0, 1), f"{words}: {done}"
    return done


def filled(folder: Path, count: int, how: str = "fill") -> Path:
    """A log with `count` entries in each of three rooms."""
    folder.mkdir()
    done = drive(how, folder, count)
    assert done.returncode == 0, done.stderr
    return folder


def audit(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([AUDIT, *map(str, words)], capture_output=True, text=True, timeout=DEADLINE)


def ask(folder: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    """Asks the log from outside, as a teacher does; nothing is written."""
    with sqlite3.connect(f"file:{folder}/log.db?mode=ro", uri=True) as db:
        rows = db.execute(query, values).fetchall()
    db.close()
    return rows


def change(folder: Path, *statements: str) -> None:
    """Writes to a log behind the server's back."""
    db = sqlite3.connect(folder / "log.db", isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()
