# SPDX-License-Identifier: MIT
"""The registry as look-up tables: fields by name and tag, frames by name and type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Field:
    name: str
    tag: int
    kind: str
    min: int | None = None
    max: int | None = None


@dataclass(frozen=True)
class FrameType:
    name: str
    type: int
    sender: str
    fields: tuple[str, ...]
    optional: frozenset[str]

_R: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "spec/registry.yaml").read_text())
_LIMITS = {**_R["limits"], **_R["timers"]}


def _field(name: str, entry: dict[str, Any]) -> Field:
    bounds = _LIMITS[entry["limit"]] if "limit" in entry else entry
    return Field(name, entry["tag"], entry["kind"], bounds.get("min"), bounds.get("max"))


def _frame(name: str, entry: dict[str, Any]) -> FrameType:
    return FrameType(name, entry["type"], entry["from"], tuple(entry["fields"]), frozenset(entry.get("optional", [])))


FIELDS = {name: _field(name, entry) for name, entry in _R["fields"].items()}
FIELDS_BY_TAG = {field.tag: field for field in FIELDS.values()}
FRAMES = {name: _frame(name, entry) for name, entry in _R["frames"].items()}
FRAMES_BY_TYPE = {frame.type: frame for frame in FRAMES.values()}
RULES: tuple[dict[str, Any], ...] = tuple(_R["rules"])
CODES: dict[str, int] = {name: entry["code"] for name, entry in _R["codes"].items()}
EVENTS: dict[str, int] = {name: entry["value"] for name, entry in _R["events"].items()}
LABELS: dict[str, bytes] = {name: entry["text"].encode() + b"\0" for name, entry in _R["labels"].items()}
CONSTANTS: dict[str, int] = {name: entry["value"] for name, entry in _R["constants"].items()}
LIMITS = _LIMITS
GREASE_TAGS: tuple[int, ...] = tuple(_R["grease_tags"])
GREASE_TYPES: tuple[int, ...] = tuple(_R["grease_types"])
MAGIC: int = _R["protocol"]["magic"]
VERSION: int = _R["protocol"]["version"]
