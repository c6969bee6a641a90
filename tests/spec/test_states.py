# SPDX-License-Identifier: MIT
"""A faulty state machine is refused by cell, a good one is rendered whole."""

from pathlib import Path

import pytest

import registry as command
from conftest import Edit
from spec import generate
from spec.errors import SpecError

STATES = "spec/states.yaml"
CHAPTER = "spec/05-tables.md"

# name: (old text, new text, entry that is named, part of the message)
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "unknown-state": (
        "UP: [hello, UP, WIRE-01]",
        "UPP: [hello, UP, WIRE-01]",
        "tiny.events.HELLO", "'UPP' is no state",
    ),
    "unknown-next": (
        "UP: [hello, UP, WIRE-01]",
        "UP: [hello, UPP, WIRE-01]",
        "tiny.events.HELLO.UP", "'UPP' is none",
    ),
    "unknown-action": (
        "[hello, UP, WIRE-01]",
        "[greet, UP, WIRE-01]",
        "tiny.events.HELLO.UP", "'greet' is not explained",
    ),
    "unknown-code": ("fatal BAD_STATE", "fatal BAD_LUCK", "tiny.events.BYE.UP", "BAD_LUCK"),
    "no-clause": ("UP, WIRE-01]", "UP, why]", "tiny.events.HELLO.UP", "no id of a clause"),
    "empty-cell": (
        "default: [ignore, same, WIRE-02]\n",
        "",
        "tiny.events.HELLO", "no cell for DOWN",
    ),
    "unused-action": (
        "      hello:",
        "      wave: x\n      hello:",
        "tiny.actions.wave", "no cell uses it",
    ),
    "unreachable": (
        "      DOWN: gone",
        "      DOWN: gone\n      LOST: never",
        "tiny.states.LOST", "no event leads there",
    ),
    "initial": ("initial: UP", "initial: UPP", "tiny.initial", "'UPP' is no state"),
}
MACHINE = """\
machines:
  tiny:
    title: A machine
    states:
      UP: there
      DOWN: gone
    initial: UP
    final: DOWN
    actions:
      hello: answer
    events:
      HELLO:
        default: [ignore, same, WIRE-02]
        UP: [hello, UP, WIRE-01]
      BYE:
        default: ["fatal BAD_STATE", DOWN, WIRE-04]
        DOWN: [close, "UP or DOWN", WIRE-01]
"""


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_states_are_refused(name: str, tree: Path, edit: Edit) -> None:
    old, new, entry, what = FAULTS[name]
    edit(STATES, "", MACHINE)
    edit(STATES, old, new)
    with pytest.raises(SpecError) as refused:
        generate.run(tree)
    assert refused.value.entry == entry
    assert what in refused.value.what


def test_states_are_rendered_whole(tree: Path, edit: Edit) -> None:
    edit(STATES, "", MACHINE)
    edit(CHAPTER, "", "# 5. Tables\n\n<!-- generated: states tiny -->\n<!-- end generated -->\n")
    assert command.main(["--root", str(tree)]) == 0
    text = (tree / CHAPTER).read_text()
    assert "| Event | UP | DOWN |" in text
    assert "| HELLO | hello [WIRE-01] | ignore [WIRE-02] |" in text
    assert "| BYE | fatal BAD_STATE -> DOWN [WIRE-04] | close -> UP or DOWN [WIRE-01] |" in text
