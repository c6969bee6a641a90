#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A small bridge (chapter 12) in one loop: a ROUTER, and a TCP connection for each of its clients; and a feed.

Like the small server it is there to be broken: each step is a method of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import zmq

from mini_link import Fatal, Link, Over
from mini_server import BAD_SETTINGS, CANNOT_LISTEN, HOST, say_ready
from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.registry import FRAMES, LIMITS

HEADER = 8
LARGEST = HEADER + LIMITS["max_frame"].max
TO_CLIENT = 40  # messages that ZeroMQ keeps for a client that takes nothing
FROM_CLIENTS = 100_000  # the fuse
TO_SERVER = 16 << 20  # octets that wait for a server that reads nothing
KERNEL = 131_072  # octets that sockets keep of what a client does not take
AT_ONCE = 65_536
PLACES = 400
SOON_MS, LATER_MS = 5, 1000
FATAL_CLASSES = (1, 2, 3, 6)
CREDIT = 256
PAUSE_S = 0.2


def is_frame(part: bytes) -> bool:
    return len(part) >= HEADER and HEADER + struct.unpack(">I", part[4:HEADER])[0] == len(part)


def is_hello(frame: bytes) -> bool:
    return frame[3] == FRAMES["HELLO"].type


def is_last(frame: bytes) -> bool:
    """BYE, or an ERROR that ends the session."""
    if frame[3] not in (FRAMES["BYE"].type, FRAMES["ERROR"].type):
        return False
    verdict = codec.decode(frame, "server", len(frame))
    if not isinstance(verdict, codec.Decoded):
        return False
    return verdict.frame.name == "BYE" or verdict.frame.number("code") >> 8 in FATAL_CLASSES


class Client:
    """A routing id, and its connection to the server while it has one."""

    def __init__(self, bridge: MiniBridge, identity: bytes, source: int) -> None:
        self.bridge, self.identity, self.source = bridge, identity, source
        self.sock: socket.socket | None = None
        self.to_server = bytearray()
        self.stream = b""  # of the server's, not given to the client yet
        self.is_known = False  # it has said something
        self.is_connecting = self.has_ended = self.is_stalled = self.is_gone = False

    # --- from the client ---

    def take(self, parts: Sequence[bytes]) -> None:
        """A message of the client's, without its routing id."""
        if not self.is_one_frame(parts):
            self.refuse("BAD_FRAME")
        elif self.sock is None or (self.has_ended and is_hello(parts[0])):
            self.take_first(parts[0])
        else:
            self.pass_on(parts[0])
        self.is_known = True

    def is_one_frame(self, parts: Sequence[bytes]) -> bool:
        return len(parts) == 1 and is_frame(parts[0])

    def take_first(self, frame: bytes) -> None:
        """No session is there."""
        if is_hello(frame):
            self.hang_up()
            self.begin(frame)
        elif not self.is_known:
            self.refuse("BAD_STATE")

    def begin(self, hello: bytes) -> None:
        if len(self.bridge.connected()) >= PLACES:
            self.refuse("BUSY")
            return
        self.has_ended = False
        self.sock = self.connect()
        self.is_connecting = True
        self.pass_on(hello)

    def connect(self) -> socket.socket:
        host, port = self.bridge.server
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect((host, port))
        return sock

    def pass_on(self, frame: bytes) -> None:
        if len(self.to_server) + len(frame) > TO_SERVER:
            self.refuse("FLOW_VIOLATION")
            return
        self.to_server += frame
        self.flush()

    def flush(self) -> None:
        if self.sock is None or self.is_connecting:
            return
        with contextlib.suppress(OSError):  # reading will tell
            while self.to_server:
                del self.to_server[: self.sock.send(self.to_server[:AT_ONCE])]

    # --- from the server ---

    def connected(self) -> None:
        """The attempt is over, well or not."""
        assert self.sock is not None
        self.is_connecting = False
        if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.lose_server()
        else:
            self.flush()

    def readable(self) -> None:
        assert self.sock is not None
        try:
            octets = self.sock.recv(AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self.lose_server()
            return
        self.stream += octets
        self.pump()

    def pump(self) -> None:
        """Whole frames to the client, as many as it takes."""
        self.is_stalled = False
        while (frame := self.first_frame()) and self.give(frame):
            self.stream = self.stream[len(frame) :]
            self.has_ended = self.has_ended or is_last(frame)

    def first_frame(self) -> bytes:
        """Empty when it is not whole yet."""
        if len(self.stream) < HEADER:
            return b""
        size = HEADER + struct.unpack(">I", self.stream[4:HEADER])[0]
        return self.stream[:size] if len(self.stream) >= size else b""

    def give(self, frame: bytes) -> bool:
        """False when the client takes nothing now, or has gone."""
        try:
            self.bridge.send(self.identity, frame)
        except zmq.Again:
            self.is_stalled = True
            return False
        except zmq.ZMQError:
            self.hang_up()
            return False
        return True

    def lose_server(self) -> None:
        """What is whole goes to the client; then it hears that there will be no more [ZMQ-06]."""
        had_ended = self.has_ended
        self.pump()
        lost = self.stream if self.is_stalled else b""
        if not self.has_ended and not had_ended and not lost:
            self.say_lost()
        if lost and not self.has_ended:
            self.stream = self.whole_frames() + codec.encode(codec.frame("BYE", code="GATEWAY_LOST"))
        self.close_socket()
        if not lost:
            self.hang_up()

    def whole_frames(self) -> bytes:
        rest, whole = self.stream, b""
        while frame := self.first_frame():
            whole += frame
            self.stream = self.stream[len(frame) :]
        self.stream = rest
        return whole

    def say_lost(self) -> None:
        self.give(codec.encode(codec.frame("BYE", code="GATEWAY_LOST")))

    # --- the end ---

    def refuse(self, code: str) -> None:
        self.hang_up()
        self.give(codec.encode(codec.frame("ERROR", code=code, reason="said by the bridge")))

    def close_socket(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock, self.to_server, self.is_connecting = None, bytearray(), False

    def hang_up(self) -> None:
        self.close_socket()
        self.stream, self.is_stalled = b"", False

    def see_gone(self) -> None:
        """The ZeroMQ connection has ended; what came before is passed on first [ZMQ-13]."""
        self.is_gone = True

    def may_go(self) -> bool:
        return self.is_gone and not self.to_server

    # --- what the loop waits for ---

    def events(self) -> int:
        if self.sock is None:
            return 0
        if self.is_connecting:
            return zmq.POLLOUT
        return (0 if self.is_stalled else zmq.POLLIN) | (zmq.POLLOUT if self.to_server else 0)

    def ready(self, events: int) -> None:
        if self.is_connecting:
            self.connected()
            return
        if events & zmq.POLLOUT:
            self.flush()
        if events & ~zmq.POLLOUT and self.sock is not None:
            self.readable()


class Feed(threading.Thread):
    """A session of its own, and a PUB socket [ZMQ-11]."""

    def __init__(self, bridge: MiniBridge, endpoint: str, rooms: Sequence[str], folder: Path) -> None:
        super().__init__(daemon=True)
        self.bridge, self.rooms, self.folder = bridge, list(rooms), folder
        self.publisher = zmq.Context().socket(zmq.PUB)
        self.publisher.sndhwm = FROM_CLIENTS
        self.publisher.linger = LATER_MS
        self.publisher.bind(endpoint)
        self.limits: dict[bytes, int] = {}

    def run(self) -> None:
        while True:
            with contextlib.suppress(Over, Fatal):
                self.listen()
            time.sleep(PAUSE_S)

    def listen(self) -> None:
        host, port = self.bridge.server
        link = Link(self.folder, host, port, "feed", 3)
        link.connect()
        link.handshake()
        for name in self.rooms:
            link.send(codec.frame("JOIN", room=name, send_window=1, recv_window=CREDIT))
        while True:
            while (frame := link.next_frame()) is None:
                link.wait()
            self.take(link, frame)

    def take(self, link: Link, frame: Frame) -> None:
        if frame.name == "PING":
            link.send(codec.frame("PONG", opaque=frame.octets("opaque")))
        elif frame.name == "JOINED":
            self.limits[frame.need("room_id")] = frame.number("start_seq") + CREDIT - 1
        elif frame.name == "DELIVER":
            self.publish(frame)
            self.give_credit(link, frame)
        elif frame.name == "BYE":
            link.say_bye()

    def publish(self, deliver: Frame) -> None:
        self.publisher.send_multipart([deliver.need("room_id"), codec.encode(deliver)])

    def give_credit(self, link: Link, deliver: Frame) -> None:
        room_id, seq = deliver.need("room_id"), deliver.number("room_seq")
        if self.limits[room_id] - seq <= CREDIT // 2:
            self.limits[room_id] = seq + CREDIT
            link.send(codec.frame("ACK", room_id=room_id, seen_seq=seq, limit_seq=seq + CREDIT))


class MiniBridge:
    client_class: type[Client] = Client
    feed_class: type[Feed] = Feed

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.set_options()
        self.router.monitor("inproc://gone", zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self.departures = self.context.socket(zmq.PAIR)
        self.departures.connect("inproc://gone")
        self.gone: set[int] = set()  # descriptors of connections that have ended
        self.clients: dict[bytes, Client] = {}
        self.over = False

    def set_options(self) -> None:
        """ZMQ-08"""
        router = self.router
        router.router_mandatory = router.immediate = True
        router.maxmsgsize = LARGEST
        router.handshake_ivl = 5000
        router.linger = LATER_MS
        router.sndhwm, router.rcvhwm = TO_CLIENT, FROM_CLIENTS
        router.sndbuf = KERNEL

    def connected(self) -> list[Client]:
        return [client for client in self.clients.values() if client.sock is not None]

    def send(self, identity: bytes, frame: bytes) -> None:
        self.router.send_multipart([identity, frame], zmq.DONTWAIT)

    # --- the loop ---

    def serve(self, wake: int) -> None:
        """Until SIGTERM; then everybody's goodbye."""
        while not self.over:
            poller, by_descriptor = self.poller(wake)
            for ready, events in poller.poll(SOON_MS if self.is_anybody_waiting() else LATER_MS):
                if ready is self.router:
                    self.take_message()
                elif ready == wake:
                    self.over = True
                elif ready in by_descriptor:
                    by_descriptor[ready].ready(events)
            self.take_departures()
            self.tend()
        for client in self.connected():
            client.say_lost()
            client.hang_up()
        self.router.close()
        self.departures.close()
        self.context.term()  # the goodbyes go out

    def poller(self, wake: int) -> tuple[zmq.Poller, dict[int, Client]]:
        poller = zmq.Poller()
        poller.register(wake, zmq.POLLIN)
        poller.register(self.router, zmq.POLLIN)
        poller.register(self.departures, zmq.POLLIN)
        by_descriptor = {}
        for client in self.connected():
            if client.events() and client.sock is not None:
                poller.register(client.sock.fileno(), client.events())
                by_descriptor[client.sock.fileno()] = client
        return poller, by_descriptor

    def is_anybody_waiting(self) -> bool:
        return any(client.is_stalled or client.is_gone for client in self.clients.values())

    def take_message(self) -> None:
        """What has ended is looked at before the message: see spec/12-zeromq.md."""
        identity, *parts = self.router.recv_multipart(copy=False)
        source = parts[-1].get(zmq.SRCFD)
        self.take_departures()
        client = self.find(identity.bytes, source)
        if source in self.gone:
            client.see_gone()
        client.take([part.bytes for part in parts])

    def find(self, identity: bytes, source: int) -> Client:
        client = self.clients.get(identity)
        if client is not None and client.is_gone and client.source != source:
            client.hang_up()
            client = None
        if client is None:
            client = self.clients[identity] = self.client_class(self, identity, source)
        client.source = source
        return client

    def take_departures(self) -> None:
        while self.departures.poll(0):
            event, _endpoint = self.departures.recv_multipart()
            kind, descriptor = struct.unpack("=HI", event)
            if kind == zmq.EVENT_ACCEPTED:
                self.gone.discard(descriptor)
                continue
            self.gone.add(descriptor)
            for client in self.clients.values():
                if client.source == descriptor:
                    client.see_gone()

    def tend(self) -> None:
        """Who took nothing is tried again, and who has gone is forgotten, when nothing of theirs is left to read."""
        for client in [client for client in self.clients.values() if client.is_stalled]:
            client.pump()
        if self.router.poll(0):
            return
        for client in [client for client in self.clients.values() if client.may_go()]:
            client.hang_up()
            del self.clients[client.identity]


def address(text: str) -> tuple[str, int]:
    """host:port; SystemExit(2) when it is none."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        print(f"PROSA_SERVER: {text!r} is not host:port", file=sys.stderr)
        sys.exit(BAD_SETTINGS)
    return host.strip("[]"), int(port)


def feed_rooms(text: str) -> list[str]:
    rooms = [name for name in text.split(",") if name]
    if HOST in rooms:
        print(f"PROSA_FEED_ROOMS: {HOST} is private", file=sys.stderr)
        sys.exit(BAD_SETTINGS)
    return rooms


def listen(router: zmq.Socket[bytes], host: str, port: str) -> None:
    router.ipv6 = ":" in host
    host = f"[{host}]" if ":" in host else host
    try:
        router.bind(f"tcp://{host}:{'*' if port == '0' else port}")
    except zmq.ZMQError as error:
        print(f"cannot listen on {host}:{port}: {error}", file=sys.stderr)
        sys.exit(CANNOT_LISTEN)


def main(bridge_class: type[MiniBridge] = MiniBridge) -> None:
    env = os.environ
    rooms = feed_rooms(env.get("PROSA_FEED_ROOMS", ""))
    bridge = bridge_class(address(env.get("PROSA_SERVER", "127.0.0.1:65432")))
    woken, wake = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(wake, b"!"))
    listen(bridge.router, env.get("PROSA_HOST", "127.0.0.1"), env.get("PROSA_PORT", "65433"))
    if env.get("PROSA_FEED"):
        bridge.feed_class(bridge, env["PROSA_FEED"], rooms, Path(env.get("PROSA_DATA", "."))).start()
    host, _, port = bridge.router.last_endpoint.decode().removeprefix("tcp://").rpartition(":")
    say_ready(host.strip("[]"), int(port))
    bridge.serve(woken)
    os._exit(0)  # the feed's thread may be anywhere


if __name__ == "__main__":
    main()
