# SPDX-License-Identifier: MIT
"""Taking a stranger's files: from a folder or an archive into a folder of ours, with bounds, and nothing beyond it.

What would leave the folder, or is neither a file, a folder nor a link within it, is refused as a whole: half a
submission would be graded as if it were all of it.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from prosa_conformance.language import _

MOST_OCTETS = 256 << 20
MOST_FILES = 20_000
LONGEST_NAME = 255  # of one part
DEEPEST = 40
LEFT_OUT = (".git", "__MACOSX", ".DS_Store", "__pycache__")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Refused(Exception):
    """The submission cannot be taken as it is; the words are for the student."""


@dataclass(frozen=True)
class Entry:
    """A thing of a submission. `open` is a file's, `target` a link's; a folder has neither."""

    name: str
    open: Callable[[], IO[bytes]] | None = None
    target: str = ""
    is_executable: bool = False


def take(source: Path, into: Path) -> str:
    """Copy a folder or unpack an archive into a new folder; the digest of what is there then."""
    into.mkdir()
    with _entries(source) as entries:
        _write(entries, into)
    _enter(into)
    return digest(into)


def digest(folder: Path) -> str:
    """Of names and contents: the same for the same submission, wherever it came from."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            total.update(repr(("link", name, str(path.readlink()))).encode())
        elif path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(repr(("file", name, content, bool(path.stat().st_mode & stat.S_IXUSR))).encode())
    return total.hexdigest()


# --- what is in it ---


@contextmanager
def _entries(source: Path) -> Iterator[Iterator[Entry]]:
    with ExitStack() as opened:
        try:
            if source.is_dir():
                yield _of_folder(source)
            elif source.name.lower().endswith(".zip"):
                yield _of_zip(opened.enter_context(zipfile.ZipFile(source)))
            else:
                yield _of_tar(opened.enter_context(tarfile.open(source)))
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            EOFError,
            zlib.error,
            lzma.LZMAError,
            NotImplementedError,
        ) as error:
            raise Refused(_("the archive {name} is broken: {error}").format(name=source.name, error=error)) from None
        except RuntimeError as error:  # what zipfile makes of a password
            raise Refused(
                _("the archive {name} cannot be read: {error}").format(name=source.name, error=error)
            ) from None


def _of_folder(folder: Path) -> Iterator[Entry]:
    folders = [folder]
    while folders:
        for item in sorted(os.scandir(folders.pop()), key=lambda item: item.name):
            path = Path(item.path)
            name = path.relative_to(folder).as_posix()
            if item.name in LEFT_OUT:
                continue
            if item.is_symlink():
                yield Entry(name, target=str(path.readlink()))
            elif item.is_dir():
                folders.append(path)
                yield Entry(name)
            elif item.is_file():
                yield Entry(name, _opener(path), "", bool(item.stat().st_mode & 0o100))
            else:
                raise Refused(_("{name} is neither a file, a folder nor a link").format(name=name))


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _of_zip(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            yield Entry(info.filename, target=os.fsdecode(archive.read(info)[:4096]))
        elif info.is_dir():
            yield Entry(info.filename)
        else:
            yield Entry(info.filename, _member_of_zip(archive, info), "", bool(mode & 0o100))


def _member_of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)


def _of_tar(archive: tarfile.TarFile) -> Iterator[Entry]:
    for member in archive:
        if member.issym():
            yield Entry(member.name, target=member.linkname)
        elif member.isdir():
            yield Entry(member.name)
        elif member.isreg() or member.islnk():
            yield Entry(member.name, _member_of_tar(archive, member), "", bool(member.mode & 0o100))
        else:
            raise Refused(_("{name} is neither a file, a folder nor a link").format(name=member.name))


def _member_of_tar(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        try:
            file = archive.extractfile(member)
        except KeyError:
            file = None
        if file is None:  # a hard link to what is not in the archive
            raise Refused(_("{name} leads out of the submission").format(name=member.name))
        return file

    return opened


# --- writing it ---


def _write(entries: Iterator[Entry], into: Path) -> None:
    """Links come last, so that nothing is written through one."""
    links: dict[Path, str] = {}
    octets = files = 0
    for entry in entries:
        place = _place(entry.name)
        if not place.parts or any(part in LEFT_OUT for part in place.parts):
            continue
        files += 1
        if files > MOST_FILES:
            raise Refused(_("there are more than {count} files").format(count=MOST_FILES))
        path = into / place
        try:
            if entry.open is not None:
                octets += _copy(entry, path, MOST_OCTETS - octets)
            elif entry.target:
                links[path] = entry.target
            else:
                path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise Refused(_("{name} is there twice").format(name=entry.name)) from None
    for path, target in links.items():
        _link(path, target, into)
    for path in links:
        if not path.resolve().is_relative_to(into.resolve()):
            raise Refused(_("{name} leads out of the submission").format(name=path.relative_to(into)))


def _place(name: str) -> PurePosixPath:
    """Where it belongs below the folder; Refused when that is elsewhere."""
    place = PurePosixPath(name.replace("\\", "/"))
    is_odd = "\0" in name or not _is_text(name) or any(len(part.encode()) > LONGEST_NAME for part in place.parts)
    if place.is_absolute() or ".." in place.parts or ":" in name.partition("/")[0]:
        raise Refused(_("{name} leads out of the submission").format(name=ascii(name)))
    if is_odd or len(place.parts) > DEEPEST:
        raise Refused(_("{name} is no name for a file here").format(name=ascii(name)[:100]))
    return place


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _copy(entry: Entry, path: Path, most: int) -> int:
    """Octet by octet as they come: what an archive says of sizes may be a lie."""
    assert entry.open is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with entry.open() as source, path.open("xb") as target:
        while part := source.read(1 << 16):
            written += len(part)
            if written > most:
                raise Refused(_("it is larger than {count} MB").format(count=MOST_OCTETS >> 20))
            target.write(part)
    path.chmod(0o755 if entry.is_executable else 0o644)
    return written


def _link(path: Path, target: str, into: Path) -> None:
    if Path(target).is_absolute() or "\0" in target:
        raise Refused(_("{name} leads out of the submission").format(name=path.relative_to(into)))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() or path.is_symlink():
        raise Refused(_("{name} is there twice").format(name=path.relative_to(into)))
    path.symlink_to(target)


def _enter(folder: Path) -> None:
    """What stands alone in a folder of its own, or packed once more, is the submission."""
    for _depth in range(3):
        inside = list(folder.iterdir())
        if len(inside) != 1 or inside[0].is_symlink():
            return
        (only,) = inside
        inner = folder.with_name(folder.name + ".inner")
        if only.is_dir():
            only.rename(inner)
        elif only.name.lower().endswith(ARCHIVES):
            inner.mkdir()
            with _entries(only) as entries:
                _write(entries, inner)
        else:
            return
        shutil.rmtree(folder)
        inner.rename(folder)
