# SPDX-License-Identifier: MIT
"""Runs the conformance suite as a process of its own, and reads what it came to.

An interruption is passed on, and returns when the suite has ended with all that it had started: use it with
`interruption.listen()`. Several may run at once, in threads; `end_all` ends those.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "conformance"))

from prosa_conformance import interruption  # noqa: E402

_running: set[subprocess.Popen[str]] = set()
_is_over = False
_lock = threading.Lock()


@dataclass(frozen=True)
class Ran:
    """`code` is the suite's exit code, `result` its result.json; None when it wrote none."""

    code: int
    lines: list[str]
    result: dict[str, Any] | None


def run(words: Sequence[str], report: Path, deadline: float | None = None) -> Ran:
    """The suite with these words to its end; TimeoutExpired when it takes more than `deadline` seconds."""
    command = [sys.executable, "-m", "prosa_conformance", *words, "--report", str(report)]
    if threading.current_thread() is threading.main_thread():
        with interruption.held_back():
            process = _start(command)
    else:
        process = _start(command)
    try:
        output = process.communicate(timeout=deadline)[0]
    except BaseException:
        process.terminate()
        process.communicate()
        raise
    finally:
        with _lock:
            _running.discard(process)
    path = report / "result.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return Ran(process.returncode, output.splitlines(), result)


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    with _lock:
        if _is_over:
            raise KeyboardInterrupt
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT / "conformance")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches it through us alone
        )
        _running.add(process)
    return process


def end_all() -> None:
    """Interrupt whatever runs in other threads; nothing more begins."""
    global _is_over
    with _lock:
        _is_over = True
        for process in _running:
            process.terminate()
