# SPDX-License-Identifier: MIT
"""A client of ours with --json: what it has printed, and its next event."""

from __future__ import annotations

import json
import time
from typing import Any

from console import DEADLINE_S, Console

Event = dict[str, Any]


def events_of(console: Console) -> list[Event]:
    """All that came so far, a last line that is not whole left out."""
    return [json.loads(line) for line in console.out.decode().split("\n")[:-1]]


def named(console: Console, name: str) -> list[Event]:
    return [event for event in events_of(console) if event["event"] == name]


def texts(console: Console) -> list[str]:
    """What was said, in the order in which it was shown."""
    return [event["text"] for event in named(console, "message")]


def next_event(console: Console, name: str, **members: object) -> Event:
    """Wait for the next event of this name with these members."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        assert time.monotonic() < deadline, f"{name} {members} did not come.\nout: {console.out!r}"
        event: Event = json.loads(console.expect("\n"))
        if event["event"] == name and members.items() <= event.items():
            return event
