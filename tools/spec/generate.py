# SPDX-License-Identifier: MIT
"""Which file is generated from what."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from spec import chapters, emit_c, emit_c_layout, emit_c_states, emit_lua, emit_python, hexblocks, model, states, tables
from spec.errors import SpecError
from spec.model import Registry


@dataclass
class Generated:
    """The text of each generated file, and the faults of the chapters that stood in the way.

    A faulty chapter keeps its own block or clause from being generated, nothing else.
    """

    files: dict[Path, str] = field(default_factory=dict)
    faults: list[SpecError] = field(default_factory=list)


def run(root: Path) -> Generated:
    """Everything; SpecError when the registry or the states themselves are faulty."""
    registry = model.load(root / "spec/registry.yaml")
    result = Generated({
        root / "libprosa/include/prosa/registry.h": emit_c.header(registry),
        root / "libprosa/src/registry.c": emit_c.tables(registry),
        root / "libprosa/src/layout.c": emit_c_layout.layout(registry),
        root / "conformance/prosa_conformance/registry.py": emit_python.text(registry),
        root / "spec/wireshark/registry.lua": emit_lua.text(registry),
    })
    texts = _chapters(root, registry, result)
    _clauses(root, texts, result)
    return result


def _clauses(root: Path, texts: dict[str, str], result: Generated) -> None:
    """The clauses for programs that have no chapters beside them."""
    found = {}
    for file, text in texts.items():
        chapter = chapters.parse(text, file)
        for line, start in chapter.malformed:
            result.faults.append(SpecError(f"{chapter.file}:{line}", start, "is no head of a clause",
                                           "write [AREA-NN] (who, level, testability) text"))
        for clause in chapter.clauses:
            found[clause.id] = {
                "who": clause.who, "level": clause.level, "testability": clause.testability,
                "text": clause.text, "file": clause.file, "line": clause.line, "anchor": clause.anchor,
            }
    table = json.dumps(dict(sorted(found.items())), indent=1, ensure_ascii=False) + "\n"
    result.files[root / "conformance/prosa_conformance/clauses.json"] = table


def _chapters(root: Path, registry: Registry, result: Generated) -> dict[str, str]:
    """Fills the chapters; their texts as they have to be, by file."""
    texts = {}
    blocks = {name: render(registry) for name, render in tables.TABLES.items()}
    machines = root / "spec/states.yaml"
    if machines.exists():
        loaded = states.load(machines, registry)
        blocks |= {f"states {name}": states.render(machine) for name, machine in loaded.items()}
        result.files[root / "libprosa/src/states.h"] = emit_c_states.header(loaded)
        result.files[root / "libprosa/src/states.c"] = emit_c_states.tables(loaded)
    for name, session in hexblocks.load_sessions(root / "spec/vectors/sessions.json").items():
        blocks[f"session {name}"] = hexblocks.render(session, registry)
    for path in sorted((root / "spec").glob("*.md")):
        file = str(path.relative_to(root))
        text, faults = fill(path.read_text(encoding="utf-8"), file, blocks)
        texts[file] = result.files[path] = text
        result.faults += faults
    return texts


def fill(text: str, file: str, blocks: dict[str, str]) -> tuple[str, list[SpecError]]:
    """The chapter with each marked block replaced by what it has to hold, and the faults."""
    result: list[str] = []
    faults = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        result.append(line)
        start = chapters.GENERATED.fullmatch(line)
        if start is None:
            continue
        name = start.group(1)
        end = next((i for i in range(at, len(lines)) if lines[i] == chapters.END_GENERATED), None)
        if end is None or any(chapters.GENERATED.fullmatch(inner) for inner in lines[at:end]):
            faults.append(SpecError(f"{file}:{at}", name, "the block is not closed",
                                    f"write {chapters.END_GENERATED}"))
        elif name not in blocks:
            faults.append(SpecError(f"{file}:{at}", name, "there is no such table",
                                    f"use one of: {', '.join(blocks)}"))
        else:
            result += ["", blocks[name], ""]
            at = end
    return "\n".join(result) + "\n", faults
