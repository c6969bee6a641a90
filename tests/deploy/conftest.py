# SPDX-License-Identifier: MIT
"""What the tests of deploy/ share: the updater as a person starts it, and an exit code of its own for a run in
which nothing could be tested, so that ctest says `Skipped`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from metadata import Metadata
from names import NAME, ZONE, Names, new_key
from unpacked import unpacked

ROOT = Path(__file__).parents[2]
DDNS = ROOT / "deploy" / "prosa-ddns"
DEADLINE_S = 120
NOTHING_TESTED = 77
Done = subprocess.CompletedProcess[str]
Update = Callable[..., Done]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why, for each that was skipped."""
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.line(f"skipped: {report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    ran = [name for name in ("passed", "failed", "error") if reporter.stats.get(name)]
    if exitstatus == 0 and not ran:
        session.exitstatus = NOTHING_TESTED


@pytest.fixture
def cloud() -> Iterator[Metadata]:
    """An instance's metadata; it has no address yet."""
    cloud = Metadata(("127.0.0.1", 0), {})
    cloud.start()
    yield cloud
    cloud.shutdown()
    cloud.server_close()


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Names]:
    folder = tmp_path / "names"
    folder.mkdir()
    names = Names(unpacked("bind9", "bind9-libs"), folder, new_key("one"), new_key("other"))
    yield names
    names.stop()


@pytest.fixture
def update(tmp_path: Path) -> Update:
    """update(key=..., address=..., ...): the updater once, with these settings; the key lies beside them."""
    folder = tmp_path / "etc"
    folder.mkdir()

    def run(key: str | None = None, env: dict[str, str] | None = None, **settings: str) -> Done:
        lines = {"name": NAME, "way": "nsupdate", "zone": ZONE, **settings}
        (folder / "ddns.conf").write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
        if key is not None:
            (folder / "ddns.key").write_text(key)
        return ddns("--config", str(folder / "ddns.conf"), env=env)

    return run


def ddns(*words: str, env: dict[str, str] | None = None) -> Done:
    own = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    return subprocess.run(
        [DDNS, *words], env={**own, **(env or {})}, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
