# SPDX-License-Identifier: MIT
"""Chapter 13: how a server is started, what it prints, how it ends; and its key file."""

import contextlib
import re
import socket
import stat
from collections.abc import Iterator

import pytest

from prosa_conformance.case import END_S, START_S, Case
from prosa_conformance.clauses import clause
from prosa_conformance.launch import READY, await_ready, server_values, spawn
from prosa_conformance.outcome import NotApplicable, Violation
from prosa_conformance.places import files_in
from prosa_conformance.process import Ended, Program
from prosa_conformance.server import Server

NOT_THERE, BAD_SETTINGS, CANNOT_LISTEN = 89, 2, 3
RESERVED_CODES = (125, 126, 127, 137)


@contextlib.contextmanager
def started(case: Case, **changes: str) -> Iterator[Program]:
    """The server's program with these settings changed, not waited for."""
    if case.settings.subject.connect is not None:
        raise NotApplicable("the server is not a process of ours")
    host, port = case.settings.ports.take()
    values = {**server_values(case.settings, host, port, case.settings.folder("server"), ""), **changes}
    program = spawn(case.settings, "server", values)
    try:
        yield program
    finally:
        program.end()


def end_of(case: Case, program: Program) -> Ended:
    ended = program.wait_end(case.seconds(END_S))
    if ended is None:
        raise Violation("the server goes on", expected="it ends by itself", actual="still running", symptom="hangs")
    return ended


def expect_end(case: Case, code: int, words: str, **changes: str) -> list[str]:
    """Start with these settings, expect this exit code; what stood on stderr."""
    with started(case, **changes) as program:
        ended = end_of(case, program)
        said = program.stderr_since()
    assert ended.code == code, f"{words}: the server ended with {ended}, not with exit code {code}"
    return said


@clause("CON-01", quote="MUST take its settings from these variables", role="server", needs=["process"])
def test_listens_where_it_is_told(fresh_server: Server) -> None:
    told = (fresh_server.process.host, fresh_server.process.port)
    assert fresh_server.address == told, f"told to listen on {told}, READY names {fresh_server.address}"
    fresh_server.good_session("alice")


@clause("CON-05", quote="a server MUST print `READY host:port` on a line of its own on stdout", needs=["process"])
def test_port_zero_means_any(case: Case) -> None:
    with started(case, port="0") as program:
        host, port = await_ready(case.settings, program)
        assert port != 0, "READY names the port 0, not the one that the server got"
        with socket.create_connection((host, port), case.seconds()):
            pass


@clause("CON-05", quote="the port that it got, an IPv6 address in brackets", needs=["process"])
def test_ipv6_address_in_brackets(case: Case) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        raise NotApplicable("this machine has no IPv6") from None
    with started(case, host="::1", port="0") as program:
        line = program.next_line(case.seconds(START_S))
        if line is None and end_of(case, program).code == CANNOT_LISTEN:
            raise NotApplicable("the server does not listen on IPv6")
        assert line is not None, "the server never printed READY"
        assert re.fullmatch(r"READY \[[0-9a-f:]+\]:[1-9][0-9]*", line.strip()), f"READY is printed as {line!r}"


@pytest.mark.parametrize("timers", ["no_such_timer=5", "handshake_ms=1", "handshake_ms=never", "handshake_ms", "=5"])
@clause("CON-02", quote="ends it with exit code 2 and a message on stderr", needs=["process"])
def test_bad_timers(case: Case, timers: str) -> None:
    said = expect_end(case, BAD_SETTINGS, f"PROSA_TIMERS={timers}", timers=timers)
    assert any(line.strip() for line in said), "nothing on stderr says what is wrong with PROSA_TIMERS"


@clause("CON-03", quote="MUST end with exit code 89 before it does anything else", role="server", needs=["process"])
def test_level_that_nobody_has(case: Case) -> None:
    with started(case, level="L9") as program:
        ended = end_of(case, program)
        said = list(iter(lambda: program.next_line(0), None))
    assert ended.code == NOT_THERE, f"PROSA_LEVEL=L9: the server ended with {ended}, not with exit code {NOT_THERE}"
    assert not any(map(READY.match, said)), f"the server was ready before it looked at its level: {said[0]}"


@clause("CON-07", quote="MUST say why on stderr and end with exit code 3", needs=["process"])
def test_port_in_use(case: Case) -> None:
    host, port = case.settings.ports.take()
    with socket.create_server((host, port)):
        said = expect_end(case, CANNOT_LISTEN, "a port that is in use", host=host, port=str(port))
    assert any(line.strip() for line in said), "nothing on stderr says why the server cannot listen"


@clause("CON-04", quote="MUST NOT use the exit codes 125, 126, 127 or 137", role="server", needs=["process"])
def test_reserved_exit_codes(case: Case) -> None:
    for changes in ({"level": "L9"}, {"timers": "no_such_timer=5"}, {"port": "99999"}):
        with started(case, **changes) as program:
            code = end_of(case, program).code
        assert code not in RESERVED_CODES, f"with {changes} the server ended with {code}, which a shell uses itself"


@clause("CON-06", quote="A server's stdin MUST be the operator's console", needs=["operator"])
def test_lines_typed_before_they_are_asked_for(fresh_server: Server) -> None:
    alice, room = fresh_server.joined("alice")
    for number in range(3):
        question = alice.publish(room, f"question {number}")
        alice.expect_own(question)
        fresh_server.type_line(f"answer {number}")
        alice.expect_answer(question, f"answer {number}")


@clause("CON-06", quote="a line is a message as END-19 says", needs=["operator"])
def test_several_lines_at_once(server: Server) -> None:
    """An empty one is ignored, and the carriage return before a line feed is dropped."""
    alice, room = server.joined("alice")
    question = alice.publish(room, "a moment, please?")
    alice.expect_own(question)
    server.type_line("\n\r\nhere I am\r")
    alice.expect_answer(question, "here I am")


@clause("CON-01", quote="MUST take its settings from these variables", role="server", needs=["process"])
@clause("ID-01", quote="in a file that only its owner can read", role="server", needs=["process"])
def test_key_is_kept_and_private(fresh_server: Server) -> None:
    before = fresh_server.login("alice").server_key
    fresh_server.kill()
    fresh_server.start_again()
    assert fresh_server.login("alice").server_key == before, "the server has another key after a restart"
    files = files_in(fresh_server.process.data)
    private = [path for path in files if not stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert private, f"none of the files in PROSA_DATA is for its owner alone: {[path.name for path in files]}"
