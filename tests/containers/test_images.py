# SPDX-License-Identifier: MIT
"""What is in the images, and what is not."""

from __future__ import annotations

import re

import pytest

from engine import HARDENED, ROOT, attempt, docker, inspect

MEGABYTE = 1_000_000

# Entry point, and how much an image may add to Debian's.
IMAGES = {
    "prosa-server": (["prosa-server"], 5),
    "prosa-client": (["prosa-client"], 5),
    "prosa-bridge": (["prosa-bridge"], 8),
    "prosa-conformance": (["conform"], 80),
}
NOT_HERE = "gcc cc c++ ld as make cmake ninja git pip pip3 curl wget nc ssh sudo"

pytestmark = [pytest.mark.usefixtures("images"), pytest.mark.parametrize("name", IMAGES)]


def test_it_is_nobody_and_starts_its_program(name: str) -> None:
    config = inspect(name)["Config"]
    assert config["User"] == "prosa"
    assert config["Entrypoint"] == IMAGES[name][0]
    assert docker("run", "--rm", *HARDENED, "--entrypoint=id", name, "-u") == "10001"


def test_its_labels(name: str) -> None:
    version = re.search(r"^project\(prosa VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    labels = inspect(name)["Config"]["Labels"]
    assert version is not None
    assert labels["org.opencontainers.image.version"] == version[1]
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert labels["org.opencontainers.image.title"]
    assert labels["org.opencontainers.image.description"]


def test_no_tools_of_a_builder_or_an_intruder(name: str) -> None:
    look = f"for tool in {NOT_HERE}; do command -v $tool; done; true"
    assert docker("run", "--rm", *HARDENED, "--entrypoint=sh", name, "-c", look) == ""


def test_it_is_small(name: str) -> None:
    added = inspect(name)["Size"] - inspect("debian:bookworm-slim")["Size"]
    assert 0 < added < IMAGES[name][1] * MEGABYTE


def test_it_runs_where_nothing_can_be_written(name: str) -> None:
    assert "usage" in docker("run", "--rm", *HARDENED, name, "--help")


def test_its_words_are_its_programs(name: str) -> None:
    done = attempt("docker", "run", "--rm", *HARDENED, name, "--no-such-word")
    assert done.returncode == 2, done.stdout
    assert "no-such-word" in done.stdout
