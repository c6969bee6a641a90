# SPDX-License-Identifier: MIT
"""The server's disk is full, or fails, while people talk: whoever was not acknowledged is told INTERNAL and comes
again, the operator reads what, where and what to do, and when the disk is good again all goes on by itself."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from datetime import datetime
from errno import EIO, ENOSPC
from pathlib import Path
from signal import SIGKILL

import pytest

from asked import events_of, named, next_event, texts
from conftest import Again, Home, Probe, Tell, sized
from disk import FILES, LOG, PAGE, Control, put, recorded, shimmed
from told import Told

LINE = re.compile(
    rb"\S+ error commit-failed records=(\d+) "
    rb"why=\"(.+): nothing of \d+ records could be written to (\S+); (.+)\"\n"
)


def log_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.mark.parametrize(
    ("call", "error", "reason", "advice"),
    [
        ("write", ENOSPC, b"the disk is full", b"make room, and it goes on by itself"),
        ("write", EIO, b"Input/output error", b"the next ones are tried all the same"),
        ("sync", EIO, b"Input/output error", b"the next ones are tried all the same"),
    ],
)
def test_the_disk_fails_and_is_good_again(
    home: Home, probe: Probe, anew: Again, call: str, error: int, reason: bytes, advice: bytes
) -> None:
    """FLOW-09, RES-10: without a restart; and a reader is not disturbed."""
    control = Control(home.folder / "control")
    server, port = home.serve(env=shimmed(home.data("server"), control))
    ada, bob = home.talk("ada", port), home.talk("bob", port)
    for number in range(5):
        ada.line(f"before {number}")
        next_event(bob, "message", text=f"before {number}")
    control.fail(call, LOG, error)
    ada.line("meanwhile")
    refused = next_event(ada, "error", code="INTERNAL")
    assert refused["from"] == "server"
    assert next_event(ada, "disconnected")["again"] is True
    next_event(ada, "joined")
    next_event(ada, "error", code="INTERNAL")  # it has come back, and tried again
    control.heal()
    next_event(bob, "message", text="meanwhile")
    bob.line("after")
    for console in (ada, bob):
        next_event(console, "message", text="after")
    said = [*(f"before {number}" for number in range(5)), "meanwhile", "after"]
    assert texts(bob) == said
    assert texts(ada) == said
    assert named(bob, "disconnected") == []
    server.signal(SIGKILL)
    server.ended()
    lines = LINE.findall(server.err)
    assert 1 <= len(lines) <= len(named(ada, "disconnected"))
    for _, why, path, what in lines:
        assert (why, path, what) == (reason, bytes(home.data("server") / "log.db"), advice)
    opened = probe.open(put(log_of(home.data("server")), anew()))
    assert [room.head for room in opened.rooms.values()] == [7]


def test_the_file_fails_and_only_the_wal_is_good(home: Home, probe: Probe, anew: Again, tell: Tell) -> None:
    """RES-09: the newest part of the log grows, nothing is refused, and the operator is told before that is full."""
    control = Control(home.folder / "control")
    server, port = home.serve(env=shimmed(home.data("server"), control))
    ada = home.talk("ada", port)
    control.fail("write", FILES["db"], EIO)
    log = home.data("server") / "log.db-wal"
    number = 0
    while log.stat().st_size < 1100 * PAGE:
        number += 1
        ada.line(f"{number} {'.' * 3000}")
        next_event(ada, "message", room_seq=f"{number}")
    server.expect("error checkpoint-failed", "err")
    server.expect(f"{log}, which keeps everything, and grows; see to the disk", "err")
    assert control.failed("write") > 0
    control.heal()
    for _ in range(2):
        number += 1
        ada.line("after")
        next_event(ada, "message", room_seq=f"{number}")
    assert (home.data("server") / "log.db").stat().st_size > 100 * PAGE, "the file has taken it in"
    server.dispose()
    tell(f"the file failed, the WAL was good: {number} messages, {log.stat().st_size} octets of WAL")
    opened = probe.open(put(log_of(home.data("server")), anew()))
    assert [room.head for room in opened.rooms.values()] == [number]


def test_many_failures_are_few_lines(home: Home, tell: Tell) -> None:
    """Whoever comes again and again on a full disk does not fill the journal, too."""
    control = Control(home.folder / "control")
    server, port = home.serve(env=shimmed(home.data("server"), control))
    people = [home.talk(f"n{number}", port) for number in range(sized(8, 40))]
    control.fail("write", LOG, ENOSPC)
    for console in people:
        console.line("cannot be kept")
    for console in people:
        next_event(console, "error", code="INTERNAL")
    control.heal()
    for console in people:
        for _ in people:
            next_event(console, "message", text="cannot be kept")
    server.line("/stats")
    server.line("exit")
    assert server.ended() == 0
    assert [console.ended() for console in people] == [0] * len(people)
    failures = sum(len(named(console, "error")) for console in people)
    held = re.findall(rb"suppressed event=commit-failed lines=(\d+)", server.err)
    told = [datetime.fromisoformat(when.decode()) for when in re.findall(rb"(\S+) error commit-failed", server.err)]
    tell(f"a full disk: {failures} messages refused, {len(told)} lines, {sum(map(int, held))} held back")
    assert failures >= len(people)
    assert told
    assert all((after - before).total_seconds() > 0.9 for before, after in itertools.pairwise(told)), "one a second"


def test_nothing_that_was_told_is_lost_wherever_the_disk_fails(
    home: Home, probe: Probe, anew: Again, tell: Tell
) -> None:
    """FLOW-26: at every k-th write of a conversation; nothing is shown that is not there after a kill."""
    outcomes: Counter[str] = Counter()
    for first in range(1, sized(14, 120), sized(2, 1)):  # the first commit alone has more than a dozen
        record = home.folder / f"record.{first}"
        control = Control(home.folder / "control")
        for who in ("server", "ada", "bob"):
            if (home.folder / who).exists():
                (home.folder / who).rename(home.folder / f"{who}.{first}")
        server, port = home.serve(env=shimmed(home.data("server"), control, record))
        ada, bob = home.client("ada", port), home.client("bob", port)
        for console in (ada, bob):
            next_event(console, "joined")
        control.fail("write", LOG, (ENOSPC, EIO)[first % 2], first, first + first % 5)
        for number in range(6):
            ada.line(f"{number} of ada")
            bob.line(f"{number} of bob")
        next_event(ada, "message", room_seq="12")
        server.dispose()
        for console in (ada, bob):
            console.dispose()
        told = Told(recorded(record))
        opened = probe.open(put(log_of(home.data("server")), anew()))
        assert opened.good, opened.sentence
        for room_id, head in told.promised(2**62).items():
            assert opened.rooms[room_id].head >= head
            assert opened.rooms[room_id].head == 12
        heard = [event["text"] for event in events_of(ada) if event["event"] == "message"]
        for nick in ("ada", "bob"):
            assert [text for text in heard if text.endswith(nick)] == [f"{number} of {nick}" for number in range(6)]
        outcomes["disturbed" if "INTERNAL" in told.codes else "not disturbed"] += 1
    tell(f"writes that fail under a conversation: {dict(outcomes)}")
    assert outcomes["disturbed"] > 0
