# SPDX-License-Identifier: MIT
"""The client's own files on a disk that is full or fails: nothing is sent that is not kept, what it says is true, and
on a good disk it goes on with the same key and what it had kept."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import Counter
from errno import EIO, ENOSPC, errorcode
from pathlib import Path

import pytest

from asked import events_of, named, next_event
from conftest import Home, Tell, sized
from console import Console
from disk import CALLS, EVER, Control, shimmed

ALL = 2**32 - 1
STEP = {"read": sized(9, 1), "write": sized(4, 1)}  # every so manieth of these calls, every one of the others
KEY = re.compile(r"PROSA-KEY-1 [0-9a-f]{64}\n")
FAULTS = sized([(ENOSPC, True), (EIO, False)], [(error, lasts) for error in (EIO, ENOSPC) for lasts in (False, True)])


def visit(home: Home, nick: str, port: int, control: Control | None, text: str) -> Console:
    """A client that says something, waits until that is confirmed, and goes."""
    console = home.client(nick, port, env=shimmed(home.data(nick), control) if control else None)
    with contextlib.suppress(BrokenPipeError):  # it has ended already
        console.line(text)
        console.close_stdin()
    console.ended()
    return console


def judge(console: Console, folder: Path) -> str:
    """It has ended in one of the ways in which it may; which one."""
    code = console.process.returncode
    closed = named(console, "closed")
    assert [event["exit"] for event in closed] == [code], console.err
    if code == 2:
        assert str(folder) in console.err.decode(), "where"
        return "has said that it cannot be kept"
    assert code == 0, console.err
    assert len(named(console, "acked")) == 1
    return "was not disturbed"


@pytest.mark.parametrize(("error", "lasts"), FAULTS)
@pytest.mark.parametrize("visits", ["first", "second"])
def test_every_call_fails(home: Home, tell: Tell, visits: str, error: int, lasts: bool) -> None:
    """RES-07, RES-08: key, pins and spool, made anew or found there."""
    _, port = home.serve()
    watcher = home.talk("watcher", port)
    control = Control(home.folder / "control")
    figures = []
    said: set[str] = set()  # what was acknowledged
    for call in CALLS:
        if error == ENOSPC and call in ("read", "map"):
            continue
        outcomes: Counter[str] = Counter()
        failed = 0
        for number in itertools.count(1, STEP.get(call, 1)):
            nick, text = f"{call}{number}", f"{call} {number}"
            folder = home.data(nick)
            if visits == "second":
                assert visit(home, nick, port, None, f"{text} before").process.returncode == 0
                said.add(f"{text} before")
            control.heal()
            control.fail(call, ALL, error, number, EVER if lasts else number)
            console = visit(home, nick, port, control, text)
            injected = control.failed(call)
            control.heal()
            outcome = judge(console, folder)
            if (call, error, console.process.returncode) == ("write", ENOSPC, 2):
                assert re.search(rb"disk is full|No space left", console.err), console.err
            keys = [file.read_text() for file in folder.glob("client.key")]
            after = visit(home, nick, port, None, f"{text} after")
            assert after.process.returncode == 0, after.err
            assert all(KEY.fullmatch(key) for key in keys)
            assert keys in ([], [(folder / "client.key").read_text()]), "another key"
            assert "FIRST" not in after.err.decode()
            said.add(f"{text} after")
            said |= {text} if named(console, "acked") or len(named(after, "acked")) > 1 else set()
            if injected == 0:
                assert outcome == "was not disturbed"
                break  # the visit has fewer calls
            failed += injected
            outcomes[outcome] += 1
        figures.append(f"{call} {failed} times in {outcomes.total()} visits {dict(outcomes)}")
    when = "for good from" if lasts else "once at"
    tell(f"{errorcode[error]} {when} each call of a {visits} visit: " + "; ".join(figures))
    watcher.line("the end")
    next_event(watcher, "message", text="the end")
    heard = Counter(event["text"] for event in events_of(watcher) if event["event"] == "message")
    assert set(heard.values()) == {1}, "a message came twice"
    assert said <= set(heard), "an acknowledged message is gone"
