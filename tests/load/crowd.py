# SPDX-License-Identifier: MIT
"""crowd, the program, as a test talks to it: one command after the other, each with what came of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from program import Program
from prosa_conformance.client_history import History
from scene import Scene
from server import Server
from stage import ROOT

PROGRAM = Path(os.environ.get("PROSA_CROWD", ROOT / "build" / "default" / "tests" / "load" / "crowd"))


@dataclass(frozen=True)
class Done:
    """How long a command took, for `members` members; and each of `times` things in it."""

    members: int
    us: int
    times: int
    p50_us: int
    p90_us: int
    p99_us: int
    max_us: int


class Crowd:
    """Its members are NAME-0, NAME-1, ...; with `events` all that happens to them can be gathered."""

    def __init__(
        self, scene: Scene, server: Server, name: str, events: bool = False, returns: bool = False, **settings: int
    ) -> None:
        self.scene = scene
        self.name = name
        self._events = scene.folder / f"{name}.jsonl" if events else None
        self._words = [str(PROGRAM), "--server", f"{server.host}:{server.port}", "--nick", name]
        self._words += ["--seed", str(scene.seed), *(["--events", str(self._events)] if events else [])]
        self._words += ["--returns"] if returns else []
        for setting, number in settings.items():
            self._words += [f"--{setting.replace('_', '-')}", str(number)]
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        assert self._program is not None, "the crowd was not started"
        return self._program

    async def start(self) -> None:
        self._program = await Program.start(self._words, self.scene.folder / f"{self.name}.log", {})
        self.scene.cast.append(self)

    async def do(self, command: str) -> Done:
        """Until it is done; a member that was lost on the way is a failure in its own words."""
        self.scene.waits_for = f"{self.name} to {command}"
        self.program.type(command)
        outcome = json.loads(await self.program.line() or b'{"event": "ended"}')
        assert outcome["event"] == "done", f"{self.name}: {command}: {outcome}"
        assert outcome["command"] == command
        return Done(**{name: outcome[name] for name in Done.__dataclass_fields__})

    def gather(self, history: History | None = None) -> None:
        """What happened to its members so far goes into the history; the scene's, or another."""
        assert self._events is not None
        for line in self._events.read_text().splitlines():
            event = json.loads(line)
            (history or self.scene.history).note(event.pop("member"), event)

    async def leave(self) -> Done:
        done = await self.do("bye")
        assert await self.program.end() == 0
        return done

    async def dispose(self) -> None:
        await self.program.dispose()
