# SPDX-License-Identifier: MIT
"""The rules between the text and everything that claims to follow it, in both directions.

Each rule is a function that yields faults; `run` knows them all.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spec import chapters, citations, hexblocks, model, security
from spec.chapters import Chapter, Clause
from spec.citations import Citation, Claim, Vector
from spec.errors import SpecError
from spec.model import Registry
from spec.sources import load_yaml

WHO = ("server", "client", "peer", "relay", "program")
# Levels beside those of the registry and its features: other rooms of the project.
OTHER_LEVELS = ("ZMQ", "BENCH")
REVIEW = "review"
VECTOR = "vector"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SECTION = re.compile(r"\b(?:[Ss]ection|[Cc]hapter|[Aa]ppendix) ([0-9]+(?:\.[0-9]+)*|[A-Z]\b(?:\.[0-9]+)*)(?! of )")


@dataclass(frozen=True)
class Fault:
    """One line of the report."""

    file: str
    line: int
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.todo}"


@dataclass
class Tree:
    """Everything that the rules look at."""

    root: Path
    registry: Registry
    chapters: list[Chapter]
    clauses: dict[str, Clause] = field(default_factory=dict)
    mentions: list[Citation] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    vectors: list[Vector] = field(default_factory=list)
    sessions: list[Vector] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)
    withdrawn: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def proofs(self) -> dict[str, Claim]:
        """For each clause that is shown of any implementation, what shows it first.

        Only tests of the suite show it; for a clause about octets alone also vectors.
        """
        shown: dict[str, Claim] = {}
        for claim in self.claims:
            for id_ in claim.ids:
                clause = self.clauses.get(id_)
                by_vector = clause is not None and clause.testability == VECTOR
                if claim.file.startswith(citations.PROOFS[: 1 + by_vector]):
                    shown.setdefault(id_, claim)
        return shown


@dataclass(frozen=True)
class Report:
    faults: list[Fault]
    tree: Tree

    def open_groups(self) -> dict[str, list[str]]:
        """Ids of open clauses by reason."""
        groups: dict[str, list[str]] = {}
        for id_, reason in sorted(self.tree.open.items()):
            groups.setdefault(reason, []).append(id_)
        return groups

    def summary(self) -> str:
        """The closing line."""
        clauses = self.tree.clauses
        kinds = Counter(clause.testability for clause in clauses.values())
        listed = ", ".join(f"{kinds[word]} {word}" for word in self.tree.registry.testability)
        tested = len(clauses.keys() & self.tree.proofs.keys())
        return (f"{len(clauses)} clauses ({listed}), {tested} tested, {len(self.tree.open)} open, "
                f"{len(self.faults)} faults")


def run(root: Path) -> Report:
    """Judges the tree; SpecError when a source cannot be read at all."""
    tree = _read(root)
    rules = (_heads, _ids, _keywords, _sentences, _tested, _open, _known, _quotes, _hex, _links,
             _sections, _security)
    faults = [*tree.faults, *(fault for rule in rules for fault in rule(tree))]
    return Report(sorted(faults, key=lambda f: (f.file, f.line, f.what)), tree)


def _read(root: Path) -> Tree:
    tree = Tree(root, model.load(root / "spec/registry.yaml"), chapters.read_all(root))
    for chapter in tree.chapters:
        for clause in chapter.clauses:
            tree.clauses.setdefault(clause.id, clause)
    tree.vectors = citations.vectors(root, "vectors")
    tree.sessions = citations.vectors(root, "sessions")
    tree.claims = citations.vector_claims([*tree.vectors, *tree.sessions])
    for source in citations.sources(root):
        tree.mentions += citations.mentions(source, tree.registry.areas)
        try:
            tree.claims += citations.claims(source)
        except SpecError as error:
            file, _, line = error.file.partition(":")
            tree.faults.append(Fault(file, int(line or 1), error.what, error.todo))
    tree.open = _entries(tree, "spec/open-clauses.yaml")
    tree.withdrawn = _entries(tree, "spec/withdrawn.yaml")
    return tree


def _entries(tree: Tree, file: str) -> dict[str, str]:
    """A list of {id, reason}; empty when there is no file."""
    path = tree.root / file
    found: dict[str, str] = {}
    listed: Any = load_yaml(path) if path.exists() else None
    for entry in listed or []:
        good = isinstance(entry, dict) and entry.keys() == {"id", "reason"} and entry["reason"]
        if not good:
            tree.faults.append(Fault(file, 1, f"{entry!r} is no entry", "write {id: AREA-NN, reason: ...}"))
        elif entry["id"] in found:
            tree.faults.append(Fault(file, _line(path, entry["id"]), f"{entry['id']} stands twice", "keep one"))
        else:
            found[entry["id"]] = entry["reason"]
    return found


def _line(path: Path, word: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if word in line), 1)


def _at(clause: Clause, what: str, todo: str) -> Fault:
    return Fault(clause.file, clause.line, f"{clause.id} {what}", todo)


def _heads(tree: Tree) -> Iterator[Fault]:
    """The brackets behind an id say known words."""
    levels = (*tree.registry.levels, *(f.name for f in tree.registry.features), *OTHER_LEVELS)
    for chapter in tree.chapters:
        for line, start in chapter.malformed:
            yield Fault(chapter.file, line, f"`{start}` is no head of a clause",
                        "begin a paragraph with [AREA-NN] (who, level, testability) and the text")
        for clause in chapter.clauses:
            if clause.who not in WHO:
                yield _at(clause, f"binds `{clause.who}`", f"use one of {', '.join(WHO)}")
            if clause.level not in levels:
                yield _at(clause, f"has the level `{clause.level}`", f"use one of {', '.join(levels)}")
            if clause.testability not in tree.registry.testability:
                yield _at(clause, f"is shown by `{clause.testability}`",
                          f"use one of {', '.join(tree.registry.testability)}")
            if (clause.testability == REVIEW) != bool(clause.reason):
                yield _at(clause, "has a reason without review, or review without a reason",
                          "write review(why no test can show it), or the testability alone")


def _ids(tree: Tree) -> Iterator[Fault]:
    """Areas are registered, ids are given once and never again."""
    for chapter in tree.chapters:
        for clause in chapter.clauses:
            first = tree.clauses[clause.id]
            if clause.id.split("-")[0] not in tree.registry.areas:
                yield _at(clause, "is of an unknown area", "add the area to registry.yaml or correct it")
            if clause is not first:
                yield _at(clause, f"is given in {first.file}:{first.line} already", "give it a new number")
            if clause.id in tree.withdrawn:
                yield _at(clause, "was withdrawn", "give it a new number")


def _keywords(tree: Tree) -> Iterator[Fault]:
    """A requirement stands in a clause, and a clause states one."""
    for chapter in tree.chapters:
        for paragraph in chapter.paragraphs:
            word = chapters.KEYWORD.search(chapters.plain(paragraph.text))
            if word and paragraph.normative:
                yield Fault(chapter.file, paragraph.line, f"{word.group()} outside of a clause",
                            "give the requirement an id, say it without the capitals, or mark the "
                            "section non-normative")
        for clause in chapter.clauses:
            if not chapters.KEYWORD.search(chapters.plain(clause.text)):
                yield _at(clause, "requires nothing", "use one of the words of RFC 8174")


def _sentences(tree: Tree) -> Iterator[Fault]:
    """One requirement a clause."""
    for chapter in tree.chapters:
        for clause in chapter.clauses:
            parts = chapters.sentences(chapters.plain(clause.text))
            count = sum(bool(chapters.KEYWORD.search(part)) for part in parts)
            if count > 1:
                yield _at(clause, f"has {count} sentences with a requirement",
                          "make a clause of each, or say the others without capitals")


def _tested(tree: Tree) -> Iterator[Fault]:
    proofs = tree.proofs
    for clause in tree.clauses.values():
        shown = clause.id in proofs or clause.id in tree.open
        if clause.testability != REVIEW and not shown:
            yield _at(clause, "is shown by no test and no vector",
                      "cite it in one, or list it in spec/open-clauses.yaml with the reason")


def _open(tree: Tree) -> Iterator[Fault]:
    file = "spec/open-clauses.yaml"
    proofs = tree.proofs
    for id_ in tree.open:
        clause = tree.clauses.get(id_)
        line = _line(tree.root / file, id_)
        if clause is None:
            yield Fault(file, line, f"{id_} is unknown", "remove the entry or correct the id")
        elif clause.testability == REVIEW:
            yield Fault(file, line, f"{id_} is shown by review", "remove the entry")
        elif id_ in proofs:
            claim = proofs[id_]
            yield Fault(file, line, f"{id_} is tested in {claim.file}:{claim.line}", "remove the entry")


def _known(tree: Tree) -> Iterator[Fault]:
    """Nobody cites an id that does not exist."""
    own = ("spec/withdrawn.yaml", "spec/open-clauses.yaml")
    for citation in tree.mentions:
        if citation.id in tree.clauses or citation.file in own:
            continue
        state = "was withdrawn" if citation.id in tree.withdrawn else "is the id of no clause"
        yield Fault(citation.file, citation.line, f"{citation.id} {state}", "cite a clause of the text")
    for claim in tree.claims:
        for id_ in claim.ids:
            area = id_.split("-")[0]
            # Ids of a registered area were seen among the mentions.
            if id_ not in tree.clauses and area not in tree.registry.areas:
                yield Fault(claim.file, claim.line, f"{id_} is the id of no clause", "cite a clause of the text")


def _quotes(tree: Tree) -> Iterator[Fault]:
    for claim in tree.claims:
        if claim.quote is None:
            continue
        quote = " ".join(claim.quote.split())
        texts = [tree.clauses[id_].text for id_ in claim.ids if id_ in tree.clauses]
        if not quote:
            yield Fault(claim.file, claim.line, "the quotation is empty", "quote the words that are tested")
        elif texts and not any(quote in text for text in texts):
            yield Fault(claim.file, claim.line, f"{' '.join(claim.ids)} does not say `{quote}`",
                        f"quote it verbatim: {texts[0]}")


def _hex(tree: Tree) -> Iterator[Fault]:
    """Octets in the text are those of a vector or of a recorded session."""
    ids = Counter(str(entry.content.get("id")) for entry in [*tree.vectors, *tree.sessions])
    for entry in [*tree.vectors, *tree.sessions]:
        if ids[str(entry.content.get("id"))] > 1:
            yield Fault(entry.file, 1, f"the id {entry.content.get('id')} stands more than once", "rename one")
    for chapter in tree.chapters:
        for fence in chapter.fences:
            if fence.language != "hex":
                continue
            shown = hexblocks.title(fence.lines[0]) if fence.lines else None
            if shown is None:
                yield Fault(chapter.file, fence.line, "a hex block does not say what it shows",
                            "begin it with `# vector: ID` or `# session: ID step N`")
                continue
            expected = _octets(tree, shown)
            found = hexblocks.octets(list(fence.lines[1:]))
            if expected is None:
                yield Fault(chapter.file, fence.line, f"`{fence.lines[0]}` does not exist",
                            "name a vector of spec/vectors or a step of a session")
            elif found != expected:
                yield Fault(chapter.file, fence.line, f"the octets are not those of `{fence.lines[0]}`",
                            f"write {expected}")


def _octets(tree: Tree, shown: hexblocks.Shown) -> str | None:
    """The hexadecimal digits that a title promises."""
    if shown.session:
        steps = next((s.content["steps"] for s in tree.sessions if s.content["id"] == shown.session), [])
        return steps[shown.step - 1]["hex"] if 0 < shown.step <= len(steps) else None
    vector = next((v.content for v in tree.vectors if v.content["id"] == shown.vector), None)
    if vector is None:
        return None
    if shown.name:
        value = {**vector["reply"], **vector.get("steps", {})}.get(shown.name)
        return value if isinstance(value, str) else None
    return str(vector["request"].split(" ")[-1])


def _links(tree: Tree) -> Iterator[Fault]:
    """A link between chapters leads somewhere."""
    anchors = {chapter.file: {h.anchor for h in chapter.headings} for chapter in tree.chapters}
    for chapter in tree.chapters:
        for line, text in _texts(chapter):
            for target in LINK.findall(chapters.plain(text)):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _, anchor = target.partition("#")
                file = _target(tree, chapter, name)
                if file is None:
                    yield Fault(chapter.file, line, f"the link {target} leads nowhere", "correct the path")
                elif anchor and anchor not in anchors.get(file, {anchor}):
                    yield Fault(chapter.file, line, f"{file} has no heading #{anchor}", "correct the anchor")


def _target(tree: Tree, chapter: Chapter, name: str) -> str | None:
    """The file that a relative link names, below the root; None when there is none."""
    root = tree.root.resolve()
    own = root / chapter.file
    path = (own.parent / name).resolve() if name else own
    return str(path.relative_to(root)) if path.exists() and path.is_relative_to(root) else None


def _sections(tree: Tree) -> Iterator[Fault]:
    """`section 4.5` and `chapter 9` exist."""
    numbers = {h.number for chapter in tree.chapters for h in chapter.headings}
    for chapter in tree.chapters:
        for line, text in _texts(chapter):
            for number in SECTION.findall(text):
                if number not in numbers:
                    yield Fault(chapter.file, line, f"there is no section or chapter {number}",
                                "correct the number")


def _texts(chapter: Chapter) -> list[tuple[int, str]]:
    return [*((p.line, p.text) for p in chapter.paragraphs), *((c.line, c.text) for c in chapter.clauses)]


def _security(tree: Tree) -> Iterator[Fault]:
    """SECURITY.md has the threats of section 10.3, and names what tests each clause of them."""
    file, text = security.PROMISES, (tree.root / security.PROMISES).read_text(encoding="utf-8")
    for line, target in security.links(text):
        if not (tree.root / target).exists():
            yield Fault(file, line, f"the link {target} leads nowhere", "correct the path")
    threats = {row.cells[0]: row for row in security.threats(tree.root)}
    promises = {row.cells[0]: row for row in security.promises(tree.root)}
    for threat, row in threats.items():
        if threat not in promises:
            yield Fault(security.THREATS, row.line, f"{file} has no row `{threat}`", "say there what tests it")
    for threat, row in promises.items():
        if threat not in threats:
            yield Fault(file, row.line, f"section 10.3 has no threat `{threat}`", "write it as it stands there")
        elif row.cells[1] != threats[threat].cells[2]:
            yield Fault(file, row.line, f"the clauses of `{threat}` are not those of section 10.3",
                        f"write {threats[threat].cells[2]}")
        yield from _shown(tree, row)


def _shown(tree: Tree, row: security.Row) -> Iterator[Fault]:
    """Each clause of the row that a test can show is cited below one of its links."""
    named = tuple(target for _, target in security.links(row.cells[-1]))
    for id_ in security.ids(row.cells[1]):
        clause = tree.clauses.get(id_)
        if clause is None:
            yield Fault(security.PROMISES, row.line, f"{id_} is unknown", "correct the id")
        elif clause.testability != REVIEW and not any(
                mention.id == id_ and mention.file.startswith(named) for mention in tree.mentions):
            yield Fault(security.PROMISES, row.line, f"nothing that is named cites {id_}", "name the test that does")
