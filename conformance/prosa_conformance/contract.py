# SPDX-License-Identifier: MIT
"""What an implementation says about itself, and how its programs are called (chapter 13).

Reads prosa.toml or the words of the command line into one `Implementation`; starts nothing.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from prosa_conformance.language import _
from prosa_conformance.outcome import UsageError

LEVELS = ("L0", "L1", "L2", "L3", "L4")
FEATURES = ("liveness", "resume", "audit")
FEATURES_FROM = "L2"  # the level from which on a program is asked for those that it declares
ROLES = ("codec", "server", "client", "relay")
KEYS = {"codec": "codec", "server": "server", "client": "client", "relay": "bridge"}  # of prosa.toml, by role
FLAGS = {"codec": "--codec-cmd", "server": "--cmd", "client": "--client-cmd", "relay": "--bridge-cmd"}
IMAGE_FLAGS = {"server": "--image", "client": "--client-image", "codec": "--codec-image"}
ANSWERS = ("operator", "echo")
NOT_THERE = 89  # exit code of a program that does not have the level [CON-03]
BAD_SETTINGS = 2
PLACEHOLDERS = (
    "host", "port", "data", "level", "timers", "keep_messages", "nick", "room", "server", "feed", "feed_rooms",
)  # fmt: skip


class ClientExit(IntEnum):
    """How a client ends [CON-12]; 89 is NOT_THERE."""

    GOOD = 0
    PROTOCOL = 1
    SETTINGS = 2
    NO_CONNECTION = 3
    AUTHENTICATION = 4
    VANISHED = 5
    WENT_AWAY = 6


def exit_after(code: int) -> ClientExit:
    """The exit code of a client that got or sent a fatal ERROR, or got a BYE, with this code [ERR-09]."""
    by_class = {2: ClientExit.AUTHENTICATION, 6: ClientExit.WENT_AWAY}
    return by_class.get(code >> 8, ClientExit.PROTOCOL)


@dataclass(frozen=True)
class KnownFailure:
    pattern: str
    reason: str


@dataclass(frozen=True)
class Implementation:
    """The subject of a run; `file` describes it, when more than a command was given."""

    name: str
    directory: Path
    commands: Mapping[str, str]
    images: Mapping[str, str] = field(default_factory=dict)  # likewise: an image, and words for its entry point
    language: str = ""
    build: str = ""
    levels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    answers: str = "operator"
    known_failures: tuple[KnownFailure, ...] = ()
    connect: tuple[str, int] | None = None
    file: Path | None = None
    has_other_bridge: bool = False  # than the file says

    def has(self, role: str) -> bool:
        is_there = self.connect is not None and role in ("server", "relay")
        return role in self.commands or role in self.images or is_there

    def words(self, role: str, settings: Mapping[str, str]) -> list[str]:
        """The command of a role as words, or its image and what goes to that; the placeholders are replaced."""
        words = shlex.split(self.commands.get(role) or self.images[role])
        for name in PLACEHOLDERS:
            words = [word.replace(f"{{{name}}}", settings.get(name, "")) for word in words]
        return words

    def source(self) -> str:
        """The part of a command line that names this subject again."""
        if self.file is not None:
            bridge = [f"{FLAGS['relay']} {shlex.quote(self.commands['relay'])}"] if self.has_other_bridge else []
            return " ".join([f"--sut {shlex.quote(str(self.file))}", *bridge])
        parts = [f"{FLAGS[role]} {shlex.quote(command)}" for role, command in self.commands.items()]
        parts += [f"{IMAGE_FLAGS[role]} {shlex.quote(image)}" for role, image in self.images.items()]
        if self.connect is not None:
            host, port = self.connect
            parts.append(f"--connect {f'[{host}]' if ':' in host else host}:{port}")
        if self.answers != "operator":
            parts.append(f"--answers {self.answers}")
        if self.features:
            parts.append(f"--features {','.join(self.features)}")
        return " ".join(parts)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a program: ours, but of the contract's variables only these settings.

    An empty one is unset.
    """
    ours = {f"PROSA_{name.upper()}" for name in PLACEHOLDERS}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return {**inherited, **{f"PROSA_{name.upper()}": value for name, value in settings.items() if value}}


def timers_text(timers: Mapping[str, int]) -> str:
    """PROSA_TIMERS in the grammar of section 13.2."""
    return ",".join(f"{name}={value}" for name, value in sorted(timers.items()))


def load(path: Path) -> Implementation:
    """The implementation of a prosa.toml; UsageError says what is wrong with it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(_("{path}: not TOML: {error}").format(path=path, error=error)) from error
    try:
        return _implementation(table, path.resolve())
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _implementation(table: dict[str, Any], path: Path) -> Implementation:
    image_keys = {role: f"{role}_image" for role in IMAGE_FLAGS}
    programs = {*KEYS.values(), *image_keys.values()}
    known_keys = {"name", "language", "build", *programs, "levels", "features", "answers", "known_failures"}
    _refuse_unknown(table, known_keys)
    commands = {role: _command(table[key], key) for role, key in KEYS.items() if key in table}
    images = {role: _command(table[key], key) for role, key in image_keys.items() if key in table}
    if not set(commands) - {"relay"} and not images:
        raise UsageError(_("at least one of server, client and codec is due"))
    check_kind(commands, images)
    levels = _list_of(table, "levels", LEVELS)
    if not levels:
        raise UsageError(_("levels is due: what the implementation claims"))
    answers = table.get("answers", "operator")
    if answers not in ANSWERS:
        raise UsageError(_("answers is one of {known}, not {value!r}").format(known=", ".join(ANSWERS), value=answers))
    return Implementation(
        name=_text(table, "name") or path.parent.name,
        directory=path.parent,
        commands=commands,
        images=images,
        language=_text(table, "language"),
        build=_text(table, "build"),
        levels=levels,
        features=_list_of(table, "features", FEATURES),
        answers=answers,
        known_failures=tuple(_known_failure(entry) for entry in table.get("known_failures", [])),
        file=path,
    )


def image_names(images: Mapping[str, str]) -> list[str]:
    return [shlex.split(words)[0] for words in images.values()]


def check_kind(commands: Mapping[str, str], images: Mapping[str, str]) -> None:
    """Programs in images are tested from a container, where no command of this machine is there."""
    if commands and images:
        words = _("{role} is a command and {other} an image: a run tests either commands or images")
        raise UsageError(words.format(role=next(iter(commands)), other=next(iter(images))))


def _refuse_unknown(table: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        words = _("unknown key {unknown}; known are {known}")
        raise UsageError(words.format(unknown=", ".join(unknown), known=", ".join(sorted(known))))


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise UsageError(_("{key} is a string").format(key=key))
    return value


def _command(value: object, role: str) -> str:
    if not isinstance(value, str):
        raise UsageError(_("{role} is a command in one string").format(role=role))
    return check_command(value, role)


def check_command(text: str, role: str) -> str:
    """The command itself if it splits into at least one word."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(_("{role} command {text!r}: {error}").format(role=role, text=text, error=error)) from error
    if not words:
        raise UsageError(_("{role} command is empty").format(role=role))
    return text


def _list_of(table: Mapping[str, Any], key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or any(value not in known for value in values):
        raise UsageError(_("{key} is a list of {known}").format(key=key, known=", ".join(known)))
    return tuple(values)


def _known_failure(entry: object) -> KnownFailure:
    if not isinstance(entry, dict) or set(entry) != {"test", "reason"} or not all(entry.values()):
        raise UsageError(_("each of known_failures has test and reason"))
    return KnownFailure(str(entry["test"]), str(entry["reason"]))


def parse_features(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    names = tuple(name for name in text.split(",") if name)
    for name in names:
        if name not in FEATURES:
            raise UsageError(_("--features {name}: there are {known}").format(name=name, known=", ".join(FEATURES)))
    return names


def parse_address(text: str) -> tuple[str, int]:
    """host:port, an IPv6 address in brackets."""
    host, port = text.rpartition(":")[::2]
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(_("{text!r} is not host:port").format(text=text))
    return host, int(port)
