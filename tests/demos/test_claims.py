# SPDX-License-Identifier: MIT
"""The judge of the demos: a good history, and each way in which one can be bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import conftest  # noqa: F401
from demo.claims import Claims, judge_room
from prosa_conformance.client_history import History

ROOM = "lobby"
MEMBERS = ("ada", "bruno")
Events = dict[str, list[dict[str, Any]]]


def joined() -> dict[str, Any]:
    ids = {"room_id": "00", "epoch": "01", "server_key": "02"}
    return {"event": "joined", "room": ROOM, **ids, "last_counter": "0", "start_seq": "1", "lost_history": False}


def message(seq: int, nick: str, counter: int, own: bool) -> dict[str, Any]:
    return {
        "event": "message", "room": ROOM, "room_seq": str(seq), "nick": nick, "author_key": f"key of {nick}",
        "counter": str(counter), "server_time": str(seq), "id": f"{nick} {counter}", "text": f"{nick} {counter}",
        "own": own,
    }  # fmt: skip


def talk() -> Events:
    """ada and bruno say two lines each, in turn."""
    order = [("ada", 1), ("bruno", 1), ("ada", 2), ("bruno", 2)]
    events: Events = {}
    for member in MEMBERS:
        said = [{"event": "said", "room": ROOM, "text": f"{member} {number}"} for number in (1, 2)]
        seen = [message(seq, nick, counter, nick == member) for seq, (nick, counter) in enumerate(order, 1)]
        events[member] = [joined(), *said, *seen, {"event": "acked", "room": ROOM, "counter": "2"}]
    return events


def judged(events: Events) -> Claims:
    history, claims = History(), Claims()
    for member, told in events.items():
        for event in told:
            history.note(member, event)
    judge_room(claims, history, ROOM, MEMBERS)
    return claims


def messages(events: Events, member: str) -> list[int]:
    return [number for number, event in enumerate(events[member]) if event["event"] == "message"]


def lose(events: Events) -> None:
    del events["bruno"][messages(events, "bruno")[2]]


def lose_own(events: Events) -> None:
    for member in MEMBERS:
        del events[member][messages(events, member)[3]]


def double(events: Events) -> None:
    at = messages(events, "bruno")[1]
    events["bruno"].insert(at, events["bruno"][at])


def swap(events: Events) -> None:
    first, second = messages(events, "bruno")[1:3]
    one, other = events["bruno"][first], events["bruno"][second]
    one["room_seq"], other["room_seq"] = other["room_seq"], one["room_seq"]
    events["bruno"][first], events["bruno"][second] = other, one


def forge(events: Events) -> None:
    for member in MEMBERS:
        events[member].append(message(5, "ada", 3, member == "ada"))


def test_good_history_holds() -> None:
    claims = judged(talk())
    assert claims.hold, claims.all
    assert claims.all[0].words == "4 messages acked, each seen exactly once by 2 of 2 clients"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose, "bruno never saw message 2 of ada"),
        (lose_own, "never saw message 2 of bruno"),
        (double, "bruno saw message 1 of bruno 2 times"),
        (swap, "2 different orders were seen"),
        (forge, "ada never said 'ada 3'"),
    ],
)
def test_doctored_history_does_not(spoil: Callable[[Events], None], said: str) -> None:
    events = talk()
    spoil(events)
    claims = judged(events)
    assert not claims.hold
    assert said in " ".join(reason for claim in claims.all for reason in claim.why), claims.all


def test_nothing_acknowledged_is_nothing_shown() -> None:
    assert not judged({member: [joined()] for member in MEMBERS}).hold
    assert not Claims().hold, "a demo that claims nothing has shown nothing"
