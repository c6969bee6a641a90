# SPDX-License-Identifier: MIT
"""The container engine as the tester uses it: images, the tester's own container, and what is left behind.

The tester itself runs in a container without any network, and holds the engine's socket. Each program
under test gets a container of its own (container.py) that shares the tester's network namespace: loopback
and nothing else. Only here and there is the Python module `docker` needed.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker.errors import APIError, DockerException, NotFound

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError
from prosa_conformance.tester import FOLDERS, LABEL

DEFAULT_HOST = "unix:///var/run/docker.sock"
SHELL = Path("/bin/bash-static")
NOBODY = 65532  # for who would be root


@dataclass(frozen=True)
class Image:
    """What matters of an image: its user as numbers, never root, and the folders that it wants as volumes."""

    name: str
    identity: str
    uid: int
    gid: int
    entry_point: tuple[str, ...]
    arguments: tuple[str, ...]
    volumes: tuple[str, ...]


@dataclass
class Engine:
    """Opened by `opened`; knows the images that it was opened for."""

    tester: str  # the identity of the container that this runs in
    name: str  # of that container; what it makes has names that begin so
    folders: str  # where the engine has what the tester sees in FOLDERS
    images: dict[str, Image] = field(default_factory=dict)
    _clients: dict[int, docker.APIClient] = field(default_factory=dict)

    @property
    def api(self) -> docker.APIClient:
        """A connection of this process's own: a forked worker must not share its parent's."""
        pid = os.getpid()
        if pid not in self._clients:
            self._clients[pid] = _client()
        return self._clients[pid]

    @property
    def shell(self) -> Path:
        """What starts a program in its container; it is linked with nothing."""
        return FOLDERS / SHELL.name

    def source(self, folder: Path) -> str:
        """A folder of a program's as the engine names it."""
        return str(Path(self.folders) / folder.relative_to(FOLDERS))

    def sweep(self) -> None:
        """Remove what this run's programs have left, and that of testers which are there no more."""
        ours = self.api.containers(all=True, filters={"label": LABEL})
        others = {one["Id"] for one in self.api.containers()} - {self.tester}
        dead = [one["Id"] for one in ours if one["Labels"][LABEL] not in others]
        with ThreadPoolExecutor(max_workers=4) as at_once:
            list(at_once.map(self.remove, dead))
        for volume in self.api.volumes(filters={"label": LABEL})["Volumes"] or ():
            if volume["Labels"][LABEL] not in others:
                with suppress(APIError):  # somebody else does
                    self.api.remove_volume(volume["Name"])

    def remove(self, container: str) -> None:
        with suppress(APIError):  # somebody else does
            self.api.remove_container(container, v=True, force=True)

    # --- images ---

    def learn(self, name: str) -> None:
        """Look at an image; UsageError when there is none of this name."""
        try:
            found = self.api.inspect_image(name)
        except NotFound:
            words = _("there is no image {name}: `docker build -t {name} .` makes it, `docker pull {name}` gets it")
            raise UsageError(words.format(name=name)) from None
        except APIError as error:
            raise UsageError(f"{name}: {error.explanation}") from None
        config = found["Config"]
        uid, gid = self._user(found["Id"], config.get("User") or "")
        words = {key: tuple(config.get(key) or ()) for key in ("Entrypoint", "Cmd", "Volumes")}
        if not (words["Entrypoint"] or words["Cmd"]):
            raise UsageError(_("the image {name} has neither ENTRYPOINT nor CMD: what is to be run?").format(name=name))
        self.images[name] = Image(name, found["Id"], uid, gid, words["Entrypoint"], words["Cmd"], words["Volumes"])

    def _user(self, image: str, words: str) -> tuple[int, int]:
        """The numbers behind the image's USER."""
        name, _colon, group = words.partition(":")
        if not name:
            return NOBODY, NOBODY
        container = self.api.create_container(
            image, command=["-"], entrypoint=["-"], labels={LABEL: self.tester}, name=f"{self.name}-user"
        )["Id"]
        try:
            users = _table(self._file(container, "/etc/passwd"))
            groups = _table(self._file(container, "/etc/group"))
        finally:
            self.remove(container)
        row = next((row for row in users if name in (row[0], row[2])), ["", "", name, "0"])
        group = next((row[2] for row in groups if group in (row[0], row[2])), group) or row[3]
        if not (row[2].isdecimal() and group.isdecimal()):
            raise UsageError(_("the image's USER is {words}, and its /etc/passwd does not have it").format(words=words))
        uid, gid = int(row[2]), int(group)
        return (uid, gid or uid) if uid else (NOBODY, NOBODY)

    def _file(self, container: str, path: str) -> str:
        """A small text file of a container, empty when there is none."""
        try:
            parts, told = self.api.get_archive(container, path)
            packed = b"".join(_at_most(parts, 1 << 20))
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                member = archive.extractfile(told["name"])
                return member.read().decode("utf-8", errors="replace") if member else ""
        except (APIError, KeyError, tarfile.TarError):
            return ""


@contextmanager
def opened(images: Iterable[str]) -> Iterator[Engine]:
    """The engine, with these images known. However this ends, no container of a program is left."""
    engine = _open()
    try:
        engine.sweep()
        for name in images:
            engine.learn(name)
        shutil.copy(SHELL, engine.shell)
        yield engine
    finally:
        engine.sweep()


def _client() -> docker.APIClient:
    host = os.environ.get("DOCKER_HOST", DEFAULT_HOST)
    try:
        return docker.APIClient(base_url=host, version="auto")
    except DockerException as error:
        raise UsageError(_("no container engine answers at {host}: {error}").format(host=host, error=error)) from None


def _open() -> Engine:
    api = _client()
    try:
        mine = api.inspect_container(socket.gethostname())
    except NotFound:
        raise UsageError(_("programs in images are tested from a container: ./run conform starts it")) from None
    if mine["HostConfig"]["NetworkMode"] != "none":
        raise UsageError(_("the tester's container has a network, so a program would have it, too: give it none"))
    mounts = {mount["Destination"]: mount["Source"] for mount in mine["Mounts"]}
    if str(FOLDERS) not in mounts:
        raise UsageError(_("the tester's container has no volume at {path}").format(path=FOLDERS))
    return Engine(mine["Id"], mine["Name"].removeprefix("/"), mounts[str(FOLDERS)], _clients={os.getpid(): api})


def _table(text: str) -> list[list[str]]:
    rows = [line.split(":") for line in text.splitlines()]
    return [row for row in rows if len(row) >= 4]


def _at_most(parts: Iterable[bytes], octets: int) -> Iterator[bytes]:
    for part in parts:
        octets -= len(part)
        if octets < 0:
            return
        yield part
