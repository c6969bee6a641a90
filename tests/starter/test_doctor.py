# SPDX-License-Identifier: MIT
"""What ./run doctor tells of a machine, and its exit code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, run

sys.path.insert(0, str(ROOT / "tools"))
import doctor

VERB = re.compile(r"^verb_(\w+)\(\) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def told(table: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "doctor.py"], input=table, capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_all_is_there() -> None:
    code, text = told("suite  python3  command python3\nbuild  bash  command bash\n")
    assert code == 0, text
    assert "ok    ./run conform        2 packages are there" in text, text
    assert text.endswith("conform and test can run here.\n"), text


def test_something_is_missing() -> None:
    code, text = told("suite  no-such-package  command no-such-program\nbase no-such-tool command no-such-tool\n")
    assert code == 1, text
    assert re.search(r"^MISS  ./run conform .*1 of 1 packages .* -> .*no-such-package", text, re.MULTILINE), text
    assert re.search(r"^note  ./run images .*no-such-tool", text, re.MULTILINE), text
    assert "cannot run yet" in text, text


def test_every_line_is_one_finding() -> None:
    said = run(ROOT, str(ROOT / "run"), "doctor")
    *lines, last = said.text.splitlines()
    bad = [line for line in lines if line.startswith("MISS")]
    assert all(re.match("ok  |note|MISS", line) for line in lines), said.text
    assert all(" -> " in line for line in lines if not line.startswith("ok")), "a line does not say what to do"
    for about in ("python ", "python modules", "cores", "disk", "memory", "loopback", "port", "ephemeral", "engine"):
        assert any(line[6:].startswith(about) for line in lines), f"nothing is said about {about}:\n{said.text}"
    assert said.code == (1 if bad else 0), said.text
    assert last == ("conform and test can run here." if not bad else last), said.text


def test_needs_are_those_of_run() -> None:
    """The doctor's table of verbs is what ./run itself asks for."""
    bodies = dict(VERB.findall((ROOT / "run").read_text(encoding="utf-8")))
    for verbs, needs in doctor.VERBS.items():
        for verb in verbs.split(", "):
            asked = set(re.findall(r"\w+", " ".join(re.findall(r"\bneed ([a-z ]+)", bodies[verb]))))
            asked |= {"suite"} if "needs=(suite)" in bodies[verb] else set()
            asked |= {"engine"} if "need_engine" in bodies[verb] else set()
            asked |= {"base"} if "need_base" in bodies[verb] else set()
            assert asked == set(needs), f"./run {verb} needs {sorted(asked)}"


def test_without_python(tmp_path: Path) -> None:
    script = (ROOT / "run").read_text(encoding="utf-8").replace("/usr/bin/python3", "/nowhere/python3")
    (tmp_path / "run").write_text(script)
    (tmp_path / "bin").mkdir()
    for name in ("bash", "dirname", "sed"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    said = run(tmp_path, "/bin/bash", "run", "doctor", PATH=str(tmp_path / "bin"))
    assert said.code == 1, said.text
    assert "there is no python3" in said.text and "apt-get install python3" in said.text, said.text
