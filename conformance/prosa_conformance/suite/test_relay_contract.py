# SPDX-License-Identifier: MIT
"""Section 13.6: how a bridge is started, and how it ends."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from prosa_conformance.bridge import Feed, bridge_values
from prosa_conformance.bugs import SOUND
from prosa_conformance.case import END_S, Case
from prosa_conformance.clauses import clause
from prosa_conformance.contract import BAD_SETTINGS
from prosa_conformance.launch import await_ready, spawn
from prosa_conformance.outcome import Violation
from prosa_conformance.process import Program
from prosa_conformance.relay import Relay, see_relayed
from prosa_conformance.zmq_client import ZmqClient

CANNOT_LISTEN = 3
PROCESS = ["process"]


@contextlib.contextmanager
def started(case: Case, **changes: str) -> Iterator[Program]:
    """The bridge's program with these settings changed, not waited for."""
    host, port = case.settings.ports.take()
    values = bridge_values(case.settings, host, port, case.settings.ports.take(), Feed())
    program = spawn(case.settings, "relay", {**values, **changes})
    try:
        yield program
    finally:
        program.end()


def expect_end(case: Case, code: int, words: str, **changes: str) -> None:
    """It ends with this exit code, and says why."""
    with started(case, **changes) as program:
        ended = program.wait_end(case.seconds(END_S))
        said = program.stderr_since()
    if ended is None:
        raise Violation(f"{words}: the bridge goes on", expected="it ends by itself", symptom="hangs")
    assert ended.code == code, f"{words}: the bridge ended with {ended}, not with exit code {code}"
    assert any(line.strip() for line in said), f"{words}: nothing on stderr says why the bridge ended"


@clause("CON-14", quote="MUST take its settings from these variables of its environment", needs=PROCESS)
def test_listens_where_it_is_told(case: Case) -> None:
    host, port = case.settings.ports.take()
    with started(case, host=host, port=str(port)) as program:
        told = await_ready(case.settings, program)
    assert told == (host, port), f"told to listen on {(host, port)}, READY names {told}"


@clause("CON-14", quote="and print `READY host:port` (CON-05) with the address of its ROUTER", needs=PROCESS)
def test_port_zero_means_any(case: Case) -> None:
    """The server need not run yet: who says HELLO is told that it is not there."""
    with started(case, port="0") as program:
        address = await_ready(case.settings, program)
        assert address[1] != 0, "READY names the port 0, not the one that the bridge got"
        alice = ZmqClient(case, address, "alice")
        alice.send(SOUND["HELLO"])
        alice.expect("BYE", code="GATEWAY_LOST")


@clause("CON-15", quote="On SIGTERM a bridge MUST send BYE GATEWAY_LOST to the clients in a session", needs=PROCESS)
@clause("CON-15", quote="and end with exit code 0")
def test_bridge_that_ends(relay: Relay) -> None:
    pairs = [relay.pair("alice"), relay.pair("bob")]
    for client, session in pairs:
        see_relayed(client, session)
    relay.terminate()
    for client, _session in pairs:
        client.expect("BYE", code="GATEWAY_LOST")
    relay.expect_exit(0)


@clause("CON-15", quote="One that cannot listen, or with bad settings, says why on stderr", needs=PROCESS)
def test_port_in_use(case: Case) -> None:
    host, port = case.settings.ports.take()
    with socket.create_server((host, port)):
        expect_end(case, CANNOT_LISTEN, "a port that is in use", host=host, port=str(port))


@pytest.mark.parametrize("server", ["nowhere", "127.0.0.1:", "127.0.0.1:99999"])
@clause("CON-15", quote="with bad settings, says why on stderr and ends with the code of the list", needs=PROCESS)
def test_bad_settings(case: Case, server: str) -> None:
    expect_end(case, BAD_SETTINGS, f"PROSA_SERVER={server}", server=server)
