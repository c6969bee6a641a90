# SPDX-License-Identifier: MIT
"""The PUB feed of the bridge [ZMQ-11] [ZMQ-12], and CURVE."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
import zmq
import zmq.auth
import zmq.utils.monitor
from dealer import parse

from conftest import PROGRAMS, Connect, Start
from prosa_conformance import crypto
from prosa_conformance.server import Server

WAIT_MS = 20_000


def listen(context: zmq.Context, endpoint: str) -> zmq.Socket:
    """A subscriber to everything; the subscription has arrived when something comes (see `wait_heard`)."""
    subscriber = context.socket(zmq.SUB)
    subscriber.rcvtimeo = WAIT_MS
    subscriber.subscribe(b"")
    subscriber.connect(endpoint)
    return subscriber


def wait_heard(server: Server, subscriber: zmq.Socket, name: str) -> tuple[bytes, bytes]:
    """Somebody speaks until the feed has said it: it joins, and a subscription arrives, in their own time."""
    speaker, room = server.joined(name, "lobby")
    for number in range(200):
        if room.last_counter == room.limit_counter:
            speaker.expect_until("ACK", limit_counter=room.limit_counter + room.granted)
        speaker.publish(room, f"is anybody listening? {number}")
        if subscriber.poll(100):
            return tuple(subscriber.recv_multipart())
    raise AssertionError("nothing came over the feed")


@pytest.fixture
def feed(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/feed.ipc"


def test_feed_says_what_is_said(start: Start, server: Server, context: zmq.Context, feed: str) -> None:
    """Two parts: room_id and the DELIVER, which its author has signed. Nothing of @host is in it."""
    start("--feed", feed, "--feed-rooms", "lobby,lounge")
    subscriber = listen(context, feed)
    wait_heard(server, subscriber, "alice")
    while subscriber.poll(100):
        subscriber.recv_multipart()
    bob = server.login("bob")
    rooms = [bob.join(name) for name in ("@host", "lobby")]
    bob.publish(rooms[0], "between us")
    bob.publish(room := rooms[1], "for all")
    bob.expect_until("DELIVER", room_id=room.id)
    said = None
    while said is None or said.value("text") != "for all":
        room_id, octets = subscriber.recv_multipart()
        said = parse(octets)
        assert room_id == said.octets("room_id") == room.id, "the first part tells subscribers apart"
        assert crypto.verify_message(said), "the author's signature needs no trust in the feed"
    assert said in room.delivered, "octet by octet what members got"


def test_feed_outlives_its_server(start: Start, server: Server, context: zmq.Context, feed: str) -> None:
    start("--feed", feed, "--feed-rooms", "lobby")
    subscriber = listen(context, feed)
    wait_heard(server, subscriber, "alice")
    assert server.process.program is not None, "it is ours"
    server.process.program.signal(signal.SIGKILL)
    server.process.program.wait_end(20)
    server.process.start()
    while subscriber.poll(100):
        subscriber.recv_multipart()
    _, octets = wait_heard(server, subscriber, "bob")
    assert crypto.verify_message(parse(octets)), "it has joined again"


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


def test_curve_lets_in_who_knows_the_key(start: Start, connect: Connect, context: zmq.Context, tmp_path: Path) -> None:
    """Encrypted, what is said stays the same; without the server's key nobody gets an answer."""
    public, secret = zmq.auth.create_certificates(tmp_path, "bridge")
    bridge = start("--curve", secret)
    key, own_secret = zmq.curve_keypair()
    server_key, _ = zmq.auth.load_certificate(public)
    curve = {"curve_secretkey": own_secret, "curve_publickey": key, "curve_serverkey": server_key}
    alice = connect(bridge, "alice", **curve).login()
    alice.join("lobby")
    alice.barrier()
    with context.socket(zmq.DEALER) as plain:
        monitor = plain.get_monitor_socket()
        plain.connect(bridge.endpoint)
        events = set()
        while monitor.poll(WAIT_MS) and not events & {zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_DISCONNECTED}:
            events.add(zmq.utils.monitor.recv_monitor_message(monitor)["event"])
        assert zmq.EVENT_HANDSHAKE_SUCCEEDED not in events, "it is not let in"
        assert events, "and it is sent away"
        plain.disable_monitor()
