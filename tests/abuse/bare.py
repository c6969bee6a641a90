# SPDX-License-Identifier: MIT
"""A peer on a plain socket, which says what it is told to, right or wrong, and checks nothing but who it speaks to.

Its calls wait: it belongs on a thread beside the play. Each wait has one deadline.
"""

from __future__ import annotations

import secrets
import socket
import time

from member import make_publish
from mob import name_of, reset
from prosa_conformance import codec, crypto
from prosa_conformance.codec import Frame
from prosa_conformance.registry import CONSTANTS, FEATURES, FRAMES
from server import Server
from stage import TIME_SCALE

DEADLINE_S = 60 * TIME_SCALE
READ_SIZE = 65536
HEADER_SIZE, TYPE_AT, LENGTH_SIZE = CONSTANTS["header_size"], 3, 4  # section 3.1


def make_join(room: str, recv_window: int = 64) -> Frame:
    return codec.frame("JOIN", room=room, send_window=64, recv_window=recv_window)


class Bare:
    """One connection; `greet`, `enter` and `join` go on from one to the next."""

    def __init__(self, server: Server, nick: str, source: str = "", receive_buffer: int = 0) -> None:
        self.nick = nick
        self.seed = crypto.sha256(f"{server.scene.seed} {nick}".encode())
        self.key = crypto.public_key(self.seed)
        self.sock = socket.socket()
        self.sock.settimeout(DEADLINE_S)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((server.host, server.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._target = f"{server.host}:{server.port}"
        self._buffer = bytearray()
        self.rooms: dict[str, bytes] = {}  # their ids, of those that it has joined

    def send(self, frame: Frame) -> None:
        self.sock.sendall(codec.encode(frame))

    def frame(self, *names: str) -> Frame | None:
        """The next one; when there are names, the next of these. None at the end of the stream."""
        types = {FRAMES[name].type for name in names or FRAMES}
        while (octets := self._octets()) is not None:
            if octets[TYPE_AT] in types:
                verdict = codec.decode(octets, "server", CONSTANTS["max_frame_ceiling"])
                assert isinstance(verdict, codec.Decoded), verdict
                return verdict.frame
        return None

    def _octets(self) -> bytes | None:
        """Of the next frame, whole."""
        while len(self._buffer) < (size := self._size()):
            octets = self.sock.recv(READ_SIZE)
            if not octets:
                return None
            self._buffer += octets
        frame = bytes(self._buffer[:size])
        del self._buffer[:size]
        return frame

    def _size(self) -> int:
        """Of the frame that the buffer begins with, as far as is known."""
        length = self._buffer[HEADER_SIZE - LENGTH_SIZE : HEADER_SIZE]
        return HEADER_SIZE + (int.from_bytes(length, "big") if len(length) == LENGTH_SIZE else 0)

    def gulp(self, at_once: int) -> int:
        """Take so many octets at most, and look at none of them; how many there were, 0 at the end."""
        try:
            octets = self.sock.recv(at_once)
        except ConnectionError:
            return 0
        self._buffer += octets
        return len(octets)

    def expect(self, *names: str) -> Frame:
        """The next frame of these; an ERROR or BYE, or the end, is none of them unless it is named."""
        frame = self.frame(*names, "ERROR", "BYE")
        if frame is None:
            raise EOFError(f"{self.nick}: the end of the stream where {names} was due")
        assert frame.name in names, f"{self.nick}: {name_of(frame)} where {names} was due"
        return frame

    def last_words(self) -> str:
        """Reads to the end; the ERROR or BYE that it was ended with, or how without one."""
        words = ""
        deadline = time.monotonic() + DEADLINE_S
        try:
            while (frame := self.frame("ERROR", "BYE")) is not None:
                words = name_of(frame)
                assert time.monotonic() < deadline, f"{self.nick} is still there"
        except ConnectionError:
            words = words or "reset"
        self.sock.close()
        return words or "eof"

    def greet(self) -> Frame:
        """HELLO; the CHALLENGE, or an ERROR in its place."""
        self._hello = codec.encode(
            codec.frame(
                "HELLO",
                versions=(1,),
                nonce=secrets.token_bytes(32),
                client_key=self.key,
                features=FEATURES["liveness"],
                target=self._target,
            )
        )
        self.sock.sendall(self._hello)
        return self.expect("CHALLENGE", "ERROR")

    def enter(self) -> Frame:
        """The whole handshake; the WELCOME, or an ERROR in its place."""
        challenge = self.greet()
        if challenge.name == "ERROR":
            return challenge
        self.server_key = challenge.need("server_key")
        auth = codec.frame("AUTH", nick=self.nick)
        self.send(crypto.sign_auth(self.seed, self._hello, codec.encode(challenge), auth))
        return self.expect("WELCOME", "ERROR")

    def comes_in(self) -> bool:
        """False: there was no place, or not in time."""
        try:
            return self.enter().name == "WELCOME"
        except (ConnectionError, EOFError):
            return False

    def join(self, room: str, recv_window: int = 64) -> Frame:
        """JOINED, or an ERROR in its place."""
        self.send(make_join(room, recv_window))
        return self.take_joined()

    def take_joined(self) -> Frame:
        """The same, of a JOIN that was sent before."""
        answer = self.expect("JOINED", "ERROR")
        if answer.name == "JOINED":
            self.rooms[str(answer.value("room"))] = answer.need("room_id")
        return answer

    def make_publish(self, room_id: bytes, counter: int, text: str = "x") -> Frame:
        return make_publish(self.seed, self.nick, room_id, counter, text)

    def barrier(self) -> None:
        """Everything said before has had its outcome [LIVE-02]."""
        opaque = secrets.token_bytes(8)
        self.send(codec.frame("PING", opaque=opaque))
        while self.expect("PONG").need("opaque") != opaque:
            pass

    def reset(self) -> None:
        reset(self.sock)

    def close(self) -> None:
        self.sock.close()
