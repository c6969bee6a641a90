# SPDX-License-Identifier: MIT
"""Each rule of the lint fires on one fault, and on nothing else."""

import json
from pathlib import Path

import pytest

import speclint
from conftest import VECTORS, Edit
from spec import chapters, lint

WIRE = "spec/03-wire.md"
SUITE = "conformance/prosa_conformance/suite/test_kind.py"
THREATS, PROMISES = "spec/10-security.md", "SECURITY.md"
OPEN = "spec/open-clauses.yaml"
HEAD = "[WIRE-02] (server, L1, wire)"
TAIL = "\n## 3.9 More\n\n"


def test_good_tree_is_clean(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speclint.main(["--root", str(tree)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "open, 1: nobody listens yet",
        "    WIRE-04",
        "4 clauses (1 wire, 1 vector, 1 stdio, 1 review), 2 tested, 1 open, 0 faults",
    ]


# name: (file, old text, new text, file of the fault, part of its message)
FAULTS: dict[str, tuple[str, str, str, str, str]] = {
    "threat-left-out": (
        PROMISES, "| all is read | 3.1 | nothing |\n", "", THREATS, "SECURITY.md has no row `all is read`"),
    "threat-of-its-own": (PROMISES, "| all is read", "| all is heard", PROMISES, "has no threat `all is heard`"),
    "threat-with-other-clauses": (
        PROMISES, "WIRE-01 to WIRE-03", "WIRE-01 to WIRE-02", PROMISES, "the clauses of `noise` are not those"),
    "threat-untested": (
        PROMISES, "[kind](conformance/prosa_conformance/suite/test_kind.py)", "kind", PROMISES,
        "nothing that is named cites WIRE-02"),
    "threat-tested-nowhere": (
        PROMISES, "suite/test_kind.py", "suite/test_kin.py", PROMISES, "test_kin.py leads nowhere"),
    "threat-of-no-clause": (THREATS, "WIRE-03 |", "WIRE-03, WIRE-77 |", PROMISES, "the clauses of `noise`"),
    "must-outside": (WIRE, "", f"{TAIL}A peer MUST NOT lie.\n", WIRE, "MUST NOT outside of a clause"),
    "shall-outside": (WIRE, "", f"{TAIL}A peer SHALL not lie.\n", WIRE, "SHALL outside of a clause"),
    "required-outside": (WIRE, "", f"{TAIL}This is REQUIRED.\n", WIRE, "REQUIRED outside of a clause"),
    "may-outside": (WIRE, "", f"{TAIL}A peer MAY lie.\n", WIRE, "MAY outside of a clause"),
    "must-in-table": (WIRE, "", f"{TAIL}| A | MUST |\n|---|---|\n", WIRE, "MUST outside of a clause"),
    "must-in-list": (WIRE, "", f"{TAIL}- one MUST\n", WIRE, "MUST outside of a clause"),
    "must-in-quote": (WIRE, "> Rationale: a", "> Remark: a", WIRE, "MUST outside of a clause"),
    "must-after-non-normative": (WIRE, "", "\n## 3.3 Next\n\nIt MUST end.\n", WIRE, "MUST outside"),
    "mark-missing": (WIRE, "### 3.2.1 Deeper", "## 3.3 Deeper", WIRE, "MUST outside of a clause"),
    "head-without-level": (WIRE, HEAD, "[WIRE-02] (server, wire)", WIRE, "is no head of a clause"),
    "head-without-blank-line": (
        WIRE, "A client MUST NOT be rude.\n\n", "A client MUST NOT be rude.\n", WIRE, "is no head of a clause"),
    "unknown-who": (WIRE, HEAD, "[WIRE-02] (waiter, L1, wire)", WIRE, "binds `waiter`"),
    "unknown-level": (WIRE, HEAD, "[WIRE-02] (server, L9, wire)", WIRE, "has the level `L9`"),
    "unknown-testability": (WIRE, HEAD, "[WIRE-02] (server, L1, luck)", WIRE, "is shown by `luck`"),
    "unknown-area": (
        WIRE, "", f"{TAIL}[ODD-01] (peer, L1, review(no reason)) It MUST be.\n", WIRE, "unknown area"),
    "review-without-reason": (
        WIRE, "review(kindness is for people to judge)", "review", WIRE, "review without a reason"),
    "reason-without-review": (WIRE, HEAD, "[WIRE-02] (server, L1, wire(hard))", WIRE, "has a reason"),
    "reused-id": (
        WIRE, "", f"{TAIL}[WIRE-01] (peer, L0, vector) A frame MUST end.\n", WIRE, "WIRE-01 is given in"),
    "requires-nothing": (WIRE, "SHOULD be kind", "is kind", WIRE, "WIRE-02 requires nothing"),
    "two-requirements": (
        WIRE, "Anything else is not ours.", "It MUST NOT end so.", WIRE, "2 sentences with a requirement"),
    "untested": (OPEN, "- {id: WIRE-04, reason: \"nobody listens yet\"}\n", "[]\n", WIRE,
                 "WIRE-04 is shown by no test"),
    "open-but-tested": (OPEN, "", '- {id: WIRE-02, reason: "later"}\n', OPEN, "WIRE-02 is tested in"),
    "open-but-unknown": (OPEN, "", '- {id: WIRE-77, reason: "later"}\n', OPEN, "WIRE-77 is unknown"),
    "open-but-review": (OPEN, "", '- {id: WIRE-03, reason: "later"}\n', OPEN, "shown by review"),
    "open-twice": (OPEN, "", '- {id: WIRE-04, reason: "later"}\n', OPEN, "WIRE-04 stands twice"),
    "open-without-reason": (OPEN, "", "- {id: WIRE-04}\n", OPEN, "is no entry"),
    "unknown-in-c": ("libprosa/src/a.c", "", "/* [WIRE-77] */\n", "libprosa/src/a.c", "WIRE-77 is the id of no"),
    "unknown-in-states": ("spec/states.yaml", "", "a: [b, C, WIRE-77]\n", "spec/states.yaml", "WIRE-77"),
    "unknown-in-lua": ("spec/wireshark/a.lua", "", "-- WIRE-77\n", "spec/wireshark/a.lua", "WIRE-77"),
    "unknown-in-python": (SUITE, "[WIRE-01] is", "[WIRE-77] is", SUITE, "WIRE-77"),
    "unknown-in-text": (WIRE, "be rude.", "be rude, see WIRE-77.", WIRE, "WIRE-77 is the id of no clause"),
    "unknown-area-in-test": (SUITE, '"WIRE-02", ', '"WIRE-02", "ODD-01", ', SUITE, "ODD-01 is the id of no"),
    "withdrawn-cited": ("libprosa/src/a.c", "", "/* WIRE-90 */\n", "libprosa/src/a.c", "WIRE-90 was withdrawn"),
    "misquoted": (SUITE, "A server SHOULD be kind", "A server MUST be kind", SUITE, "WIRE-02 does not say"),
    "empty-quote": (SUITE, "A server SHOULD be kind", " ", SUITE, "the quotation is empty"),
    "computed-quote": (SUITE, '"A server SHOULD be kind"', "WORDS", SUITE, "no plain string"),
    "no-python": (SUITE, "def test_kind()", "def test_kind(", SUITE, "is no Python"),
    "hex-of-vector": (WIRE, "00 a0 00 00 ", "00 a0 00 01 ", WIRE, "the octets are not those of `# vector"),
    "hex-of-session": (WIRE, "5052011e00000000", "5052011e00000001", WIRE, "not those of `# session"),
    "hex-line-damaged": (WIRE, "5052011e00000000", "5052011e0000000", WIRE, "not those of `# session"),
    "hex-without-title": (WIRE, "# vector: frame-one\n", "", WIRE, "does not say what it shows"),
    "hex-unknown-vector": (WIRE, "# vector: frame-one", "# vector: frame-two", WIRE, "does not exist"),
    "hex-unknown-step": (WIRE, "tiny step 1", "tiny step 2", WIRE, "does not exist"),
    "link-to-no-file": (WIRE, "(03-wire.md#31-frames)", "(04-none.md)", WIRE, "04-none.md leads nowhere"),
    "link-out-of-tree": (WIRE, "(03-wire.md#31-frames)", "(../../x.md)", WIRE, "leads nowhere"),
    "link-to-no-heading": (WIRE, "#31-frames", "#39-frames", WIRE, "has no heading #39-frames"),
    "no-such-section": (WIRE, "and section 3.1", "and section 3.8", WIRE, "no section or chapter 3.8"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name: str, tree: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    file, old, new, where, what = FAULTS[name]
    edit(file, old, new)
    assert speclint.main(["--root", str(tree)]) == 1, "the lint did not fail"
    lines = capsys.readouterr().out.splitlines()
    found = [line for line in lines if line.startswith(f"{where}:") and what in line]
    assert found, f"no line says {what!r}:\n" + "\n".join(lines)
    _, line, rest = found[0].split(":", 2)
    assert int(line) >= 1 and rest.count(": ") >= 1, f"not `file:line: what: what to do`: {found[0]}"


def test_one_fault_is_one_line(tree: Path, edit: Edit) -> None:
    edit(WIRE, "", f"{TAIL}A peer MUST NOT lie.\n")
    assert len(lint.run(tree).faults) == 1


def test_withdrawn_id_is_never_given_again(tree: Path, edit: Edit) -> None:
    edit(WIRE, "", f"{TAIL}[WIRE-90] (peer, L1, review(no way)) It MUST be.\n")
    assert [fault.what for fault in lint.run(tree).faults] == ["WIRE-90 was withdrawn"]


def test_vector_shows_a_clause(tree: Path, edit: Edit) -> None:
    edit("tests/unit/test_frame.c", 'PROSA_CLAUSE("WIRE-01")\n', "")
    assert not lint.run(tree).faults
    (tree / "spec/vectors/frames.json").write_text(
        json.dumps({"vectors": [{**VECTORS["vectors"][0], "clauses": []}]}))
    assert [f.what for f in lint.run(tree).faults] == ["WIRE-01 is shown by no test and no vector"]


def test_vector_shows_nothing_of_a_connection(tree: Path, edit: Edit) -> None:
    edit(SUITE, '@clause("WIRE-02", quote="A server SHOULD be kind")', "")
    (tree / "spec/vectors/frames.json").write_text(
        json.dumps({"vectors": [{**VECTORS["vectors"][0], "clauses": ["WIRE-01", "WIRE-02"]}]}))
    assert [f.what for f in lint.run(tree).faults] == ["WIRE-02 is shown by no test and no vector"]


@pytest.mark.parametrize(("file", "text"), [
    ("tests/unit/test_song.c", 'PROSA_CLAUSE("WIRE-04")\n'),
    ("tests/programs/test_song.py", '@clause("WIRE-04")\ndef test_song(): ...\n'),
])
def test_our_own_tests_close_no_clause(tree: Path, edit: Edit, file: str, text: str) -> None:
    edit(file, "", text)
    assert not lint.run(tree).faults, "an open clause may be tested in a program of ours"
    edit(OPEN, "- {id: WIRE-04, reason: \"nobody listens yet\"}\n", "[]\n")
    assert [f.what for f in lint.run(tree).faults] == ["WIRE-04 is shown by no test and no vector"]


def test_reused_vector_id(tree: Path) -> None:
    (tree / "spec/vectors/more.json").write_text(json.dumps(VECTORS))
    assert "the id frame-one stands more than once" in [f.what for f in lint.run(tree).faults]


@pytest.mark.parametrize(("name", "octets"), [("middle", "cc"), ("th1", "aabb")])
def test_hex_block_of_a_named_value(tree: Path, edit: Edit, name: str, octets: str) -> None:
    block = f"{TAIL}```hex\n# vector: frame-one {name}\n{octets}\n```\n"
    edit(WIRE, "", block)
    assert not lint.run(tree).faults
    edit(WIRE, block, block.replace(octets, "ff"))
    assert len(lint.run(tree).faults) == 1


def test_damaged_vectors_are_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "spec/vectors/frames.json").write_text("{")
    assert speclint.main(["--root", str(tree)]) == 1
    assert "spec/vectors/frames.json" in capsys.readouterr().err


def test_usage_ends_with_two() -> None:
    with pytest.raises(SystemExit) as ended:
        speclint.main(["--no-such-word"])
    assert ended.value.code == 2


def test_clause_is_read_whole(tree: Path) -> None:
    clause = chapters.read_all(tree)[0].clauses[0]
    assert (clause.id, clause.who, clause.level, clause.testability) == ("WIRE-01", "peer", "L0", "vector")
    assert clause.text == "A frame MUST begin with the octets 0x50 0x52. Anything else is not ours."
    assert (clause.file, clause.line, clause.anchor) == (WIRE, 7, "31-frames")
    assert chapters.read_all(tree)[0].clauses[2].reason == "kindness is for people to judge"


