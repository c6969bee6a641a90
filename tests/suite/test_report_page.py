# SPDX-License-Identifier: MIT
"""The report as a browser shows it: nothing from elsewhere, nothing broken, readable on every screen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from chromium import Chromium
from conftest import Conform, Outcome, faulty, python

TEST = "handshake::tampered_auth_signature"
FAILED = "t-handshake-tampered_auth_signature"
SIZES = (360, 1100)


@pytest.fixture(scope="module")
def report(violating: Outcome) -> Path:
    return violating.report / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.mark.parametrize("fragment", ["", f"#{FAILED}", "#AUTH-16", "#f-handshake"])
def test_nothing_goes_wrong_and_nothing_is_loaded(browser: Chromium, report: Path, fragment: str) -> None:
    browser.look()
    browser.open(report, fragment)
    assert not browser.told("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"), browser.events
    asked = {told["request"]["url"].partition("#")[0] for told in browser.told("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("data:")} == {report.as_uri()}, asked


@pytest.mark.parametrize("fragment", ["", f"#{FAILED}", "#AUTH-16", "#f-handshake"])
@pytest.mark.parametrize("width", SIZES)
def test_no_page_is_wider_than_the_window(browser: Chromium, report: Path, fragment: str, width: int) -> None:
    browser.look(width=width)
    browser.open(report, fragment)
    assert browser.run("document.documentElement.scrollWidth") == width, f"{fragment} scrolls sideways"


def test_one_page_is_shown_at_a_time(browser: Chromium, report: Path) -> None:
    browser.look()
    for fragment, shown in (("", ["overview"]), (f"#{FAILED}", [FAILED]), ("#overview", ["overview"])):
        browser.open(report, fragment)
        script = "[...document.querySelectorAll('.overview, .page')].filter(e => e.offsetHeight).map(e => e.id)"
        assert browser.run(script) == shown, f"at {fragment or 'the beginning'}"


def test_anchors_and_ids(browser: Chromium, report: Path) -> None:
    browser.open(report)
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)), "an id stands twice"
    anchors = browser.run("[...document.querySelectorAll('a[href^=\"#\"]')].map(e => e.getAttribute('href').slice(1))")
    assert set(anchors) <= set(ids), set(anchors) - set(ids)
    described = browser.run(
        "[...document.querySelectorAll('[aria-labelledby]')].flatMap(e => e.getAttribute('aria-labelledby').split(' '))"
    )
    assert set(described) <= set(ids), set(described) - set(ids)
    beside = browser.run("[...document.querySelectorAll('a:not([href^=\"#\"])')].map(e => e.getAttribute('href'))")
    missing = [href for href in beside if not (report.parent / href).exists()]
    assert not missing, missing


def test_structure_for_screen_readers(browser: Chromium, report: Path) -> None:
    for fragment in ("", f"#{FAILED}", "#AUTH-16", "#f-handshake"):
        browser.open(report, fragment)
        script = "[...document.querySelectorAll('h1,h2,h3,h4')].filter(e => e.offsetHeight).map(e => +e.tagName[1])"
        levels = browser.run(script)
        assert levels[0] == 1 and levels.count(1) == 1, f"{fragment}: {levels}"
        assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert browser.run("document.documentElement.lang") == "en"
    assert browser.run("document.querySelectorAll('main, header, footer, nav').length >= 4"), "landmarks"
    assert browser.run("document.querySelectorAll('th:not([scope])').length") == 0, "headers without scope"
    pictures = browser.run("document.querySelectorAll('svg').length")
    assert pictures == browser.run("document.querySelectorAll('svg[role=img] > title + desc').length"), "no words"


def test_keyboard(browser: Chromium, report: Path) -> None:
    """The first stop is the way past the head, and wherever one is can be seen."""
    browser.look()
    browser.open(report)
    outlines = []
    for _ in range(8):
        for kind in ("keyDown", "keyUp"):
            browser.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        outlines.append(
            browser.run("[document.activeElement.className, getComputedStyle(document.activeElement).outlineStyle]")
        )
    assert outlines[0][0] == "skip", outlines
    assert all(style != "none" for _, style in outlines), outlines


CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = color => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = rgb => rgb.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !element.getClientRects().length || element.closest(".skip, rect")) continue;
    const style = getComputedStyle(element);
    const front = light(rgba(element.closest("svg") ? style.fill : style.color)), back = light(behind(element));
    const ratio = (Math.max(front, back) + .05) / (Math.min(front, back) + .05);
    if (ratio < 4.5) poor.push([element.tagName, element.className, element.textContent.slice(0, 30), ratio]);
  }
  return poor;
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(browser: Chromium, report: Path, dark: bool) -> None:
    browser.look(dark=dark)
    for fragment in ("", f"#{FAILED}", "#AUTH-16", "#f-handshake"):
        browser.open(report, fragment)
        assert browser.run(CONTRAST) == [], f"at {fragment or 'the beginning'}"


def test_signs_beside_colours(browser: Chromium, report: Path) -> None:
    """Whatever has the colour of a standing has its sign and, for those who listen, its word."""
    browser.open(report)
    script = "[...document.querySelectorAll('.chip, .badge')].map(e => e.textContent.trim())"
    assert all(words[0] in "✓✗≈!–?" for words in browser.run(script)), "a colour without a sign"
    cell = browser.run("document.querySelector('.matrix a[href=\"#AUTH-16\"]').textContent")
    assert "✗" in cell and "AUTH-16 broken" in cell, cell


def test_page_of_a_failed_test_has_all_parts(browser: Chromium, report: Path) -> None:
    browser.look()
    browser.open(report, f"#{FAILED}")
    text = browser.run(f"document.getElementById('{FAILED}').innerText")
    at = -1
    for part in (
        TEST, "did not send ERROR BAD_SIG", "What happened", "Expected", "Actual", "The octets", "^^ handshake_sig",
        "Hint", "The text says", "A server MUST refuse an AUTH", "spec/04-identity.md:", "The sequence", "The frames",
        "To run this one test again", f"--test {TEST}", "Copy", "pcap/handshake.tampered_auth_signature.pcap",
    ):  # fmt: skip
        found = text.find(part, at + 1)
        assert found > at, f"{part!r} is not there, or not in its place:\n{text}"
        at = found
    drawn = browser.run(f"document.querySelector('#{FAILED} svg').textContent")
    for part in ("mallory", "the server", "HELLO", "CHALLENGE", "✗ fault: handshake_sig", "WELCOME"):
        assert part in drawn, f"{part} is not in the picture: {drawn}"


def test_filter(browser: Chromium, report: Path) -> None:
    browser.open(report)
    chips = "[...document.querySelectorAll('.matrix a.chip')].filter(e => e.offsetHeight).length"
    everything = browser.run(chips)
    browser.run("document.getElementById('only').click()")
    assert 0 < browser.run(chips) < everything, "only failures"
    browser.run("only.click(); words.value = 'auth-16'; words.dispatchEvent(new Event('input', {bubbles: true}))")
    assert browser.run(chips) == 1, "one clause"
    browser.run("words.value = 'no such'; words.dispatchEvent(new Event('input', {bubbles: true}))")
    assert browser.run("found.textContent") == "Nothing fits."


def test_without_javascript(browser: Chromium, report: Path) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report, f"#{FAILED}")
        shown = "[...document.querySelectorAll('.overview, .page')].filter(e => e.offsetHeight).map(e => e.id)"
        assert browser.run(shown) == [FAILED]
        browser.open(report)
        assert browser.run("document.querySelector('.filter').offsetHeight") == 0, "a filter that cannot filter"
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_print(browser: Chromium, report: Path) -> None:
    """Paper shows the overview and every failure, the octets at fault unfolded, and no dark."""
    browser.look(dark=True, medium="print")
    browser.open(report)
    shown = "[...document.querySelectorAll('.overview, .page')].filter(e => e.offsetHeight).map(e => e.id)"
    assert browser.run(shown) == ["overview", FAILED]
    assert browser.run("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    folded = "[...document.querySelectorAll('.paper .fields')].map(e => e.offsetHeight > 0)"
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(folded) == [True, True], "the octets at fault, and their frame among the others"
    assert browser.print().startswith(b"%PDF-")


def test_hostile_words_do_nothing(browser: Chromium, conform: Conform) -> None:
    """A reason in an ERROR and words on stderr that are a script, a picture, an escape, a change of direction."""
    report = conform("--cmd", python("fakes.py", "hostile"), "-k", "four_frames").report / "report.html"
    browser.look()
    browser.open(report, "#t-handshake-four_frames_make_a_session")
    assert browser.run("document.title").endswith("PROSA/1 conformance"), "a script from the wire has run"
    assert browser.run("document.images.length + document.scripts.length") == 1, "an element from the wire"
    assert not browser.told("Runtime.exceptionThrown", "Log.entryAdded"), browser.events
    shown = browser.run("document.getElementById('t-handshake-four_frames_make_a_session').innerText")
    assert "<script>document.title='taken'</script>" in shown and "<U+001B>[31m<U+0007><U+202E>txt" in shown, shown


def test_page_of_a_flood(browser: Chromium, conform: Conform) -> None:
    """Thousands of events, and still a picture that fits a page: long rows folded, the fault marked."""
    outcome = conform("--cmd", faulty("DropsWhenBusy"), "--level", "L4", "-k", "many_senders_at_full_credit")
    assert outcome.code == 1, outcome.text
    page = "t-flood-many_senders_at_full_credit"
    browser.look(width=SIZES[0])
    browser.open(outcome.report / "report.html", f"#{page}")
    assert not browser.told("Runtime.exceptionThrown", "Log.entryAdded"), browser.events
    assert browser.run("document.documentElement.scrollWidth") == SIZES[0], "it scrolls sideways"
    drawn = browser.run(f"document.querySelector('#{page} svg').textContent")
    for part in ("flooder-1", "the server", "DELIVER", "events left out", "✗ fault: counter"):
        assert part in drawn, f"{part} is not in the picture: {drawn}"
    assert browser.run(f"document.querySelectorAll('#{page} svg .arrow').length") < 60, "a picture too long"
