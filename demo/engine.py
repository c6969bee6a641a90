# SPDX-License-Identifier: MIT
"""The container engine, through its own command line: what a demo starts bears its label, has few rights and
little memory, and is gone afterwards.

It refuses to touch anything without the label.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterable, Sequence

DOCKER = "docker"
LABEL = "prosa.demo"  # its value is the demo's name
OWNER = "prosa.demo.owner"  # the process of the run
PREFIX = "prosa-demo-"
LINE_CAP = 1 << 20  # octets
USER = "10001"  # of the images
CALL_S = 60  # longest call of the engine that starts or ends something

HARDENED = (
    "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=64", "--memory=128m",
    "--memory-swap=128m", "--cpus=1", "--log-driver=none", "--no-healthcheck", "--tmpfs=/tmp:size=16m,mode=1777",
)  # fmt: skip
OWN_DATA = f"--tmpfs=/data:size=16m,uid={USER},gid={USER},mode=0700"


class EngineError(Exception):
    """The engine is not there, or did not do as it was told; its own words."""


class Busy(Exception):
    """The same demo runs already."""


async def call(*words: str) -> str:
    """What the engine prints for one of its commands."""
    try:
        process = await asyncio.create_subprocess_exec(
            DOCKER, *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except OSError as error:
        raise EngineError(f"{DOCKER} cannot be started: {error.strerror}; is the engine installed?") from error
    answer = asyncio.create_task(process.communicate())
    try:
        out, err = await asyncio.shield(answer)
    except asyncio.CancelledError:
        await answer  # what was begun is done, so that it can be undone
        raise
    if process.returncode:
        raise EngineError(f"{DOCKER} {words[0]} failed: {err.decode().strip() or process.returncode}")
    return out.decode().strip()


async def start(words: Sequence[str], stdout: int = PIPE) -> asyncio.subprocess.Process:
    """`docker run` and the like, attached: their stdin and stdout are the container's.

    In a session of its own, so that Ctrl-C reaches the stage alone, which then clears up in order.
    """
    return await asyncio.create_subprocess_exec(
        DOCKER, *words, stdin=PIPE, stdout=stdout, stderr=PIPE, limit=LINE_CAP, start_new_session=True
    )


async def need_images(images: Iterable[str]) -> None:
    """All of them are here, or the sentence that says what to do."""
    try:
        await call("image", "inspect", "--format", "{{.Id}}", *sorted(set(images)))
    except EngineError as error:
        missing = re.search(r"[Nn]o such image: (\S+)", str(error))
        if missing is None:
            raise
        raise EngineError(f"there is no image {missing[1]} here; ./run images builds those of Prosa") from None


async def address(container: str, network: str) -> str:
    """The IPv4 address that it has there."""
    networks = json.loads(await call("inspect", "--format", "{{json .NetworkSettings.Networks}}", container))
    return str(networks[network]["IPAddress"])


async def memory(container: str) -> float:
    """MiB that it uses now, as the engine counts; it takes the engine a second or two."""
    shown = await call("stats", "--no-stream", "--format", "{{.MemUsage}}", container)
    found = re.match(r"([\d.]+)(B|KiB|MiB|GiB)", shown)
    if found is None:
        raise EngineError(f"{DOCKER} stats says {shown!r} where memory is due")
    return float(found[1]) * {"B": 1 / 2**20, "KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[found[2]]


# --- what is left of earlier runs ---


async def claim(demo: str) -> None:
    """Afterwards nothing of an earlier run of this demo is here; Busy while one goes on."""
    names = await call("ps", "--all", "--filter", f"label={LABEL}={demo}", "--format", f'{{{{.Label "{OWNER}"}}}}')
    for owner in set(names.split()):
        if int(owner) != os.getpid() and _lives(int(owner)):
            raise Busy(f"a demo {demo} is running (process {owner}); end it with Ctrl-C there, or wait")
    clear(demo)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def clear(demo: str = "") -> list[str]:
    """Remove containers, networks and volumes of a demo, or of all; whatever else happens meanwhile.

    Not a coroutine: it is the last thing that a run does, also when it is being cancelled.
    """
    label = f"label={LABEL}={demo}" if demo else f"label={LABEL}"
    gone = []
    for listed, removed in (
        (("ps", "--all"), ("rm", "--force", "--volumes")),
        (("network", "ls"), ("network", "rm")),
        (("volume", "ls"), ("volume", "rm", "--force")),
    ):
        names = _quiet(*listed, "--quiet", "--filter", label).split()
        if names:
            gone += names
            _quiet(*removed, *names)
    return gone


def _quiet(*words: str) -> str:
    done = subprocess.run(
        [DOCKER, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CALL_S,
        start_new_session=True, check=False,
    )  # fmt: skip
    return done.stdout


def runs(demo: str) -> bool:
    """Whether the network of this demo is there."""
    return bool(_quiet("network", "ls", "--quiet", "--filter", f"label={LABEL}={demo}").strip())
