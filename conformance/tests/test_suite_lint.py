# SPDX-License-Identifier: MIT
"""House rules of the clause tests, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from prosa_conformance.clauses import Claim, all_clauses, faults
from prosa_conformance.places import SUITE

FILES = sorted(SUITE.glob("test_*.py"))
CLOCK = {"sleep", "time", "monotonic", "perf_counter"}
SHOWS = {"expect", "assert", "ask", "check", "login", "joined", "exchange", "barrier", "serve", "bracket", "judge"}
SHOWS |= {"Violation", "say", "come_back"}


def functions_of(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def words(node: ast.AST) -> set[str]:
    """All names and attributes in a piece of code, and "assert" for a statement of that kind."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    names |= {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    return names | {"assert" for part in ast.walk(node) if isinstance(part, ast.Assert)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_sleep_and_no_clock(path: Path) -> None:
    assert not words(ast.parse(path.read_text())) & CLOCK, f"{path.name} sleeps or looks at a clock"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_assertion_has_words(path: Path) -> None:
    bare = [n.lineno for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Assert) and n.msg is None]
    assert not bare, f"{path.name}: assertions without words in lines {bare}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_test_can_fail(path: Path) -> None:
    """A test expects something itself, or through a helper of its file."""
    tree = ast.parse(path.read_text())
    helpers = {node.name: words(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    for test in functions_of(tree):
        used = words(test)
        used |= {word for name in used & set(helpers) for word in helpers[name]}
        assert any(word.startswith(tuple(SHOWS)) for word in used), f"{path.name}: {test.name} expects nothing"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_skipped_by_pytest(path: Path) -> None:
    skipping = {"skip", "skipif", "xfail", "importorskip"}
    assert not words(ast.parse(path.read_text())) & skipping, f"{path.name}: verdicts come from the plugin"


def claim(identity: str, quote: str | None, **more: object) -> Claim:
    return Claim(identity, quote, None, more.get("role"), tuple(more.get("needs", ())))  # type: ignore[arg-type]


def test_quotations_are_checked() -> None:
    good = "A frame MUST begin with the octets 0x50 0x52."
    assert faults([claim("WIRE-01", good)]) == [], "the very words"
    assert faults([claim("WIRE-01", "A frame  MUST\nbegin")]) == [], "wherever the lines end"
    assert "misquotes" in faults([claim("WIRE-01", "A frame SHOULD begin")])[0], "another word"
    assert "does not quote" in faults([claim("WIRE-01", "")])[0], "no words"
    assert "does not have" in faults([claim("WIRE-0", "x")])[0], "an unknown clause"
    assert "nobody knows" in faults([claim("WIRE-01", good, needs=["luck"])])[0], "an unknown need"
    assert "role" in faults([claim("WIRE-01", good, role="king")])[0], "an unknown role"
    assert faults([]) == ["cites no clause"], "no mark at all"


def test_clauses_have_text() -> None:
    assert len(all_clauses()) > 100, "the table of clauses is there"
    idle = [c.id for c in all_clauses().values() if not {"MUST", "SHOULD", "MAY"} & set(c.text.split())]
    assert not idle, f"{idle} demand nothing"
