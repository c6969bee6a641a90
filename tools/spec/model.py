# SPDX-License-Identifier: MIT
"""The registry as typed data. `load` reads and validates; it never returns a faulty registry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spec import validate
from spec.kinds import bounds
from spec.sources import load_yaml


@dataclass(frozen=True)
class Constant:
    name: str
    value: int
    unit: str
    doc: str


@dataclass(frozen=True)
class Label:
    name: str
    text: str
    use: str


@dataclass(frozen=True)
class Limit:
    """A number announced in CHALLENGE: a limit or a timer."""

    name: str
    default: int
    min: int
    max: int
    unit: str
    doc: str


@dataclass(frozen=True)
class Feature:
    name: str
    bit: int
    reserved: bool
    doc: str


@dataclass(frozen=True)
class Event:
    name: str
    value: int
    doc: str


@dataclass(frozen=True)
class Field:
    """min and max are values for integers, octets for all other kinds."""

    name: str
    tag: int
    kind: str
    min: int
    max: int
    doc: str


@dataclass(frozen=True)
class Frame:
    name: str
    type: int
    sender: str
    level: str
    fields: tuple[Field, ...]
    optional: frozenset[str]


@dataclass(frozen=True)
class Rule:
    """If the sender, the value and the presence fit: all of `required`, none of `forbidden`."""

    frame: str
    sender: str | None
    when_field: str | None
    when_values: tuple[int, ...]
    if_present: tuple[str, ...]
    required: tuple[str, ...]
    forbidden: tuple[str, ...]


@dataclass(frozen=True)
class CodeClass:
    name: str
    value: int
    closes: bool
    client: str


@dataclass(frozen=True)
class Code:
    name: str
    code: int
    frame: str
    retry: bool | None
    doc: str


@dataclass(frozen=True)
class Registry:
    version: int
    magic: int
    port: int
    labels: tuple[Label, ...]
    constants: tuple[Constant, ...]
    limits: tuple[Limit, ...]
    timers: tuple[Limit, ...]
    features: tuple[Feature, ...]
    levels: dict[str, dict[str, str]]
    events: tuple[Event, ...]
    fields: tuple[Field, ...]
    frames: tuple[Frame, ...]
    rules: tuple[Rule, ...]
    classes: tuple[CodeClass, ...]
    codes: tuple[Code, ...]
    areas: dict[str, str]
    testability: dict[str, str]
    reserved_tags: dict[str, dict[str, Any]]
    reserved_types: dict[str, dict[str, Any]]
    experimental_tags: tuple[tuple[int, int], ...]
    grease_tags: tuple[int, ...]
    grease_types: tuple[int, ...]


def load(path: Path) -> Registry:
    """The validated registry of `path`; SpecError names the first faulty entry."""
    raw = load_yaml(path)
    validate.registry(str(path), raw)
    return _build(raw)


def _build(raw: dict[str, Any]) -> Registry:
    fields = {name: _field(raw, name, entry) for name, entry in raw["fields"].items()}
    frames = tuple(
        Frame(name, e["type"], e["from"], e["level"], tuple(fields[f] for f in e["fields"]),
              frozenset(e.get("optional", ())))
        for name, e in raw["frames"].items()
    )
    events = tuple(Event(name, **entry) for name, entry in raw["events"].items())
    return Registry(
        version=raw["protocol"]["version"],
        magic=raw["protocol"]["magic"],
        port=raw["protocol"]["port"],
        labels=tuple(Label(name, **entry) for name, entry in raw["labels"].items()),
        constants=tuple(Constant(name, **entry) for name, entry in raw["constants"].items()),
        limits=tuple(Limit(name, **entry) for name, entry in raw["limits"].items()),
        timers=tuple(Limit(name, **entry) for name, entry in raw["timers"].items()),
        features=tuple(
            Feature(name, e["bit"], e.get("reserved", False), e["doc"])
            for name, e in raw["features"].items()
        ),
        levels=raw["levels"],
        events=events,
        fields=tuple(sorted(fields.values(), key=lambda field: field.tag)),
        frames=tuple(sorted(frames, key=lambda frame: frame.type)),
        rules=tuple(_rule(raw, events, entry) for entry in raw["rules"]),
        classes=tuple(
            CodeClass(e["name"], value, e["connection"] == "closes", e["client"])
            for value, e in raw["classes"].items()
        ),
        codes=tuple(sorted(
            (Code(name, e["code"], e["in"], e.get("retry"), e["doc"])
             for name, e in raw["codes"].items()),
            key=lambda code: code.code,
        )),
        areas=raw["areas"],
        testability=raw["testability"],
        reserved_tags=raw["reserved_tags"],
        reserved_types=raw["reserved_types"],
        experimental_tags=tuple((low, high) for low, high in raw["experimental_tags"]),
        grease_tags=tuple(raw["grease_tags"]),
        grease_types=tuple(raw["grease_types"]),
    )


def _field(raw: dict[str, Any], name: str, entry: dict[str, Any]) -> Field:
    low, high = bounds(raw, entry)
    return Field(name, entry["tag"], entry["kind"], low, high, entry["doc"])


def _rule(raw: dict[str, Any], events: tuple[Event, ...], entry: dict[str, Any]) -> Rule:
    when_field, names = next(iter(entry.get("when", {}).items()), (None, []))
    values = tuple(event.value for event in events if event.name in names)
    sender = entry.get("from")
    if "requires" in entry:
        (present, needed), = entry["requires"].items()
        return Rule(entry["frame"], sender, when_field, values, (present,), (needed,), ())
    row = raw["frames"][entry["frame"]]["fields"]
    exactly = tuple(name for name in row if name in entry["exactly"])
    others = tuple(name for name in row if name not in entry["exactly"])
    return Rule(entry["frame"], sender, when_field, values, (), exactly, others)
