# SPDX-License-Identifier: MIT
"""The client under test: what is typed to it, the events that it prints, and how it ends."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

from prosa_conformance.case import END_S, Case
from prosa_conformance.contract import NOT_THERE
from prosa_conformance.language import _
from prosa_conformance.launch import client_values, spawn
from prosa_conformance.outcome import Unsupported, Violation
from prosa_conformance.printed import json_object
from prosa_conformance.process import Ended, Program, end_symptom, still_running
from prosa_conformance.transcript import Kind

Event = dict[str, Any]
BRIEF = (
    "room", "own", "change", "nick", "counter", "room_seq", "text", "from", "code", "reason", "how", "again", "exit",
)  # fmt: skip


class Client:
    """One life of the client; `data` is its folder, to be handed on to the next life.

    `room` may be empty: then PROSA_ROOM is not set. `changes` are other settings, by their name.
    """

    def __init__(
        self,
        case: Case,
        host: str,
        port: int,
        /,
        *,
        nick: str = "alice",
        room: str = "@host",
        data: Path | None = None,
        **changes: str,
    ) -> None:
        self.case = case
        self.nick = nick
        self.room = room
        self.data = data or case.settings.folder("client")
        self.events: list[Event] = []
        self.printed: list[str] = []
        values = client_values(case.settings, host, port, self.data, nick, room)
        self.program: Program = spawn(case.settings, "client", {**values, **changes})
        self._watched = case.watch(self.program)
        words = _("starts the client for {address}").format(address=f"{host}:{port}")
        case.transcript.add("the suite", Kind.PROGRAM, words)

    def type_line(self, line: str, *, may_be_gone: bool = False) -> None:
        """Type a line, as a person would; `may_be_gone`: the client may have ended already."""
        self.case.transcript.add("the person", Kind.TYPED, repr(line))
        if not self.program.type_line(line, self.case.seconds()) and not may_be_gone:
            raise Violation(
                _("the client does not read its stdin"),
                expected=_("lines on stdin are taken [CON-08]"),
                actual=_("stdin is closed") if self.program.ended else _("stdin is full"),
                symptom="console",
            )

    def close_stdin(self) -> None:
        self.case.transcript.add("the person", Kind.TYPED, _("end of file"))
        self.program.close_stdin()

    def freeze(self) -> None:
        """SIGSTOP: its connection stays open, and nobody reads it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as the power goes: what it has printed counts, but for a line that was cut."""
        self._signal(signal.SIGKILL)
        self.program.wait_end(self.case.seconds(END_S))
        self._take_rest()

    def excuse_end(self) -> None:
        """The test has failed already: that the client has ended, and said so, is no failure of its own."""
        if self.program.ended is not None:
            self._take_rest()
            self._watched.end_expected |= bool(self.events) and self.events[-1]["event"] == "closed"

    def _take_rest(self) -> None:
        """What it has printed, but for a line that was cut."""
        while (line := self.program.next_line(0.0)) is not None:
            if line.startswith("{") and line.endswith("}"):
                self._take(line)

    def _signal(self, number: signal.Signals) -> None:
        words = _("sends {signal} to the client").format(signal=number.name)
        self.case.transcript.add("the suite", Kind.PROGRAM, words)
        self.program.signal(number)

    def expect_event(self, name: str, seconds: float | None = None, **members: object) -> Event:
        """Read events until one of this name comes; its members must be as said."""
        deadline = self.case.deadline(seconds)
        while True:
            event = self._next_event(deadline, _("an event `{name}`").format(name=name))
            if event["event"] != name:
                continue
            wrong = {key: event.get(key) for key, value in members.items() if event.get(key) != value}
            if wrong:
                raise Violation(
                    _("the client's event `{name}` does not say what happened").format(name=name),
                    expected=json.dumps({"event": name, **members}, ensure_ascii=False),
                    actual=json.dumps(event, ensure_ascii=False),
                )
            return event

    def next_event_until(self, deadline: float) -> Event | None:
        """The next event, or None when none comes before the deadline."""
        line = self.program.next_line(deadline - time.monotonic())
        return self._take(line) if line is not None else None

    def events_until_end(self) -> list[Event]:
        """All events that are still to come, up to the end of stdout."""
        start = len(self.events)
        deadline = self.case.deadline(END_S)
        while (line := self.program.next_line(deadline - time.monotonic())) is not None:
            self._take(line)
        return self.events[start:]

    def texts(self) -> list[str]:
        """The messages that it has shown so far."""
        return [event["text"] for event in self.events if event["event"] == "message"]

    def errors(self) -> list[Event]:
        """What it has reported as its own finding or ERROR so far."""
        return [event for event in self.events if event["event"] == "error" and event.get("from") == "client"]

    def _next_event(self, deadline: float, due: str) -> Event:
        line = self.program.next_line(deadline - time.monotonic())
        if line is not None:
            return self._take(line)
        ended = self.program.wait_end(self.case.seconds()) if time.monotonic() < deadline else self.program.ended
        if ended is not None and ended.code == NOT_THERE:
            raise Unsupported(_("the client ends with {code}: it does not have this level").format(code=NOT_THERE))
        raise Violation(
            _("the client did not print {what}").format(what=due),
            expected=_("{what} on stdout, one JSON object a line [CON-09]").format(what=due),
            actual=_("it ended: {how}").format(how=ended) if ended else _("no further line"),
            symptom="early-end" if ended else "no-event",
        )

    def _take(self, line: str) -> Event:
        self.printed.append(line)
        event = json_object(line)
        self.case.transcript.add("the client", Kind.PRINTED, _brief(event) or line[:200])
        if event is None or not isinstance(event.get("event"), str):
            raise Violation(
                _("the client printed something else than an event on stdout"),
                expected=_("one JSON object with `event` a line, everything else on stderr [CON-09]"),
                actual=line[:200],
            )
        self.events.append(event)
        return event

    # --- its end ---

    def said(self) -> list[str]:
        """Every line of its stdout and stderr, once it has ended."""
        self.events_until_end()
        self.program.end()
        return [*self.printed, *self.program.stderr_since()]

    def expect_exit(self, *codes: int) -> Ended:
        """Wait for the end, with one of these exit codes."""
        self._watched.end_expected = True
        ended = self.program.wait_end(self.case.seconds(END_S))
        words = _("ends: {how}").format(how=ended) if ended else _("still runs")
        self.case.transcript.add("the client", Kind.PROGRAM, words)
        if ended is None or ended.code not in codes:
            wanted = _(" or ").join(str(int(code)) for code in codes)
            raise Violation(
                _("the client did not end with exit code {code}").format(code=wanted),
                expected=_("exit code {code}").format(code=wanted),
                actual=str(ended) if ended else still_running(self.case.seconds(END_S)),
                symptom=end_symptom(ended),
            )
        return ended

    def expect_closed(self, exit_code: int, /, **members: object) -> Event:
        """The last event, `closed`, and then the end with the exit code that it names."""
        self._watched.end_expected = True
        event = self.expect_event("closed", seconds=END_S, exit=exit_code, **members)
        self.expect_exit(exit_code)
        return event


def _brief(event: object) -> str:
    """An event in one line: its name and the members that tell most."""
    if not isinstance(event, dict):
        return ""
    parts = [f"{name}={json.dumps(event[name], ensure_ascii=False)}" for name in BRIEF if name in event]
    return f"{event.get('event')} {{{', '.join(parts)}}}"
