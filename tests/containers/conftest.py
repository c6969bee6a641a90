# SPDX-License-Identifier: MIT
"""An engine, the images, and containers that do not outlive their test."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import isolated
from engine import LABEL, ROOT, WAIT_S, Container, attempt, docker
from isolated import Begun, Conform, build, run_suite
from shared import build_images, engine_that_answers, pytest_sessionfinish  # noqa: F401

USER = 4321  # somebody whom no image knows

Start = Callable[..., Container]


@pytest.fixture(scope="session")
def images(engine: None) -> None:
    build_images()


@pytest.fixture
def start(images: None) -> Iterator[Start]:
    """start("prosa-server", "--volume=...", words=("--answer", "echo")) -> a hardened container."""
    owner = uuid.uuid4().hex
    containers: list[Container] = []

    def run(image: str, *options: str, words: tuple[str, ...] = ()) -> Container:
        containers.append(Container(image, *options, words=words, owner=owner))
        return containers[-1]

    yield run
    for container in containers:
        container.remove()
    # One that could not even be started has left its name.
    for name in docker("ps", "--all", "--quiet", f"--filter=label={LABEL}={owner}").split():
        docker("rm", "--force", "--volumes", name)


@pytest.fixture
def volume(engine: None) -> Iterator[str]:
    name = f"prosa-test-{uuid.uuid4().hex[:12]}"
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", "--force", name)


class Project:
    """The compose file under a name of its own, with a folder whose owner is somebody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report = folder / "report"
        self.name = f"prosa-test-{uuid.uuid4().hex[:12]}"
        self.report.mkdir()
        if os.geteuid() == 0:
            os.chown(self.report, USER, USER)

    def compose(
        self, *words: str, files: tuple[Path, ...] = (), wait_s: float = WAIT_S
    ) -> subprocess.CompletedProcess[str]:
        named = [word for path in (ROOT / "docker-compose.yml", *files) for word in ("--file", str(path))]
        where = ("--project-name", self.name, "--project-directory", str(self.folder))
        return attempt(str(ROOT / "run"), "compose", *named, *where, *words, wait_s=wait_s)


@pytest.fixture
def project(images: None, tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    yield project
    profiles = ("--profile", "flood", "--profile", "zmq")
    done = project.compose(*profiles, "down", "--volumes", "--remove-orphans", "--timeout", "5")
    assert done.returncode == 0, done.stdout


# --- programs in images ---


@pytest.fixture(scope="session")
def suite_image(images: None) -> str:
    return build(isolated.TESTER, "--file", ROOT / "docker" / "Dockerfile", "--target", "conformance")


@pytest.fixture(scope="session")
def server_image(images: None) -> str:
    return build(isolated.SERVER, "--file", ROOT / "docker" / "Dockerfile", "--target", "server")


@pytest.fixture(scope="session")
def client_image(images: None) -> str:
    return build(isolated.CLIENT, "--file", ROOT / "docker" / "Dockerfile", "--target", "client")


@pytest.fixture
def conform(tmp_path: Path, suite_image: str) -> Iterator[Conform]:
    """conform("--image", "...") -> its exit code, its words, its report; afterwards nothing is left of it."""
    yield partial(run_suite, tmp_path / "report")
    assert not isolated.leftovers(), "the run has left something"


@pytest.fixture
def begin(tmp_path: Path, suite_image: str) -> Iterator[Callable[..., Begun]]:
    """begin("--image", "...") -> a run that goes on."""
    begun: list[Begun] = []

    def start(*words: str) -> Begun:
        begun.append(Begun(tmp_path / "report", words))
        return begun[-1]

    yield start
    for one in begun:
        one.process.kill()
        one.process.wait()
