#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Starts a faulty program as the suite starts any program.

tests/faulty/start.py NAME [FOLDER]      FOLDER is where its module is (default: here)
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "conformance"), str(ROOT / "tests" / "suite")]

import mini_bridge  # noqa: E402
import mini_client  # noqa: E402
import mini_server  # noqa: E402
from fault import HERE, Fault, faults  # noqa: E402
from mini_rooms import Room  # noqa: E402
from mini_session import Session  # noqa: E402
from mini_store import Store  # noqa: E402


def run(fault: Fault) -> None:
    """Only the class that the fault changes is another than the small program's."""
    kind = fault.kind
    sys.argv = [fault.name, *fault.words]
    if not inspect.isclass(kind):
        kind()
    elif issubclass(kind, mini_client.MiniClient):
        mini_client.main(kind)
    elif fault.role == "relay":
        bridge = kind if issubclass(kind, mini_bridge.MiniBridge) else mini_bridge.MiniBridge
        parts = {"client_class": mini_bridge.Client, "feed_class": mini_bridge.Feed}
        changes = {name: kind for name, part in parts.items() if issubclass(kind, part)}
        mini_bridge.main(type(fault.name, (bridge,), changes))
    else:
        base = kind if issubclass(kind, mini_server.MiniServer) else mini_server.MiniServer
        parts = {"session_class": Session, "room_class": Room, "store_class": Store}
        changes = {name: kind for name, part in parts.items() if issubclass(kind, part)}
        mini_server.main(type(fault.name, (base,), changes))


if __name__ == "__main__":
    words = dict(zip(("name", "folder"), sys.argv[1:], strict=False))
    name, folder = words.get("name", ""), Path(words.get("folder", HERE))
    known = faults(folder, name)
    if name not in known:
        sys.exit(f"usage: start.py NAME [FOLDER], one of: {' '.join(faults(folder))}")
    run(known[name])
