#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A server that conforms, and beside that does what no program should: hostile.py MISCHIEF

What it finds out it says on stderr, with "mischief: " before each line.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import mini_server
from mini_session import Session

MEGABYTE = bytes(2**20)
CLONE_NEWUSER = 0x10000000
PLACES = (
    "/", "/etc", "/usr/bin", "/opt", "/root", "/home", "/var/tmp", "/run", "/.prosa", "/sys/fs/cgroup",
    "/proc/sys/kernel",
)  # fmt: skip
SECRETS = (
    "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/programs",
    "/report", "/proc/1/root/programs", "/proc/kcore", "/dev/mem", "/dev/kmsg",
)  # fmt: skip
# Out of the machine, the engine's bridges, and what an engine may listen on.
ADDRESSES = (("192.0.2.1", 80), ("1.1.1.1", 53), ("172.17.0.1", 22), ("172.17.0.1", 2375), ("172.18.0.1", 2375))


def say(words: str) -> None:
    print(f"mischief: {words}", file=sys.stderr, flush=True)


def reach() -> None:
    """Looks for a way out, says what it found, and ends."""
    found = [*interfaces(), *connections(), *readable((*SECRETS, *sys.argv[2:])), *writable(), *powers()]
    for words in found:
        say(f"REACHED {words}")
    say(f"user {os.getuid()}, group {os.getgid()}, {len(found)} ways out")
    sys.exit(1)


def interfaces() -> Iterator[str]:
    yield from (name for _number, name in socket.if_nameindex() if name != "lo")


def connections() -> Iterator[str]:
    for address in ADDRESSES:
        with contextlib.suppress(OSError), socket.create_connection(address, 1):
            yield f"{address}"
    with contextlib.suppress(OSError):
        yield socket.gethostbyname("deb.debian.org")


def readable(paths: tuple[str, ...]) -> Iterator[str]:
    """What is there at all, but for what the kernel shows everybody and lets nobody read."""
    for path in map(Path, paths):
        with contextlib.suppress(OSError):
            if path.is_char_device() or path.parent == Path("/proc"):
                path.open("rb").read(1)
            path.stat()
            yield str(path)


def writable() -> Iterator[str]:
    for folder in PLACES:
        path = Path(folder) / "mischief"
        with contextlib.suppress(OSError):
            path.write_text("was here")
            yield f"to write {path}"


def powers() -> Iterator[str]:
    libc = ctypes.CDLL(None, use_errno=True)
    tries: dict[str, Callable[[], object]] = {
        "root": lambda: os.setuid(0),
        "to mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 or fail(),
        "a user namespace": lambda: libc.unshare(CLONE_NEWUSER) == 0 or fail(),
        "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        "a device": lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)),
        "another host name": lambda: socket.sethostname("mischief"),
        "more descriptors": lambda: __import__("resource").setrlimit(7, (1 << 20, 1 << 20)),
        "a process that is not its own": others,
    }
    for words, attempt in tries.items():
        with contextlib.suppress(OSError, ValueError):
            attempt()
            yield words


def fail() -> None:
    raise OSError(ctypes.get_errno(), "no")


def others() -> None:
    """Every process that it sees is its own: the first of all, and this one."""
    strangers = [int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) not in (1, os.getpid())]
    if not strangers:
        raise OSError


def forks() -> None:
    """As many processes as it can have, and then it waits."""
    for number in count(1):
        try:
            if os.fork() == 0:
                signal.pause()
        except OSError as error:
            say(f"{number} processes, then: {error}")
            signal.pause()


def eats() -> None:
    """All memory, at once."""
    eaten = []
    while True:
        eaten.append(b"x" * 2**24)


def fills() -> None:
    """All that can be written, in files of one megabyte."""
    for folder in (os.environ["PROSA_DATA"], "/tmp"):
        try:
            for number in count(1):
                (Path(folder) / f"{number}").write_bytes(MEGABYTE)
        except OSError as error:
            say(f"{number} MB in {folder}, then: {error}")
    sys.exit(1)


def big_file() -> None:
    with (Path(os.environ["PROSA_DATA"]) / "big").open("wb") as file:
        while True:
            file.write(MEGABYTE)


def floods() -> None:
    """Serves, and never stops talking, on stdout and on stderr."""
    for descriptor in (1, 2):
        threading.Thread(target=pour, args=(descriptor,), daemon=True).start()
    mini_server.main()


def pour(descriptor: int) -> None:
    line = b"READY? not yet, not yet, not yet\n" * 2000
    while True:
        os.write(descriptor, line)


def only_floods() -> None:
    pour(1)


def stays() -> None:
    """SIGTERM means nothing to it, nor does the end of its console."""
    mini_server.signal = Deaf()
    mini_server.main()


class Deaf:
    SIGTERM = signal.SIGTERM

    @staticmethod
    def signal(number: int, _handler: object) -> None:
        signal.signal(number, signal.SIG_IGN)


def silent() -> None:
    """Never says READY."""
    signal.pause()


def lies() -> None:
    """Refuses everybody, and says that all is well, in the words of the suite."""
    verdict = {"schema": "prosa-conformance/result/1", "exit": 0, "verdicts": {"pass": 2000, "fail": 0}, "tests": []}
    listener = socket.create_server((os.environ["PROSA_HOST"], int(os.environ["PROSA_PORT"])))
    print("READY {}:{}".format(*listener.getsockname()))
    print(json.dumps(verdict))
    print("  tests     2000: 2000 pass\nserver: CONFORMS to L4 in all that was tested.", flush=True)
    while True:
        listener.accept()[0].close()


class Hungry(Session):
    """Eats all memory when somebody joins."""

    def take_join(self, _join: object) -> None:
        eats()


def hungry() -> None:
    class Server(mini_server.MiniServer):
        session_class = Hungry

    mini_server.main(Server)


def writes_home() -> None:
    """Keeps its key where it stands, as many a first version does."""
    Path("key").write_bytes(bytes(32))


def links() -> None:
    """Leaves what a tester could stumble over in its folder, and serves."""
    folder = Path(os.environ["PROSA_DATA"])
    deep = folder
    with contextlib.suppress(OSError):
        for _ in range(1500):
            deep.mkdir(exist_ok=True)
            deep = deep / "d"
    with contextlib.suppress(OSError):
        (folder / "link").symlink_to("/etc/shadow")
        (folder / "socket").symlink_to("/var/run/docker.sock")
        (folder / "loop").symlink_to(".")
        os.mkfifo(folder / "pipe")
    mini_server.main()


def good() -> None:
    mini_server.main()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
