# SPDX-License-Identifier: MIT
"""The server in the hands of a service manager: sockets, what it tells, SIGHUP, its example."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import PROGRAMS, ROOT, Start
from console import DEADLINE_S, Console
from served import Ask, Serve, Served, asking, serving


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


@pytest.fixture
def ask(start: Start, tmp_path: Path) -> Ask:
    return asking(start, tmp_path)


# --- what it tells ---


class Manager:
    """The receiving end of what a service says of itself."""

    def __init__(self, path: Path) -> None:
        self.env = {"NOTIFY_SOCKET": str(path)}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(DEADLINE_S)

    def next(self) -> dict[str, str]:
        message = self._socket.recv(4096).decode()
        return dict(line.split("=", 1) for line in message.splitlines())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_ready_with_the_address_and_stopping(serve: Serve, manager: Manager) -> None:
    server = serve(env=manager.env)
    assert manager.next() == {"READY": "1", "STATUS": f"listening on {server.address}"}
    server.stop()
    assert manager.next()["STOPPING"] == "1"


def test_around_a_reload(serve: Serve, manager: Manager, tmp_path: Path) -> None:
    (tmp_path / "server.conf").write_text("log-level = info\n")
    server = serve("--config", str(tmp_path / "server.conf"), env=manager.env)
    assert manager.next()["READY"] == "1"
    for text in ("log-level = debug\n", "a fault\n"):
        (tmp_path / "server.conf").write_text(text)
        server.console.signal(signal.SIGHUP)
        reloading = manager.next()
        assert reloading["RELOADING"] == "1"
        assert int(reloading["MONOTONIC_USEC"]) > 0
        assert manager.next() == {"READY": "1"}
    server.stop()


def test_a_watchdog_is_fed_and_the_clients_are_counted(serve: Serve, ask: Ask, manager: Manager) -> None:
    server = serve("--answer", "echo", env={**manager.env, "WATCHDOG_USEC": "100000"})
    assert manager.next()["READY"] == "1"
    assert manager.next() == {"WATCHDOG": "1"}
    client = ask(server)
    seen = [manager.next()]
    while "STATUS" not in seen[-1]:
        seen.append(manager.next())
    assert seen[-1] == {"STATUS": "1 clients"}
    assert {"WATCHDOG": "1"} in seen
    assert client.ask("still here?") == "still here?"
    server.stop()


def test_a_manager_that_is_gone_harms_nobody(serve: Serve, ask: Ask, tmp_path: Path) -> None:
    server = serve("--answer", "echo", env={"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "2000"})
    assert ask(server).ask("still here?") == "still here?"
    server.stop()


# --- what it is given ---


ACTIVATING = str(Path(__file__).parent / "activating.py")


@pytest.fixture
def activate(start: Start, tmp_path: Path) -> Callable[..., Console]:
    """activate("tcp:127.0.0.1", ...) -> the server's console; see activating.py."""

    def run(*given: str) -> Console:
        program = [str(PROGRAMS / "prosa-server"), "--data", str(tmp_path / "server"), "--port", "0"]
        return start(sys.executable, ACTIVATING, *given, "--", *program, "--answer", "echo")

    return run


def port_of(console: Console) -> int:
    """The next port that was made for it."""
    console.expect("port ", "err")
    return int(console.expect("\n", "err"))


def test_it_serves_on_the_sockets_that_it_is_given(activate: Callable[..., Console], ask: Ask) -> None:
    console = activate("tcp:127.0.0.1", "tcp:127.0.0.2")
    ports = [port_of(console), port_of(console)]
    server = Served(console)
    assert server.address == f"127.0.0.1:{ports[0]}"
    assert ask(server).ask("here?") == "here?"
    server.address = f"127.0.0.2:{ports[1]}"
    assert ask(server, "bob").ask("and here?") == "and here?"
    server.stop()


def test_a_pipe_is_the_console_and_it_listens_by_itself(
    activate: Callable[..., Console], ask: Ask, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "console")
    server = Served(activate(f"pipe:{tmp_path / 'console'}"))
    client = ask(server)
    (tmp_path / "console").write_text("@ada from the pipe\n")
    client.event("message", text="from the pipe")
    (tmp_path / "console").write_text("/help\n")
    server.console.expect("/help")
    server.stop()


@pytest.mark.parametrize("given", [["udp:127.0.0.1"], ["tcp-unready:127.0.0.1"], ["tcp:127.0.0.1", "udp:127.0.0.1"]])
def test_what_cannot_be_listened_on_is_named(activate: Callable[..., Console], given: list[str]) -> None:
    console = activate(*given)
    assert console.ended() == 3
    assert f"descriptor {2 + len(given)} of the service manager is no listening TCP socket" in console.err.decode()
    assert console.out == b""


def test_more_sockets_than_it_takes(activate: Callable[..., Console]) -> None:
    console = activate(*9 * ["tcp:127.0.0.1"])
    assert console.ended() == 3
    assert "more than 8 sockets" in console.err.decode()


# --- SIGHUP ---


class Configured:
    """A server with a file of settings."""

    def __init__(self, serve: Serve, path: Path, text: str, *words: str) -> None:
        self.path = path
        path.write_text(text)
        self.server = serve("--answer", "echo", "--config", str(path), *words)

    def reload(self, text: str) -> str:
        """What is logged about a new text of the file."""
        self.path.write_text(text)
        self.server.console.signal(signal.SIGHUP)
        logged = b""
        while b" reloaded " not in logged and b" reload-failed " not in logged:
            logged += self.server.console.expect("\n", "err")
        return logged.decode()


@pytest.fixture
def configure(serve: Serve, tmp_path: Path) -> Callable[..., Configured]:
    def run(text: str, *words: str) -> Configured:
        return Configured(serve, tmp_path / "server.conf", text, *words)

    return run


def test_new_limits_are_for_newcomers_and_the_log_level_is_for_all(configure: Callable[..., Configured]) -> None:
    house = configure("log-level = debug\ntimers = handshake_ms=600000\n")
    place = (house.server.host, house.server.port)
    with socket.create_connection(place) as old:
        house.server.console.expect("debug accepted", "err")
        logged = house.reload("timers = handshake_ms=50\n")
        assert 'setting-changed name=timers was="handshake_ms=600000" is="handshake_ms=50"' in logged
        assert 'setting-changed name=log-level was="debug" is="info"' in logged
        with socket.create_connection(place, DEADLINE_S) as newcomer:
            assert newcomer.recv(1) == b""
        old.setblocking(False)
        with pytest.raises(BlockingIOError):
            old.recv(1)
    house.server.stop()
    assert house.server.console.err.count(b"debug accepted") == 1


def test_what_takes_a_new_start_is_said_each_time(configure: Callable[..., Configured]) -> None:
    house = configure("rooms = tea\n")
    for _ in range(2):
        logged = house.reload("rooms = tea,coffee\nmax-clients = 5\n")
        assert 'setting-kept name=rooms is="tea" asked="tea,coffee" why="it takes a new start"' in logged
        assert 'setting-kept name=max-clients is="0" asked="5"' in logged
        assert "setting-changed" not in logged
    assert "setting-kept" not in house.reload("rooms = tea\n")
    house.server.stop()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("log-level = debug\nport 80\n", 'server.conf line 2: \\"port 80\\" is not name = value'),
        ("timers = handshake_ms=50\nlog-level = loud\n", 'server.conf line 2: log-level \\"loud\\"'),
        ("log-level = debug\nlevel = L9\n", 'server.conf line 2: level \\"L9\\"'),
    ],
)
def test_a_faulty_file_changes_nothing_and_is_told(
    configure: Callable[..., Configured], ask: Ask, text: str, said: str
) -> None:
    house = configure("timers = handshake_ms=600000\n")
    logged = house.reload(text)
    assert "error reload-failed why=" in logged
    assert said in logged
    assert "setting-changed" not in logged
    assert ask(house.server).ask("still here?") == "still here?"
    assert 'was="handshake_ms=600000"' in house.reload("timers = handshake_ms=599999\n")
    house.server.stop()
    assert b" debug " not in house.server.console.err


def test_a_flag_holds_against_a_new_file(configure: Callable[..., Configured]) -> None:
    house = configure("log-level = warn\n", "--log-level", "info", "--timers", "handshake_ms=600000")
    assert "setting-" not in house.reload("log-level = error\ntimers = handshake_ms=50\n")
    house.server.stop()


def test_a_file_that_is_gone_is_told(configure: Callable[..., Configured]) -> None:
    house = configure("log-level = info\n")
    house.path.rename(house.path.with_suffix(".old"))
    house.server.console.signal(signal.SIGHUP)
    house.server.console.expect("reload-failed", "err")
    assert b"server.conf: No such file or directory" in house.server.console.expect("\n", "err")
    house.server.stop()


def test_without_a_file_a_hangup_ends_it(serve: Serve, ask: Ask) -> None:
    server = serve("--answer", "echo")
    client = ask(server)
    server.console.signal(signal.SIGHUP)
    assert server.console.ended() == 0
    assert "SHUTDOWN" in client.event("disconnected")["reason"]


# --- the example ---


def test_the_example_file_is_good_and_shows_every_setting(serve: Serve, tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "server.conf").read_text()
    shown = re.findall(r"^#?([a-z-]+) = ", text, re.MULTILINE)
    said = subprocess.check_output([PROGRAMS / "prosa-server", "--help"], text=True)
    helped = re.findall(r"^  --([a-z-]+)", said, re.MULTILINE)
    assert sorted(shown) == sorted(set(helped) - {"config", "help"})
    everything = re.sub(r"^#([a-z-]+ = )", r"\1", text, flags=re.MULTILINE)
    for name, settings in {"plain": text, "everything": everything}.items():
        path = tmp_path / name
        path.write_text(settings)
        # The sandbox has tests of its own, and is nothing for a sanitizer.
        flags = ("--host", "127.0.0.1", "--metrics", "127.0.0.1:0", "--sandbox=no")
        serve("--config", str(path), *flags).stop()


# --- the line that a manager or a script waits for ---


def test_ready_that_cannot_be_printed_is_an_error(start: Start, tmp_path: Path) -> None:
    words = f"exec {PROGRAMS}/prosa-server --port 0 --data {tmp_path}/server >/dev/full"
    console = start("/bin/sh", "-c", words)
    assert console.ended() == 1
    assert "READY could not be printed: No space left on device" in console.err.decode()
