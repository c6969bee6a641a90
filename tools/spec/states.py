# SPDX-License-Identifier: MIT
"""The state machines of spec/states.yaml: read, validated, every cell filled, rendered."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spec.errors import SpecError
from spec.model import Registry
from spec.sources import load_yaml
from spec.tables import markdown

# Actions that explain themselves; `fatal` is followed by a code or by these words.
PLAIN_ACTIONS = ("ignore", "close")
ITS_CODE = "its code"
CLAUSE = re.compile(r"[A-Z]{2,4}-\d{2,3}")


@dataclass(frozen=True)
class Cell:
    """What happens, where it leads (more than one when the event's content decides), and why."""

    action: str
    next: tuple[str, ...]
    clause: str


@dataclass(frozen=True)
class Machine:
    name: str
    title: str
    initial: str
    final: str
    states: dict[str, str]
    actions: dict[str, str]
    cells: dict[str, dict[str, Cell]]  # by event, then by state


class _Judge:
    def __init__(self, file: str, registry: Registry) -> None:
        self.file = file
        self.registry = registry

    def need(self, good: bool, entry: str, what: str, todo: str) -> None:
        if not good:
            raise SpecError(self.file, entry, what, todo)


def load(path: Path, registry: Registry) -> dict[str, Machine]:
    """All machines by name; SpecError names the first faulty cell."""
    raw = load_yaml(path)
    judge = _Judge(str(path), registry)
    judge.need(isinstance(raw, dict) and raw.keys() == {"machines"}, "file",
               "is not `machines:` alone", "put every machine under it")
    return {name: _machine(judge, name, entry) for name, entry in raw["machines"].items()}


def _machine(judge: _Judge, name: str, raw: dict[str, Any]) -> Machine:
    keys = {"title", "states", "initial", "final", "actions", "events"}
    judge.need(raw.keys() == keys, name, f"has not exactly the keys {', '.join(sorted(keys))}",
               "add or remove some")
    for key in ("initial", "final"):
        judge.need(raw[key] in raw["states"], f"{name}.{key}", f"{raw[key]!r} is no state",
                   "name one of the states")
    cells: dict[str, dict[str, Cell]] = {}
    for event, row in raw["events"].items():
        where = f"{name}.events.{event}"
        for state in row.keys() - raw["states"].keys() - {"default"}:
            judge.need(False, where, f"{state!r} is no state", "correct the name")
        cells[event] = {}
        for state in raw["states"]:
            judge.need(state in row or "default" in row, where, f"no cell for {state}",
                       "add it, or a default")
            cells[event][state] = _cell(judge, f"{where}.{state}", row.get(state, row.get("default")),
                                        state, raw)
    machine = Machine(name, raw["title"], raw["initial"], raw["final"], raw["states"],
                      raw["actions"], cells)
    _check_use(judge, machine)
    return machine


def _cell(judge: _Judge, where: str, raw: Any, state: str, machine: dict[str, Any]) -> Cell:
    judge.need(isinstance(raw, list) and len(raw) == 3, where, f"{raw!r} is no cell",
               "write [action, next state, clause]")
    action, following, clause = raw
    code = action.removeprefix("fatal ")
    codes = {c.name for c in judge.registry.codes} | {ITS_CODE}
    known = code in codes if code != action else action in {*PLAIN_ACTIONS, *machine["actions"]}
    judge.need(known, where, f"action {action!r} is not explained", "add it to actions")
    names = tuple(state if name == "same" else name for name in following.split(" or "))
    for name in names:
        judge.need(name in machine["states"], where, f"next state {name!r} is none",
                   "name a state, or same")
    judge.need(bool(CLAUSE.fullmatch(clause)), where, f"{clause!r} is no id of a clause",
               "cite the clause that asks for this")
    return Cell(action, names, clause)


def _check_use(judge: _Judge, machine: Machine) -> None:
    every = [cell for row in machine.cells.values() for cell in row.values()]
    for action in machine.actions:
        judge.need(any(cell.action == action for cell in every), f"{machine.name}.actions.{action}",
                   "no cell uses it", "remove it or use it")
    reached = {machine.initial}
    frontier = [machine.initial]
    while frontier:
        state = frontier.pop()
        following = {name for row in machine.cells.values() for name in row[state].next} - reached
        reached |= following
        frontier.extend(following)
    for state in machine.states:
        judge.need(state in reached, f"{machine.name}.states.{state}", "no event leads there",
                   "remove it or add the transition")


def render(machine: Machine) -> str:
    """The states, the actions and the table state x event of one machine."""
    def cell(state: str, content: Cell) -> str:
        stays = content.next == (state,)
        arrow = "" if stays else f" -> {' or '.join(content.next)}"
        return f"{content.action}{arrow} [{content.clause}]"

    states = markdown(["State", "Meaning"], (
        [name + _role(machine, name), text] for name, text in machine.states.items()))
    actions = markdown(["Action", "Meaning"], ([n, text] for n, text in machine.actions.items()))
    table = markdown(["Event", *machine.states], (
        [event, *(cell(state, content) for state, content in row.items())]
        for event, row in machine.cells.items()))
    return f"{machine.title}.\n\n{states}\n\n{actions}\n\nA cell without an arrow stays in its state.\n\n{table}"


def _role(machine: Machine, state: str) -> str:
    roles = [role for role in ("initial", "final") if getattr(machine, role) == state]
    return f" ({', '.join(roles)})" if roles else ""
