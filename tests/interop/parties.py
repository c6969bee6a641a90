# SPDX-License-Identifier: MIT
"""Everybody who has a server and a client: ours in C, and what is in tests/samples, each by its prosa.toml."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from prosa_conformance.contract import Implementation, load

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "samples"


class NotBuilt(Exception):
    """Whose programs cannot be made, and why."""


@dataclass(frozen=True)
class Party:
    """Somebody's programs; `bridge`: who relays between the server and its clients."""

    name: str
    implementation: Implementation
    bridge: Party | None = None

    @property
    def level(self) -> str:
        """The highest that it has."""
        return max(self.implementation.levels)


def everybody(programs: Path) -> list[Party]:
    """`programs` has ours. Samples are built, where there is something to build."""
    return [ours(programs), *map(built, samples())]


def ours(programs: Path) -> Party:
    described = load(ROOT / "prosa.toml")
    commands = {role: _moved(command, programs) for role, command in described.commands.items()}
    return Party("c", replace(described, commands=commands))


def _moved(command: str, programs: Path) -> str:
    program, *words = shlex.split(command)
    return shlex.join([str(programs.resolve() / Path(program).name), *words])


def samples() -> Iterator[Party]:
    for file in sorted(SAMPLES.glob("*/prosa.toml")):
        yield Party(file.parent.name, load(file))


def built(party: Party) -> Party:
    implementation = party.implementation
    if implementation.build:
        done = subprocess.run(
            shlex.split(implementation.build), cwd=implementation.directory, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NotBuilt(f"{party.name}: `{implementation.build}` ended with {done.returncode}:\n{done.stderr}")
    return party


def behind(bridge: Party, server: Party) -> Party:
    """The server, for clients that come to it over ZeroMQ."""
    return replace(server, name=f"{server.name}, through the bridge", bridge=bridge)
