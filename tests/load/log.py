# SPDX-License-Identifier: MIT
"""The log that the reference server leaves behind, read past the server: straight from its file (docs/log.md),
its octets decoded and verified by the suite's codec; and judged by prosa-audit."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from prosa_conformance import codec, crypto
from prosa_conformance.client_history import Entry, Order
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CONSTANTS
from stage import AUDIT

QUERY = """SELECT name, room_seq, octets FROM entries JOIN rooms USING (room)
    WHERE retired = 0 AND (name = :only OR :only IS NULL) ORDER BY room, room_seq"""


def read_log(folder: Path, only: str | None = None) -> Order:
    """Every entry of every named room that is kept, or of one of them."""
    order: Order = {}
    for room, seq, deliver in _entries(folder, only):
        assert deliver.number("room_seq") == seq, f"{room} {seq} has the octets of another place"
        assert crypto.verify_message(deliver), f"{room} {seq} does not verify"
        order.setdefault(room, {})[seq] = Entry(
            deliver.need("author_key").hex(),
            str(deliver.value("nick")),
            deliver.number("counter"),
            crypto.message_id(deliver).hex(),
            str(deliver.value("text")),
            deliver.number("server_time"),
        )
    return order


def _entries(folder: Path, only: str | None) -> Iterator[tuple[str, int, Frame]]:
    with closing(sqlite3.connect(f"file:{folder / 'log.db'}?mode=ro", uri=True)) as file:
        for room, seq, octets in file.execute(QUERY, {"only": only}):
            verdict = codec.decode(octets, "server", CONSTANTS["max_frame_ceiling"])
            assert isinstance(verdict, codec.Decoded), f"{room} {seq}: {verdict}"
            yield room, seq, verdict.frame


def audit(folder: Path) -> None:
    """prosa-audit finds nothing, of a server that has ended."""
    done = subprocess.run([*AUDIT, "log", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
