# SPDX-License-Identifier: MIT
"""Ctrl-C and SIGTERM: the first one interrupts, so that no program is left behind; no other disturbs that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_has_come = False
_is_held_back = False


def listen() -> None:
    """From here on a signal is a KeyboardInterrupt, once."""
    signal.signal(signal.SIGINT, _come)
    signal.signal(signal.SIGTERM, _come)


def _come(number: int, frame: object) -> None:
    global _has_come
    if _has_come:
        return
    _has_come = True
    if not _is_held_back:
        raise KeyboardInterrupt


@contextmanager
def held_back() -> Iterator[None]:
    """What begins within has begun when the interruption comes: it can be ended. For the main thread."""
    global _is_held_back
    had_come = _has_come
    _is_held_back = True
    try:
        yield
    finally:
        _is_held_back = False
    if _has_come and not had_come:
        raise KeyboardInterrupt
