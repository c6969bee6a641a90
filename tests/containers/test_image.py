# SPDX-License-Identifier: MIT
"""The suite against programs in images: the same verdicts as for processes, and nothing left behind.

PROSA_CONTAINER_TESTS=all compares every test of the reference's server and client; else some of each.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import ROOT, docker
from isolated import TESTER, Begun, Conform, build, leftovers, run_suite

PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
IS_WHOLE = os.environ.get("PROSA_CONTAINER_TESTS") == "all"
FEATURES = ("--features", "liveness,resume,audit")
WHOLE = {"server": ("--level", "L4", *FEATURES), "client": ("--level", "L3", *FEATURES)}
SOME = {
    "server": ("--level", "L1", "-k", "closing or contract or questions"),
    "client": ("--level", "L1", "-k", "client_contract"),
}
# What may differ, as a process and in an image: an engine tells nobody how many descriptors a program has open;
# and in the tester localhost has two addresses, which it need not have here.
DIFFER = {
    "vanishing::nothing_is_left_of_those_who_vanish": ("pass", "not applicable"),
    "client_resume::server_that_moves_to_another_address": ("not applicable", "pass"),
}
FEW = ("--level", "L1", "-k", "four_frames")


def compare(tmp_path: Path, role: str, command: tuple[str, ...], image: tuple[str, ...]) -> None:
    which = (WHOLE if IS_WHOLE else SOME)[role]
    process = run_suite(tmp_path / "process", *command, *which, "--seed", "1")
    container = run_suite(tmp_path / "image", *image, *which, "--seed", "1")
    assert process.code == 0, process.text
    assert container.code == 0, container.text
    here, there = process.verdicts(), container.verdicts()
    assert here.keys() == there.keys(), "the same tests"
    differ = {test: (here[test], there[test]) for test in here if here[test] != there[test]}
    assert differ.items() <= DIFFER.items(), f"as a process, and in an image: {differ}"
    assert not leftovers(), "the run has left containers"


def test_the_reference_server_is_the_same_in_an_image(tmp_path: Path, suite_image: str, server_image: str) -> None:
    compare(tmp_path, "server", ("--cmd", str(PROGRAMS / "prosa-server")), ("--image", server_image))


def test_the_reference_client_is_the_same_in_an_image(tmp_path: Path, suite_image: str, client_image: str) -> None:
    process = ("--client-cmd", f"{PROGRAMS / 'prosa-client'} --json")
    compare(tmp_path, "client", process, ("--client-image", f"{client_image} --json"))


def test_prosa_toml_may_name_images(tmp_path: Path, conform: Conform, server_image: str) -> None:
    """And what it promises is held to, as with commands."""
    (tmp_path / "prosa.toml").write_text(f'name = "ada"\nserver_image = "{server_image}"\nlevels = ["L1"]\n')
    outcome = conform("--sut", str(tmp_path), "-k", "four_frames")
    assert outcome.code == 0, outcome.text
    assert "ada: CONFORMS to L1" in outcome.text, outcome.text


def test_the_report_belongs_to_whom_its_folder_belongs_to(tmp_path: Path, conform: Conform, server_image: str) -> None:
    report = tmp_path / "report"
    report.mkdir()
    os.chown(report, 4711, 4712)
    outcome = conform("--image", server_image, *FEW)
    assert outcome.code == 0, outcome.text
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in report.rglob("*")}
    assert owners == {(4711, 4712)}, owners


# --- what cannot be started ---


def test_an_image_that_is_not_there(conform: Conform) -> None:
    outcome = conform("--image", "prosa-nobody-made-this", *FEW)
    assert outcome.code == 2, outcome.text
    assert "there is no image prosa-nobody-made-this: `docker build -t prosa-nobody-made-this .`" in outcome.text


def test_an_image_without_an_entry_point_that_can_be_run(tmp_path: Path, conform: Conform) -> None:
    for words in ('["/no/such/file"]', '["/etc/passwd"]'):
        (tmp_path / "Dockerfile").write_text(f"FROM {TESTER}\nENTRYPOINT {words}\n")
        outcome = conform("--image", build("prosa-test-no-entry", context=tmp_path), *FEW)
        assert outcome.code == 3, outcome.text
        assert "The image's ENTRYPOINT could not be run." in outcome.text, outcome.text
        assert words.strip('[]"') in outcome.text, "the shell's own words are there"


@pytest.mark.parametrize(
    ("line", "words"),
    [("USER nobody-has-this", "the image's USER is nobody-has-this"), ("ENTRYPOINT []", "neither ENTRYPOINT nor CMD")],
)
def test_an_image_that_cannot_be_meant(tmp_path: Path, conform: Conform, line: str, words: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM debian:bookworm-slim\nCMD []\n{line}\n")
    outcome = conform("--image", build("prosa-test-not-meant", context=tmp_path), *FEW)
    assert outcome.code == 2, outcome.text
    assert words in outcome.text, outcome.text


def test_a_command_and_an_image_do_not_go_together(conform: Conform) -> None:
    outcome = conform("--image", "prosa-server", "--client-cmd", "true")
    assert outcome.code == 2, outcome.text
    assert "a run tests either commands or images" in outcome.text, outcome.text


def test_a_tester_with_a_network_refuses(suite_image: str) -> None:
    """Whoever starts it in another way is told, before any program could use that network."""
    socket, folders = (
        "type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock",
        "type=volume,target=/programs",
    )
    words = (
        "run",
        "--rm",
        "--user",
        "0",
        "--mount",
        socket,
        "--mount",
        folders,
        suite_image,
        "--image",
        "prosa-server",
    )
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert "the tester's container has a network" in done.stdout, done.stdout


# --- interrupted ---


def await_program(run: Begun) -> None:
    """Until the engine tells that a program's container has started; one may have before."""
    events = ["docker", "events", "--since", "1m", "--filter", "event=start", "--filter", "type=container"]
    with subprocess.Popen(
        [*events, "--format", "{{.Actor.Attributes.name}}"], stdout=subprocess.PIPE, text=True
    ) as watcher:
        assert watcher.stdout is not None
        for line in watcher.stdout:
            if line.startswith(f"{run.names}") and "-server-" in line:
                break
        watcher.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(
    begin: Callable[..., Begun], server_image: str, number: signal.Signals
) -> None:
    run = begin("--image", server_image, "--level", "L1")
    await_program(run)
    outcome = run.end(number)
    assert outcome.code == 4, outcome.text
    assert "interrupted" in outcome.text, outcome.text
    assert not leftovers(), outcome.text


def test_a_tester_that_is_killed_leaves_nothing(begin: Callable[..., Begun], server_image: str) -> None:
    run = begin("--image", server_image, "--level", "L1")
    await_program(run)
    everybody = docker("ps", "--format", "{{.Names}}", "--filter", f"name={run.names}").split()
    (tester,) = (name for name in everybody if "-server-" not in name)
    docker("kill", tester)
    outcome = run.ended()
    assert outcome.code == 4, outcome.text
    assert not leftovers(), outcome.text
