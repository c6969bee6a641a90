# SPDX-License-Identifier: MIT
"""mutants.py itself: it is content with a fault that is found as its table says, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SELFTEST = HERE / "selftest"


def mutants(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "mutants.py"), "--folder", str(SELFTEST), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def told() -> str:
    """What it says of all of them."""
    done = mutants()
    assert done.returncode == 1, f"it ends with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def about(told: str, name: str) -> str:
    """The line of one faulty program, and what is said below it."""
    lines = told.splitlines()
    start = next(place for place, line in enumerate(lines) if line.split()[1:2] == [name])
    below = lines[start + 1 :]
    end = next((place for place, line in enumerate(below) if not line.startswith(" ")), len(below))
    return "\n".join([lines[start], *below[:end]])


WRONG = [
    ("BreaksNothing", "survived", "the suite finds nothing"),
    ("BreaksOneOfTwo", "wrongly", "AUTH-10 is kept"),
    ("ByOtherTests", "wrongly", "handshake::replayed_auth should fail, and does not"),
    ("ByOtherTests", "wrongly", "handshake::signature_of_another_key fails, and should not"),
    ("InOtherWords", "wrongly", "handshake::signature_of_another_key fails for another reason"),
    ("HasNoEntry", "wrongly", "it has no entry in faulty_server_selftest.yaml"),
    ("FallsOver", "wrongly", "it fell over"),
    ("never_starts", "wrongly", "the suite ends with 3"),
]


@pytest.mark.parametrize(("name", "state", "words"), WRONG)
def test_what_is_wrong_is_said(told: str, name: str, state: str, words: str) -> None:
    said = about(told, name)
    assert said.startswith(state), f"{name} counts as something else:\n{said}"
    assert words in said, f"of {name} it should say {words!r}:\n{said}"


def test_entry_of_nobody(told: str) -> None:
    assert "faulty_server_selftest.yaml: nobody is called IsGone" in told, f"IsGone is not missed:\n{told}"


def test_what_is_right_is_killed(told: str) -> None:
    said = about(told, "Right")
    assert said.startswith("killed") and "\n" not in said, f"Right is found as its table says:\n{said}"


def test_last_line_counts(told: str) -> None:
    assert told.splitlines()[-1] == "8 faults in 2 clauses: 1 killed, 1 survived, 6 wrongly", f"it counts:\n{told}"


def test_unknown_names_are_wrong_words() -> None:
    done = mutants("NobodyOfThatName")
    assert done.returncode == 2, f"it ends with {done.returncode}:\n{done.stdout}{done.stderr}"
