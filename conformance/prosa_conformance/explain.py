# SPDX-License-Identifier: MIT
"""A failure's text, in the order in which a person wants to know."""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Sequence

from prosa_conformance.case import Case
from prosa_conformance.clauses import Claim, all_clauses, plain
from prosa_conformance.diagram import sequence
from prosa_conformance.hexdump import hexdump
from prosa_conformance.hints import hint
from prosa_conformance.language import _, to_ask_for
from prosa_conformance.outcome import Failure, Violation
from prosa_conformance.spoken import translated
from prosa_conformance.transcript import Kind, mark_of, shortened

STDERR_TAIL = 15
LONGEST_LINE = 200
LONGEST_VALUE = 600
WIDTH = 100


def explain(case: Case, claims: Sequence[Claim], error: AssertionError) -> Failure:
    """Put together what the violation says and what the transcript knows; plain words are translated here."""
    violation = error if isinstance(error, Violation) else None
    sentence = violation.sentence if violation else plain(str(error).splitlines()[0] if str(error) else "")
    guilty = (violation.guilty if violation else None) or case.transcript.guilty()
    return Failure(
        sentence=translated(sentence) or _("an assertion without words failed"),
        steps=case.transcript.steps(guilty=guilty.octets if guilty else b""),
        expected=shortened(translated(violation.expected), LONGEST_VALUE) if violation else "",
        actual=shortened(translated(violation.actual), LONGEST_VALUE) if violation else "",
        hexdump=hexdump(guilty) if guilty else "",
        octets=guilty.octets.hex() if guilty else "",
        guilty=mark_of(guilty),
        hint=hint(_symptom(case, violation)),
        clauses=[quoted(claim) for claim in claims],
        diagram=sequence(case.transcript, case.role) if case.wires else "",
        events=case.transcript.moments(guilty),
        stderr=_stderr(case, violation),
        replay=replay(case),
    )


def _symptom(case: Case, violation: Violation | None) -> str:
    """A reset that was seen is told before what followed from it."""
    symptom = violation.symptom if violation else ""
    was_reset = any(event.kind is Kind.RESET for event in case.transcript.events)
    return "reset" if was_reset and symptom in ("closed", "no-error", "") else symptom


def quoted(claim: Claim) -> str:
    clause = all_clauses().get(claim.id)
    if clause is None:
        return f"[{claim.id}]"
    return f"[{claim.id}] {plain(clause.text)}\n({clause.file}:{clause.line})"


def replay(case: Case) -> str:
    """The command that runs this test again, alone, with the same random numbers."""
    settings = case.settings
    transport = [] if settings.transport == "tcp" else ["--transport", settings.transport]
    command = os.environ.get("PROSA_COMMAND", "./run conform")  # what the person typed, where it was another word
    words = [command, settings.subject.source(), *transport, "--level", settings.level]
    words += ["--seed", str(settings.seed)]
    if settings.time_scale != 1:
        words += ["--time-scale", f"{settings.time_scale:g}"]
    return " ".join([*words, *to_ask_for(), "--test", shlex.quote(case.test)])


def _stderr(case: Case, violation: Violation | None) -> str:
    lines = list(violation.last_words) if violation else []
    lines += [line for watched in case.watched for line in watched.program.stderr_since(watched.stderr_mark)]
    return "\n".join(f"  {shortened(line, LONGEST_LINE)}" for line in lines[-STDERR_TAIL:])


def text(failure: Failure) -> str:
    """The whole failure for a terminal."""
    parts = [_wrap(failure.sentence)]
    if failure.steps:
        parts.append(_("What happened") + ":\n" + "\n".join(failure.steps))
    if failure.expected or failure.actual:
        parts.append(_beside((_("Expected"), failure.expected), (_("Actual"), failure.actual)))
    for title, body in (
        (_("The octets"), failure.hexdump),
        (_("Hint"), _wrap(failure.hint)),
        (_("The text says"), "\n".join(_wrap(line) for clause in failure.clauses for line in clause.split("\n"))),
        (_("The sequence"), failure.diagram),
        (_("The program's stderr ends"), failure.stderr),
        (_("The suite's own traceback"), failure.traceback),
        (_("To run this one test again"), failure.replay and f"  {failure.replay}"),
    ):
        if body:
            parts.append(f"{title}:\n{body}")
    return "\n\n".join(parts)


def _beside(*parts: tuple[str, str]) -> str:
    """The bodies below one another, each beside its title."""
    width = max(len(title) for title, _body in parts) + 2
    wrapper = textwrap.TextWrapper(WIDTH, subsequent_indent=" " * width)
    wrapper.break_long_words = wrapper.break_on_hyphens = wrapper.replace_whitespace = False
    return "\n".join(wrapper.fill(f"{title + ':':{width}}{body}") for title, body in parts)


def _wrap(words: str) -> str:
    return textwrap.fill(words, WIDTH, initial_indent="  ", subsequent_indent="  ") if words else ""
