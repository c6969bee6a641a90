# SPDX-License-Identifier: MIT
"""Who cites a clause: tests that show it, vectors, and everybody who mentions its id."""

import ast
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spec.errors import SpecError

# Where nothing of ours is written, and the lint's own faulty samples.
SKIPPED = {".git", "build", "report", "__pycache__", ".pytest_cache", ".ruff_cache", "node_modules"}
SKIPPED_PATHS = ("tests/spec",)
SUFFIXES = {".md", ".yaml", ".json", ".py", ".c", ".h", ".lua", ".js", ".mjs", ".go", ".rs", ".java",
            ".sh", ".cmake", ".txt", ".toml", ".pml"}
TEST_ROOMS = ("tests/", "conformance/")
# What shows a clause of any implementation; the tests under tests/ are about our own.
PROOFS = ("conformance/prosa_conformance/suite/", "spec/vectors/")


@dataclass(frozen=True)
class Citation:
    """An id that stands somewhere."""

    id: str
    file: str
    line: int


@dataclass(frozen=True)
class Claim:
    """A test or vector that shows the clauses `ids`, with the words that it quotes."""

    ids: tuple[str, ...]
    quote: str | None
    file: str
    line: int


@dataclass(frozen=True)
class Vector:
    """A vector or recorded session, with its file."""

    content: dict[str, Any]
    file: str


@dataclass(frozen=True)
class Source:
    """One text file of the tree."""

    file: str
    text: str


def sources(root: Path) -> Iterator[Source]:
    """Every text of the tree, in the order of their names."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name for name in folders
            if name not in SKIPPED and str((here / name).relative_to(root)) not in SKIPPED_PATHS)
        for name in sorted(names):
            path = here / name
            if path.suffix in SUFFIXES and path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                yield Source(str(path.relative_to(root)), text)


def mentions(source: Source, areas: Iterable[str]) -> Iterator[Citation]:
    """Each id of one of the areas, in brackets or not."""
    pattern = re.compile(rf"\b(?:{'|'.join(areas)})-\d{{2,3}}\b(?!-?\d)")
    for number, line in enumerate(source.text.splitlines(), 1):
        for match in pattern.finditer(line):
            yield Citation(match.group(), source.file, number)


def claims(source: Source) -> list[Claim]:
    """What the tests of one file show. SpecError when a Python file does not parse."""
    if source.file.startswith(TEST_ROOMS) and source.file.endswith(".py"):
        return _python_claims(source)
    return []


def _python_claims(source: Source) -> list[Claim]:
    try:
        tree = ast.parse(source.text)
    except SyntaxError as error:
        raise SpecError(f"{source.file}:{error.lineno}", "file", "is no Python", str(error.msg)) from error
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and _name(mark.func) == "clause":
                found.append(_claim(mark, source.file))
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _claim(mark: ast.Call, file: str) -> Claim:
    quotes = [word.value for word in mark.keywords if word.arg == "quote"]
    values = [argument.value for argument in mark.args if isinstance(argument, ast.Constant)]
    literal = all(isinstance(quote, ast.Constant) for quote in quotes)
    if len(values) != len(mark.args) or not literal:
        raise SpecError(f"{file}:{mark.lineno}", "clause", "an id or quote is no plain string",
                        "write it out, so that it can be checked and searched")
    quote = quotes[0].value if quotes and isinstance(quotes[0], ast.Constant) else None
    return Claim(tuple(map(str, values)), None if quote is None else str(quote), file, mark.lineno)


def vectors(root: Path, kind: str) -> list[Vector]:
    """Every entry of the list `kind` (vectors or sessions) in spec/vectors."""
    found = []
    for path in sorted((root / "spec/vectors").glob("*.json")):
        file = str(path.relative_to(root))
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found += [Vector(entry, file) for entry in content.get(kind, [])]
        except (ValueError, AttributeError) as error:
            raise SpecError(file, "file", f"is no file of vectors ({error})", "make it anew") from error
    return found


def vector_claims(entries: Iterable[Vector]) -> list[Claim]:
    """What the vectors show; JSON has no lines, so they are all in line 1."""
    return [Claim(tuple(v.content["clauses"]), None, v.file, 1) for v in entries if "clauses" in v.content]
