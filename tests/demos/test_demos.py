# SPDX-License-Identifier: MIT
"""Each demo in its short form: its claims hold, what it records can be opened, and nothing of it stays behind.

With PROSA_CONTAINER_TESTS=all that is every demo, else some."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import Future
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tshark import Tshark

from conftest import DEMOS, Run, leftovers

LEAST_CLAIMS = 4
LEAST_FRAMES = 20
MALFORMED = "_ws.malformed || (prosa && _ws.expert.severity == error)"

pytestmark = pytest.mark.parametrize("demo", DEMOS)
Runs = dict[str, "Future[Run]"]


def folder_of(runs: Runs, demo: str) -> Path:
    return runs[demo].result().report / f"demo-{demo}"


def test_claims_hold(runs: Runs, demo: str) -> None:
    done = runs[demo].result()
    claims = [line.strip() for line in done.output.partition("What was shown")[2].splitlines()]
    kept = [line for line in claims if line.startswith("\u2713")]
    assert done.code == 0, done.output
    assert len(kept) >= LEAST_CLAIMS, done.output
    assert not [line for line in claims if line.startswith("\u2717")], done.output


def test_nothing_stays_behind(runs: Runs, demo: str) -> None:
    runs[demo].result()
    assert leftovers(demo) == []


def test_capture_opens(runs: Runs, demo: str, tshark: Tshark) -> None:
    capture = tshark.folder / f"{demo}.pcap"
    shutil.copy(folder_of(runs, demo) / "demo.pcap", capture)
    capture.chmod(0o644)
    assert len(tshark.packets(capture, ["frame.number"], "-Y", "prosa")) >= LEAST_FRAMES, "frames are seen as such"
    assert tshark.run(capture, "-Y", MALFORMED) == ""


def test_cast_is_asciicast(runs: Runs, demo: str) -> None:
    """Version 2: a header, then events whose times do not go back."""
    head, *events = map(json.loads, (folder_of(runs, demo) / "demo.cast").read_text(encoding="utf-8").splitlines())
    assert head["version"] == 2
    assert all(isinstance(head[name], int) and head[name] > 0 for name in ("width", "height", "timestamp"))
    assert events, "something was shown"
    assert all(kind == "o" and isinstance(text, str) for _, kind, text in events)
    times = [at for at, _, _ in events]
    assert times == sorted(times) and times[0] >= 0
    assert "What was shown" in "".join(text for _, _, text in events)


class Page(HTMLParser):
    """What a page would ask of others, and what it draws itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [value for name, value in attrs if name in ("src", "href", "srcset", "data") and value]


def test_page_needs_nobody(runs: Runs, demo: str) -> None:
    text = (folder_of(runs, demo) / "demo.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.tags.count("svg") == 1, "the course is drawn"
    assert page.asked == ["data:,"], "the icon, which is empty"
    assert "@import" not in text and "url(" not in text
    assert "script" not in page.tags
    assert "HELLO" in text and "WELCOME" in text, "the frames are those of the capture"
