# SPDX-License-Identifier: MIT
"""Faulty codecs: one function of the suite's own codec gives way to a wrong one.

    @instead(codec, "_check_tag", "WIRE-17")
    def takes_tag_zero(check: Step, row: FrameType, tag: int, *rest: int) -> None:
        if tag:
            check(row, tag, *rest)

The wrong function is given the right one first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType
from typing import Any, TypeVar

from fault import breaks
from prosa_conformance import codec_program

Step = Callable[..., Any]
Wrong = TypeVar("Wrong", bound=Step)


def instead(module: ModuleType, name: str, *clauses: str) -> Callable[[Wrong], Wrong]:
    """Enter the codec program in which the decorated function stands in the place of `module.name`."""

    def enter(wrong: Wrong) -> Wrong:
        @wraps(wrong)
        def program() -> None:
            setattr(module, name, partial(wrong, getattr(module, name)))
            sys.exit(codec_program.main())

        breaks(*clauses, level="L0")(program)
        return wrong

    return enter
