# SPDX-License-Identifier: MIT
"""The words of prosa-bridge, its feed in the long run, and CURVE."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import zmq
import zmq.auth
import zmq.utils.monitor

from conftest import PROGRAMS, Connect, Start
from prosa_conformance.case import Case
from prosa_conformance.dealer import context, endpoint_of
from prosa_conformance.server import Server
from prosa_conformance.subscriber import Subscriber, say_until_heard

WAIT_MS = 20_000


def test_no_place_is_told(start: Start, connect: Connect, case: Case) -> None:
    """--max-clients; who has gone makes room, as soon as that is seen."""
    bridge = start("--max-clients", "1")
    alice = connect(bridge, "alice").login()
    bob = connect(bridge, "bob")
    bob.hello()
    bob.expect_error("BUSY")
    alice.leave_politely()
    deadline = case.deadline(10.0)
    carol = connect(bridge, "carol")
    carol.hello()
    while not carol.expect_challenge_or_busy():
        assert case.left(deadline), "alice has gone, and her place is not free"
        carol = connect(bridge, "carol")
        carol.hello()


def test_feed_outlives_its_server(start: Start, server: Server, tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/feed.ipc"
    start("--feed", endpoint, "--feed-rooms", "lobby")
    subscriber = Subscriber(server.case, endpoint)
    say_until_heard(*server.joined("alice", "lobby"), subscriber)
    server.kill()
    server.start_again()
    say_until_heard(*server.joined("bob", "lobby"), subscriber)
    server.process.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--feed-rooms", "@host", "--feed", "ipc://x"], "@host is private"),
        (["--feed", "ipc://x"], "go together"),
        (["--port", "no"], 'port "no"'),
        (["--server", "nowhere"], 'server "nowhere"'),
        (["--curve", "/nowhere"], "/nowhere is no certificate"),
        (["--max-clients", "0"], 'max-clients "0"'),
        (["word"], '"word"'),
    ],
)
def test_bad_settings_are_named(words: list[str], said: str) -> None:
    done = subprocess.run([PROGRAMS / "prosa-bridge", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr, done.stderr


def test_curve_lets_in_who_knows_the_key(start: Start, connect: Connect, tmp_path: Path) -> None:
    """Encrypted, what is said stays the same; without the server's key nobody gets an answer."""
    public, secret = zmq.auth.create_certificates(tmp_path, "bridge")
    bridge = start("--curve", secret)
    key, own_secret = zmq.curve_keypair()
    server_key, _ = zmq.auth.load_certificate(public)
    curve = {"curve_secretkey": own_secret, "curve_publickey": key, "curve_serverkey": server_key}
    alice = connect(bridge, "alice", **curve).login()
    alice.join("lobby")
    alice.barrier()
    with context().socket(zmq.DEALER) as plain:
        monitor = plain.get_monitor_socket()
        plain.connect(endpoint_of(bridge.address))
        events = set()
        while monitor.poll(WAIT_MS) and not events & {zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_DISCONNECTED}:
            events.add(zmq.utils.monitor.recv_monitor_message(monitor)["event"])
        assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in events, "it is not let in"
        assert events, "and it is sent away"
        plain.disable_monitor()


def test_nothing_else_links_zeromq() -> None:
    """Neither the programs that speak TCP nor the library; so says the loader of whatever is built."""
    names = ("prosa-server", "prosa-client", "prosa-codec", "prosa-audit")
    libraries = [Path(path) for path in os.environ.get("PROSA_LIBRARY", "").split(":") if path]
    for path in [*(PROGRAMS / name for name in names), *libraries]:
        needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        assert "libc.so" in needed, f"{path.name} is one of ours: {needed}"
        assert "zmq" not in needed, f"{path.name} speaks TCP alone"
    assert "zmq" in subprocess.run(["ldd", PROGRAMS / "prosa-bridge"], capture_output=True, text=True).stdout
