# SPDX-License-Identifier: MIT
"""The reference client when a connection, the server or itself is lost: nothing of what was said is lost or
shown twice, and it comes back only when it may."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from asked import events_of, named, next_event, texts
from conftest import ODD_SERVER, Server, Start, shimmed
from console import INTERRUPT, Console

Serve = Callable[..., Server]
Talk = Callable[..., Console]


@pytest.fixture
def talk(start: Start, tmp_path: Path) -> Talk:
    """talk(server, "ada") -> a client with a folder of its own, in the lobby; `env` as start has it."""

    def run(server: Server, nick: str, *words: str, env: dict[str, str] | None = None) -> Console:
        who = ["--nick", nick, "--data", str(tmp_path / nick), "--room", "lobby"]
        console = start("prosa-client", "--json", *who, *words, server.address, env=env)
        next_event(console, "joined", room="lobby")
        return console

    return run


def kill(server: Server) -> None:
    server.console.signal(signal.SIGKILL)
    server.console.ended()


def say_goodbye(*consoles: Console) -> None:
    for console in consoles:
        console.line("exit")
    for console in consoles:
        assert console.ended() == 0, console.out


def kept(folder: Path) -> list[tuple[int, int]]:
    """Counter and `acked` of each message in the spool."""
    file = sqlite3.connect(folder / "messages.db")
    rows = file.execute("SELECT counter, acked FROM message ORDER BY counter").fetchall()
    file.close()
    return rows


def publishes(server: Server) -> list[str]:
    return (server.data / "publishes").read_text().split()


# --- coming back ---


def test_a_server_that_was_killed_is_found_again_and_nothing_is_lost(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    ada, bob = talk(server, "ada"), talk(server, "bob")
    number = 0
    for _ in range(4):
        for _ in range(3):
            number += 1
            ada.line(f"{number}")
            bob.line(f"{number}")
        next_event(ada, "acked")
        kill(server)
        for console in (ada, bob):
            assert next_event(console, "disconnected")["again"] is True
        number += 1
        ada.line(f"{number}")
        bob.line(f"{number}")
        server = serve(level="L4", port=server.port)
        for console in (ada, bob):
            next_event(console, "joined")
            next_event(console, "message", own=True, text=f"{number}")
    for console in (ada, bob):
        console.line("end")
    for console, other in ((ada, "bob"), (bob, "ada")):
        if not [event for event in named(console, "message") if event["nick"] == other and event["text"] == "end"]:
            next_event(console, "message", nick=other, text="end")
    say_goodbye(ada, bob)
    wanted = [*(f"{one}" for one in range(1, number + 1)), "end"]
    for console in (ada, bob):
        shown = named(console, "message")
        assert [int(event["room_seq"]) for event in shown] == list(range(1, len(shown) + 1))
        for nick in ("ada", "bob"):
            assert [event["text"] for event in shown if event["nick"] == nick] == wanted
        assert named(console, "error") == []
        assert [event["lost_history"] for event in named(console, "joined")] == [False] * 5


def test_octets_are_sent_again_as_they_were(serve: Serve, talk: Talk) -> None:
    server = serve("swallow=2", script=ODD_SERVER, level="L4")
    ada = talk(server, "ada")
    ada.line("once")
    next_event(ada, "message", text="once")
    say_goodbye(ada)
    first, second, third = publishes(server)
    assert first == second == third
    assert [event["counter"] for event in named(ada, "acked")] == ["1"]
    assert [event["again"] for event in named(ada, "disconnected")] == [True, True, False]


def test_lines_typed_while_the_server_is_away_are_sent_when_it_is_back(
    serve: Serve, talk: Talk, tmp_path: Path
) -> None:
    server = serve(level="L4")
    ada = talk(server, "ada")
    kill(server)
    next_event(ada, "disconnected")
    ada.type("one\n/join kitchen\ntwo\n")
    ada.close_stdin()  # what is pending is sent and acknowledged first [END-13]
    next_event(ada, "disconnected", how="refused", again=True)
    serve(level="L4", port=server.port)
    assert ada.ended() == 0
    assert {event["room"]: event["text"] for event in named(ada, "message")} == {"lobby": "one", "kitchen": "two"}
    assert named(ada, "closed")[0]["unsent"] == 0


def test_a_goodbye_is_an_end_in_any_moment_of_the_way(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    consoles = [talk(server, nick) for nick in ("ada", "bob", "eve", "dan")]
    kill(server)
    for console in consoles:
        next_event(console, "disconnected", again=True)
    ada, bob, eve, dan = consoles
    ada.line("never sent")
    ada.line("exit")
    bob.line("/quit")
    eve.signal(signal.SIGINT)
    dan.close_stdin()  # nothing is pending
    for console in consoles:
        assert console.ended() == 0
        assert named(console, "closed")[0]["code"] is None
    assert named(ada, "closed")[0]["unsent"] == 1


def test_no_client_comes_earlier_than_it_was_asked_to(serve: Serve, talk: Talk) -> None:
    after_ms = 1200  # a first attempt comes within 500 ms by itself
    server = serve(f"after={after_ms}", script=ODD_SERVER, level="L4")
    ada = talk(server, "ada")
    told = time.monotonic()  # or a little later
    server.console.signal(signal.SIGTERM)
    assert server.console.ended() == 0
    assert next_event(ada, "disconnected", how="goodbye")["again"] is True
    serve(level="L4", port=server.port)
    next_event(ada, "joined")
    assert time.monotonic() - told >= after_ms / 1000
    say_goodbye(ada)


def test_without_resume_a_lost_server_is_the_end(serve: Serve, talk: Talk) -> None:
    server = serve("memory", level="L4")
    ada = talk(server, "ada")
    kill(server)
    assert ada.ended() == 5
    assert [event["again"] for event in named(ada, "disconnected")] == [False]


def test_the_newer_program_of_a_key_replaces_the_older_which_says_so(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    server = serve(level="L4")
    old = talk(server, "ada")
    new = talk(server, "ada")
    assert old.ended() == 6
    (gone,) = named(old, "disconnected")
    assert (gone["how"], gone["again"]) == ("goodbye", False)
    assert named(old, "closed")[0]["code"] == "REPLACED"
    assert str(tmp_path / "ada") in old.err.decode()
    assert "--data" in old.err.decode()
    new.line("still here")
    next_event(new, "message", text="still here")
    say_goodbye(new)


@pytest.mark.parametrize(("typed", "code", "exit_code"), [("/kick ada", "KICKED", 6), ("exit", "NORMAL", 0)])
def test_goodbyes_that_mean_it(serve: Serve, talk: Talk, typed: str, code: str, exit_code: int) -> None:
    server = serve(level="L4")
    ada = talk(server, "ada")
    server.console.line(typed)
    assert ada.ended() == exit_code
    assert [event["again"] for event in named(ada, "disconnected")] == [False]
    assert named(ada, "closed")[0]["code"] == code


def test_another_key_behind_the_name_is_a_hard_stop_on_the_way_back_too(
    serve: Serve, talk: Talk, tmp_path: Path
) -> None:
    server = serve(level="L4")
    ada = talk(server, "ada")
    kill(server)
    next_event(ada, "disconnected", again=True)
    serve(level="L4", port=server.port, name="false-server")
    assert ada.ended() == 4
    (error,) = named(ada, "error")
    assert (error["from"], error["code"]) == ("client", "PIN_MISMATCH")
    assert named(ada, "closed")[0]["code"] == "PIN_MISMATCH"
    assert len((tmp_path / "ada" / "pins").read_text().splitlines()) == 1


# --- looking a name up ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_resolver_that_never_answers_holds_nobody(start: Start, number: signal.Signals) -> None:
    console = start("prosa-client", "--json", "chat.example.org", env=shimmed("resolver"))
    console.expect("resolving", "err")
    console.signal(number)
    assert console.ended() == 0
    assert [event["event"] for event in events_of(console)] == ["closed"]


@pytest.mark.parametrize("typed", [INTERRUPT, b"exit\n", b"/quit\n"])
def test_a_person_can_go_while_a_name_is_looked_up(start: Start, typed: bytes) -> None:
    console = start("prosa-client", "chat.example.org", env=shimmed("resolver"), terminal=True)
    console.expect("resolving")
    console.type(typed)
    assert console.ended() == 0


def test_an_address_waits_for_no_resolver(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    assert server.address.startswith("127.0.0.1:")
    ada = talk(server, "ada", env=shimmed("resolver"))
    say_goodbye(ada)


# --- crashes of the client ---


def test_a_message_that_was_stored_is_sent_by_the_next_life(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    server = serve(script=ODD_SERVER, level="L4")
    ada = talk(server, "ada", env=shimmed("publish"))
    ada.line("on the disk only")
    assert ada.ended() == -signal.SIGKILL
    assert kept(tmp_path / "ada") == [(1, 0)]
    assert not (server.data / "publishes").exists()

    ada = talk(server, "ada")
    next_event(ada, "message", text="on the disk only")
    ada.line("and the next")
    next_event(ada, "message", text="and the next")
    say_goodbye(ada)
    assert [event["counter"] for event in named(ada, "acked")] == ["1", "2"]
    assert len(publishes(server)) == 2


def test_an_ack_that_was_missed_is_told_by_the_next_life(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    server = serve("swallow=1", script=ODD_SERVER, level="L4")
    ada = talk(server, "ada")
    ada.line("taken by the next server alone")
    next_event(ada, "disconnected")
    ada.signal(signal.SIGKILL)
    ada.ended()
    was = kept(tmp_path / "ada")
    shutil.copytree(tmp_path / "ada", tmp_path / "copy")
    ada = talk(server, "ada")
    next_event(ada, "acked", counter="1")
    say_goodbye(ada)

    shutil.rmtree(tmp_path / "ada")
    (tmp_path / "copy").rename(tmp_path / "ada")  # as if the ACK had not come
    assert kept(tmp_path / "ada") == was
    ada = talk(server, "ada")
    assert next_event(ada, "acked")["counter"] == "1"
    say_goodbye(ada)
    assert len(publishes(server)) - len(set(publishes(server))) <= 1


def test_what_was_shown_is_not_shown_again_and_the_rest_is(serve: Serve, talk: Talk) -> None:
    server = serve(level="L4")
    ada = talk(server, "ada")
    shown: list[dict[str, object]] = []
    for life in range(5):
        bob = talk(server, "bob", "--history", "all")
        for number in range(3):
            ada.line(f"{life}.{number}")
            next_event(bob, "message", text=f"{life}.{number}")
        if life % 2:
            say_goodbye(bob)
        else:
            bob.signal(signal.SIGKILL)
            bob.ended()
        ada.line(f"{life} while bob is away")
        next_event(ada, "message", text=f"{life} while bob is away")
        shown += named(bob, "message")
    say_goodbye(ada)
    seqs = [int(str(event["room_seq"])) for event in shown]
    # After a crash the last turn may be shown once more [spool.h]; nothing is ever passed over.
    assert sorted(set(seqs)) == list(range(1, max(seqs) + 1))
    assert len(seqs) - len(set(seqs)) <= 3


def test_a_new_life_of_the_room_shows_what_was_not_sent(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    server = serve("swallow=9", script=ODD_SERVER, level="L4")
    ada = talk(server, "ada")
    ada.line("for the old room")
    next_event(ada, "disconnected")
    kill(server)
    serve("restored", level="L4", port=server.port)
    joined = next_event(ada, "joined")
    assert joined["lost_history"] is True
    error = next_event(ada, "error")
    assert (error["from"], error["room"], error["counter"]) == ("client", "lobby", "1")
    assert error["text"] == "for the old room"
    ada.line("for the new one")
    assert next_event(ada, "message")["text"] == "for the new one"
    say_goodbye(ada)
    assert "for the old room" in ada.err.decode()
    assert [(counter, acked) for counter, acked in kept(tmp_path / "ada") if not acked] == []


def test_what_was_signed_under_another_nick_is_shown_as_not_sent(
    serve: Serve, start: Start, tmp_path: Path
) -> None:
    server = serve("swallow=9", script=ODD_SERVER, level="L2")
    words = ["prosa-client", "--json", "--level", "L2", "--data", str(tmp_path / "ada")]
    ada = start(*words, "--nick", "ada", server.address)
    next_event(ada, "joined")
    ada.line("hello")
    next_event(ada, "disconnected")
    ada.signal(signal.SIGKILL)
    ada.ended()
    eva = start(*words, "--nick", "eva", server.address)
    assert next_event(eva, "error")["text"] == "hello"
    say_goodbye(eva)
    assert kept(tmp_path / "ada") == []


# --- audit ---


def test_a_copy_is_kept_until_the_server_has_signed_for_it(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    server = serve(level="L4")
    ada = talk(server, "ada")
    ada.line("acknowledged")
    next_event(ada, "acked")
    next_event(ada, "message")
    ada.signal(signal.SIGKILL)
    ada.ended()
    assert [counter for counter, _ in kept(tmp_path / "ada")] == [1]
    ada = talk(server, "ada")  # the CHECKPOINT of JOIN covers it
    say_goodbye(ada)
    assert kept(tmp_path / "ada") == []


def evidence(folder: Path) -> dict[str, bytes]:
    (fork,) = folder.glob("fork-*")
    return {path.name: path.read_bytes() for path in fork.iterdir()}


def test_another_history_is_evidence_and_the_end(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    server = serve("fork", script=ODD_SERVER, level="L4")
    ada = talk(server, "ada")
    ada.type("one\ntwo\n")
    assert ada.ended() == 4
    assert texts(ada) == ["one"]
    (error,) = named(ada, "error")
    assert (error["from"], error["code"]) == ("client", "FORK")
    files = evidence(tmp_path / "ada")
    assert set(files) == {"README", "received", "checkpoint"}
    assert b"two" in files["received"]
    assert str(tmp_path / "ada" / "fork-lobby") in ada.err.decode()


def test_two_checkpoints_that_contradict_are_both_kept(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    server = serve("liar", script=ODD_SERVER, level="L4")
    ada = talk(server, "ada")
    server.console.line("exit")
    assert ada.ended() == 4
    files = evidence(tmp_path / "ada")
    assert files["checkpoint"][3] == files["received"][3]  # both are CHECKPOINTs
    assert files["checkpoint"] != files["received"]
    assert b"seq 0" in files["README"]


# --- the file ---


def test_the_spool_is_private_and_one_file_after_the_end(serve: Serve, talk: Talk, tmp_path: Path) -> None:
    ada = talk(serve(level="L4"), "ada")
    ada.line("hello")
    next_event(ada, "message")
    for path in (tmp_path / "ada").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    say_goodbye(ada)
    assert {path.name for path in (tmp_path / "ada").iterdir()} == {"client.key", "pins", "messages.db"}


def foreign(path: Path) -> None:
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE diary(day)")
    file.commit()
    file.close()


def newer(path: Path) -> None:
    file = sqlite3.connect(path)
    file.executescript("PRAGMA application_id = 1347572579; PRAGMA user_version = 2; CREATE TABLE place(id)")
    file.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("my shopping list, and much more\n" * 100), "not a database"),
        (foreign, "no spool of this program"),
        (newer, "another version"),
        (lambda path: path.mkdir(), "cannot be opened"),
    ],
)
def test_a_file_that_is_no_spool_is_named_and_kept(
    start: Start, tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "data" / "messages.db"
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else None
    console = start("prosa-client", "--json", "localhost:1")
    assert console.ended() == 2
    assert str(path) in console.err.decode()
    assert said in console.err.decode()
    assert named(console, "closed")[0]["exit"] == 2
    assert (path.read_bytes() if path.is_file() else None) == before


def test_one_folder_serves_two_servers_at_once(serve: Serve, talk: Talk) -> None:
    servers = [serve(level="L4", name=name) for name in ("one", "two")]
    consoles = [talk(server, "ada") for server in servers]
    for number in range(5):
        for console in consoles:
            console.line(f"{number}")
    for console in consoles:
        next_event(console, "message", text="4")
    say_goodbye(*consoles)
    for console in consoles:
        assert texts(console) == ["0", "1", "2", "3", "4"]


def test_a_disk_that_fails_ends_the_program_before_anything_is_sent(
    serve: Serve, talk: Talk, tmp_path: Path
) -> None:
    server = serve(script=ODD_SERVER, level="L4")
    ada = talk(server, "ada")
    file = sqlite3.connect(tmp_path / "ada" / "messages.db")
    file.execute("DROP TABLE message")
    file.commit()
    file.close()
    ada.line("cannot be kept")
    assert ada.ended() == 2
    assert "messages.db" in ada.err.decode()
    assert not (server.data / "publishes").exists()
    assert json.loads(ada.out.decode().splitlines()[-1])["exit"] == 2
