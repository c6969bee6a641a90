# SPDX-License-Identifier: MIT
"""The rules that spec/registry.yaml obeys. Each function judges one section of the raw data."""

import re
from collections.abc import Iterable
from typing import Any

from spec import kinds
from spec.errors import SpecError

Raw = dict[str, Any]

# Keys of an entry of each section: needed, then allowed besides.
SHAPES: dict[str, tuple[set[str], set[str]]] = {
    "labels": ({"text", "use"}, set()),
    "constants": ({"value", "unit", "doc"}, set()),
    "limits": ({"default", "min", "max", "unit", "doc"}, set()),
    "timers": ({"default", "min", "max", "unit", "doc"}, set()),
    "features": ({"bit", "doc"}, {"reserved"}),
    "levels": ({"name", "doc"}, set()),
    "events": ({"value", "doc"}, set()),
    "fields": ({"tag", "kind", "doc"}, {"min", "max", "limit"}),
    "reserved_tags": ({"tag", "doc"}, set()),
    "reserved_types": ({"type", "doc"}, set()),
    "frames": ({"type", "from", "level", "fields"}, {"optional"}),
    "classes": ({"name", "connection", "client"}, set()),
    "codes": ({"code", "in", "doc"}, {"retry"}),
}
SECTIONS = {*SHAPES, "protocol", "rules", "experimental_tags", "grease_tags", "grease_types",
            "areas", "testability"}
LOWER = re.compile(r"[a-z][a-z0-9_]*")
UPPER = re.compile(r"[A-Z][A-Z0-9_]*")
NAME = {"levels": re.compile(r"L[0-9]"), "frames": UPPER, "codes": UPPER, "reserved_types": UPPER}


class _Judge:
    def __init__(self, file: str) -> None:
        self.file = file

    def need(self, good: bool, entry: str, what: str, todo: str) -> None:
        if not good:
            raise SpecError(self.file, entry, what, todo)

    def number(self, value: Any, low: int, high: int, entry: str) -> None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        self.need(good, entry, f"{value!r} is no whole number of {low}..{high}", "correct it")

    def unique(self, pairs: Iterable[tuple[str, Any]], what: str) -> None:
        seen: dict[Any, str] = {}
        for name, value in pairs:
            self.need(value not in seen, name, f"{what} {_show(value)} is that of {seen.get(value)}",
                      "choose a free one")
            seen[value] = name


def registry(file: str, raw: Any) -> None:
    """Raises SpecError for the first entry that breaks a rule."""
    judge = _Judge(file)
    _shape(judge, raw)
    for check in (_protocol, _labels, _limits, _features_events_levels, _fields, _tags_kept_free,
                  _types, _frames, _zones, _deliver, _rules, _codes, _areas):
        check(judge, raw)


def _show(value: Any) -> str:
    return f"0x{value:04X}" if isinstance(value, int) and value > 255 else str(value)


def _shape(judge: _Judge, raw: Any) -> None:
    judge.need(isinstance(raw, dict), "file", "is no mapping", "restore the sections")
    for name in sorted(SECTIONS - raw.keys()):
        judge.need(False, name, "the section is missing", "add it")
    for name in sorted(raw.keys() - SECTIONS):
        judge.need(False, name, "is no section of the registry", "remove it or teach the tools")
    for section, (needed, allowed) in SHAPES.items():
        judge.need(isinstance(raw[section], dict), section, "is no mapping", "write name: {...}")
        pattern = NAME.get(section, LOWER)
        for name, entry in raw[section].items():
            where = f"{section}.{name}"
            judge.need(isinstance(entry, dict), where, "is no mapping", "write {key: value, ...}")
            for key in sorted(needed - entry.keys()):
                judge.need(False, where, f"`{key}` is missing", "add it")
            for key in sorted(entry.keys() - needed - allowed):
                judge.need(False, where, f"`{key}` is no key of {section}", "remove or correct it")
            if section != "classes":
                judge.need(isinstance(name, str) and bool(pattern.fullmatch(name)), where,
                           "is no name here", f"use a name like {pattern.pattern}")


def _protocol(judge: _Judge, raw: Raw) -> None:
    judge.need(raw["protocol"].keys() == {"name", "version", "magic", "port"}, "protocol",
               "has other keys than name, version, magic and port", "correct them")
    for key, high in (("version", 255), ("magic", 0xFFFF), ("port", 0xFFFF)):
        judge.number(raw["protocol"][key], 1, high, f"protocol.{key}")
    for name, entry in raw["constants"].items():
        judge.number(entry["value"], 0, 2**32 - 1, f"constants.{name}.value")
    needed = {*kinds.SIZE_CONSTANT.values(), "header_size", "field_header_size", "max_fields",
              "max_publish_fields", "author_zone_last", "author_sig_tag", "server_zone_last",
              "handshake_sig_tag", "max_frame_ceiling", "max_frame_floor", "max_versions"}
    for name in sorted(needed - raw["constants"].keys()):
        judge.need(False, f"constants.{name}", "is missing", "add it: the rules refer to it")


def _labels(judge: _Judge, raw: Raw) -> None:
    prefix = f"{raw['protocol']['name']}/{raw['protocol']['version']} "
    for name, entry in raw["labels"].items():
        text = entry["text"]
        good = text.startswith(prefix) and text.isascii() and text.isprintable()
        judge.need(good, f"labels.{name}", f"{text!r} does not begin {prefix!r} or is not printable",
                   "correct the text")
    judge.unique(((f"labels.{n}", e["text"]) for n, e in raw["labels"].items()), "text")


def _limits(judge: _Judge, raw: Raw) -> None:
    both = raw["limits"].keys() & raw["timers"].keys()
    judge.need(not both, f"timers.{min(both, default='')}", "is a limit too", "rename one")
    for section in ("limits", "timers"):
        for name, entry in raw[section].items():
            where = f"{section}.{name}"
            for key in ("default", "min", "max"):
                judge.number(entry[key], 0, 2**32 - 1, f"{where}.{key}")
            judge.need(entry["min"] <= entry["default"] <= entry["max"], where,
                       "not min <= default <= max", "correct the three")
            field = raw["fields"].get(name, {})
            judge.need(field.get("limit") == name and name in _row(raw, "CHALLENGE"), where,
                       "CHALLENGE has no field of this name with `limit:`", "add it to both")
    for key, constant in (("min", "max_frame_floor"), ("max", "max_frame_ceiling")):
        judge.need(raw["limits"]["max_frame"][key] == raw["constants"][constant]["value"],
                   f"limits.max_frame.{key}", f"differs from constants.{constant}", "make them equal")


def _features_events_levels(judge: _Judge, raw: Raw) -> None:
    for name, entry in raw["features"].items():
        judge.number(entry["bit"], 0, 31, f"features.{name}.bit")
    judge.unique(((f"features.{n}", e["bit"]) for n, e in raw["features"].items()), "bit")
    for name, entry in raw["events"].items():
        # Rules keep sets of events as bits of 32.
        judge.number(entry["value"], 1, 31, f"events.{name}.value")
    judge.unique(((f"events.{n}", e["value"]) for n, e in raw["events"].items()), "value")
    levels = list(raw["levels"])
    judge.need(levels == [f"L{i}" for i in range(len(levels))], "levels",
               f"{levels} is not L0, L1, ... in order", "number them without a gap")


def _fields(judge: _Judge, raw: Raw) -> None:
    for name, entry in raw["fields"].items():
        where, kind = f"fields.{name}", entry["kind"]
        judge.number(entry["tag"], 1, 0xFFFF, f"{where}.tag")
        judge.need(kind in kinds.KINDS, where, f"{kind!r} is no kind",
                   f"use one of {', '.join(kinds.KINDS)}")
        if "limit" in entry:
            known = entry["limit"] in raw["limits"] or entry["limit"] in raw["timers"]
            judge.need(known and kind == "u32", where, f"limit {entry['limit']!r} is none, or no u32",
                       "name an entry of limits or timers")
            judge.need(not entry.keys() & {"min", "max"}, where, "has bounds beside `limit`",
                       "remove min and max")
        if kind in kinds.SIZE_CONSTANT:
            judge.need(not entry.keys() & {"min", "max"}, where, f"{kind} has one exact size",
                       "remove min and max")
        if kind in kinds.TEXT_KINDS:
            judge.need("min" in entry and "max" in entry, where, f"{kind} has no bounds",
                       "add min and max, in octets")
        largest = 2 ** kinds.INTEGER_BITS.get(kind, 16) - 1
        low, high = kinds.bounds(raw, entry)
        judge.number(low, 0, largest, f"{where}.min")
        judge.number(high, low, largest, f"{where}.max")
    judge.unique(((f"fields.{n}", e["tag"]) for n, e in raw["fields"].items()), "tag")
    for constant, name in (("author_sig_tag", "author_sig"), ("handshake_sig_tag", "handshake_sig")):
        judge.need(raw["fields"].get(name, {}).get("tag") == raw["constants"][constant]["value"],
                   f"constants.{constant}", f"is not the tag of fields.{name}", "make them equal")


def _tags_kept_free(judge: _Judge, raw: Raw) -> None:
    taken = {entry["tag"]: f"fields.{name}" for name, entry in raw["fields"].items()}
    for name, entry in raw["reserved_tags"].items():
        judge.number(entry["tag"], 1, 0xFFFF, f"reserved_tags.{name}.tag")
        judge.need(entry["tag"] not in taken, taken.get(entry["tag"], ""),
                   f"has the tag of reserved_tags.{name}", "choose a free one")
    for tag in raw["grease_tags"]:
        form = tag & 0x0F0F == 0x0A0B and tag >> 12 == (tag >> 4) & 0xF
        judge.need(form, "grease_tags", f"{_show(tag)} has not the form 0xnAnB", "correct it")
        judge.need(tag not in taken, taken.get(tag, ""), "has a GREASE tag", "choose a free one")
    for low, high in raw["experimental_tags"]:
        judge.need(low <= high, "experimental_tags", f"{_show(low)} > {_show(high)}", "swap them")
        for tag, where in taken.items():
            judge.need(not low <= tag <= high, where, "has an experimental tag", "choose a free one")


def _types(judge: _Judge, raw: Raw) -> None:
    pairs = [(f"{section}.{name}", entry["type"]) for section in ("frames", "reserved_types")
             for name, entry in raw[section].items()]
    for where, number in pairs:
        judge.number(number, 1, 255, f"{where}.type")
    judge.unique([*pairs, *(("grease_types", t) for t in raw["grease_types"])], "type")
    for number in raw["grease_types"]:
        judge.need(number & 0xF == 0xB and number % 2 == 1, "grease_types",
                   f"{number} has not the form 0xnB", "correct it")


def _row(raw: Raw, frame: str) -> list[str]:
    return raw["frames"].get(frame, {}).get("fields", [])


def _frames(judge: _Judge, raw: Raw) -> None:
    for name, entry in raw["frames"].items():
        where, fields = f"frames.{name}", entry["fields"]
        for field in [*fields, *entry.get("optional", [])]:
            judge.need(field in raw["fields"], where, f"{field!r} is no field",
                       "add it to fields or correct the name")
        tags = [raw["fields"][field]["tag"] for field in fields]
        for before, after, field in zip(tags, tags[1:], fields[1:], strict=False):
            judge.need(before < after, where, f"`{field}` is not above the field before it",
                       "put the fields in ascending order of their tags")
        for field in entry.get("optional", []):
            judge.need(field in fields, where, f"optional `{field}` is not in fields", "add it")
        for field in fields:
            odd = raw["fields"][field]["tag"] % 2 == 1
            judge.need(not odd or field in entry.get("optional", []), where,
                       f"`{field}` is odd (ignorable) but required", "make it optional or its tag even")
        judge.need(entry["from"] in ("client", "server", "both"), where,
                   f"from {entry['from']!r}", "use client, server or both")
        judge.need(entry["level"] in raw["levels"] or entry["level"] in raw["features"], where,
                   f"{entry['level']!r} is no level or feature", "correct it")
        most = raw["constants"]["max_publish_fields" if name == "PUBLISH" else "max_fields"]["value"]
        judge.need(len(fields) <= most, where, f"has more than {most} fields", "split the frame")
    used = {field for entry in raw["frames"].values() for field in entry["fields"]}
    for name in raw["fields"]:
        judge.need(name in used, f"fields.{name}", "stands in no frame", "use or remove it")


def _zones(judge: _Judge, raw: Raw) -> None:
    constants = {name: entry["value"] for name, entry in raw["constants"].items()}
    zones = [constants[n] for n in ("author_zone_last", "author_sig_tag", "server_zone_last",
                                    "handshake_sig_tag")]
    judge.need(zones == sorted(set(zones)), "constants", "the tag zones are not ascending",
               "correct author_zone_last, author_sig_tag, server_zone_last, handshake_sig_tag")
    for name, entry in raw["frames"].items():
        last = constants["server_zone_last"] if entry["from"] == "server" else zones[1]
        if name in ("CHALLENGE", "AUTH"):
            judge.need(entry["fields"][-1] == "handshake_sig", f"frames.{name}",
                       "does not end in handshake_sig", "put the signature last")
        for field in entry["fields"]:
            tag = raw["fields"][field]["tag"]
            signed = field == "handshake_sig" and name in ("CHALLENGE", "AUTH")
            judge.need(tag <= last or signed, f"frames.{name}",
                       f"`{field}` ({_show(tag)}) is outside of the zones of this frame",
                       "choose a tag of the right zone")


def _deliver(judge: _Judge, raw: Raw) -> None:
    publish, deliver = raw["frames"]["PUBLISH"], raw["frames"]["DELIVER"]
    count = len(publish["fields"])
    judge.need(deliver["fields"][:count] == publish["fields"], "frames.DELIVER",
               "does not begin with the fields of PUBLISH", "repeat them in the same order")
    optional = set(publish["fields"]) & set(deliver.get("optional", []))
    judge.need(optional == set(publish.get("optional", [])), "frames.DELIVER",
               "other fields of PUBLISH are optional here", "make them equal")


def _rules(judge: _Judge, raw: Raw) -> None:
    for index, rule in enumerate(raw["rules"]):
        where = f"rules[{index}]"
        extra = rule.keys() - {"frame", "from", "when", "exactly", "requires"}
        judge.need(not extra, where, f"unknown key {min(extra, default='')!r}", "remove it")
        judge.need(rule.get("frame") in raw["frames"], where, "names no frame", "add `frame:`")
        judge.need(("exactly" in rule) != ("requires" in rule), where,
                   "has not one of exactly and requires", "keep one of them")
        judge.need(rule.get("from") in (None, "client", "server"), where,
                   f"from {rule.get('from')!r}", "use client or server")
        frame = raw["frames"][rule["frame"]]
        for pair in (rule.get("when", {}), rule.get("requires", {})):
            judge.need(len(pair) <= 1, where, "has more than one field in `when` or `requires`",
                       "write one rule each")
        named = [*rule.get("exactly", []), *rule.get("when", {}),
                 *rule.get("requires", {}).keys(), *rule.get("requires", {}).values()]
        for field in named:
            judge.need(field in frame["fields"], where, f"{rule['frame']} has no field {field!r}",
                       "correct the name")
        for field, names in rule.get("when", {}).items():
            judge.need(field == "event" and set(names) <= raw["events"].keys(), where,
                       f"{names} are not values of `event`", "use names of events")
        if "exactly" in rule:
            missing = set(frame["fields"]) - set(frame.get("optional", [])) - set(rule["exactly"])
            judge.need(not missing, where, f"leaves out required {min(missing, default='')!r}",
                       "add it or make it optional in the frame")


def _codes(judge: _Judge, raw: Raw) -> None:
    for value, entry in raw["classes"].items():
        judge.number(value, 1, 255, "classes")
        judge.need(entry["connection"] in ("closes", "stays"), f"classes.{value}",
                   f"connection {entry['connection']!r}", "use closes or stays")
    for name, entry in raw["codes"].items():
        where = f"codes.{name}"
        judge.number(entry["code"], 0x0101, 0xFFFF, f"{where}.code")
        value = entry["code"] >> 8
        judge.need(value in raw["classes"], where, f"class {value} is unknown", "add it to classes")
        judge.need(entry["in"] in ("ERROR", "BYE"), where, f"in {entry['in']!r}", "use ERROR or BYE")
        stays = raw["classes"][value]["connection"] == "stays"
        judge.need(not (stays and entry["in"] == "BYE"), where,
                   "a BYE closes, its class does not", "choose another class")
        says = isinstance(entry.get("retry"), bool)
        judge.need(says == (value == 6), where, "`retry` is for class 6, and needed there",
                   "add or remove retry: true|false")
    judge.unique(((f"codes.{n}", e["code"]) for n, e in raw["codes"].items()), "code")


def _areas(judge: _Judge, raw: Raw) -> None:
    for section, pattern in (("areas", r"[A-Z]{2,4}"), ("testability", r"[a-z]+")):
        judge.need(isinstance(raw[section], dict), section, "is no mapping", "write NAME: text")
        for name, text in raw[section].items():
            judge.need(bool(re.fullmatch(pattern, name)) and isinstance(text, str),
                       f"{section}.{name}", "is not a name with a text", f"use {pattern}")
