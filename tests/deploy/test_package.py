# SPDX-License-Identifier: MIT
"""What is in the packages of Debian's that `./run package` has made."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from conftest import DEADLINE_S, ROOT

VERSION = re.search(r"VERSION (\d+\.\d+\.\d+)", (ROOT / "CMakeLists.txt").read_text())[1]
PACKAGES = ROOT / "build" / "package"


def ask(option: str, package: str, *words: str) -> str:
    (path,) = PACKAGES.glob(f"{package}_{VERSION}_*.deb")
    return subprocess.check_output(["dpkg-deb", option, path, *words], text=True, timeout=DEADLINE_S)


def files(package: str) -> dict[str, str]:
    """Path -> mode and owner of each file."""
    lines = map(str.split, ask("--contents", package).splitlines())
    return {line[5].removeprefix("."): f"{line[0]} {line[1]}" for line in lines if not line[0].startswith("d")}


def test_the_server_s_package() -> None:
    names = ("prosa-audit", "prosa-client", "prosa-probe", "prosa-server")
    programs = [*(f"/usr/bin/{name}" for name in names), "/usr/sbin/prosa-ddns"]
    manuals = [*(f"/usr/share/man/man1/{name}.1.gz" for name in names), "/usr/share/man/man8/prosa-ddns.8.gz"]
    units = [f"/usr/lib/systemd/system/{name}" for name in (
        "prosa-console.socket", "prosa-ddns.service", "prosa-ddns.timer", "prosa-server.service",
        "prosa-server.socket")]
    doc = ["/usr/share/doc/prosa/changelog.gz", "/usr/share/doc/prosa/copyright"]
    found = files("prosa")
    assert sorted(found) == sorted(
        [*programs, *manuals, *units, *doc, "/etc/prosa/server.conf", "/usr/share/prosa/ddns.conf"])
    for path, mode in found.items():
        assert mode == f"{'-rwxr-xr-x' if path in programs else '-rw-r--r--'} root/root", path
    assert ask("--info", "prosa", "conffiles") == "/etc/prosa/server.conf\n"


def test_only_the_bridge_wants_zeromq() -> None:
    needed = {name: ask("--field", name, "Depends") for name in ("prosa", "prosa-bridge")}
    assert "libzmq" not in needed["prosa"]
    assert "libczmq" in needed["prosa-bridge"]
    for name, libraries in needed.items():
        assert "libsodium23" in libraries, f"{name}: each library that a program needs is known to apt"
    assert "/usr/bin/prosa-bridge" in files("prosa-bridge")
    assert not set(files("prosa")) & set(files("prosa-bridge")), "both can be installed"


def test_its_changelog_tells_of_this_version() -> None:
    assert (ROOT / "deploy" / "debian" / "changelog").read_text().startswith(f"prosa ({VERSION}) ")


@pytest.mark.parametrize("unit", ["prosa-server.service", "prosa-ddns.service"])
def test_units_name_programs_of_the_package(tmp_path: Path, unit: str) -> None:
    ask("--extract", "prosa", str(tmp_path))
    text = (tmp_path / "usr/lib/systemd/system" / unit).read_text()
    program = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
    assert program
    assert program[1] in files("prosa")
