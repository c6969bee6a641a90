# SPDX-License-Identifier: MIT
"""A disk in a test's hands: shim.c counts a program's calls, fails them, and records what it writes; from the
record, what can be on a disk after the power has failed at any moment."""

from __future__ import annotations

import mmap
import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BUILT = Path(__file__).parents[2] / "build" / "default"
SHIM = os.environ.get("PROSA_DISK_SHIM", str(BUILT / "tests" / "disk" / "libdisk_shim.so"))
SECTOR = 512  # is on the disk or is not
PAGE = 4096  # of the system's cache: what a write makes dirty, and an fsync clean

CALLS = ("open", "read", "write", "sync", "truncate", "map")
FILES = {"db": 1, "wal": 2, "shm": 4, "journal": 8, "lock": 16, "other": 32}
LOG = FILES["db"] | FILES["wal"] | FILES["shm"] | FILES["journal"]
EVER = 2**64 - 1
KILLED = 9999  # in the place of an error: the program is killed

_RULE = struct.Struct("=QQQQII")
_LINE = struct.Struct("=BBHIQQ")


class Control:
    """The calls of a program on some files: how many there were, and which of them fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(_RULE.size * len(CALLS)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def watch(self, call: str, files: int) -> None:
        """Count the calls on these files, and let all of them be good."""
        self._set(call, 0, 0, files, 0)

    def fail(self, call: str, files: int, error: int, first: int = 1, last: int = EVER) -> None:
        """Calls number `first` to `last` on these files fail with `error`, counted from now on."""
        self._set(call, first, last + 1 if last < EVER else EVER, files, error)

    def heal(self) -> None:
        for call in CALLS:
            self.watch(call, 0)

    def _set(self, call: str, start: int, stop: int, files: int, error: int) -> None:
        _RULE.pack_into(self._map, _RULE.size * CALLS.index(call), 0, 0, start, stop, files, error)

    def seen(self, call: str) -> int:
        return int(_RULE.unpack_from(self._map, _RULE.size * CALLS.index(call))[0])

    def failed(self, call: str) -> int:
        return int(_RULE.unpack_from(self._map, _RULE.size * CALLS.index(call))[1])


def shimmed(folder: Path, control: Control | None = None, record: Path | None = None) -> dict[str, str]:
    """The environment of a program whose files in `folder` are on such a disk."""
    sanitizer = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
    env = {"LD_PRELOAD": SHIM, "PROSA_DISK_FOLDER": str(folder), "ASAN_OPTIONS": sanitizer}
    if control is not None:
        env["PROSA_DISK_CONTROL"] = str(control.path)
    if record is not None:
        record.touch()
        env["PROSA_DISK_RECORD"] = str(record)
    return env


# --- the record ---


@dataclass(frozen=True)
class Did:
    """One thing that a program did: to a file, or for sockets, which octets it gave."""

    kind: str
    name: str
    content: bytes
    offset: int
    socket: int
    failed: bool

    @property
    def is_disk(self) -> bool:
        return self.kind not in "<>"


def recorded(path: Path) -> list[Did]:
    octets = path.read_bytes()
    deeds, at = [], 0
    while at < len(octets):
        kind, failed, name_size, size, offset, socket = _LINE.unpack_from(octets, at)
        at += _LINE.size
        name = octets[at : at + name_size].decode()
        at += name_size
        deeds.append(Did(chr(kind), name, octets[at : at + size], offset, socket, failed != 0))
        at += size
    return deeds


# --- what can be on the disk ---


@dataclass
class File:
    """`cached` is what programs see, `stored` what is on the disk. Sectors in `dirty` are on their way; those in
    `doomed` were, until a failed fsync: the system takes them for written, and they are not."""

    cached: bytearray = field(default_factory=bytearray)
    stored: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)
    doomed: set[int] = field(default_factory=set)

    def write(self, offset: int, content: bytes) -> None:
        if len(self.cached) < offset:
            self.cached.extend(bytes(offset - len(self.cached)))
        self.cached[offset : offset + len(content)] = content
        self._touch(offset, offset + len(content))

    def truncate(self, size: int) -> None:
        self._touch(min(size, len(self.cached)), max(size, len(self.cached)))
        del self.cached[size:]
        self.cached.extend(bytes(size - len(self.cached)))

    def _touch(self, start: int, stop: int) -> None:
        """The pages that are written, with all that stands in them, are dirty."""
        sectors = range(start // PAGE * PAGE // SECTOR, -(-stop // PAGE) * PAGE // SECTOR)
        self.dirty.update(sectors)
        self.doomed.difference_update(sectors)

    def sync(self, failed: bool) -> None:
        if failed:
            self.doomed |= self.dirty
        elif self.dirty:
            self.stored = self._sized(self.stored)
            self._store(self.stored, self.dirty)
        self.dirty.clear()

    def _sized(self, content: bytearray) -> bytearray:
        return content[: len(self.cached)] + bytes(max(0, len(self.cached) - len(content)))

    def _store(self, onto: bytearray, sectors: set[int]) -> None:
        for n in sectors:
            part = self.cached[n * SECTOR : (n + 1) * SECTOR]
            onto[n * SECTOR : n * SECTOR + len(part)] = part

    def crashed(self, dice: random.Random | None, odds: float) -> bytes:
        """Of what was on its way, each sector has arrived with these odds; without dice, none has."""
        after = bytearray(self.stored)
        if dice is None:
            return bytes(after)
        arrived = {n for n in sorted(self.dirty | self.doomed) if dice.random() < odds}
        grows = len(after) < len(self.cached) and arrived
        if grows or (len(after) > len(self.cached) and dice.random() < odds):
            after = self._sized(after)
        self._store(after, arrived)
        return bytes(after)


Image = dict[str, bytes]


class Disk:
    """A folder on a disk, made again from a record, deed by deed."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self._stored_names: dict[str, File] = {}
        self._pending_names: list[dict[str, File]] = []

    def do(self, deed: Did) -> None:
        if deed.kind == "C":
            self._rename({**self.files, deed.name: File()})
        elif deed.kind == "W":
            self.files[deed.name].write(deed.offset, deed.content)
        elif deed.kind == "T":
            self.files[deed.name].truncate(deed.offset)
        elif deed.kind == "R":
            self._rename({name: file for name, file in self.files.items() if name != deed.name})
        elif deed.kind == "N":
            rest = {name: file for name, file in self.files.items() if name != deed.name}
            self._rename({**rest, deed.content.decode(): self.files[deed.name]})
        elif deed.kind == "S" and deed.name == ".":
            if not deed.failed:
                self._stored_names = self.files
                self._pending_names = []
        elif deed.kind == "S":
            self.files[deed.name].sync(deed.failed)

    def _rename(self, names: dict[str, File]) -> None:
        self.files = names
        self._pending_names.append(names)

    def killed(self) -> Image:
        """The program is killed: all that it has given to the system is there."""
        return {name: bytes(file.cached) for name, file in self.files.items()}

    def crashed(self, dice: random.Random | None = None, odds: float = 0.5) -> Image:
        """The power fails: of what no fsync has confirmed, any sector and any name may be there or not. Without
        dice: nothing of it."""
        names = self._stored_names
        if dice is not None and self._pending_names:
            names = dice.choice([names, *self._pending_names])
        return {name: file.crashed(dice, odds) for name, file in names.items()}

    def torn(self, deed: Did, dice: random.Random) -> Image:
        """The power fails within this write: its beginning is there, of the WAL any part of it, elsewhere whole
        sectors."""
        image = self.killed()
        content = bytearray(image[deed.name])
        stop = dice.randrange(deed.offset, deed.offset + len(deed.content))
        stop = stop if deed.name.endswith("-wal") else max(stop // SECTOR * SECTOR, deed.offset)
        part = deed.content[: stop - deed.offset]
        content.extend(bytes(max(0, deed.offset + len(part) - len(content))))
        content[deed.offset : deed.offset + len(part)] = part
        image[deed.name] = bytes(content)
        return image


def put(image: Image, folder: Path) -> Path:
    folder.mkdir()
    for name, content in image.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return folder


def moments(deeds: list[Did]) -> Iterator[tuple[int, Disk]]:
    """The disk after each deed, by the number of deeds that were done."""
    disk = Disk()
    yield 0, disk
    for number, deed in enumerate(deeds, 1):
        if deed.is_disk:
            disk.do(deed)
        yield number, disk
