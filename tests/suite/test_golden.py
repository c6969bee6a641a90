# SPDX-License-Identifier: MIT
"""All that a person sees of a failure, for a dozen faults and in each language: golden/NAME.LANGUAGE.txt.

To write the files anew: PROSA_GOLDEN=write /usr/bin/python3 -m pytest tests/suite/test_golden.py
Then read what has changed as the student would. What differs from run to run stands as `#`.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass

import pytest

from conftest import HERE, Conform, faulty, python
from prosa_conformance.language import LANGUAGES

GOLDEN = HERE / "golden"
IS_WRITING = os.environ.get("PROSA_GOLDEN") == "write"
SAME_EVERYWHERE = ("--seed", "7", "--time-scale", "0.5")

# What is another in each run, in the order in which it is replaced.
VARIABLE = (
    (re.compile(re.escape(f"{sys.executable} {HERE.parents[1]}/")), "python3 "),
    (re.compile(re.escape(f"{HERE.parents[1]}/")), ""),
    (re.compile(r"\[ *\d+\.\d+ s\]"), "[  #.### s]"),
    (re.compile(r"127\.\d+\.\d+\.\d+:\d+"), "127.#.#.#:#"),
    (re.compile(r"\| +(\S.*127\.#\.#\.#:#) +\|"), r"| \1 |"),
    (re.compile(r"(?<=spec/)(\S+\.md):\d+"), r"\1:#"),
    (re.compile(r"(?m)^(  (?:seconds|segundos)  ) *[\d.]+"), r"\1#"),
    (re.compile(r"/\S+/report/report.html"), "report/report.html"),
    (re.compile(r"\b[0-9a-f]{12}\.\."), "#.."),
    (re.compile(r"(?<=opaque=')[0-9a-f]{16}"), "#" * 16),
)
# A row of octets: of the first one the header stays, of the others nothing but their number.
ROW = re.compile(r"(?m)^(  [0-9a-f]{4}  )((?:[0-9a-f]{2} )+) *(.*)$")
HEADER = 8
# The rows of the steps and of the sequence, where two programs race.
COURSE = re.compile(r"(?m)(?:^ *(?:\d+\. \[|\.\.\. \d).*\n|^  .* [|:].*[|:].*\n)+")
# The number of an entry or a message in a sentence about them.
NUMBER = re.compile(r"((?:entry|entrada|message|mensagem)\s+)\d+")


@dataclass(frozen=True)
class Fault:
    """What is run, and the words that choose its one test; `code` is the exit code.

    Of one that `races` the steps and the numbers of messages are not compared: who is first differs from run to run.
    """

    words: tuple[str, ...]
    code: int = 1
    races: bool = False


def of(flag: str, name: str, test: str, *more: str, races: bool = False) -> Fault:
    """A faulty program of tests/faulty and the test that finds it."""
    return Fault((flag, faulty(name), "--test", test, *more), races=races)


SERVER, CLIENT = "--cmd", "--client-cmd"
FAULTS = {
    "crash": of(SERVER, "CrashesOnAFault", "handshake::tampered_auth_signature"),
    "silence": Fault((SERVER, python("fakes.py", "silent"), "--test", "handshake::four_frames_make_a_session")),
    "closed": of(SERVER, "ClosesWithoutAWord", "handshake::tampered_auth_signature"),
    "reset": of(SERVER, "ResetsInsteadOfReadingOn", "closing::error_survives_what_comes_after_the_fault"),
    "byte-order": of(SERVER, "CountsLittleEndian", "handshake::four_frames_make_a_session"),
    "forged": of(SERVER, "AcceptsAnySignature", "messages::signature_of_another_key"),
    "wrong-code": of(SERVER, "CallsItsOwnFramesMalformed", "wire::frames_that_only_a_server_sends[WELCOME]"),
    "no-ack": of(SERVER, "ForgetsTheAck", "questions::limit_rises_after_the_answer"),
    "order": of(SERVER, "TellsTwoOrders", "group::late_joiner_and_stranger", "--level", "L3", races=True),
    "controls": of(CLIENT, "LogsWhatItReads", "client_messages::forbidden_characters_in_a_text"),
    "never-ready": Fault(
        (SERVER, python("fakes.py", "never_ready"), "--test", "handshake::four_frames_make_a_session"), 3
    ),
    "exit-code": of(CLIENT, "AlwaysEndsWell", "client_errors::only_room_is_refused"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FAULTS)
def test_text(conform: Conform, name: str, language: str) -> None:
    fault = FAULTS[name]
    outcome = conform(*fault.words, *SAME_EVERYWHERE, "--lang", language)
    seen, golden = steady(outcome.text, races=fault.races), GOLDEN / f"{name}.{language}.txt"
    assert outcome.code == fault.code, outcome.text
    assert str(HERE.parents[1]) not in seen, "no path of this machine"
    if IS_WRITING:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(seen, encoding="utf-8")
    assert seen == golden.read_text(encoding="utf-8"), f"{golden.name} says something else; see this file's head"


def test_no_other_files() -> None:
    """Every golden text is of a fault that runs here."""
    there = {path.name for path in GOLDEN.iterdir()}
    assert there == {f"{name}.{language}.txt" for name in FAULTS for language in LANGUAGES}, sorted(there)


def steady(text: str, *, races: bool) -> str:
    """The text without what differs from run to run."""
    if races:
        text = NUMBER.sub(r"\1#", COURSE.sub("  #\n", text))
    text = ROW.sub(_masked, text)
    for pattern, stand_in in VARIABLE:
        text = pattern.sub(stand_in, text)
    return text


def _masked(row: re.Match[str]) -> str:
    octets = row[2].split()
    kept = octets[:HEADER] if row[1].strip() == "0000" else []
    return f"{row[1]}{' '.join([*kept, *('##' for _ in octets[len(kept) :])])}"
