# SPDX-License-Identifier: MIT
"""`./run fuzz` with a program that is no fuzzer: what it has found is named and kept, what it has done is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import fuzz
from fuzz import Fuzzer, Progress

SAYS = "#9\tDONE   cov: 3 ft: 4 corp: 5/6b\nstat::number_of_executed_units: 7\n"
FOUND = """for word; do case $word in -artifact_prefix=*) prefix=${word#*=};; esac; done
test -z "$prefix" || { echo octets > "$prefix"%s-abc; echo "last words"; exit 77; }
"""
Make = Callable[..., Fuzzer]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A target whose program does what a script says; each run takes 100 seconds of the processor."""
    seconds = iter(range(0, 100_000, 100))
    monkeypatch.setattr(fuzz, "processor_seconds", lambda: next(seconds))

    def make(*lines: str) -> Fuzzer:
        program = tmp_path / "fuzz_fake"
        text = "\n".join(["#!/bin/sh", f"echo run >> {tmp_path}/trace", f"printf '{SAYS}'", *lines])
        program.write_text(text.replace("\t", "\\t"))
        program.chmod(0o700)
        return Fuzzer("fake", tmp_path, tmp_path / "corpus", tmp_path / "findings")

    return make


def runs(folder: Path) -> int:
    return len((folder / "trace").read_text().split())


def test_it_goes_on_where_it_was(fake: Make, tmp_path: Path) -> None:
    file, fuzzer = tmp_path / "state" / "progress.json", fake()
    assert fuzzer.fuzz(200, fuzz.read(file), file)
    assert runs(tmp_path) == 2
    assert fuzz.read(file) == Progress(200, 14, 3, 4, 5)
    assert fuzzer.fuzz(200, fuzz.read(file), file)
    assert runs(tmp_path) == 2, "all of it was done before"
    assert fuzzer.fuzz(300, fuzz.read(file), file)
    assert runs(tmp_path) == 3, "only the rest is done"


def test_an_interrupted_run_counts(fake: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, fuzzer = tmp_path / "progress.json", fake()

    def interrupted(words: object, log: Path) -> int:
        log.write_text(SAYS)
        raise KeyboardInterrupt

    monkeypatch.setattr(fuzz, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fuzzer.fuzz(1000, Progress(), file)
    assert fuzz.read(file) == Progress(100, 7, 3, 4, 5)


@pytest.mark.parametrize("kind", ["crash", "oom", "leak"])
def test_a_finding_is_named_and_kept(fake: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    fuzzer = fake(FOUND % kind)
    assert not fuzzer.fuzz(1000, Progress(), None)
    assert runs(tmp_path) == 1, "the first finding ends it"
    path = tmp_path / "findings" / f"fake-{kind}-abc"
    said = capsys.readouterr().out
    assert path.read_text() == "octets\n"
    assert "last words" in said and f"FOUND {path}" in said and f"./run fuzz fake {path}" in said
    assert "last words" in Path(f"{path}.log").read_text()
    assert not fuzzer.fuzz(1000, Progress(), None), "the same finding is one again"


def test_what_was_found_before_has_to_be_mended(fake: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fake().has_mended(), "nothing was found"
    assert not fake(FOUND % "crash").fuzz(100, Progress(), None)
    assert not fake("exit 77").has_mended()
    assert f"./run fuzz fake {tmp_path}/findings/fake-crash-abc" in capsys.readouterr().out
    assert fake().has_mended(), "the program does not end on it any more"


def test_an_end_without_a_file_is_a_finding(fake: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert not fake("exit 1").fuzz(100, Progress(), None)
    assert "ended with 1" in capsys.readouterr().out


def test_a_machine_that_stood_still_is_no_finding(fake: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert fake(FOUND % "timeout").fuzz(200, Progress(), None)
    assert "passed over" in capsys.readouterr().out


def test_a_timeout_that_comes_again_is_one(fake: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert not fake(FOUND % "timeout", "exit 70").fuzz(200, Progress(), None)
    assert "FOUND" in capsys.readouterr().out


def test_every_target_has_a_corpus_seeds_and_a_row() -> None:
    text = (fuzz.HERE / "README.md").read_text(encoding="utf-8")
    seeds = (fuzz.HERE / "seeds.py").read_text(encoding="utf-8")
    assert len(fuzz.targets()) >= 9
    for name in fuzz.targets():
        assert f"| `{name}` |" in text and f'"{name}": ' in seeds, name
        assert any((fuzz.HERE / "corpus" / name).iterdir()), name
