# SPDX-License-Identifier: MIT
"""prosa-probe: what it finds, in one sentence and one exit code, and that it leaves no trace."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import ROOT, Start
from console import DEADLINE_S
from served import Serve, serving

sys.path.insert(0, str(ROOT / "conformance"))

from prosa_conformance import codec, crypto
from prosa_conformance.codec import Decoded, Frame
from prosa_conformance.registry import CODES, LIMITS, TIMERS

GOOD, PROTOCOL, SETTINGS, REFUSED, KEY, SILENT, AWAY = range(7)
SEED = bytes(range(32))
CAP = 65536
NOBODY = "ab12 cd34 ef56 7890 ab12 cd34 ef56 7890"

Probe = Callable[..., tuple[int, str]]
Answer = Callable[[bytes], bytes]


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


@pytest.fixture
def probe(start: Start) -> Probe:
    """probe("--key", ..., "HOST:PORT") -> its exit code and what it said, where that belongs."""

    def run(*words: str) -> tuple[int, str]:
        console = start("prosa-probe", *words)
        code = console.ended()
        said, other = (console.out, console.err) if code == GOOD else (console.err, console.out)
        assert not other
        assert said.count(b"\n") == 1
        return code, said.decode()

    return run


def frames(octets: bytes) -> Iterator[Frame]:
    while octets:
        verdict = codec.decode(octets, "client", CAP)
        assert isinstance(verdict, Decoded), verdict
        yield verdict.frame
        octets = octets[verdict.consumed :]


class Scripted:
    """A server of one connection: what it answers to HELLO, then all that it still hears."""

    def __init__(self, answer: Answer) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.heard: list[Frame] = []
        self.closed = False
        self._thread = threading.Thread(target=self._serve, args=(answer,))
        self._thread.start()

    def _serve(self, answer: Answer) -> None:
        self.listener.settimeout(DEADLINE_S)
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(DEADLINE_S)
            octets = connection.recv(CAP)  # one HELLO, which is written at once
            connection.sendall(answer(octets))
            while more := connection.recv(CAP):
                octets += more
            self.closed = True
        self.heard += frames(octets)

    def told(self) -> list[str]:
        """The names of the frames that it heard after HELLO, at the end."""
        self._thread.join(2 * DEADLINE_S)
        assert not self._thread.is_alive()
        self.listener.close()
        return [str(frame.name) for frame in self.heard[1:]]


def challenge(hello: bytes, signed_by: bytes = SEED, key: bytes | None = None) -> bytes:
    limits = {name: limit.default for name, limit in (LIMITS | TIMERS).items()}
    values = {"versions": (1,), "nonce": bytes(32), "features": 0, "version": 1}
    named = codec.frame("CHALLENGE", **values, server_key=key or crypto.public_key(SEED), **limits)
    return codec.encode(crypto.sign_challenge(signed_by, hello, named))


def fingerprint(key: bytes) -> str:
    digits = hashlib.sha256(key).hexdigest()[:32]
    return " ".join(digits[at : at + 4] for at in range(0, 32, 4))


def says(kind: str, code: str, **values: object) -> Answer:
    return lambda _hello: codec.encode(codec.frame(kind, code=CODES[code].number, **values))


# --- a server of ours ---


def test_a_server_is_named_and_has_no_session(serve: Serve, probe: Probe) -> None:
    server = serve("--memory", "--log-level", "debug")
    code, said = probe(server.address)
    assert code == GOOD
    assert re.fullmatch(re.escape(server.address) + r" speaks PROSA/1, fingerprint( [0-9a-f]{4}){8}\n", said)
    server.console.expect("stranger-gone", "err")
    gone = server.console.expect("\n", "err")
    assert b'how="said goodbye" code=NORMAL' in gone
    server.stop()
    assert b"client-ready" not in server.console.err


def test_the_key_is_asked_for_by_fingerprint_or_digits(serve: Serve, probe: Probe, tmp_path: Path) -> None:
    server = serve("--memory")
    found = probe(server.address)[1].partition("fingerprint ")[2].strip()
    assert probe("--key", found, server.address)[0] == GOOD
    assert probe("--key", found.replace(" ", ""), server.address)[0] == GOOD
    code, said = probe("--key", NOBODY, server.address)
    assert code == KEY
    assert found in said
    seed = bytes.fromhex((tmp_path / "server" / "server.key").read_text().split()[1])
    assert probe("--key", crypto.public_key(seed).hex(), server.address)[0] == GOOD
    assert probe("--key", crypto.public_key(SEED).hex(), server.address)[0] == KEY
    server.stop()


def test_a_frozen_server_is_waited_for_once(serve: Serve, probe: Probe) -> None:
    server = serve("--memory")
    server.console.signal(signal.SIGSTOP)
    code, said = probe("--timeout", "1", server.address)
    server.console.signal(signal.SIGCONT)
    assert code == SILENT
    assert "did not answer in time" in said
    server.stop()


# --- servers that say something else ---


def test_the_goodbye_is_bye_and_the_end_of_file(probe: Probe) -> None:
    server = Scripted(challenge)
    code, said = probe(server.address)
    assert code == GOOD, said
    assert fingerprint(crypto.public_key(SEED)) in said
    assert server.told() == ["BYE"]
    assert server.closed


@pytest.mark.parametrize(
    ("answer", "words", "code", "said", "told"),
    [
        (lambda hello: challenge(hello, signed_by=bytes(32)), (), KEY, "at fault", ["ERROR"]),
        (lambda hello: challenge(hello, key=bytes(32)), (), KEY, "at fault", ["ERROR"]),
        (challenge, ("--key", NOBODY), KEY, "has another key", ["ERROR"]),
        (says("ERROR", "BUSY", reason="full"), (), GOOD, "ERROR 0x0608 BUSY", []),
        (says("ERROR", "BUSY", reason="full"), ("--key", NOBODY), AWAY, "ERROR 0x0608 BUSY", []),
        (says("BYE", "SHUTDOWN", reason="an \x1b[31mupdate"), (), AWAY, "SHUTDOWN: an \\u001b[31mupdate", []),
        (says("ERROR", "UNSUPPORTED", reason="too new"), (), PROTOCOL, "UNSUPPORTED", []),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", (), PROTOCOL, "does not speak PROSA/1", []),
        (lambda _: codec.encode(codec.frame("PONG", opaque=b"x")), (), PROTOCOL, "at fault", ["ERROR"]),
    ],
    ids=["forged", "no-key", "another-key", "busy", "busy-unproven", "shutdown", "refusal", "http", "out-of-turn"],
)
def test_what_a_server_says_decides(
    probe: Probe, answer: Answer, words: tuple[str, ...], code: int, said: str, told: list[str]
) -> None:
    server = Scripted(answer)
    found, sentence = probe(*words, server.address)
    assert (found, said in sentence) == (code, True), sentence
    assert "\x1b" not in sentence
    assert server.told() == told


def test_a_server_that_hangs_up(probe: Probe) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hanging = threading.Thread(target=lambda: listener.accept()[0].close())
        hanging.start()
        code, said = probe(f"127.0.0.1:{listener.getsockname()[1]}")
        hanging.join()
    assert code == SILENT
    assert "closed the connection" in said


def test_nobody_listens(probe: Probe) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        code, said = probe(f"127.0.0.1:{taken.getsockname()[1]}")
    assert code == REFUSED
    assert "Connection refused" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "one server is asked"),
        (("a:1", "b:2"), "one server is asked"),
        (("localhost",), "is not HOST:PORT"),
        (("localhost:0",), "is not HOST:PORT"),
        (("--key", "ab12", "localhost:1"), '"ab12" is no key'),
        (("--key", "AB" * 32, "localhost:1"), "is no key"),
        (("--key", "ab" * 33, "localhost:1"), "is no key"),
        (("--timeout", "0", "localhost:1"), "--timeout is a number"),
        (("--wait", "localhost:1"), "there is no option --wait"),
        (("h\u00f6st:1",), "is no name of a host"),
    ],
)
def test_words_that_are_none(probe: Probe, words: tuple[str, ...], said: str) -> None:
    code, sentence = probe(*words)
    assert (code, said in sentence) == (SETTINGS, True), sentence


def test_help_tells_every_exit_code(start: Start) -> None:
    console = start("prosa-probe", "--help")
    assert console.ended() == 0
    text = console.out.decode()
    codes = {int(number) for number in re.findall(r"(?:^|; |codes: )(\d) ", text.partition("Exit codes:")[2], re.M)}
    assert codes | {0} == set(range(7))
