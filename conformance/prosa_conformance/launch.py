# SPDX-License-Identifier: MIT
"""Starting the programs of an implementation as the contract says (chapter 13), in every role."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

from prosa_conformance.case import END_S, START_S, SUBJECTS, Settings
from prosa_conformance.contract import NOT_THERE, environment
from prosa_conformance.language import N_, _
from prosa_conformance.outcome import Unsupported, Violation
from prosa_conformance.process import Process, Program, ended_symptom, still_running

READY = re.compile(r"READY (?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]]+)):([0-9]{1,5})")


NOT_RUN = {
    "server": N_("the server command could not be run: {command}: {error}"),
    "client": N_("the client command could not be run: {command}: {error}"),
    "codec": N_("the codec command could not be run: {command}: {error}"),
    "relay": N_("the bridge command could not be run: {command}: {error}"),
}


LINES_SHOWN = 3
CANNOT_RUN = (126, 127)  # how a shell ends that cannot run a command
# What a program's last words tell of why it could not start.
LAST_WORDS = {
    "in-use": ("address already in use", "eaddrinuse"),
}
LAST_WORDS_IN_IMAGE = {
    "read-only": ("read-only file system", "erofs"),
    "no-space": ("no space left on device", "enospc", "file too large", "efbig"),
    "many-processes": ("can't start new thread", "cannot fork", "resource temporarily unavailable", "eagain"),
}


class NotStarted(Violation):
    """The program could not be brought to the point where a test can begin."""


def spawn(settings: Settings, role: str, values: Mapping[str, str]) -> Program:
    """Start the command or the image of a role with these settings; no word of its output is read yet."""
    words = settings.subject.words(role, values)
    if settings.engine is not None:
        from prosa_conformance.container import Container  # only here: whoever tests commands may lack `docker`

        return Container(settings.engine, words, values, role)
    try:
        return Process(words, environment(values), settings.subject.directory, role)
    except OSError as error:
        raise NotStarted(
            _(NOT_RUN[role]).format(command=words[0], error=error.strerror),
            expected=_("a command that exists and may be executed"),
            actual=f"{error.strerror}: {' '.join(words)}",
            symptom="command",
        ) from None


def await_ready(settings: Settings, program: Program) -> tuple[str, int]:
    """The address in the READY line of a server or bridge [CON-05]; Unsupported when it ends with 89."""
    who = _(SUBJECTS[program.name])
    deadline = time.monotonic() + START_S * settings.time_scale
    other: list[str] = []
    while (line := program.next_line(deadline - time.monotonic())) is not None:
        found = READY.fullmatch(line.strip())
        if found:
            return found[1] or found[2], int(found[3])
        other = [*other, line][:LINES_SHOWN]
    ended = program.wait_end(END_S * settings.time_scale) if time.monotonic() < deadline else program.ended
    if ended is not None and ended.code == NOT_THERE:
        raise Unsupported(_("{who} ends with {code}: it does not have this").format(who=who, code=NOT_THERE))
    raise NotStarted(
        (_("{who} ended before it printed READY") if ended else _("{who} never printed READY")).format(who=who),
        expected=_("a line `READY host:port` on stdout [CON-05]"),
        actual=f"{ended or still_running(START_S * settings.time_scale)}; {_printed(other)}",
        symptom=_start_symptom(program, is_in_image=settings.engine is not None),
        last_words=program.stderr_since(),
    )


def _printed(lines: list[str]) -> str:
    if not lines:
        return _("nothing came on stdout")
    return _("on stdout came: {lines}").format(lines=" / ".join(lines)[:300])


def _start_symptom(program: Program, is_in_image: bool) -> str:
    text = "\n".join(program.stderr_since()).lower()
    ended = program.ended
    known = {**LAST_WORDS, **(LAST_WORDS_IN_IMAGE if is_in_image else {})}
    for symptom, words in known.items():
        if any(word in text for word in words):
            return symptom
    if is_in_image and ended is not None and ended.code in CANNOT_RUN:
        return "entry-point"
    if ended is not None and (symptom := ended_symptom(ended)):
        return symptom
    if "traceback" in text or "segmentation" in text:
        return "crash"
    return "ready" if ended is None else "early-end"


def server_values(
    settings: Settings, host: str, port: int, data: Path, timers: str, keep_messages: str = ""
) -> dict[str, str]:
    return {
        "host": host,
        "port": str(port),
        "data": str(data),
        "level": settings.level,
        "timers": timers,
        "keep_messages": keep_messages,
    }


def client_values(settings: Settings, host: str, port: int, data: Path, nick: str, room: str) -> dict[str, str]:
    return {
        "host": host,
        "port": str(port),
        "data": str(data),
        "level": settings.level,
        "timers": "",
        "keep_messages": "",
        "nick": nick,
        **({"room": room} if room else {}),
    }
