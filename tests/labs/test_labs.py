# SPDX-License-Identifier: MIT
"""The labs: their commands do what the text says, and a Brazilian class has the same labs as an English-speaking one.

A block marked ```console has commands behind "$ ", and what they print; "..." stands for anything, alone on its line
for any number of lines. The commands of a lab run in one shell, one after the other, as a student types them.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LABS = ROOT / "docs" / "labs"
PROGRAMS = Path(os.environ.get("PROSA_PROGRAMS", ROOT / "build" / "default" / "bin"))
SCALE = float(os.environ.get("PROSA_TIME_SCALE", "1"))
NAMES = [path.name for path in sorted((LABS / "en").glob("07-*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
CLAUSE = re.compile(r"\b[A-Z]{2,5}-\d\d\b")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def text_of(language: str, name: str) -> str:
    return (LABS / language / name).read_text(encoding="utf-8")


def commands(text: str) -> list[tuple[str, str]]:
    """Each command and the lines that are printed below it."""
    found: list[tuple[str, str]] = []
    for block in CONSOLE.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def pattern(expected: str) -> str:
    lines = [r"(?:.*\n)*?" if line == "..." else any_within(line) + r"\n" for line in expected.splitlines()]
    return "".join(lines)


def any_within(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split("..."))


def free_port() -> int:
    """A port below those that the system hands out to clients: none of these may take it between two servers' lives."""
    while True:
        port = 20000 + secrets.randbelow(10000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


class Shell:
    """One shell for all commands of a lab. A command that does not end is ended with all that it started."""

    def __init__(self, home: Path) -> None:
        port = str(free_port())
        path = "/usr/bin:/bin:/usr/sbin:/sbin"
        environment = {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "PROSA_PORT": port}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        words = ["bash", "--norc"]
        self.bash = subprocess.Popen(words, cwd=ROOT, env=environment, text=True, start_new_session=True, **pipes)

    def say(self, command: str) -> str:
        mark = secrets.token_hex(8)
        limit = threading.Timer(60 * SCALE, self.end)
        limit.start()
        self.bash.stdin.write(f"{command}\necho {mark}\n")
        self.bash.stdin.flush()
        lines = []
        for line in self.bash.stdout:
            if line.endswith(f"{mark}\n"):
                limit.cancel()
                return "".join([*lines, line.removesuffix(f"{mark}\n")])
            lines.append(line)
        pytest.fail(f"the shell ended, or was ended, at: {command}\n{''.join(lines)}")

    def end(self) -> None:
        os.killpg(self.bash.pid, signal.SIGKILL)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    one = Shell(tmp_path)
    try:
        yield one
    finally:
        one.end()
        one.bash.communicate()


@pytest.mark.parametrize("name", NAMES)
def test_commands_do_what_the_lab_says(name: str, shell: Shell) -> None:
    listed = commands(text_of("en", name))
    assert listed, f"{name} has no commands"
    for command, expected in listed:
        printed = shell.say(command)
        assert re.fullmatch(pattern(expected), printed), f"$ {command}\n{printed}\nwhere the lab says\n{expected}"


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_are_one_lab(name: str) -> None:
    """The same commands, clauses, links, and as many chapters, questions and lists."""
    english, portuguese = text_of("en", name), text_of("pt_BR", name)
    assert commands(english) == commands(portuguese), "the commands, or what they print, differ"
    assert CLAUSE.findall(english) == CLAUSE.findall(portuguese), "other clauses, or in another order"
    assert LINK.findall(english) == LINK.findall(portuguese), "other links"
    assert shape(english) == shape(portuguese), "the structure differs"


def shape(text: str) -> list[str]:
    """What each line begins with: headings, items, rows, blocks."""
    return [match[0] for line in text.splitlines() if (match := re.match(r"#+|\d+\.|- |\||```\w*", line))]


def test_there_are_the_same_labs() -> None:
    assert [path.name for path in sorted((LABS / "pt_BR").glob("07-*.md"))] == NAMES
    assert [name[:5] for name in NAMES] == ["07-01", "07-02", "07-03", "07-04"]


@pytest.mark.parametrize("name", NAMES)
def test_clauses_and_links_are_there(name: str) -> None:
    text = text_of("en", name)
    spec = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "spec").glob("*.md"))
    known = set(re.findall(r"^\[(\w+-\d\d)\]", spec, re.MULTILINE))
    assert not set(CLAUSE.findall(text)) - known, "the text has no such clause"
    for target in LINK.findall(text):
        assert (LABS / "en" / target).exists(), f"{target} leads nowhere"


def test_the_tools_are_explained() -> None:
    """Each program of bin/ is used in a lab, or by another one."""
    used = "".join(text_of("en", name) for name in NAMES)
    for path in sorted((LABS / "bin").glob("*.py")):
        assert path.name in used, f"no lab uses {path.name}"
