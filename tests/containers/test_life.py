# SPDX-License-Identifier: MIT
"""Health, end and memory of the containers that go on."""

from __future__ import annotations

import re

from conftest import Start
from engine import docker, inspect

# The image's own check, asked more often.
OFTEN = ("--health-interval=1s", "--health-retries=1", "--health-timeout=20s")


def test_health_is_what_the_protocol_says(start: Start) -> None:
    server = start("prosa-server", *OFTEN)
    server.events.expect("health_status: healthy")
    server.signal("STOP")
    server.events.expect("health_status: unhealthy")
    server.signal("CONT")
    server.events.expect("health_status: healthy")


def test_a_checked_server_has_had_no_session(start: Start) -> None:
    server = start("prosa-server", *OFTEN, words=("--log-level", "debug"))
    server.events.expect("health_status: healthy")
    told = docker("logs", server.name)
    assert "accepted" in told
    assert "client-ready" not in told


def test_sigterm_ends_it_with_0(start: Start) -> None:
    server = start("prosa-server", *OFTEN)
    server.events.expect("health_status: healthy")
    docker("stop", server.name)
    assert inspect(server.name)["State"]["ExitCode"] == 0


def test_a_server_on_an_old_volume_is_the_same(volume: str, start: Start) -> None:
    first = start("prosa-server", *OFTEN, f"--volume={volume}:/data")
    first.events.expect("health_status: healthy")
    found = re.search(r"fingerprint ([0-9a-f ]+)", first.run("prosa-probe", "localhost:65432").stdout)
    assert found is not None
    docker("stop", first.name)
    first.remove()
    second = start("prosa-server", *OFTEN, f"--volume={volume}:/data")
    second.events.expect("health_status: healthy")
    same = second.run("prosa-probe", "--key", found[1].strip(), "localhost:65432")
    assert same.returncode == 0, same.stdout
    stranger = start("prosa-server", *OFTEN)
    stranger.events.expect("health_status: healthy")
    other = stranger.run("prosa-probe", "--key", found[1].strip(), "localhost:65432")
    assert other.returncode == 4, other.stdout


def test_the_bridges_health_is_the_whole_ways(start: Start) -> None:
    server = start("prosa-server", *OFTEN)
    bridge = start("prosa-bridge", *OFTEN, f"--network=container:{server.name}", "--env=PROSA_SERVER=localhost:65432")
    bridge.events.expect("health_status: healthy")
    server.signal("STOP")
    bridge.events.expect("health_status: unhealthy")
    server.signal("CONT")
    bridge.events.expect("health_status: healthy")
    docker("stop", bridge.name)
    assert inspect(bridge.name)["State"]["ExitCode"] == 0
