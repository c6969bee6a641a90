# SPDX-License-Identifier: MIT
"""What the clause tests say, in the chosen language, without a mark in them.

Their sentences are read from the source: of assertions, and of calls that speak. A plain sentence is
its own key in the catalogue; in the key of an f-string its values stand as {0}, {1}... When a test
has failed, its words are known again by the text between the values.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from prosa_conformance.language import _, chosen

SUITE = Path(__file__).parent / "suite"
SPEAKING = {
    "Violation", "NotApplicable", "Unsupported", "Inconclusive", "not_strict", "meanwhile",
    "marked", "with_fields", "put", "put_piecewise", "send_parts", "note", "fold",
}  # fmt: skip
VALUE = re.compile(r"\{\d+\}")
Names = dict[str, list[ast.expr]]


def translated(words: str) -> str:
    """These words of a test in the chosen language; as they are when nobody has translated them."""
    if chosen() == "en" or not words or _(words) != words:
        return _(words)
    for key, pattern in _patterns():
        found = pattern.fullmatch(words)
        if found and _(key) != key:
            return _(key).format(*found.groups())
    return words


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The keys that have values, those with the most words of their own first."""
    keys = {key for _path, key in sentences() if VALUE.search(key)}
    return [(key, _pattern(key)) for key in sorted(keys, key=lambda key: (-len(VALUE.sub("", key)), key))]


def _pattern(key: str) -> re.Pattern[str]:
    literals = [re.escape(part.replace("{{", "{").replace("}}", "}")) for part in VALUE.split(key)]
    return re.compile("(.*)".join(literals), re.DOTALL)


# --- reading the source ---


def sentences() -> Iterator[tuple[Path, str]]:
    """The key of each sentence, with the file that says it."""
    for path in sorted(SUITE.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = _assigned(tree)
        for node in ast.walk(tree):
            for part in _spoken(node):
                for string in _strings(part, names):
                    yield path, string


def _spoken(node: ast.AST) -> Iterable[ast.expr | None]:
    if isinstance(node, ast.Assert):
        return [node.msg]
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SPEAKING:
        return [*node.args, *(keyword.value for keyword in node.keywords)]
    return []


def _assigned(tree: ast.Module) -> Names:
    """What is assigned to each name of a file, wherever."""
    found: Names = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id].append(node.value)
    return found


def _strings(part: ast.expr | None, names: Names) -> Iterator[str]:
    """The keys of what an expression may be, when it is words: more than one."""
    match part:
        case ast.Constant(value=str(words)) if " " in words.strip():
            yield words
        case ast.JoinedStr(values=values):
            key = _key(values)
            if re.search(r"[a-z]{2}", VALUE.sub("", key)):
                yield key
        case ast.IfExp(body=one, orelse=other):
            yield from _strings(one, names)
            yield from _strings(other, names)
        case ast.Name(id=name):
            for value in names.get(name, []):
                yield from _strings(value, {})


def _key(values: Iterable[ast.expr]) -> str:
    key, count = "", 0
    for value in values:
        if isinstance(value, ast.Constant):
            key += str(value.value).replace("{", "{{").replace("}", "}}")
        else:
            key += f"{{{count}}}"
            count += 1
    return key
