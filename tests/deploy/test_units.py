# SPDX-License-Identifier: MIT
"""Every unit of the package in the eyes of systemd: no fault, and little that it could do."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import DEADLINE_S, ROOT
from unpacked import BUILD

PROGRAMS = {"prosa-server": BUILD / "bin" / "prosa-server", "prosa-ddns": ROOT / "deploy" / "prosa-ddns"}

UNITS = [
    "prosa-console.socket", "prosa-ddns.service", "prosa-ddns.timer", "prosa-server.service", "prosa-server.socket"
]
# What systemd-analyze makes of the units, in tenths.
EXPOSURE = {"prosa-server": 11, "prosa-ddns": 13}

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


def analyze(*words: str | Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", *map(str, words)], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """As they are installed, with the programs of this tree."""
    deploy = ROOT / "deploy"
    sources = [*(BUILD / "deploy").glob("*.service"), *deploy.glob("*.socket"), *deploy.glob("*.timer")]
    for source in sources:
        text = source.read_text()
        for name, program in PROGRAMS.items():
            text = re.sub(rf"^ExecStart=\S+/{name}\b", f"ExecStart={program}", text, flags=re.MULTILINE)
        (tmp_path / source.name).write_text(text)
    return sorted(tmp_path.iterdir())


def test_no_fault(units: list[Path]) -> None:
    assert [unit.name for unit in units] == UNITS
    assert analyze("verify", "--man=no", *units) == ""


def test_little_exposure(units: list[Path]) -> None:
    services = [unit for unit in units if unit.suffix == ".service"]
    assert {service.stem for service in services} == set(EXPOSURE)
    for service in services:
        threshold = f"--threshold={EXPOSURE[service.stem]}"
        said = analyze("security", "--offline=true", threshold, "--no-pager", service)
        assert f"Overall exposure level for {service.name}" in said


def filter_of(unit: Path) -> list[set[str]]:
    """The lines of its allow list, which name nothing but calls."""
    lines = re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.MULTILINE)
    assert not re.search("[@~]", " ".join(lines))
    return [set(line.split()) for line in lines]


def allowed(unit: Path) -> set[str]:
    """With those that systemd allows each service."""
    always = re.findall(r"^ +([a-z]\w*)$", analyze("syscall-filter", "--no-pager", "@default"), re.MULTILINE)
    assert "execve" in always
    return set.union(set(always), *filter_of(unit))


def test_the_server_s_own_filter_is_a_line_of_its_unit(units: list[Path]) -> None:
    serving = subprocess.check_output([os.environ["PROSA_SANDBOXED"], "--calls"], text=True).split()
    assert len(serving) > 50
    assert filter_of(units[UNITS.index("prosa-server.service")])[0] == set(serving)


def filtered(calls: set[str]) -> list[str]:
    """How a command begins that has these calls alone, and dies of any other."""
    # SQLite gives its files to whoever has the log; only root, whom the service never is, calls for that.
    root = ["fchown"] if os.geteuid() == 0 else []
    return [os.environ["PROSA_FILTERED"], *sorted(calls), *root, "--"]


def test_its_calls_are_enough_from_the_start_to_the_end(units: list[Path], tmp_path: Path) -> None:
    """With a filter that kills. The reload is that of the unit, kill(1)."""
    unit = units[UNITS.index("prosa-server.service")]
    confined = filtered(allowed(unit))
    settings = tmp_path / "server.conf"
    settings.write_text((ROOT / "deploy" / "server.conf").read_text() + "port = 0\n")
    words = ["--config", str(settings), "--data", str(tmp_path / "data"), "--metrics", "127.0.0.1:0"]
    server = subprocess.Popen(
        [*confined, PROGRAMS["prosa-server"], *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    deadline = threading.Timer(DEADLINE_S, server.kill)
    deadline.start()
    with server:
        try:
            assert server.stdout is not None
            assert server.stderr is not None
            ready = server.stdout.readline()
            assert ready.startswith("READY "), server.stderr.read()
            kill = [*confined, "/bin/kill", "-HUP", str(server.pid)]
            assert subprocess.run(kill, timeout=DEADLINE_S, check=False).returncode == 0
            while " reloaded " not in (line := server.stderr.readline()):
                assert line, "it ended"
            said, _ = server.communicate("exit\n", timeout=DEADLINE_S)
            assert server.returncode == 0, said
        finally:
            deadline.cancel()
            server.kill()


def test_a_filter_that_lacks_a_call_is_found(units: list[Path], tmp_path: Path) -> None:
    calls = allowed(units[UNITS.index("prosa-server.service")]) - {"listen"}
    words = ["--port", "0", "--data", str(tmp_path / "data")]
    done = subprocess.run(
        [*filtered(calls), PROGRAMS["prosa-server"], *words],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE_S, check=False,
    )
    assert done.returncode == -signal.SIGSYS


def test_a_service_that_may_do_much_is_found(tmp_path: Path) -> None:
    """Otherwise the threshold would show nothing."""
    (tmp_path / "open.service").write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(AssertionError, match="exposure"):
        analyze("security", "--offline=true", "--threshold=90", "--no-pager", tmp_path / "open.service")
