# SPDX-License-Identifier: MIT
"""Over ZeroMQ: what has to be there, what is selected, and that names and verdicts are those of TCP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import CONFORMANCE, HERE, Conform, python

ZMQ = ("--transport", "zmq")
SOME = ("-k", "bad_magic or tampered or bye_is_answered")


def bridged() -> tuple[str, ...]:
    return ("--cmd", python("mini_server.py"), "--bridge-cmd", python("mini_bridge.py"), *ZMQ)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cmd", "true", *ZMQ), "needs a bridge"),
        (("--client-cmd", "true", "--bridge-cmd", "true", *ZMQ), "there is no server"),
        (("--cmd", "true", "--bridge-cmd", "true"), "goes with --transport zmq"),
        (("--connect", "127.0.0.1:9", "--bridge-cmd", "true", *ZMQ), "a bridge runs already"),
        (("--cmd", "true", "--bridge-cmd", "true", *ZMQ, "--role", "client"), "no client to check over zmq"),
        (("--cmd", "true", "--role", "relay"), "no relay to check over tcp"),
        (("--cmd", "true", "--transport", "pigeon"), "pigeon"),
    ],
)
def test_2_wrong_words(conform: Conform, words: tuple[str, ...], said: str) -> None:
    outcome = conform(*words)
    assert outcome.code == 2, outcome.text
    assert said in outcome.text, outcome.text


def test_2_without_pyzmq(tmp_path: Path) -> None:
    """Whoever lacks it is told so, and only when it is asked for."""
    env = {**os.environ, "PYTHONPATH": str(CONFORMANCE)}
    hidden = "import sys; import importlib.util as u; find = u.find_spec\n"
    hidden += "u.find_spec = lambda name, *rest: None if name == 'zmq' else find(name, *rest)\n"
    hidden += "sys.modules['zmq'] = None\n"
    hidden += "from prosa_conformance.cli import main; sys.exit(main(sys.argv[1:]))"
    program = [sys.executable, "-c", hidden, "--report", str(tmp_path), "--lang", "en"]
    asked = subprocess.run([*program, *bridged(), *SOME], env=env, capture_output=True, text=True, check=False)
    assert asked.returncode == 2 and "python3-zmq" in asked.stdout, asked.stdout + asked.stderr
    words = ["--cmd", python("mini_server.py"), *SOME]
    without = subprocess.run([*program, *words], env=env, capture_output=True, text=True, check=False)
    assert without.returncode == 0, without.stdout + without.stderr


def test_same_names_and_verdicts(conform: Conform, tmp_path: Path) -> None:
    """But for what only TCP shows, which is not applicable."""
    over_tcp = conform("--cmd", python("mini_server.py"), *SOME)
    assert over_tcp.code == 0, over_tcp.text
    before = over_tcp.verdicts()
    over_zmq = conform(*bridged(), *SOME)
    assert over_zmq.code == 0, over_zmq.text
    after = over_zmq.verdicts()
    assert set(before) == set(after), "the same tests"
    other = {name for name in before if before[name] != after[name]}
    assert other and all("bad_magic_closes_silently" in name for name in other), f"other verdicts: {other}"
    assert {after[name] for name in other} == {"not applicable"}, "no other reason"
    assert "over ZeroMQ" in over_zmq.text and "octets rather than frames" in over_zmq.text, over_zmq.text


def test_replay_names_the_transport(conform: Conform) -> None:
    """And the bridge; a broken bridge is never the server's fault."""
    bridge = python("../faulty/start.py", "HasAnotherCode")
    outcome = conform("--cmd", python("mini_server.py"), "--bridge-cmd", bridge, *ZMQ, "-k", "first_message")
    assert outcome.code == 1, outcome.text
    assert "--transport zmq" in outcome.text and "--bridge-cmd" in outcome.text, outcome.text
    assert "ZMQ-02" in outcome.text, outcome.text


def test_bridge_that_never_starts(conform: Conform) -> None:
    outcome = conform("--cmd", python("mini_server.py"), "--bridge-cmd", "false", *ZMQ, *SOME)
    assert outcome.code == 3, outcome.text
    assert "the bridge ended before it printed READY" in outcome.text, outcome.text


@pytest.fixture
def router(tmp_path: Path) -> Iterator[str]:
    """host:port of a ROUTER that runs already, before a server that answers by itself."""
    with ExitStack() as stack:

        def start(*words: str, **settings: str) -> str:
            env = {**os.environ, "PYTHONPATH": str(CONFORMANCE), "PROSA_HOST": "127.0.0.1", "PROSA_PORT": "0"}
            env |= {"PROSA_DATA": str(tmp_path), "PROSA_LEVEL": "L1", "PROSA_TIMERS": "", **settings}
            command = [sys.executable, str(HERE / words[0]), *words[1:]]
            process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            stack.callback(process.stdout.close)
            return process.stdout.readline().split()[1]

        yield start("mini_bridge.py", PROSA_SERVER=start("mini_server.py", "echo"))


def test_router_that_runs_already(conform: Conform, router: str) -> None:
    words = ("--answers", "echo", "-k", "question or first_frame_is_hello or bad_magic_closes")
    outcome = conform("--connect", router, *ZMQ, *words)
    assert outcome.code == 0, outcome.text
    verdicts = outcome.verdicts()
    assert "pass" in verdicts.values(), outcome.text
    started = [verdict for name, verdict in verdicts.items() if name.startswith("relay::")]
    assert started and set(started) == {"not applicable"}, "what takes a bridge of our own is not applicable"


def test_report_names_the_transport(conform: Conform, tmp_path: Path) -> None:
    outcome = conform(*bridged(), "-k", "tampered_auth_signature")
    assert outcome.code == 0, outcome.text
    result = json.loads((outcome.report / "result.json").read_text(encoding="utf-8"))
    assert result["transport"] == "zmq" and result["roles"] == ["server", "relay"], result["roles"]
    assert "ZeroMQ" in (outcome.report / "report.html").read_text(encoding="utf-8"), "so does the page"
