# SPDX-License-Identifier: MIT
"""Testing programs in images takes a tester that is in a container itself: this starts it, and cleans up behind it.

The tester has no network, so neither has what shares its network namespace; the engine's socket is in its
hands alone. What a person sees is as without a container: the same words, folder, report and exit code.
"""

from __future__ import annotations

import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from prosa_conformance.contract import Implementation
from prosa_conformance.language import _, chosen
from prosa_conformance.outcome import Exit, UsageError

IMAGE = os.environ.get("PROSA_TESTER_IMAGE", "prosa-conformance")
SOCKET = "/var/run/docker.sock"
FOLDERS = Path("/programs")  # a volume of bounded size, with the data folder of each program
LABEL = "prosa.tester"  # of a program's container: the tester that started it
FOLDERS_OPTIONS = "size=128m,nr_inodes=65536,mode=0711"
RIGHTS = ("CHOWN", "DAC_OVERRIDE", "FOWNER")  # over the programs' folders and the report
CLI = "docker"


def is_here() -> bool:
    """Whether this is the tester's container."""
    return os.environ.get("PROSA_TESTER") == "container"


def start(words: Sequence[str], subject: Implementation, report: Path) -> int:
    """Have the tester do what these words say; its exit code."""
    _expect_image()
    report.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="prosa-tester-") as folder:
        name = Path(folder) / "name"
        command = [CLI, "run", "--cidfile", str(name), *_bounds(subject, report), IMAGE, *words]
        if "--lang" not in " ".join(words):
            command += ["--lang", chosen()]
        try:
            code = _run(command)
        finally:
            if name.exists():
                sweep(name.read_text())
    return code if code in set(Exit) else Exit.HARNESS


def names_of(process: int) -> str:
    """How the names of what is made for this process begin: of its tester, and of its programs."""
    return f"prosa-tester-{process}-"


def kill(process: int) -> None:
    """End the tester of a process, by its identity, and all that it has started; for who cannot wait for either."""
    for tester in _ask("ps", "--quiet", "--no-trunc", "--filter", f"name=^{names_of(process)}[0-9a-f]*$").split():
        sweep(tester)


def hand_over(report: Path) -> None:
    """The report belongs to whom its folder belongs to."""
    if report.is_dir():
        owner = report.stat()
        for path in report.rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid)


def _run(command: Sequence[str]) -> int:
    """In a session of its own: it gets one signal, from here, and not another one from the terminal."""
    client = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return client.wait()
    except KeyboardInterrupt:
        client.send_signal(signal.SIGINT)
        return client.wait()


def _bounds(subject: Implementation, report: Path) -> list[str]:
    name = names_of(os.getpid()) + secrets.token_hex(4)
    words = ["--rm", "--name", name, "--user", "0:0", "--log-driver", "none"]
    words += ["--network", "none", "--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--read-only", "--tmpfs", "/tmp"]
    words += ["--workdir", str(Path.cwd()), "--env", "PROSA_TIME_SCALE"]
    words += ["--security-opt", "no-new-privileges", "--security-opt", "label=disable", "--cap-drop", "ALL"]
    words += [word for right in RIGHTS for word in ("--cap-add", right)]
    options = f'"volume-opt=o={FOLDERS_OPTIONS}"'
    words += ["--mount", f"type=volume,target={FOLDERS},volume-opt=type=tmpfs,volume-opt=device=tmpfs,{options}"]
    words += ["--mount", _bind(_socket(), SOCKET), "--mount", _bind(report.resolve(), report.resolve())]
    if subject.file is not None:
        words += ["--mount", _bind(subject.file, subject.file) + ",readonly"]
    return words + (["--tty"] if sys.stdout.isatty() else [])


def _bind(source: Path | str, target: Path | str) -> str:
    """A mount, in the form of a line of comma-separated values that the engine's words have."""
    return ",".join(["type=bind", *(f'"{name}={path}"' for name, path in (("source", source), ("target", target)))])


def _socket() -> str:
    """The engine's socket on this machine, or on the virtual machine in which it runs."""
    if platform.system() != "Linux":
        return SOCKET
    host = os.environ.get("DOCKER_HOST") or _ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
    if not host.startswith("unix://"):
        raise UsageError(_("the engine is at {host}: it has to be one of this machine").format(host=host))
    return host.removeprefix("unix://")


def _expect_image() -> None:
    try:
        _ask("image", "inspect", "--format", "there", IMAGE)
    except UsageError as error:
        if "no such image" not in str(error).lower():
            raise
        raise UsageError(_("there is no image {name} yet: `./run images` makes it").format(name=IMAGE)) from None


def _ask(*words: str) -> str:
    """What the engine's command says to these words."""
    try:
        done = subprocess.run([CLI, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(_("an image takes a container engine: {command}: {error}").format(
            command=CLI, error=error.strerror)) from None
    if done.returncode:
        raise UsageError(_("the container engine says: {words}").format(words=done.stderr.strip()))
    return done.stdout


def sweep(tester: str) -> None:
    """Whatever became of the tester: neither it nor a program is left."""
    programs = _ask("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}={tester}").split()
    alive = _ask("ps", "--all", "--quiet", "--no-trunc", "--filter", f"id={tester}").split()
    if programs or alive:
        subprocess.run([CLI, "rm", "--force", "--volumes", *programs, *alive], capture_output=True, check=False)
    volumes = _ask("volume", "ls", "--quiet", "--filter", f"label={LABEL}={tester}").split()
    if volumes:
        subprocess.run([CLI, "volume", "rm", "--force", *volumes], capture_output=True, check=False)
