# SPDX-License-Identifier: MIT
"""An octet of the log changes, or cannot be read, under a server that serves it: what goes out is what was written,
or the server says that it cannot; it signs nothing that is not so."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from dataclasses import dataclass
from errno import EIO
from pathlib import Path

import pytest

from asked import next_event
from conftest import Home, Tell, next_of, sized
from disk import FILES, PAGE, Control, recorded, shimmed
from told import Told

LINES = 12
WORDS = ("--keep-messages", "10")  # so that there is a boundary, too


@dataclass(frozen=True)
class Served:
    """A log that a server has closed, what it told of it, and where in the file the rows of its rooms stand."""

    home: Home
    told: Told
    log: bytes

    def rows(self) -> list[int]:
        """Octets of the rows in table rooms, by the room_id that stands in each."""
        at = [self.log.index(room_id) for room_id in self.told.rooms]
        return [place for start in at for place in range(start - 60, start + 110)]

    def bring_back(self) -> Path:
        folder = self.home.data("server")
        for file in folder.glob("log.db*"):
            file.unlink()
        (folder / "log.db").write_bytes(self.log)
        (folder / "lock").unlink(missing_ok=True)
        (self.home.data("eve") / "messages.db").unlink(missing_ok=True)
        return folder / "log.db"

    def ask(self, port: int, text: str) -> str:
        """Somebody who knows nothing reads all of a room, and says something: `served`, or what became of it."""
        eve = self.home.client("eve", port, "--history", "all")
        said = None
        while said != text:
            event = next_of(eve, "joined", "message", "error", "disconnected")
            if event["event"] == "joined":
                eve.line(text)
            elif event["event"] != "message":
                break
            said = event.get("text")
        eve.dispose()
        return "served" if said == text else f"{event.get('code')} from {event.get('from')}"


@pytest.fixture
def served(home: Home) -> Served:
    record = home.folder / "record"
    server, port = home.serve(*WORDS, env=shimmed(home.data("server"), record=record))
    ada, eve = home.talk("ada", port), home.talk("eve", port)
    for number in range(LINES):
        ada.line(f"{number} of ada {'.' * (number % 4 * 900)}")
        eve.line(f"{number} of eve")
        next_event(ada, "message", text=f"{number} of eve")
    server.line("exit")
    assert [console.ended() for console in (server, ada, eve)] == [0, 0, 0]
    return Served(home, Told(recorded(record)), (home.data("server") / "log.db").read_bytes())


def test_an_octet_changes_under_a_server(served: Served, home: Home, tell: Tell) -> None:
    """AUD-02, AUD-03: after the log was looked through at the start."""
    dice = random.Random(5)
    size = len(served.log)
    places = dice.sample(served.rows(), sized(16, len(served.rows())))
    places += [dice.randrange(size) for _ in range(sized(16, 600))]
    places += [page + dice.randrange(16) for page in dice.sample(range(0, size, PAGE), sized(8, size // PAGE))]
    outcomes: Counter[str] = Counter()
    for number, place in enumerate(places):
        file = served.bring_back()
        record = home.folder / f"record.{number}"
        server, port = home.serve(*WORDS, env=shimmed(home.data("server"), record=record))
        with file.open("r+b") as log:
            log.seek(place)
            log.write(bytes([served.log[place] ^ 1 << dice.randrange(8)]))
        outcome = served.ask(port, f"after {number}")
        assert outcome in ("served", "INTERNAL from server"), f"octet {place}: {outcome}"
        if outcome != "served":
            server.expect(" error ", "err")
        assert server.process.poll() is None, f"octet {place}: {server.err!r}"
        server.dispose()
        told = Told(recorded(record), served.told)
        assert set(told.rooms) == set(served.told.rooms), f"octet {place}: another room"
        assert set(told.last_counters) <= {LINES}, f"octet {place}: another counter"
        outcomes[outcome] += 1
    tell(f"octets changed under a server: {dict(outcomes)}")
    assert outcomes["served"] > 3
    assert outcomes["INTERNAL from server"] > 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET counter = counter + 1 WHERE counter = (SELECT max(counter) FROM entries)",
        "UPDATE entries SET id = zeroblob(32) WHERE counter = (SELECT max(counter) FROM entries)",
        "UPDATE entries SET sum = sum + 1",
        "UPDATE rooms SET head_seq = head_seq - 1",
        "UPDATE rooms SET server_time = server_time + 1",
        "UPDATE rooms SET chain = zeroblob(32)",
        "UPDATE rooms SET pruned_chain = zeroblob(32)",
        "UPDATE rooms SET oldest_seq = 1",
        "UPDATE rooms SET epoch = zeroblob(16)",
    ],
)
def test_a_value_changes_under_a_server(served: Served, home: Home, statement: str) -> None:
    """FLOW-26, MSG-06: each of what a server tells of a room, and of an author, rests on entries."""
    file = served.bring_back()
    record = home.folder / "record.changed"
    server, port = home.serve(*WORDS, env=shimmed(home.data("server"), record=record))
    db = sqlite3.connect(file, isolation_level=None)
    db.execute(statement)
    db.close()
    assert served.ask(port, "after") == "INTERNAL from server"
    server.expect("error log-unreadable table=", "err")
    server.dispose()
    told = Told(recorded(record), served.told)
    assert set(told.rooms) == set(served.told.rooms)


def test_what_cannot_be_read_is_told(served: Served, home: Home, tell: Tell) -> None:
    """RES-01: the disk does not give an octet of the log; when it does again, all goes on without a restart."""
    served.bring_back()
    control = Control(home.folder / "control")
    outcomes: Counter[str] = Counter()
    for first in range(1, sized(12, 60)):
        served.bring_back()
        record = home.folder / f"record.{first}"
        server, port = home.serve(*WORDS, env=shimmed(home.data("server"), control, record))
        control.fail("read", FILES["db"], EIO, first, first + first % 3)
        outcome = served.ask(port, f"meanwhile {first}")
        outcomes["not reached" if control.failed("read") == 0 else outcome] += 1
        assert outcome in ("served", "INTERNAL from server")
        control.heal()
        (home.data("eve") / "messages.db").unlink()
        assert served.ask(port, f"after {first}") == "served"
        if outcome != "served":
            server.expect(" error ", "err")
        server.dispose()
        Told(recorded(record), served.told)
    tell(f"reads that fail under a server: {dict(outcomes)}")
    assert outcomes["INTERNAL from server"] > 0
