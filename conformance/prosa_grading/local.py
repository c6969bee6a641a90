# SPDX-License-Identifier: MIT
"""The weaker way, for who has no container engine: submissions as processes of the teacher's own user.

They can read and write what the teacher can, see the network, and outlive their run. The bounds are those that a
process has (setrlimit, by prlimit of util-linux), and the deadline of the whole.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from prosa_conformance.bounds import DESCRIPTORS, FILE_MB
from prosa_conformance.language import _
from prosa_grading.images import BUILD_S, NotBuilt
from prosa_grading.program import Program
from prosa_grading.submissions import Unreachable
from prosa_grading.watch import Watch

DATA_MB = 1024  # of the heap; some runtimes reserve much before they use it
PROCESSES = 2048  # of the user's, and so with those of the teacher's own


def prepared(folder: Path, said: Program, log: Path, watch: Watch) -> dict[str, str]:
    """Build it in its folder: by role a command with bounds. NotBuilt when that fails."""
    if not said.commands:
        raise Unreachable(_("a Dockerfile takes a container engine"))
    if said.build:
        try:
            done = watch.run(shlex.split(said.build), seconds=BUILD_S, log=log, folder=folder)
        except OSError as error:
            raise NotBuilt(f"{said.build}: {error.strerror}") from None
        if done.is_late:
            raise NotBuilt(_("building it took longer than {seconds} s").format(seconds=BUILD_S))
        if done.code != 0:
            last = next((line.strip() for line in reversed(done.text.splitlines()) if line.strip()), str(done.code))
            raise NotBuilt(_("it does not build: {line}").format(line=last[:200]))
    return {role: shlex.join([*bounds(), *words]) for role, words in said.commands.items()}


def bounds() -> list[str]:
    """The words before a command: nothing of the suite's own in its environment, and limits where there is prlimit."""
    clean = ["env", "--unset=PYTHONPATH", "--unset=PYTHONDONTWRITEBYTECODE"]
    if shutil.which("prlimit") is None:
        return clean
    limits = {"data": DATA_MB << 20, "fsize": FILE_MB << 20, "nofile": DESCRIPTORS, "nproc": PROCESSES, "core": 0}
    return [*clean, "prlimit", *(f"--{name}={number}" for name, number in limits.items())]
