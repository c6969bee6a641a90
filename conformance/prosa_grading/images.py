# SPDX-License-Identifier: MIT
"""A submission becomes an image: by its own Dockerfile, or by one of ours for its language, within bounds."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prosa_conformance.language import _
from prosa_conformance.tester import CLI
from prosa_grading.program import Program
from prosa_grading.submissions import Unreachable
from prosa_grading.unpack import Refused
from prosa_grading.watch import Watch

BASE = "debian:bookworm-slim"
BASE_S = 1800  # the packages of a language, once
BUILD_S = 900
ENGINE_S = 120  # for a question to the engine
BOUNDS = ("--memory=2g", "--memory-swap=2g", "--cpu-period=100000", "--cpu-quota=200000", "--force-rm")
PACKAGES = {
    "python": ("python3", "python3-nacl", "python3-cryptography"),
    "c": ("gcc", "libc6-dev", "make", "cmake", "pkg-config", "libsodium-dev"),
    "javascript": ("nodejs",),
    "java": ("default-jdk-headless",),
    "go": ("golang-go", "ca-certificates"),
    "rust": ("cargo", "rustc", "ca-certificates"),
}
SAME = {
    "python3": "python", "py": "python", "js": "javascript", "node": "javascript", "nodejs": "javascript",
    "golang": "go", "c11": "c", "c99": "c",
}  # fmt: skip
TEMPLATE = """\
FROM {base}
WORKDIR /srv
COPY . .
{build}USER nobody
CMD ["false"]
"""
LAYER = re.compile(r"^ ---> ([0-9a-f]{12})$", re.MULTILINE)  # in what the engine's own builder prints
_one_base_at_a_time = threading.Lock()


class NotBuilt(Exception):
    """The submission does not build; its log says why."""


@dataclass(frozen=True)
class Image:
    name: str
    identity: str  # the engine's digest of it
    has_entry_point: bool


def answers(watch: Watch) -> bool:
    """Whether there is an engine; OSError when not even its command is here."""
    return watch.run([CLI, "version"], seconds=ENGINE_S).code == 0


def inspect(name: str, watch: Watch) -> Image | None:
    """None when the engine has no image of this name."""
    form = '{"id": {{json .Id}}, "entry": {{json .Config.Entrypoint}}}'
    done = watch.run([CLI, "image", "inspect", "--format", form, "--", name], seconds=ENGINE_S)
    if done.code != 0:
        return None
    said = json.loads(done.text)
    return Image(name, said["id"], bool(said["entry"]))


def named(name: str, log: Path, watch: Watch) -> Image:
    """An image that is there already, or can be pulled."""
    if name.startswith("-"):
        raise Refused(_("{name!r} is no name of an image").format(name=name))
    image = inspect(name, watch)
    if image is None:
        watch.run([CLI, "pull", "--quiet", name], seconds=BASE_S, log=log)
        image = inspect(name, watch)
    if image is None:
        raise Unreachable(_("there is no image {name}, and it cannot be pulled").format(name=name))
    return image


def tag_of(folder: str, student: str, content: str) -> str:
    """No two builds get into each other's way, of one class or two, whatever the students are called."""
    owner = hashlib.sha256(f"{folder}\0{student}".encode()).hexdigest()
    return f"prosa-grade/{owner[:12]}:{content[:12]}"


def built(folder: Path, program: Program, tag: str, log: Path, watch: Watch, shelf: Shelf) -> Image:
    """Build the image of a submission. NotBuilt when that fails, Refused when nobody knows how."""
    file = folder.with_name("Dockerfile.of-" + folder.name)
    if program.has_dockerfile:
        file = folder / "Dockerfile"
    else:
        file.write_text(_dockerfile(program, log, watch), encoding="utf-8")
    return _build(folder, file, tag, log, watch, shelf)


def without_entry_point(image: Image, work: Path, log: Path, watch: Watch, shelf: Shelf) -> Image:
    """The same for commands of prosa.toml, which an entry point would take for its words."""
    empty = work / "without-entry-point"
    empty.mkdir(exist_ok=True)
    (empty / "Dockerfile").write_text(f'FROM {image.name}\nENTRYPOINT []\nCMD ["false"]\n', encoding="utf-8")
    return _build(empty, empty / "Dockerfile", f"{image.name}-commands", log, watch, shelf)


class Shelf:
    """The images that a grading has made. They go when all of it is over: an engine that takes one away may take
    away what another build stands on at that moment."""

    def __init__(self) -> None:
        self._made: list[str] = []

    def add(self, *images: str) -> None:
        self._made += images

    def clear(self) -> None:
        """Names, and layers of builds that failed; what others share stays."""
        with suppress(subprocess.TimeoutExpired, OSError):
            loose = set(_ask("images", "--quiet", "--filter", "dangling=true"))
            mine = [image for image in dict.fromkeys(self._made) if ":" in image or image in loose]
            if mine:
                _ask("image", "rm", "--force", *mine)
        self._made.clear()


def _ask(*words: str) -> list[str]:
    """However the grading ended: not one of the commands that an interruption ends."""
    done = subprocess.run(
        [CLI, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ENGINE_S, check=False
    )
    return done.stdout.split()


def _build(folder: Path, file: Path, tag: str, log: Path, watch: Watch, shelf: Shelf) -> Image:
    """Twice before it is believed that it does not build: an engine may have had a bad moment."""
    shelf.add(tag)
    try:
        return _build_once(folder, file, tag, log, watch, shelf)
    except NotBuilt:
        if not answers(watch):
            raise Unreachable(_("the container engine does not answer any more")) from None
        return _build_once(folder, file, tag, log, watch, shelf)


def _build_once(folder: Path, file: Path, tag: str, log: Path, watch: Watch, shelf: Shelf) -> Image:
    command = [CLI, "build", *BOUNDS, "--tag", tag, "--file", str(file), str(folder)]
    done = watch.run(command, seconds=BUILD_S, log=log)
    if done.code != 0:
        shelf.add(*re.findall(LAYER, done.text))
    if done.is_late:
        raise NotBuilt(_("building it took longer than {seconds} s").format(seconds=BUILD_S))
    if done.code != 0:
        raise NotBuilt(_("it does not build: {line}").format(line=_last_line(done.text)))
    image = inspect(tag, watch)
    if image is None:
        raise NotBuilt(_("the engine has not kept the image"))
    return image


def _dockerfile(program: Program, log: Path, watch: Watch) -> str:
    language = SAME.get(program.language, program.language)
    if language not in PACKAGES:
        words = _("language in prosa.toml is {language!r}: known are {known}; for another one add a Dockerfile")
        raise Refused(words.format(language=program.language, known=", ".join(PACKAGES)))
    build = f"RUN {json.dumps(shlex.split(program.build))}\n" if program.build else ""
    return TEMPLATE.format(base=_base(language, log, watch), build=build)


def _base(language: str, log: Path, watch: Watch) -> str:
    """The image with the packages of a language; made once, and kept for the next class."""
    name = f"prosa-grade-{language}"
    with _one_base_at_a_time:
        if inspect(name, watch) is not None:
            return name
        install = "apt-get install --yes --no-install-recommends " + " ".join(PACKAGES[language])
        file = f"FROM {BASE}\nRUN apt-get update && {install} && rm -rf /var/lib/apt/lists/*\n"
        folder = log.with_name(f"base-{language}")
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(file, encoding="utf-8")
        done = watch.run([CLI, "build", "--force-rm", "--tag", name, str(folder)], seconds=BASE_S, log=log)
        if done.code != 0:
            words = _("the image for {language} could not be made: {line}")
            raise Unreachable(words.format(language=language, line=_last_line(done.text)))
    return name


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")[:200]
