# SPDX-License-Identifier: MIT
"""Servers that do not keep the contract of programs under test (chapter 13), nor ID-01 and END-18.

Most are the small server in a world that is a little wrong: other variables, other words, another exit code.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mini_server
from fault import breaks
from mini_server import BAD_SETTINGS, CANNOT_LISTEN, LEVELS, NOT_THERE, MiniServer
from mini_session import Session
from prosa_conformance.codec import Frame


@contextlib.contextmanager
def other_exit_codes(codes: dict[int, int]) -> Iterator[None]:
    """Who would end with the one code ends with the other."""
    try:
        yield
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        sys.exit(codes.get(code, end.code))


# --- settings ---


@breaks("CON-01")
def listens_on_its_own_address() -> None:
    os.environ["PROSA_HOST"] = "127.0.0.1"
    mini_server.main()


@breaks("CON-01")
def listens_on_a_port_of_its_own() -> None:
    os.environ["PROSA_PORT"] = "0"
    mini_server.main()


@breaks("CON-01")
def keeps_its_files_beside_its_folder() -> None:
    folder = Path(os.environ["PROSA_DATA"]).with_suffix(".own")
    folder.mkdir(exist_ok=True)
    os.environ["PROSA_DATA"] = str(folder)
    mini_server.main()


@breaks("CON-02", "AUTH-14")
class AnnouncesTheReference(MiniServer):
    """It goes by what it was asked for, and tells its clients something else."""

    class Telling(Session):
        def make_challenge(self) -> Frame:
            asked, self.server.limits = self.server.limits, mini_server.read_limits("")
            challenge = super().make_challenge()
            self.server.limits = asked
            return challenge

    session_class = Telling


@breaks("CON-02")
def ignores_its_timers() -> None:
    os.environ["PROSA_TIMERS"] = ""
    mini_server.main()


@breaks("CON-02")
def passes_over_names_that_it_does_not_know() -> None:
    asked = os.environ.get("PROSA_TIMERS", "").split(",")
    os.environ["PROSA_TIMERS"] = ",".join(one for one in asked if not one.startswith("no_such"))
    mini_server.main()


@breaks("CON-02")
def ends_with_one_for_bad_settings() -> None:
    with other_exit_codes({BAD_SETTINGS: 1}):
        mini_server.main()


@breaks("CON-02", "CON-07")
def says_nothing_on_stderr() -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as sys.stderr:
        mini_server.main()


@breaks("CON-03")
def takes_any_level() -> None:
    if os.environ.get("PROSA_LEVEL") not in LEVELS:
        os.environ["PROSA_LEVEL"] = LEVELS[-1]
    mini_server.main()


@breaks("CON-03")
def calls_a_level_bad_settings() -> None:
    with other_exit_codes({NOT_THERE: BAD_SETTINGS}):
        mini_server.main()


@breaks("CON-03")
def looks_at_its_level_last() -> None:
    """It has said that it is ready when it finds that it is not."""
    if os.environ.get("PROSA_LEVEL") not in LEVELS:
        print(f"READY 127.0.0.1:{os.environ['PROSA_PORT']}", flush=True)
    mini_server.main()


@breaks("CON-04")
def ends_as_a_shell_does() -> None:
    with other_exit_codes({BAD_SETTINGS: 126, CANNOT_LISTEN: 127}):
        mini_server.main()


# --- listening ---


@breaks("CON-05")
def names_the_port_that_it_was_told() -> None:
    say_ready = mini_server.say_ready
    mini_server.say_ready = lambda host, port: say_ready(host, int(os.environ["PROSA_PORT"]))
    mini_server.main()


@breaks("CON-05")
def knows_no_brackets() -> None:
    mini_server.say_ready = lambda host, port: print(f"READY {host}:{port}", flush=True)
    mini_server.main()


@breaks("CON-07")
def ends_with_one_when_it_cannot_listen() -> None:
    with other_exit_codes({CANNOT_LISTEN: 1}):
        mini_server.main()


@breaks("CON-07")
def tries_again_for_ever() -> None:
    listen = mini_server.listen

    def patient(host: str, port: int) -> socket.socket:
        while True:
            with contextlib.suppress(SystemExit):
                return listen(host, port)
            time.sleep(0.1)

    mini_server.listen = patient
    mini_server.main()


@breaks("END-18")
def waits_for_its_former_life() -> None:
    """No SO_REUSEADDR."""

    def listen(host: str, port: int) -> socket.socket:
        listener = socket.socket()
        try:
            listener.bind((host, port))
        except OSError as error:
            print(f"cannot listen: {error}", file=sys.stderr)
            sys.exit(CANNOT_LISTEN)
        listener.listen()
        listener.setblocking(False)
        return listener

    mini_server.listen = listen
    mini_server.main()


# --- the console ---


@breaks("CON-06")
class ReadsItsConsoleOnce(MiniServer):
    has_read = False

    def typed(self, line: bytes) -> None:
        if not self.has_read:
            super().typed(line)
        self.has_read = True


@breaks("CON-06")
class TakesOneLineAtATime(MiniServer):
    """What was typed beside the first line is lost."""

    def read_console(self) -> None:
        self.is_first = True
        super().read_console()

    def typed(self, line: bytes) -> None:
        if self.is_first:
            super().typed(line)
        self.is_first = False


# --- the key ---


@breaks("ID-01")
def lets_everybody_read_its_key() -> None:
    own_seed = mini_server.own_seed

    def shown(folder: Path) -> bytes:
        seed = own_seed(folder)
        (folder / "key").chmod(0o644)
        return seed

    mini_server.own_seed = shown
    mini_server.main()


@breaks("ID-01")
def has_another_key_at_each_start() -> None:
    mini_server.own_seed = lambda folder: secrets.token_bytes(32)
    mini_server.main()


@breaks("ID-01")
def has_its_key_in_its_program() -> None:
    mini_server.own_seed = lambda folder: b"correct horse battery staple" + bytes(4)
    mini_server.main()
