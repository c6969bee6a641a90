# SPDX-License-Identifier: MIT
"""prosa-bridge --probe: is there a whole way to a server?"""

from __future__ import annotations

import subprocess

from conftest import PROGRAMS, WAIT_S, Start
from prosa_conformance.server import Server


def probe(bridge: str) -> tuple[int, str]:
    words = [str(PROGRAMS / "prosa-bridge"), "--probe", bridge]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S, check=False)
    said, other = (done.stdout, done.stderr) if done.returncode == 0 else (done.stderr, done.stdout)
    assert not other
    return done.returncode, said


def test_through_the_bridge_the_server_proves_its_key(start: Start) -> None:
    place = start().target
    code, said = probe(place)
    assert code == 0, said
    assert said.startswith(f"prosa-bridge: {place} speaks PROSA/1, fingerprint ")


def test_a_bridge_without_a_server_says_so(start: Start, server: Server) -> None:
    bridge = start()
    server.process.stop()
    code, said = probe(bridge.target)
    assert code == 6, said
    assert "GATEWAY_LOST" in said


def test_what_is_no_bridge_does_not_answer(server: Server) -> None:
    code, said = probe(server.target)
    assert code == 5, said
    assert "no answer came" in said


def test_a_place_that_is_none() -> None:
    code, said = probe("nowhere")
    assert code == 2, said
    assert "is not HOST:PORT" in said
