# SPDX-License-Identifier: MIT
"""Ports for tests, each pair once, below the ephemeral range where there is room below it; what a program leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prosa_conformance import places
from prosa_conformance.places import FIRST_PORT, Ports, all_in, discard, files_in


@pytest.mark.parametrize("low", [1024, FIRST_PORT, FIRST_PORT + 1, 32768, 49152])
@pytest.mark.parametrize("salt", [0, 49999, 65535])
def test_ports_of_any_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, low: int, salt: int) -> None:
    settings = tmp_path / "ip_local_port_range"
    settings.write_text(f"{low}\t65535\n")
    monkeypatch.setattr(places, "_EPHEMERAL", settings)
    ports = Ports(salt)
    taken = [ports.take() for _ in range(300)]
    assert len(set(taken)) == len(taken), "a pair was given twice"
    assert all(FIRST_PORT <= port < max(low, FIRST_PORT + 1000) for _, port in taken), taken


def deep_in(folder: Path, levels: int) -> None:
    """Deeper than a path may be long, and than Python calls itself."""
    before = Path.cwd()
    os.chdir(folder)
    for _ in range(levels):
        os.mkdir("deep")  # noqa: PTH102
        os.chdir("deep")
    Path("file").write_text("at the bottom")
    os.chdir(before)


def test_a_folder_of_any_depth_is_walked_and_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    deep_in(folder, 3000)
    assert sum(1 for _entry in all_in(folder)) > 500, "as far as a path goes"
    discard(folder)
    assert not folder.exists(), "all of it is gone"


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "data"
    secret.mkdir()
    (secret / "file").write_text("nobody's business")
    folder.mkdir()
    (folder / "mine").write_text("mine")
    (folder / "to-a-file").symlink_to(secret / "file")
    (folder / "to-a-folder").symlink_to(secret)
    (folder / "round").symlink_to(".")
    os.mkfifo(folder / "pipe")
    assert files_in(folder) == [folder / "mine"], "only what is a file itself"
    for path in list(folder.iterdir()):
        discard(path)
    assert not list(folder.iterdir()), "all of it is gone"
    assert (secret / "file").read_text() == "nobody's business", "what a link led to is still there"


def test_what_is_not_there_is_gone(tmp_path: Path) -> None:
    discard(tmp_path / "nothing")
    assert files_in(tmp_path / "nothing") == [], "no file in it either"
