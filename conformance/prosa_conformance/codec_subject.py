# SPDX-License-Identifier: MIT
"""The codec program under test: a request a line, an answer a line (section 13.5)."""

from __future__ import annotations

from typing import Any

from prosa_conformance.case import START_S, Case, Settings
from prosa_conformance.contract import NOT_THERE
from prosa_conformance.language import _
from prosa_conformance.launch import spawn
from prosa_conformance.outcome import Unsupported, Violation
from prosa_conformance.printed import json_object
from prosa_conformance.process import Program
from prosa_conformance.transcript import Kind


class CodecProcess:
    """One life of the codec, shared by the tests: it remembers nothing. After no answer, or one that is
    no JSON object, nobody knows which request the next line belongs to: it retires."""

    def __init__(self, settings: Settings) -> None:
        self.program: Program = spawn(settings, "codec", {"level": "L0", "data": str(settings.folder("codec"))})
        self.retired = False
        self.stderr_mark = 0

    @property
    def usable(self) -> bool:
        return not self.retired and self.program.ended is None

    def stop(self) -> None:
        self.program.end()


class Codec:
    def __init__(self, case: Case, process: CodecProcess) -> None:
        self.case = case
        self.process = process
        self._watched = case.watch(process.program, process.stderr_mark)
        process.stderr_mark = process.program.stderr_mark

    def ask(self, request: str) -> dict[str, Any]:
        """The answer to one request."""
        line = self.ask_for_line(request)
        answer = json_object(line)
        if answer is None:
            self.process.retired = True
            raise Violation(
                _("the codec's answer is no JSON object"), expected=_("one JSON object a line"), actual=line[:200]
            )
        return answer

    def ask_for_line(self, request: str) -> str:
        """The line that answers one request."""
        self.case.transcript.add("the codec", Kind.TYPED, request)
        program = self.process.program
        taken = program.type_line(request, self.case.seconds(START_S))
        line = program.next_line(self.case.seconds(START_S)) if taken else None
        if line is None:
            raise self._no_answer(program)
        self.case.transcript.add("the codec", Kind.PRINTED, line)
        return line

    def finish(self) -> int | None:
        """End of file, and the exit code."""
        self.process.retired = True
        self._watched.end_expected = True
        self.process.program.close_stdin()
        ended = self.process.program.wait_end(self.case.seconds())
        return None if ended is None else ended.code

    def _no_answer(self, program: Program) -> Exception:
        self.process.retired = True
        ended = program.wait_end(self.case.seconds())
        if ended is not None and ended.code == NOT_THERE:
            return Unsupported(_("the codec ends with {code}: it does not have L0").format(code=NOT_THERE))
        return Violation(
            _("the codec did not answer"),
            expected=_("one JSON object on one line, flushed"),
            actual=_("it ended: {how}").format(how=ended) if ended else _("no line"),
            symptom="crash" if ended and ended.signal_name else "flush",
        )
