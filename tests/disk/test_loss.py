# SPDX-License-Identifier: MIT
"""What people see of a log that has lost its end: the operator is told before anybody comes in; and where nothing
on the server's disk shows the loss, the clients do."""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path

import pytest

from asked import named, next_event, texts
from conftest import Home, Tell
from disk import PAGE

FRAME = 24 + PAGE
HEADER = 32
LINES = 5


def commits(wal: bytes) -> list[int]:
    """Where in a WAL each transaction ends."""
    starts = range(HEADER, len(wal) - FRAME + 1, FRAME)
    return [start + FRAME for start in starts if struct.unpack_from(">I", wal, start + 4)[0] != 0]


class Past:
    """A server that was killed when ada and bob had said a little, and what each of the three has on disk."""

    def __init__(self, home: Home) -> None:
        self.home = home
        server, port = home.serve()
        ada, bob = home.talk("ada", port), home.talk("bob", port)
        for number in range(LINES):
            for nick, console in (("ada", ada), ("bob", bob)):
                console.line(f"{number} of {nick}")
                next_event(ada, "message", text=f"{number} of {nick}")
        server.dispose()
        for console in (ada, bob):
            console.dispose()
        self.epoch = named(ada, "joined")[0]["epoch"]
        self.said = texts(ada)
        self.wal = (home.data("server") / "log.db-wal").read_bytes()
        for who in ("server", "ada", "bob"):
            shutil.copytree(home.folder / who, home.folder / f"{who}.past")

    def bring_back(self, cut: int, keeps_lock: bool) -> Path:
        """All is as it was, but for the end of the log."""
        for who in ("server", "ada", "bob"):
            shutil.rmtree(self.home.folder / who)
            shutil.copytree(self.home.folder / f"{who}.past", self.home.folder / who)
        folder = self.home.folder / "server"
        (folder / "log.db-wal").write_bytes(self.wal[:cut])
        if not keeps_lock:
            (folder / "lock").unlink()
        return folder


@pytest.fixture
def past(home: Home) -> Past:
    return Past(home)


def test_the_operator_is_told_and_begins_anew(past: Past, home: Home, tell: Tell) -> None:
    """RES-03, MSG-24: at every cut the server says what is missing and what to do; with --restored the room has a new
    epoch, clients say that history was lost, and everything goes on."""
    cuts = commits(past.wal)[:-1]
    for cut in cuts:
        folder = past.bring_back(cut, keeps_lock=True)
        refused = home.start("prosa-server", "--port", "0", "--data", folder)
        assert refused.ended() == 1
        said = refused.err.decode()
        assert re.search(r"log\.db has \d+ entries, and 10 were committed in this folder", said), said
        assert "start once with --restored" in said
        server, port = home.serve("--restored")
        ada, bob = home.client("ada", port), home.client("bob", port)
        for console in (ada, bob):
            joined = next_event(console, "joined", room="dev")
            assert joined["lost_history"] is True
            assert joined["epoch"] != past.epoch
        bob.line("and on it goes")
        assert next_event(ada, "message", text="and on it goes")["room_seq"] == "1"
        server.line("exit")
        assert [console.ended() for console in (server, ada, bob)] == [0, 0, 0]
        server, port = home.serve()
        bob = home.talk("bob", port)
        bob.line("and on")
        assert next_event(bob, "message", text="and on")["room_seq"] == "2"
        server.dispose()
        bob.dispose()
    tell(f"the log has lost its end: {len(cuts)} cuts, each refused with a sentence, and begun anew")
    assert len(cuts) >= 2 * LINES


def test_a_client_that_is_ahead_shows_the_loss(past: Past, home: Home) -> None:
    """RES-02, RES-03: the mark in the folder is lost, too, so that the server cannot know."""
    middle = commits(past.wal)[-LINES]
    past.bring_back(middle, keeps_lock=False)
    server, port = home.serve()
    ada = home.client("ada", port)
    joined = next_event(ada, "joined", room="dev")
    assert (joined["lost_history"], joined["epoch"], joined["start_seq"]) == (True, past.epoch, "1")
    server.expect("client-ahead-of-log nick=ada", "err")
    ada.line("the next one")
    next_event(ada, "message", text="the next one")
    ada.line("exit")
    assert ada.ended() == 0


def test_another_history_in_the_place_of_the_lost_one_is_evidence(past: Past, home: Home) -> None:
    """AUD-05: others have gone on from the older log before she comes back: what she knows of does not fit."""
    folder = past.bring_back(commits(past.wal)[-LINES], keeps_lock=False)
    shutil.rmtree(home.folder / "bob")  # a newcomer to this server, who has seen nothing
    server, port = home.serve("--log-level", "debug")
    assert folder == home.data("server")
    bob = home.start(
        "prosa-client", "--json", "--nick", "eve", "--data", home.data("eve"), "--room", "dev", f"127.0.0.1:{port}"
    )
    next_event(bob, "joined")
    for number in range(2 * LINES):
        bob.line(f"{number} of eve")
        next_event(bob, "message", text=f"{number} of eve")
    ada = home.client("ada", port)
    assert ada.ended() == 4, ada.err  # of the class of FORK
    assert "THE SERVER TELLS TWO HISTORIES OF dev" in ada.err.decode()
    assert list(home.data("ada").glob("fork-dev-*/received"))
    assert not [text for text in texts(ada) if "eve" in text], "what does not fit is not shown"
    server.dispose()
