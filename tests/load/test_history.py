# SPDX-License-Identifier: MIT
"""The judge of histories, judged: a good history has no fault, and each broken one has the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prosa_conformance.client_history import History, Order, faults

Events = dict[str, list[dict[str, Any]]]
NAMES = ("ada", "bob", "eve")
TEXTS = [("ada", 1), ("bob", 1), ("ada", 2), ("eve", 1), ("ada", 3), ("bob", 2), ("eve", 2), ("bob", 3)]


def joined(start_seq: int, last_counter: int) -> dict[str, Any]:
    return {
        "event": "joined",
        "room": "hall",
        "room_id": "0a",
        "epoch": "0b",
        "server_key": "0c",
        "start_seq": str(start_seq),
        "last_counter": str(last_counter),
        "lost_history": False,
    }


def message(seq: int, viewer: str) -> dict[str, Any]:
    author, counter = TEXTS[seq - 1]
    return {
        "event": "message",
        "room": "hall",
        "room_seq": str(seq),
        "nick": author,
        "author_key": f"key of {author}",
        "counter": str(counter),
        "server_time": str(1000 + seq // 2),
        "id": f"id {author} {counter}",
        "text": f"{author} {counter}",
        "own": author == viewer,
    }


def good() -> Events:
    """Three members in one room; bob comes in late and eve is killed after five messages."""
    events: Events = {}
    for name in NAMES:
        first = 2 if name == "bob" else 1
        mine = events[name] = [{"event": "started"}, joined(first, 0)]
        mine += [{"event": "said", "room": "hall", "text": f"{author} {number}"}
                 for author, number in TEXTS if author == name]  # fmt: skip
        mine += [message(seq, name) for seq in range(first, len(TEXTS) + 1)]
        own = [(counter, seq) for seq, (author, counter) in enumerate(TEXTS, 1) if author == name]
        mine += [{"event": "acked", "room": "hall", "counter": str(c), "room_seq": str(s)} for c, s in own]
    kill_eve(events)
    return events


def kill_eve(events: Events) -> None:
    """Behind her fifth message, which she is shown again; what she said last was never sent."""
    at = 1 + place(events["eve"], "message", 5)
    again = {"event": "disconnected", "how": "eof", "again": True}
    events["eve"][at:at] = [
        {"event": "said", "room": "hall", "text": "eve, too late"},
        {"event": "killed"},
        {"event": "started"},
        joined(5, 1),
        message(5, "eve"),
        again,
        joined(6, 1),
    ]


def place(events: list[dict[str, Any]], kind: str, seq: int) -> int:
    return next(at for at, event in enumerate(events) if event["event"] == kind and event.get("room_seq") == str(seq))


def judged(events: Events, log: Order | None = None) -> list[str]:
    history = History()
    for name, mine in events.items():
        for event in mine:
            history.note(name, event)
    return faults(history, log)


def kept(events: Events) -> Order:
    """The log that a server would have of it."""
    history = History()
    for event in events["ada"]:
        history.note("ada", event)
    return {"hall": history.shown_to("ada", "hall")}


def test_a_good_history_has_no_fault() -> None:
    events = good()
    assert judged(events) == []
    assert judged(events, kept(events)) == []


# --- one fault each ---


def loses_one(events: Events) -> None:
    del events["ada"][place(events["ada"], "message", 4)]


def loses_the_last(events: Events) -> None:
    del events["ada"][place(events["ada"], "message", 8)]


def sees_twice(events: Events) -> None:
    events["ada"].insert(place(events["ada"], "message", 5), message(4, "ada"))


def sees_in_another_order(events: Events) -> None:
    at = place(events["ada"], "message", 4)
    events["ada"][at], events["ada"][at + 1] = events["ada"][at + 1], events["ada"][at]


def has_an_order_of_its_own(events: Events) -> None:
    at = place(events["ada"], "message", 4)
    first, second = events["ada"][at], events["ada"][at + 1]
    events["ada"][at : at + 2] = [{**second, "room_seq": "4"}, {**first, "room_seq": "5"}]


def everywhere(events: Events, seq: int, **members: str) -> None:
    for mine in events.values():
        for event in mine:
            if event["event"] == "message" and event["room_seq"] == str(seq):
                event.update(members)


def is_altered_for_one(events: Events) -> None:
    events["bob"][place(events["bob"], "message", 4)]["text"] = "eve 1!"


def nobody_has_it(events: Events) -> None:
    for mine in events.values():
        mine[:] = [event for event in mine if event["event"] != "message" or event["room_seq"] != "7"]


def is_there_twice(events: Events) -> None:
    everywhere(events, 7, counter="1", id="id eve 1", text="eve 1")


def leaves_a_counter_out(events: Events) -> None:
    everywhere(events, 8, counter="4")


def goes_back_in_time(events: Events) -> None:
    everywhere(events, 5, server_time="999")


def is_acked_and_nowhere(events: Events) -> None:
    events["eve"].append({"event": "acked", "room": "hall", "counter": "3", "room_seq": "9"})


def is_acked_elsewhere(events: Events) -> None:
    events["ada"][place(events["ada"], "acked", 5)]["room_seq"] = "6"


def never_comes(events: Events) -> None:
    events["ada"].append({"event": "said", "room": "hall", "text": "ada 4"})


def comes_in_the_wrong_order(events: Events) -> None:
    said = [event for event in events["ada"] if event["event"] == "said"]
    said[0]["text"], said[1]["text"] = said[1]["text"], said[0]["text"]


def nobody_said_it(events: Events) -> None:
    everywhere(events, 4, text="eve 0")


def bears_another_name(events: Events) -> None:
    everywhere(events, 4, nick="ada")


def skips_after_a_kill(events: Events) -> None:
    mine = events["eve"]
    at = next(at for at, event in enumerate(mine) if event["event"] == "killed")
    mine[at + 2 : at + 5] = [joined(7, 1)]
    del mine[place(mine, "message", 6)]


def repeats_after_a_cut(events: Events) -> None:
    mine = events["eve"]
    at = next(at for at, event in enumerate(mine) if event["event"] == "disconnected")
    mine[at + 1 : at + 2] = [joined(5, 1), message(5, "eve")]


def has_a_second_life(events: Events) -> None:
    events["bob"][1]["epoch"] = "0d"


def is_told_of_an_error(events: Events) -> None:
    events["bob"].append({"event": "error", "from": "client", "code": "BAD_SIG", "reason": "forged"})


def loses_history(events: Events) -> None:
    events["bob"][1]["lost_history"] = True


def is_sent_away(events: Events) -> None:
    events["bob"].append({"event": "disconnected", "how": "goodbye", "again": False, "reason": "kicked"})


def ends_by_itself(events: Events) -> None:
    events["bob"].append({"event": "closed", "exit": 1, "code": None, "reason": "gave up"})


BREAK_AND_WORDS: list[tuple[Callable[[Events], None], str]] = [
    (loses_one, "ada: was shown hall 5, 4 was due"),
    (loses_the_last, "ada: was shown hall up to 7, its head is 8"),
    (sees_twice, "ada: was shown hall 4, 5 was due"),
    (sees_in_another_order, "ada: was shown hall 5, 4 was due"),
    (has_an_order_of_its_own, "hall 5: ada was shown"),
    (is_altered_for_one, "hall 4: ada was shown"),
    (nobody_has_it, "hall: nobody was shown [7], 1 in all"),
    (is_there_twice, "hall: 1 messages have two places"),
    (leaves_a_counter_out, "hall 8: counter 4 of bob, 3 was due"),
    (goes_back_in_time, "hall: server_time went back"),
    (is_acked_and_nowhere, "eve: hall counter 3 was acknowledged, [3] are not there"),
    (is_acked_elsewhere, "ada: hall counter 3 was acknowledged at 6"),
    (never_comes, "ada: 1 texts never came to hall: ['ada 4']"),
    (comes_in_the_wrong_order, "ada: its texts in hall are not in the order"),
    (nobody_said_it, "hall 4: eve never said 'eve 0'"),
    (bears_another_name, "hall 4: ada never said 'eve 1'"),
    (skips_after_a_kill, "eve: hall goes on at 7, 6 was due"),
    (repeats_after_a_cut, "eve: hall goes on at 5, 6 was due"),
    (has_a_second_life, "hall had 2 lives"),
    (is_told_of_an_error, "bob: client said BAD_SIG: forged"),
    (loses_history, "bob: history of hall was lost"),
    (is_sent_away, "bob: disconnected: goodbye: kicked"),
    (ends_by_itself, "bob: ended by itself with 1: gave up"),
]


@pytest.mark.parametrize(("spoil", "words"), BREAK_AND_WORDS, ids=lambda part: getattr(part, "__name__", ""))
def test_a_broken_history_is_caught(spoil: Callable[[Events], None], words: str) -> None:
    events = good()
    spoil(events)
    found = judged(events)
    assert any(fault.startswith(words) for fault in found), found


@pytest.mark.parametrize("seq", [1, 4, 8])
def test_a_log_that_differs_is_caught(seq: int) -> None:
    events = good()
    log = kept(events)
    del log["hall"][seq]
    assert [fault.split(",")[0] for fault in judged(events, log)] == ["hall: the log differs at 1 places"]


def test_a_kill_excuses_a_window_and_no_more() -> None:
    """A program that forgets how far it was begins at the first message again."""
    names = ("ada", "eve")
    seqs = range(1, 101)
    events: Events = {name: [{"event": "started"}, joined(1, 0)] for name in names}
    events["ada"] += [{"event": "said", "room": "hall", "text": f"ada {seq}"} for seq in seqs]
    shown = [{**message(1, "ada"), "room_seq": seq, "counter": seq, "id": seq, "text": f"ada {seq}"} for seq in seqs]
    for name in names:
        events[name] += [{**event, "own": name == "ada"} for event in shown]
    for start, found in ((37, []), (36, ["eve: hall goes on at 36, 101 was due"])):
        again = [{"event": "killed"}, {"event": "started"}, joined(start, 0)]
        view = [*events["eve"], *again, *({**event, "own": False} for event in shown[start - 1 :])]
        assert judged({**events, "eve": view}) == found
