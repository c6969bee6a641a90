# SPDX-License-Identifier: MIT
"""The client while memory runs out: it ends with a code and words, or goes on; whatever it has told its person to be
sent is there, once; and the next one in its folder goes on where it was."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import NEVER, Scarce, Start, sample, tell
from console import Console
from served import Served
from speaker import Speaker

SAMPLE = 30
LINES = 3
# Of chapter 13.4: a good end, a protocol error, bad settings, no connection, the server vanished, it went away.
EXITS = (0, 1, 2, 3, 5, 6)
CUT_AFTER = 600  # octets of the server: in the middle of the room's beginning


class Cutter:
    """A cable between clients and a server; each first connection after `arm` is cut."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self.cuts = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def arm(self) -> None:
        self.cuts += 1

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection((self.server.host, self.server.port))
            self._ends += [client, server]
            is_cut, self.cuts = self.cuts > 0, max(0, self.cuts - 1)
            for source, sink, cap in ((client, server, None), (server, client, CUT_AFTER if is_cut else None)):
                threading.Thread(target=self._pump, args=(source, sink, cap), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, cap: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while (cap is None or passed < cap) and (octets := source.recv(65536)):
                passed += len(octets)
                sink.sendall(octets)
        for end in (source, sink) if cap is not None else (sink,):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR if cap is not None else socket.SHUT_WR)


class Stage:
    """A healthy server, and clients of one nick after the other."""

    def __init__(self, start: Start, memory: Scarce, tmp_path: Path) -> None:
        self.start, self.memory, self.folder = start, memory, tmp_path
        data = str(tmp_path / "server")
        self.server = Served(start("prosa-server", "--port", "0", "--data", data))
        self.target = self.server.address
        self.number = 0

    def life(self, first: int = NEVER, last: int = NEVER) -> Console:
        """The client of the current nick in the current room, who says its lines and leaves: its whole life."""
        self.memory.begin(first, last)
        name = f"ada{self.number}"
        console = self.start(
            *("prosa-client", "--json", "--nick", name, "--room", f"room{self.number}"),
            *("--data", str(self.folder / name), self.target),
            env=self.memory.env,
        )
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            for line in range(LINES):
                console.line(f"line {line}")
            console.close_stdin()
        console.ended()
        return console

    def judge(self, console: Console, number: int, count: int) -> int:
        """Its end is one of those that there are, with words; its code."""
        code = console.process.returncode
        where = f"allocation {number} of {count}: {code}\n{console.out.decode()}\n{console.err.decode()}"
        assert code in EXITS, where
        assert code == 0 or console.err.strip(), where
        assert "damaged" not in where and "no spool of this program" not in where, where
        return code

    def said(self) -> list[str]:
        """What the current room has."""
        speaker = Speaker(self.server, f"eva{self.number}")
        speaker.join(f"room{self.number}", after_seq=0)
        speaker.ping()
        speaker.close()
        return [str(frame.value("text")) for frame in speaker.frames if frame.name == "DELIVER"]


def events(console: Console, name: str) -> list[dict[str, Any]]:
    """Of whole lines; the last one may be cut."""
    lines = [json.loads(line) for line in console.out.splitlines(keepends=True) if line.endswith(b"}\n")]
    return [event for event in lines if event["event"] == name]


@pytest.fixture
def stage(start: Start, scarce: Callable[[str], Scarce], tmp_path: Path) -> Stage:
    return Stage(start, scarce("client"), tmp_path)


def play(stage: Stage, tried: range, count: int, until: Callable[[int], int]) -> dict[int, int]:
    """For each allocation a client that fails at it, and one that goes on where it was; how the first ones ended."""
    codes: dict[int, int] = {}
    for number in tried:
        stage.number += 1
        scarce = stage.life(number, until(number))
        stage.memory.end()
        code = stage.judge(scarce, number, count)
        codes[code] = codes.get(code, 0) + 1
        acked = {int(event["counter"]) for event in events(scarce, "acked")}
        whole = stage.life()
        where = f"after allocation {number} of {count} had failed, {scarce.err.decode()}"
        assert whole.process.returncode == 0, f"{where}: {whole.err.decode()}"
        said = stage.said()
        assert len(said) >= len(acked) + LINES, f"{where}: {sorted(acked)} were acknowledged, and there is {said}"
        assert all(said.count(f"line {line}") in (1, 2) for line in range(LINES)), f"{where}: {said}"
        for console in (scarce, whole):
            console.dispose()
    return codes


def rehearse(stage: Stage) -> int:
    for _ in range(2):
        stage.number += 1
        console = stage.life()
        count = stage.memory.end()
        assert console.process.returncode == 0, console.err
        assert sorted(stage.said()) == [f"line {line}" for line in range(LINES)]
    assert count > SAMPLE, "the client does not take its memory where it could run out"
    return count


@pytest.mark.parametrize("length", [1, NEVER], ids=["one fails", "all fail from there on"])
def test_a_life_for_which_there_is_no_memory(stage: Stage, length: int) -> None:
    count = rehearse(stage)
    tried = sample(count, SAMPLE)
    codes = play(stage, tried, count, lambda number: min(number + length - 1, NEVER - 1))
    assert set(codes) != {0}
    tell(test="life", fails=length if length < NEVER else "all", allocations=count, lives=len(tried), exits=codes)


def test_a_way_back_for_which_there_is_no_memory(stage: Stage) -> None:
    cutter = Cutter(stage.server)
    stage.target = cutter.address
    count = rehearse(stage)
    stage.number += 1
    cutter.arm()
    back = stage.life()
    longer = stage.memory.end()
    assert back.process.returncode == 0 and len(events(back, "disconnected")) == 2, back.err
    assert longer > count
    tried = range(count // 2, longer + 1, max(1, (longer - count // 2) // 10))

    def arm(number: int) -> int:
        cutter.arm()
        return number

    codes = {}
    for number in tried:
        codes.update(play(stage, range(number, number + 1), longer, arm))
        cutter.cuts = 0
    cutter.close()
    tell(test="way back", allocations=longer, lives=len(tried), exits=sorted(codes))
