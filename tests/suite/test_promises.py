# SPDX-License-Identifier: MIT
"""What prosa.toml says is held against what the run shows."""

from __future__ import annotations

from pathlib import Path

from conftest import SOME, Conform, python


def described(folder: Path, script: str, *words: str, levels: str = '["L1"]', more: str = "") -> str:
    path = folder / "prosa.toml"
    path.write_text(f'name = "ada"\nserver = "{python(script, *words)}"\nlevels = {levels}\n{more}\n')
    return str(path)


def known(pattern: str) -> str:
    return f'[[known_failures]]\ntest = "{pattern}"\nreason = "see my notes"'


def test_known_failure_is_told_and_does_not_count(conform: Conform, tmp_path: Path) -> None:
    sut = described(tmp_path, "../faulty/start.py", "AcceptsAnyAuth", more=known("AUTH-16"))
    words = ("--sut", sut, *SOME)
    outcome = conform(*words)
    assert outcome.code == 0, outcome.text
    assert "but for 1 known failure" in outcome.text and "see my notes" in outcome.text, outcome.text
    assert outcome.verdicts()["handshake::tampered_auth_signature"] == "fail", "it is still a failure in the report"
    assert conform(*words, "--strict").code == 1, "--strict knows no excuse"


def test_known_failure_that_passes_is_a_failure(conform: Conform, tmp_path: Path) -> None:
    outcome = conform("--sut", described(tmp_path, "mini_server.py", more=known("AUTH-16")), *SOME)
    assert outcome.code == 1, outcome.text
    assert "the known failure 'AUTH-16' passes" in outcome.text, outcome.text


def test_empty_promises_are_failures(conform: Conform, tmp_path: Path) -> None:
    """A pattern that matches nothing; a level and a feature whose tests do not run."""
    more = 'features = ["audit"]\nanswers = "echo"\n' + known("NO-SUCH-*")
    sut = described(tmp_path, "mini_server.py", "echo", levels='["L0", "L1"]', more=more)
    outcome = conform("--sut", sut)
    assert outcome.code == 1, outcome.text
    for words in ("'NO-SUCH-*' matches no test", "level L0 is declared", "feature audit is declared"):
        assert words in outcome.text, f"{words!r} is not told: {outcome.text}"


def test_build_that_fails(conform: Conform, tmp_path: Path) -> None:
    outcome = conform("--sut", described(tmp_path, "mini_server.py", more='build = "false"'), *SOME)
    assert outcome.code == 3, outcome.text
    assert "could not be built" in outcome.text, outcome.text


def test_file_in_the_current_folder(conform: Conform, tmp_path: Path) -> None:
    described(tmp_path, "mini_server.py")
    outcome = conform(*SOME, cwd=tmp_path)
    assert outcome.code == 0, outcome.text
    assert "ada: CONFORMS to L1" in outcome.text, outcome.text


def test_no_excuse_for_what_everything_rests_on(conform: Conform, tmp_path: Path) -> None:
    """A known failure that keeps all other tests from being run is none."""
    gate = known("handshake::four_frames_make_a_session")
    outcome = conform("--sut", described(tmp_path, "fakes.py", "closes_everything", more=gate))
    assert outcome.code == 1, outcome.text
    assert "skipped" in outcome.text, outcome.text
