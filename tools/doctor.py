#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What this machine lacks for each verb of ./run, a line each, and what to do about it.

Reads the table of packages of ./run on stdin. Needs nothing but Python's own library, and changes nothing. Exit code
0 when conform and test can run, else 1.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# The needs of each verb, as ./run installs them. What stands first must be there: the others are told.
VERBS = {
    "conform": ("build", "suite"),
    "test": ("build", "suite", "zmq", "test", "demo", "samples"),
    "build, serve, chat": ("build",),
    "new": ("suite",),
    "fuzz": ("build", "fuzz"),
    "bench": ("build", "suite", "bench"),
    "package": ("build", "package"),
    "lint": ("build", "lint", "package"),
    "demo": ("suite", "demo", "engine"),
    "images": ("engine", "base"),
}
MUST = ("conform", "test")
DISK_GB, MEMORY_GB, PORT = 4, 2, 65432
PYTHON = (3, 11)
MODULES = ("pytest", "nacl", "yaml", "jinja2")
ENGINE_LIMITS = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "processor"}


@dataclass(frozen=True)
class Finding:
    about: str
    says: str
    todo: str = ""  # empty: all is well
    is_needed: bool = False  # conform and test cannot run without it

    def __str__(self) -> str:
        mark = "ok  " if not self.todo else "MISS" if self.is_needed else "note"
        return f"{mark}  {self.about:20} {self.says}" + (f" -> {self.todo}" if self.todo else "")


def output(*words: str) -> str:
    """What a command prints, empty when it fails or is not there."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


# --- packages ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Package:
    need: str
    name: str
    kind: str
    shows: str

    def is_there(self, installed: set[str] | None) -> bool:
        """By the word of the package manager where there is one, as ./run does it; else by what the package brings."""
        if installed is not None:
            return self.name in installed
        if self.kind == "module":
            return importlib.util.find_spec(self.shows) is not None
        if self.kind == "library":
            return bool(output("pkg-config", "--modversion", self.shows))
        return shutil.which(self.shows) is not None


def installed_packages() -> set[str] | None:
    if not shutil.which("apt-get"):
        return None
    listed = output("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n")
    return {line.split()[1] for line in listed.splitlines() if line.startswith("installed ")}


def packages(table: str) -> Iterator[Finding]:
    rows = [Package(*line.split()) for line in table.splitlines() if line.strip()]
    installed = installed_packages()
    for verb, needs in VERBS.items():
        asked = [row for row in rows if row.need in needs]
        missing = dict.fromkeys(row.name for row in asked if not row.is_there(installed))
        todo = ""
        if missing:
            names = " ".join(missing)
            todo = f"apt-get install --no-install-recommends {names}" if installed is not None else f"install {names}"
            todo += ", as an administrator; ./run does it by itself where it may"
        says = f"{len(missing)} of {len(asked)} packages are missing" if missing else f"{len(asked)} packages are there"
        yield Finding(f"./run {verb}", says, todo, verb in MUST)


# --- the machine ------------------------------------------------------------------------


def machine() -> Iterator[Finding]:
    version = platform.python_version()
    old = "" if sys.version_info >= PYTHON else f"install Python {PYTHON[0]}.{PYTHON[1]} or newer, as Debian 12 has it"
    yield Finding("python", f"{version}, {sys.executable}", old, is_needed=True)
    unseen = [name for name in MODULES if importlib.util.find_spec(name) is None]
    todo = f"this Python does not see {', '.join(unseen)}: take Debian's" if unseen else ""
    yield Finding("python modules", f"{len(MODULES) - len(unseen)} of {len(MODULES)}", todo, is_needed=True)
    cores = len(os.sched_getaffinity(0))
    few = "" if cores > 1 else "all works, but ./run test takes an hour or so, and some measurements say little"
    yield Finding("cores", str(cores), few)
    free = shutil.disk_usage(ROOT).free / 1e9
    full = "" if free >= DISK_GB else f"make {DISK_GB} GB free on the disk of {ROOT}: ./run clean, docker system prune"
    yield Finding("disk", f"{free:.1f} GB free", full, is_needed=True)
    pages = int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE")) / 1e9
    yield Finding("memory", f"{pages:.1f} GB", "" if pages >= MEMORY_GB else "close other programs while tests run")


def network() -> Iterator[Finding]:
    yield Finding("loopback", *can_bind("127.81.2.3", 0, "the suite gives each test an address of its own"), True)
    where = "give the server another: --port, or PROSA_PORT"
    yield Finding("port", *can_bind("127.0.0.1", PORT, where))
    low, high = (int(word) for word in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    todo = "" if low > 30000 else "sysctl net.ipv4.ip_local_port_range='32768 60999': the suite's ports start at 20000"
    yield Finding("ephemeral ports", f"{low} to {high}", todo)


def can_bind(host: str, port: int, todo: str) -> tuple[str, str]:
    name = f"{host}:{port}" if port else f"{host} and the like"
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen()
        except OSError as error:
            return f"{name}: {error.strerror}", todo
    return f"{name} can be had", ""


# --- containers -------------------------------------------------------------------------


def containers() -> Iterator[Finding]:
    if not shutil.which("docker"):
        yield Finding("engine", "none", "for --image, demo, images and compose: apt-get install docker.io")
        return
    told = output("docker", "info", "--format", "{{json .}}")
    info: dict[str, Any] = json.loads(told) if told.startswith("{") else {}
    if not info.get("ServerVersion"):
        todo = "start it (systemctl start docker), or let yourself in (adduser $USER docker; then log in anew)"
        yield Finding("engine", "is installed, and does not answer", todo)
        return
    yield Finding("engine", f"{info.get('Name', '')}: Docker {info['ServerVersion']}")
    yield cgroup(info)
    yield seccomp(info)
    yield compose()
    there = output("docker", "image", "inspect", "--format", "{{.Id}}", "debian:bookworm-slim")
    todo = "" if there else "docker pull debian:bookworm-slim, or without a registry docker/base"
    yield Finding("base image", f"debian:bookworm-slim is {'' if there else 'not '}there", todo)


def cgroup(info: dict[str, Any]) -> Finding:
    version = info.get("CgroupVersion") or "1"
    without = [name for key, name in ENGINE_LIMITS.items() if not info.get(key)]
    says = f"version {version}" + (f", no bound on {', '.join(without)}" if without else "")
    todo = "programs in images are tested all the same, without this bound; a kernel with cgroup version 2 has it"
    return Finding("cgroup", says, todo if without else "")


def seccomp(info: dict[str, Any]) -> Finding:
    has_it = any("seccomp" in option for option in info.get("SecurityOptions") or [])
    todo = "programs in images may make any system call: test strangers' programs on another machine"
    return Finding("seccomp", "the engine filters system calls" if has_it else "none", "" if has_it else todo)


def compose() -> Finding:
    version = output("docker", "compose", "version", "--short") or output("docker-compose", "version", "--short")
    return Finding("compose", version or "none", "" if version else "apt-get install docker-compose")


def main() -> int:
    findings = [*packages(sys.stdin.read()), *machine(), *network(), *containers()]
    for finding in findings:
        print(finding)
    bad = [finding for finding in findings if finding.todo and finding.is_needed]
    marked = "the lines above that begin with MISS say why"
    print(f"conform and test cannot run yet: {marked}." if bad else "conform and test can run here.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
