# SPDX-License-Identifier: MIT
"""Server and client under memcheck: no memory that is not theirs, none that was not set, none that nobody frees."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path

from conftest import PROGRAMS, Start, tell
from console import Console
from prosa_conformance import codec
from prosa_conformance.registry import FEATURES
from served import Served
from speaker import OFFERED, Speaker

FOUND = 99  # no exit code of ours
MEMCHECK = (
    *("valgrind", "--quiet", "--fair-sched=yes", f"--error-exitcode={FOUND}", "--track-fds=no"),
    *("--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=definite,possible"),
)
LINES = 40  # in one life of a client: more than one checkpoint


def checked(start: Start, program: str, *words: str) -> Console:
    return start(MEMCHECK[0], *MEMCHECK[1:], str(PROGRAMS / program), *words)


def life(start: Start, server: Served, nick: str, folder: Path, lines: range) -> list[str]:
    """A client from its beginning to the end of its input; the texts that it saw."""
    console = checked(
        start,
        "prosa-client",
        *("--json", "--nick", nick, "--room", "hall", "--history", "all", "--data", str(folder / nick), server.address),
    )
    for line in lines:
        console.line(f"line {line}")
    console.close_stdin()
    assert console.ended() == 0, console.err.decode()
    assert b"==" not in console.err, console.err.decode()
    events = [json.loads(line) for line in console.out.splitlines()]
    return [event["text"] for event in events if event["event"] == "message"]


def test_a_whole_session_is_clean(start: Start, tmp_path: Path) -> None:
    console = checked(
        start,
        "prosa-server",
        *("--port", "0", "--data", str(tmp_path / "data"), "--answer", "echo"),
        *("--metrics", "127.0.0.1:0", "--keep-messages", "70"),
    )
    server = Served(console)
    console.expect("metrics address=", "err")
    metrics = console.expect("\n", "err").decode().strip()

    said = life(start, server, "ada", tmp_path, range(LINES))
    assert said == [f"line {line}" for line in range(LINES)]
    life(start, server, "ada", tmp_path, range(LINES, 2 * LINES))  # goes on where it was

    speaker = Speaker(server, "eva", features=OFFERED | FEATURES["audit"])
    joined = speaker.join("hall", after_seq=0)
    speaker.ping()
    assert "CHECKPOINT" in [frame.name for frame in speaker.frames]
    host = speaker.join("@host", send_window=1)
    speaker.send(speaker.publish(host.need("room_id"), 1, "well?"))
    speaker.expect("ACK", limit_counter=2)
    speaker.say("LEAVE", room_id=joined.need("room_id"))
    speaker.expect("MEMBER", event=3)
    broken = bytearray(codec.encode(speaker.publish(host.need("room_id"), 2, "not what was signed")))
    broken[-1] ^= 1  # of the signature
    speaker.socket.sendall(broken)
    speaker.expect_code("ERROR", "BAD_SIG")
    speaker.close()
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=30) as page:
        assert b"prosa_" in page.read()

    console.signal(signal.SIGTERM)
    assert console.ended() == 0, console.err.decode()
    assert b"==" not in console.err, console.err.decode()
    tell(test="valgrind", messages=2 * LINES + 1)
