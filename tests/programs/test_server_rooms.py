# SPDX-License-Identifier: MIT
"""What clients meet in the rooms of our server when one of them, its disk or its operator asks for much."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from conftest import Start
from served import Serve, serving
from speaker import Refused, Speaker, message_id

LINE = "x" * 4000
BOB = bytes(32)


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


def fill(speaker: Speaker, count: int) -> None:
    """A room with so many messages, each a LINE; whoever filled it is gone."""
    room_id = speaker.join("general").need("room_id")
    for done in range(0, count, 50):
        speaker.send(*(speaker.publish(room_id, done + i + 1, LINE) for i in range(50)))
        speaker.expect("ACK", acked_counter=done + 50)
        speaker.say("ACK", room_id=room_id, seen_seq=done, limit_seq=done + 1000)
    speaker.close()


def test_a_member_that_catches_up_does_not_hold_the_others(serve: Serve) -> None:
    """However fast it reads: the log is longer than what goes out in one turn [LIM-06] [FLOW-38]."""
    server = serve()
    count = 4000
    fill(Speaker(server, "ada"), count)
    bob, cec = Speaker(server, "bob"), Speaker(server, "cec")
    taken = 0
    begun = threading.Event()

    def read() -> None:
        nonlocal taken
        buffer = bytearray(1 << 20)
        while taken < count * len(LINE):
            size = bob.socket.recv_into(buffer)
            assert size > 0
            taken += size
            begun.set()

    reader = threading.Thread(target=read)
    bob.say("JOIN", room="general", send_window=1, recv_window=2 * count, after_seq=0)
    reader.start()
    begun.wait()
    cec.ping()
    assert taken < count * len(LINE) // 2
    reader.join()
    server.stop()


def test_an_entry_that_is_gone_ends_the_session_in_words(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    fill(Speaker(server, "ada"), 50)
    server.stop()
    server = serve()
    with sqlite3.connect(tmp_path / "server" / "log.db") as log:
        log.execute("DELETE FROM entries WHERE room_seq = 3")
    log.close()
    bob = Speaker(server, "bob")
    bob.join("general", after_seq=0)
    bob.expect_code("ERROR", "INTERNAL")
    assert [frame.name for frame in bob.frames].count("DELIVER") == 2
    bob.close()
    server.stop()


def test_of_many_questions_the_oldest_is_answered_by_nobody(serve: Serve) -> None:
    """With a window limits follow acceptance [FLOW-32]: so questions that wait have a bound of their own [LIM-08]."""
    server = serve("--answer", "console")
    ada = Speaker(server, "ada")
    room_id = ada.join("@host", recv_window=1000).need("room_id")
    ada.send(*(ada.publish(room_id, counter, f"question {counter}") for counter in range(1, 65)))
    ada.expect("ACK", acked_counter=64)
    ada.ping()
    assert all(frame.name != "ERROR" for frame in ada.frames)
    ada.send(*(ada.publish(room_id, counter, "one too many") for counter in (65, 66)))
    for counter in (1, 2):
        assert ada.expect_code("ERROR", "NO_ANSWER").number("counter") == counter
    server.console.line("three")
    answer = ada.expect("DELIVER", counter=1)
    while answer.octets("author_key") == ada.key:
        answer = ada.expect("DELIVER", counter=1)
    asked = next(
        frame
        for frame in ada.frames
        if frame.name == "DELIVER" and frame.octets("author_key") == ada.key and frame.number("counter") == 3
    )
    assert answer.need("reply_to") == message_id(asked)
    ada.close()
    server.stop()


@pytest.mark.parametrize("level", ["L2", "L3"])
def test_a_ban_holds_at_each_level_that_has_it(serve: Serve, level: str) -> None:
    server = serve("--level", level)
    ada = Speaker(server, "ada")
    server.console.line("/ban ada")
    ada.expect_code("BYE", "KICKED")
    ada.close()
    with pytest.raises(Refused, match="DENIED"):
        Speaker(server, "ada", ada.seed)
    server.stop()


def test_a_full_server_has_a_place_for_who_is_here_already(serve: Serve) -> None:
    """[LIM-02] [AUTH-07]"""
    server = serve("--max-clients", "1")
    older = Speaker(server, "ada")
    with pytest.raises(Refused, match="BUSY"):
        Speaker(server, "bob")
    newer = Speaker(server, "ada", older.seed)
    older.expect_code("BYE", "REPLACED")
    newer.ping()
    older.close()
    newer.close()
    server.stop()


@pytest.mark.parametrize("audit", ["yes", "no"])
def test_a_log_that_was_pruned_is_good_at_the_next_start(serve: Serve, audit: str) -> None:
    """Its chain goes on from the boundary, also when the entries do not carry it [AUD-07]."""
    words = (f"--audit={audit}", "--keep-messages=10")
    server = serve(*words)
    fill(Speaker(server, "ada"), 600)
    for _ in range(2):
        server.stop()
        server = serve(*words)
        joined = Speaker(server, "bob", BOB).join("general", after_seq=0)
        assert joined.number("head_seq") == 600
        assert joined.number("oldest_seq") > 300
    server.stop()
