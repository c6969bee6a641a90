# SPDX-License-Identifier: MIT
"""What a faulty program says of itself: which clauses it breaks, and how the suite has to call it.

    @breaks("FLOW-24", level="L3")
    class AcceptsGaps(Session): ...

A fault of a server is a session, a room, a store or a server of the small server (tests/suite/mini_*.py)
with one step changed; of a client a small client; of a bridge a small bridge (mini_bridge.py), a client of it or
its feed; of a codec, or of what happens before a program
begins to serve, a function that is the whole program. Every module here is named after what it is
faulty in, `faulty_ROLE_AREA.py`, and breaks nothing else.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).resolve().parent
Kind = TypeVar("Kind", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fault:
    """`kind` is the class or function; `words` are words of the small server that it needs; `subject` are
    words of the suite, such as ("--answers", "echo"). One that `falls` is meant to crash or to end."""

    kind: Callable[..., Any]
    clauses: tuple[str, ...]
    role: str
    level: str
    features: tuple[str, ...]
    words: tuple[str, ...]
    subject: tuple[str, ...]
    falls: bool

    @property
    def name(self) -> str:
        return self.kind.__name__

    @property
    def table(self) -> Path:
        """Which tests must fail, and with which sentence (see mutants.py)."""
        return Path(sys.modules[self.kind.__module__].__file__ or "").with_suffix(".yaml")


_FAULTS: dict[str, Fault] = {}


def breaks(
    *clauses: str,
    level: str = "L1",
    features: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    subject: tuple[str, ...] = (),
    falls: bool = False,
) -> Callable[[Kind], Kind]:
    """Enter a faulty program under its name."""

    def enter(kind: Kind) -> Kind:
        role = kind.__module__.split("_")[1]
        fault = Fault(kind, clauses, role, level, features, words, subject, falls)
        assert fault.name not in _FAULTS, f"two faults have the name {fault.name}"
        _FAULTS[fault.name] = fault
        return kind

    return enter


def faults(folder: Path = HERE, name: str = "") -> dict[str, Fault]:
    """All faults of all modules of a folder, by name; with a name those of its module only."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    enters = re.compile(rf"^(?:class|def) {name}\b", re.MULTILINE)
    for module in sorted(folder.glob("faulty_*.py")):
        if not name or enters.search(module.read_text(encoding="utf-8")):
            importlib.import_module(module.stem)
    return dict(_FAULTS)
