# SPDX-License-Identifier: MIT
"""From the empty folder to L1: what a kit says as it is, and after the lines that a student writes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, Kit, new, run

KITS = [path.name for path in sorted((ROOT / "starter").iterdir()) if (path / "prosa.toml").exists()]
TODO = re.compile(r"TODO (\d+)")
MOST_LINES = 22  # a dozen in Python, some more in C
MakeKit = Callable[..., Kit]


def text_of(kit: Kit) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(kit.sources()))


@pytest.mark.parametrize("language", KITS)
def test_from_the_first_report_to_l1(make_kit: MakeKit, language: str) -> None:
    kit = make_kit(language)
    first = kit.check()
    assert first.code == 1, first.text
    assert "clauses   7 shown: 0 kept, 7 broken" in first.text, first.text
    assert "DOES NOT CONFORM. Broken: AUTH-08, AUTH-12, AUTH-15, AUTH-18, CON-08, END-07, LIM-03" in first.text, (
        first.text
    )
    assert sorted(set(kit.verdicts())) == ["fail", "skipped"], first.text
    for words in ("answer HELLO with CHALLENGE; read AUTH-08", "answer CHALLENGE with AUTH; read AUTH-15"):
        assert words in first.text, f"the report does not show what is to be written next:\n{first.text}"
    kit.solve()
    assert not TODO.search(text_of(kit)), "the solution leaves something to write"
    last = kit.check()
    assert last.code == 0, last.text
    assert "CONFORMS to L1 in all that was tested." in last.text, last.text
    assert set(kit.verdicts()) == {"pass", "not applicable"}, last.text


@pytest.mark.parametrize("language", KITS)
def test_what_is_to_be_written_is_little_and_numbered(make_kit: MakeKit, language: str) -> None:
    patch = (ROOT / "starter" / "solution" / f"{language}.patch").read_text(encoding="utf-8")
    written = [line for line in patch.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert len(written) <= MOST_LINES, f"{len(written)} lines are more than a dozen or so"
    numbers = {int(number) for number in TODO.findall(text_of(make_kit(language)))}
    assert numbers == set(range(1, len(numbers) + 1)), f"the numbers of the TODOs are {sorted(numbers)}"


@pytest.mark.parametrize("language", KITS)
@pytest.mark.parametrize("part", ["framing", "crypto"])
def test_a_part_that_is_left_to_write(make_kit: MakeKit, language: str, part: str) -> None:
    """The regions of this part are gone, each has its clause, and the program says which one it has come to."""
    kit = make_kit(language, f"--{part}", "exercise")
    kit.solve()
    text = text_of(kit)
    assert ">>>" not in text and "<<<" not in text, "a mark of the generator is left"
    asked = re.findall(rf"TODO {part} in [\w.]+: write \w+; read ([A-Z]+-\d\d)", text)
    assert len(asked) >= 4, f"{len(asked)} regions are left to write:\n{text}"
    said = kit.check("--only", "AUTH-08", "--role", "server")
    assert said.code in (1, 3), said.text
    assert f"TODO {part} in " in said.text, said.text


def test_given_parts_are_whole(make_kit: MakeKit) -> None:
    text = text_of(make_kit("python"))
    assert "TODO framing" not in text and "TODO crypto" not in text
    assert ">>>" not in text and "<<<" not in text, "a mark of the generator is left"


def test_what_is_missing_is_named(make_kit: MakeKit, tmp_path: Path) -> None:
    kit = make_kit("python")
    blind = tmp_path / "bin"
    blind.mkdir()
    (blind / "python3").write_text('#!/bin/sh\ncase "$*" in *nacl*|*pytest*) exit 1 ;; esac\n')
    (blind / "python3").chmod(0o755)
    said = kit.check(PATH=f"{blind}:/usr/bin:/bin")
    assert said.code == 2, said.text
    assert "python3-nacl python3-pytest" in said.text and "sudo apt-get install" in said.text, said.text
    for words in (["--suite", str(blind)], [f"--suite={blind}"]):
        said = kit.check(*words)
        assert said.code == 2 and f"there is no suite in {blind}" in said.text, said.text
    said = kit.check(PROSA_SUITE=str(blind))
    assert said.code == 2 and f"there is no suite in {blind}" in said.text, said.text
    said = kit.check("--suite", str(ROOT / "conformance"), "--explain", "FLOW-25")
    assert said.code == 0 and "FLOW-25" in said.text, said.text


def test_the_other_files(make_kit: MakeKit) -> None:
    """The workflow's steps and the images name what ./check asks for; the cheat sheet has the numbers."""
    kit = make_kit("python")
    workflow = yaml.safe_load((kit.folder / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    needs = re.search(r"^needs='(.*?)'$", (kit.folder / "check").read_text(), re.MULTILINE | re.DOTALL)
    assert needs is not None and steps[-1] == "./check", steps
    packages = {row.split()[0] for row in needs[1].splitlines()}
    container = (kit.folder / ".devcontainer" / "Dockerfile").read_text()
    assert packages == set(steps[0].split()) & packages, f"the workflow installs {steps[0]}"
    assert packages == set(container.split()) & packages, container
    settings = json.loads((kit.folder / ".devcontainer" / "devcontainer.json").read_text())
    assert (kit.folder / ".devcontainer" / settings["build"]["dockerfile"]).exists(), settings
    sheet = (kit.folder / "CHEATSHEET.md").read_text(encoding="utf-8")
    for words in ("| 20 | PUBLISH | client |", "0302 FLOW_VIOLATION", "limit_counter 005a u64", "at most 1024"):
        assert words in sheet, f"{words!r} is not in the cheat sheet"
    assert len(sheet.splitlines()) < 80, "the cheat sheet is longer than a page"


def test_a_language_with_a_sample_only(tmp_path: Path) -> None:
    said = new("javascript", str(tmp_path / "one"))
    assert said.code == 0 and "this is the sample program of tests/samples/javascript" in said.text, said.text
    assert (tmp_path / "one" / "server.mjs").exists() and (tmp_path / "one" / "check").exists()
    said = run(tmp_path / "one", "./check", "--only", "AUTH-08", "--role", "server")
    assert said.code == 0 and "CONFORMS" in said.text, said.text
    said = new("javascript", str(tmp_path / "two"), "--crypto", "exercise")
    assert said.code == 2 and "javascript has a sample and no kit" in said.text, said.text
    assert not (tmp_path / "two").exists(), "a folder was made all the same"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    said = new("python", str(tmp_path))
    assert said.code == 2 and "not empty" in said.text, said.text
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    said = new("cobol", str(tmp_path / "new"))
    assert said.code == 2 and "invalid choice: 'cobol'" in said.text, said.text


def test_check_is_clean_shell(make_kit: MakeKit) -> None:
    done = subprocess.run(["sh", "-n", str(make_kit("python").folder / "check")], check=False)
    assert done.returncode == 0, "sh finds a fault in ./check"
