# SPDX-License-Identifier: MIT
"""The tables of the text that repeat the registry."""

from collections.abc import Callable, Iterable

from spec.kinds import INTEGER_BITS
from spec.model import Field, Limit, Registry


def markdown(head: list[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a bar in a cell is escaped."""
    lines = [head, ["---"] * len(head), *([_cell(c) for c in row] for row in rows)]
    return "\n".join(
        "|" + "|".join(f" {c} " if c != "---" else c for c in line) + "|" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def grouped(number: int) -> str:
    """A number for people: 16,384; small powers of two stay what they are."""
    return "2^64 - 1" if number == 2**64 - 1 else f"{number:,}"


def labels(registry: Registry) -> str:
    return markdown(["Label", "Text, a zero octet follows", "Octets", "Use"], (
        [f"`{x.name}`", f"`{x.text}`", str(len(x.text) + 1), x.use] for x in registry.labels))


def constants(registry: Registry) -> str:
    return markdown(["Constant", "Value", "Unit", "Meaning"], (
        [f"`{c.name}`", f"0x{c.value:04X}" if c.unit == "tag" else grouped(c.value), c.unit, c.doc]
        for c in registry.constants))


def _announced(rows: Iterable[Limit]) -> str:
    return markdown(["Name", "Reference", "Least", "Most", "Unit", "Meaning"], (
        [f"`{x.name}`", grouped(x.default), grouped(x.min), grouped(x.max), x.unit, x.doc]
        for x in rows))


def features(registry: Registry) -> str:
    return markdown(["Bit", "Feature", "Meaning"], (
        [str(f.bit), f"`{f.name}`", f.doc] for f in registry.features))


def levels(registry: Registry) -> str:
    return markdown(["Level", "Name", "What it asks"], (
        [name, entry["name"], entry["doc"]] for name, entry in registry.levels.items()))


def events(registry: Registry) -> str:
    return markdown(["Value", "Event", "Meaning"], (
        [str(e.value), f"`{e.name}`", e.doc] for e in registry.events))


def fields(registry: Registry) -> str:
    return markdown(["Tag", "Field", "Kind", "Range", "Meaning"], (
        [f"0x{f.tag:04X}", f"`{f.name}`", f"`{f.kind}`", _range(f), f.doc]
        for f in registry.fields))


def _range(field: Field) -> str:
    bits = INTEGER_BITS.get(field.kind)
    if bits:
        whole = field.min == 0 and field.max == 2**bits - 1
        open_ended = f"from {grouped(field.min)}"
        closed = f"{grouped(field.min)} to {grouped(field.max)}"
        return "" if whole else open_ended if field.max == 2**bits - 1 else closed
    unit = "octets" if field.max != 1 else "octet"
    size = str(field.max) if field.min == field.max else f"{field.min} to {grouped(field.max)}"
    return f"{size} {unit}"


def frames(registry: Registry) -> str:
    return markdown(["Type", "Frame", "From", "Level", "Fields"], (
        [str(f.type), f.name, f.sender, f.level,
         ", ".join(f"[{x.name}]" if x.name in f.optional else x.name for x in f.fields)]
        for f in registry.frames))


def classes(registry: Registry) -> str:
    return markdown(["Class", "Name", "Connection", "What the client does"], (
        [f"{c.value:02}", c.name, "closes" if c.closes else "stays", c.client]
        for c in registry.classes))


def codes(registry: Registry) -> str:
    again = {None: "", True: "yes", False: "no"}
    return markdown(["Code", "Name", "In", "Come back", "Meaning"], (
        [f"0x{c.code:04X}", c.name, c.frame, again[c.retry], c.doc] for c in registry.codes))


def areas(registry: Registry) -> str:
    return markdown(["Area", "About"], registry.areas.items())


def testability(registry: Registry) -> str:
    return markdown(["Word", "Meaning"], registry.testability.items())


def reserved(registry: Registry) -> str:
    rows = [
        *([f"tag 0x{e['tag']:04X}", f"`{n}`", e["doc"]] for n, e in registry.reserved_tags.items()),
        *([f"tags 0x{low:04X} to 0x{high:04X}", "", "experiments"]
          for low, high in registry.experimental_tags),
        *([f"type {e['type']}", n, e["doc"]] for n, e in registry.reserved_types.items()),
        *([f"feature bit {f.bit}", f"`{f.name}`", f.doc] for f in registry.features if f.reserved),
    ]
    return markdown(["Number", "Name", "Kept for"], rows)


def grease(registry: Registry) -> str:
    return markdown(["What", "Numbers"], [
        ["tags", ", ".join(f"0x{tag:04X}" for tag in registry.grease_tags)],
        ["types", ", ".join(f"0x{type_:02X}" for type_ in registry.grease_types)],
    ])


TABLES: dict[str, Callable[[Registry], str]] = {
    "labels": labels,
    "constants": constants,
    "limits": lambda registry: _announced(registry.limits),
    "timers": lambda registry: _announced(registry.timers),
    "features": features,
    "levels": levels,
    "events": events,
    "fields": fields,
    "frames": frames,
    "classes": classes,
    "codes": codes,
    "areas": areas,
    "testability": testability,
    "reserved": reserved,
    "grease": grease,
}
