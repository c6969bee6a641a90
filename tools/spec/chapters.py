# SPDX-License-Identifier: MIT
"""Reads the chapters of spec/: paragraphs, clauses, marked blocks and headings.

Only the form is read here. What a clause may say, and whether it is tested, is judged by
`lint`; faults of form are collected, so that one run names them all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ID = re.compile(r"\[([A-Z]{2,4}-\d{2,3})\]")
INNER_HEAD = re.compile(ID.pattern + r" \(")
HEADER = re.compile(
    r"\[([A-Z]{2,4}-\d{2,3})\] "
    r"\((?P<who>[^,()]+), (?P<level>[^,()]+), (?P<test>[a-z]+)(?:\((?P<reason>[^()]*)\))?\) (?P<text>.+)"
)
KEYWORD = re.compile(
    r"\b(?:MUST NOT|MUST|SHALL NOT|SHALL|REQUIRED|SHOULD NOT|SHOULD|NOT RECOMMENDED|RECOMMENDED|MAY|OPTIONAL)\b"
)
HEADING = re.compile(r"(#{1,6}) (.+)")
GENERATED = re.compile(r"<!-- generated: (.+?) -->")
END_GENERATED = "<!-- end generated -->"
NON_NORMATIVE = "<!-- non-normative -->"
RATIONALE = "> Rationale:"


@dataclass(frozen=True)
class Clause:
    """One requirement. `text` has single spaces; `anchor` is that of the section."""

    id: str
    who: str
    level: str
    testability: str
    reason: str | None
    text: str
    file: str
    line: int
    anchor: str


@dataclass(frozen=True)
class Paragraph:
    """Lines between blank ones, joined by single spaces."""

    text: str
    line: int
    normative: bool


@dataclass(frozen=True)
class Fence:
    """A fenced block: the word after the fence, and the lines between the fences."""

    language: str
    lines: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Heading:
    depth: int
    text: str
    line: int

    @property
    def anchor(self) -> str:
        """The fragment that points here, as the usual renderers make it."""
        kept = re.sub(r"[^\w\- ]", "", self.text.lower())
        return kept.replace(" ", "-")

    @property
    def number(self) -> str | None:
        """`3.2` of `3.2 Types`, `3` of `3. The wire`, `A` of `Appendix A. States`."""
        match = re.match(r"(?:Appendix )?(\d+(?:\.\d+)*|[A-Z](?:\.\d+)+|(?<=Appendix )[A-Z])\.? ", self.text)
        return match.group(1) if match else None


@dataclass
class Chapter:
    file: str
    headings: list[Heading] = field(default_factory=list)
    paragraphs: list[Paragraph] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)


def read_all(root: Path) -> list[Chapter]:
    """Every chapter of `root`/spec, in the order of their names."""
    return [
        parse(path.read_text(encoding="utf-8"), str(path.relative_to(root)))
        for path in sorted((root / "spec").glob("*.md"))
    ]


def parse(text: str, file: str) -> Chapter:
    """One chapter; `file` is its path below the root, as messages name it."""
    chapter = Chapter(file)
    # Depth of the heading whose section is marked non-normative; 0 for none.
    quiet = 0
    for line, block in _blocks(text.splitlines()):
        first = block[0]
        if heading := HEADING.fullmatch(first):
            depth = len(heading.group(1))
            quiet = 0 if quiet >= depth else quiet
            chapter.headings.append(Heading(depth, heading.group(2), line))
        elif first.startswith("```"):
            chapter.fences.append(Fence(first[3:].strip(), tuple(block[1:-1]), line))
        elif first == NON_NORMATIVE:
            quiet = quiet or (chapter.headings[-1].depth if chapter.headings else 1)
        elif not first.startswith("<!--"):
            _paragraph(chapter, line, block, normative=not quiet)
    return chapter


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Headings, comments, fenced blocks with their fences, and paragraphs, with line numbers."""
    block: list[str] = []
    start = 0
    fenced = False
    for number, line in enumerate([*lines, ""], 1):
        if fenced:
            block.append(line)
            fenced = not line.startswith("```")
            if not fenced:
                yield start, block
                block = []
            continue
        alone = line.startswith(("```", "<!--")) or bool(HEADING.fullmatch(line))
        if block and (alone or not line.strip()):
            yield start, block
            block = []
        if not line.strip():
            continue
        if not block:
            start = number
        block.append(line)
        fenced = line.startswith("```")
        if alone and not fenced:
            yield start, block
            block = []
    if block:
        yield start, block


def _paragraph(chapter: Chapter, line: int, block: list[str], *, normative: bool) -> None:
    text = " ".join(" ".join(block).split())
    rationale = block[0].startswith(RATIONALE)
    for offset, inner in enumerate(block[1:], 1):
        # A blank line is missing before this one.
        if INNER_HEAD.match(inner):
            chapter.malformed.append((line + offset, inner[:40]))
    if not ID.match(text):
        chapter.paragraphs.append(Paragraph(text, line, normative and not rationale))
        return
    match = HEADER.fullmatch(text)
    if match is None:
        chapter.malformed.append((line, text[:40]))
        return
    anchor = chapter.headings[-1].anchor if chapter.headings else ""
    chapter.clauses.append(Clause(
        match.group(1), match["who"], match["level"], match["test"], match["reason"],
        match["text"], chapter.file, line, anchor))


def plain(text: str) -> str:
    """Text without its code spans, in which capitals are no keywords."""
    return re.sub(r"`[^`]*`", "``", text)


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph; an abbreviation with small letters behind it ends none."""
    return re.split(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.) +(?=[A-Z`\"(\[])", text)
