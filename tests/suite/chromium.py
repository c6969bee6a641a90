# SPDX-License-Identifier: MIT
"""A headless Chromium in the hand of a test: what a person would see, asked by the protocol of its own tools.

The commands go through a pipe (--remote-debugging-pipe): each a JSON text with a NUL behind it.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

DEADLINE_S = 120
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-extensions", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip


class Chromium:
    """One page; `events` are all that the browser has told about it."""

    def __init__(self, folder: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._next = 0
        self._unread = b""
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", "chromium", *FLAGS,
             f"--user-data-dir={folder}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        targets = self._ask("Target.getTargets", "")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._ask("Target.attachToTarget", "", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def open(self, path: Path, fragment: str = "") -> None:
        """Load the file, and wait until all of it is there."""
        self.events.clear()
        self.ask("Page.navigate", url="about:blank")  # the same file with another fragment would not be loaded anew
        self._await("Page.loadEventFired")
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri() + fragment)
        self._await("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def look(self, *, width: int = 1100, height: int = 900, dark: bool = False, medium: str = "screen") -> None:
        """The window, the person's preference and the medium."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]))

    def print(self) -> bytes:
        """The page on paper, as PDF."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=False)["data"])

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """The parameters of events of these kinds since the page was opened."""
        return [event["params"] for event in self.events if event["method"] in methods]

    def ask(self, method: str, **words: Any) -> dict[str, Any]:
        return self._ask(method, self._session, **words)

    def _ask(self, method: str, session: str, **words: Any) -> dict[str, Any]:
        self._next += 1
        number = self._next
        message = {"id": number, "method": method, "params": words, **({"sessionId": session} if session else {})}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE_S
        while (answer := self._read(deadline)).get("id") != number:
            self._note(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _await(self, method: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not self.told(method):
            self._note(self._read(deadline))

    def _note(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self.events.append(message)

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready = select.select([self._in], [], [], max(deadline - time.monotonic(), 0))[0]
            octets = os.read(self._in, 1 << 16) if ready else b""
            assert octets, f"the browser said nothing more: {self._process.poll()}"
            self._unread += octets
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message
