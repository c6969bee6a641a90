# SPDX-License-Identifier: MIT
"""prosa-server --sandbox from outside: every thread is in it, the file of settings can be read again however it
was written, and what does not go with it is refused."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import PROGRAMS, ROOT, Start, shimmed
from console import DEADLINE_S
from served import Ask, Serve, Served, asking, serving

SANDBOXED = os.environ["PROSA_SANDBOXED"]
KILLED_SERVER = Path(os.environ["PROSA_KILLED_SERVER"])
NO_CAPABILITY = "0" * 16


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Serve:
    return serving(start, tmp_path)


@pytest.fixture
def ask(start: Start, tmp_path: Path) -> Ask:
    return asking(start, tmp_path)


def status(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\t(.*)$", path.read_text(), re.MULTILINE))


def threads(server: Served) -> Iterator[dict[str, str]]:
    tasks = list(Path(f"/proc/{server.console.process.pid}/task").iterdir())
    assert len(tasks) == 1 + 2 + 1, "the loop, which is one of three that check signatures, the others, and the log"
    for task in tasks:
        yield status(task / "status")


def test_what_is_refused_in_it(tmp_path: Path) -> None:
    done = subprocess.run([SANDBOXED, tmp_path], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^files: (not )?confined", done.stdout)


def test_every_thread_is_in_it(serve: Serve, ask: Ask) -> None:
    server = serve("--sandbox", "--verifiers", "3", "--answer", "echo")
    server.console.expect("sandboxed files=", "err")
    assert ask(server).ask("how is it in there?") == "how is it in there?"
    for thread in threads(server):
        assert {thread[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {NO_CAPABILITY}
        assert (thread["NoNewPrivs"], thread["Seccomp"]) == ("1", "2")
    server.stop()


def test_without_it_nothing_changes(serve: Serve) -> None:
    server = serve("--verifiers", "3")
    ours = status(Path("/proc/self/status"))
    for thread in threads(server):
        for name in ("CapPrm", "CapEff", "NoNewPrivs", "Seccomp"):
            assert thread[name] == ours[name], name
    server.stop()
    assert b"sandboxed" not in server.console.err


def rewrite(path: Path, text: str) -> None:
    path.write_text(text)


def replace(path: Path, text: str) -> None:
    """As most editors do."""
    (path.parent / "new").write_text(text)
    (path.parent / "new").rename(path)


@pytest.mark.parametrize("write", [rewrite, replace])
@pytest.mark.parametrize("linked", [False, True])
def test_settings_are_read_again(
    serve: Serve, tmp_path: Path, write: Callable[[Path, str], None], linked: bool
) -> None:
    path = tmp_path / "etc" / "server.conf"
    path.parent.mkdir()
    path.write_text("sandbox = yes\nlog-level = debug\n")
    named = path
    if linked:
        named = tmp_path / "link.conf"
        named.symlink_to(path)
    server = serve("--config", str(named))
    write(path, "sandbox = no\nlog-level = info\n")
    server.console.signal(signal.SIGHUP)
    server.console.expect('setting-changed name=log-level was="debug" is="info"', "err")
    server.console.expect('setting-kept name=sandbox is="yes" asked="no"', "err")
    server.console.expect(" reloaded ", "err")
    server.stop()


def test_a_log_that_was_left_is_opened_in_it(serve: Serve, start: Start, ask: Ask) -> None:
    """Killed and started again: what SQLite has to make good it can make good."""
    server = serve("--sandbox", "--answer", "echo")
    assert ask(server).ask("one") == "one"
    server.console.signal(signal.SIGKILL)
    assert server.console.ended() == -signal.SIGKILL
    again = serve("--sandbox", "--answer", "echo")
    assert ask(again, "bob").ask("two") == "two"
    again.stop()


def test_the_data_folder_must_be_there_for_its_owner(start: Start, tmp_path: Path) -> None:
    """Of root, too, who is left no right to go where others may not."""
    if os.geteuid() != 0:
        pytest.skip("only root can have what this takes away")
    folder = tmp_path / "theirs"
    folder.mkdir(0o700)
    os.chown(folder, 65534, 65534)
    console = start("prosa-server", "--sandbox", "--port", "0", "--data", str(folder))
    assert console.ended() == 2
    assert "Permission denied" in console.err.decode()


@pytest.fixture
def stray(start: Start, tmp_path: Path) -> Callable[..., Served]:
    """stray(program, *words) -> a server that tries a call which the list lacks when somebody connects."""

    def run(program: Path, *words: str) -> Served:
        folder = ("--data", str(tmp_path / "server"), "--port", "0", "--answer", "echo")
        server = Served(start(str(program), *folder, *words, env=shimmed("stray")))
        with socket.create_connection((server.host, server.port), DEADLINE_S):
            return server

    return run


def test_the_example_file_is_for_the_sandbox(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "server.conf").write_text((ROOT / "deploy" / "server.conf").read_text())
    words = ("--config", str(tmp_path / "server.conf"), "--host", "127.0.0.1", "--metrics", "127.0.0.1:0")
    server = serve(*words)
    server.console.expect("sandboxed files=", "err")
    server.stop()


def test_a_terminal_is_still_the_console(serve: Serve) -> None:
    server = serve("--sandbox", terminal=True)
    server.console.line("/help")
    server.console.expect("/unban")
    server.console.line("exit")
    assert server.console.ended() == 0


def test_a_stray_call_fails_and_the_server_serves_on(stray: Callable[..., Served], ask: Ask) -> None:
    server = stray(PROGRAMS / "prosa-server", "--sandbox")
    server.console.expect("stray: Operation not permitted", "err")
    assert ask(server).ask("still here?") == "still here?"
    server.stop()


def test_without_the_sandbox_it_succeeds(stray: Callable[..., Served]) -> None:
    server = stray(PROGRAMS / "prosa-server")
    server.console.expect("stray: gone", "err")
    server.stop()


def test_it_kills_the_server_that_shows_the_list_to_be_complete(stray: Callable[..., Served]) -> None:
    server = stray(KILLED_SERVER, "--sandbox")
    assert server.console.ended() == -signal.SIGSYS
