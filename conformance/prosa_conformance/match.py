# SPDX-License-Identifier: MIT
"""What a test expects of a frame, in the words of the registry.

    Like("DELIVER", text="hello", counter=1, display=ABSENT)
    Like("ACK", limit_counter=at_least(2))

A plain value must be equal; a `Rule` decides itself; fields that are not named do not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prosa_conformance import codec
from prosa_conformance.codec import Frame
from prosa_conformance.kinds import Value
from prosa_conformance.language import N_, _
from prosa_conformance.registry import FIELDS, FRAMES


@dataclass(frozen=True)
class Rule:
    """A condition with words, to be translated when shown: `holds` gets the typed value, None for an absent field."""

    words: str
    holds: Callable[[Value | None], bool]


ABSENT = Rule(N_("absent"), lambda value: value is None)


def at_least(low: int) -> Rule:
    return Rule(_("at least {number}").format(number=low), lambda value: isinstance(value, int) and value >= low)


def at_most(high: int) -> Rule:
    return Rule(_("at most {number}").format(number=high), lambda value: isinstance(value, int) and value <= high)


def other_than(wrong: Value) -> Rule:
    return Rule(_("other than {value}").format(value=show(wrong)), lambda value: value is not None and value != wrong)


class Like:
    """A frame of this name whose named fields are as said."""

    def __init__(self, name: str, /, **fields: Value | Rule) -> None:
        unknown = [field for field in fields if field not in FIELDS]
        if name not in FRAMES or unknown:
            raise ValueError(f"no such frame or field: {name} {unknown}")
        self.name = name
        self.fields = fields

    def mismatch(self, frame: Frame) -> str:
        """The first field that differs, by name; "type" for another frame; empty for a match."""
        if frame.name != self.name:
            return "type"
        return next((field for field, wanted in self.fields.items() if not _fits(frame, field, wanted)), "")

    def __str__(self) -> str:
        parts = [
            f"{name} {_(wanted.words)}" if isinstance(wanted, Rule) else f"{name}={show(wanted)}"
            for name, wanted in self.fields.items()
        ]
        return f"{self.name} {{{', '.join(parts)}}}" if parts else self.name


def _fits(frame: Frame, field: str, wanted: Value | Rule) -> bool:
    if isinstance(wanted, Rule):
        return wanted.holds(frame.value(field))
    return frame.octets(field) == codec.field_value(field, wanted)[1]


def show(value: Value) -> str:
    """A value for people: long octets shortened, text quoted."""
    if isinstance(value, bytes):
        if len(value) <= 8:
            return value.hex()
        return value[:6].hex() + _("..({count} octets)").format(count=len(value))
    if isinstance(value, str):
        if len(value) <= 60:
            return repr(value)
        return repr(value[:50]) + _("..({count} characters)").format(count=len(value))
    return str(value)


BRIEF = (
    "room", "nick", "event", "counter", "text", "room_seq", "acked_counter", "limit_counter",
    "seen_seq", "limit_seq", "code", "reason", "opaque",
)  # fmt: skip


QUOTED = frozenset({"text", "reason", "opaque"})


def describe(frame: Frame) -> str:
    """A frame in one line: its name and the fields that tell most."""
    if frame.name is None:
        return _("frame of type {type}").format(type=frame.type)
    known = codec.project(frame)["fields"] if _is_sound(frame) else {}
    assert isinstance(known, dict)
    parts = [f"{name}={show(known[name]) if name in QUOTED else known[name]}" for name in BRIEF if name in known]
    return f"{frame.name} {{{', '.join(parts)}}}" if parts else frame.name


def _is_sound(frame: Frame) -> bool:
    sender = "server" if frame.name == "ACK" and frame.has("acked_counter") else "client"
    return isinstance(codec.decode(codec.encode(frame), sender, 1 << 32), codec.Decoded)
